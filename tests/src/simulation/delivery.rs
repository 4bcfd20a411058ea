//! Checks everything that is sent to each client: to whom it is, and nothing after the end
//! (invariants 11, 15, 28, 29, 31, 32).

use switchboard_kit::Sent;

use super::causes::{bit, flushes};
use super::counters::Probe;
use super::link::{Answer, Phase, Seen};
use super::oracle::{hash_text, room_number};
use super::output::{Message, Output};
use super::world::World;

pub(super) type Checked = Result<(), (u8, String)>;

impl World {
    /// A socket took these bytes.
    pub(super) fn sent(&mut self, l: u32, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut output = std::mem::replace(&mut self.links[l as usize].output, Output::new());
        let mut broken = None;
        let before = (output.inflated, output.in_context);
        let fed = output.feed(bytes, |end, sent| {
            if let Err((invariant, what)) = self.went_out(l, end, &sent) {
                broken.get_or_insert((invariant, what));
            }
            Ok(())
        });
        if output.inflated > before.0 {
            self.probe(Probe::Inflated);
        }
        if output.in_context > before.1 {
            self.probe(Probe::InContext);
        }
        self.links[l as usize].output = output;
        if let Err(what) = fed {
            self.fail(15, format!("link {l}: {what}"));
        }
        if let Some((invariant, what)) = broken {
            self.fail(invariant, format!("link {l}: {what}"));
        }
    }

    fn went_out(&mut self, l: u32, end: u64, sent: &Sent<'_>) -> Checked {
        self.tally.frames += 1;
        self.note(|| format!("link {l} sent {}", shorten(sent)));
        match *sent {
            Sent::Http(status) => {
                self.hash(u64::from(status));
                self.see(l, end, Seen::Http(status));
                self.http_went_out(l, status)
            }
            Sent::Text(text) => {
                self.hash(hash_text(text));
                self.data_went_out(l, text)?;
                if self.plan.json {
                    return self.message_went_out(l, end, text);
                }
                Ok(())
            }
            Sent::Binary(_) => self.data_went_out(l, "binary"),
            Sent::Ping(payload) => {
                let now = self.now;
                let shadow = &mut self.links[l as usize].shadow;
                shadow.pings_out.push((now, payload.to_vec()));
                if shadow.pings_out.len() > 64 {
                    shadow.pings_out.remove(0);
                }
                self.ping_went_out(l);
                self.see(l, end, Seen::Ping(payload.to_vec()));
                Ok(())
            }
            Sent::Pong(_) => {
                let shadow = &mut self.links[l as usize].shadow;
                shadow.pongs += 1;
                if shadow.pongs > shadow.pings {
                    return Err((17, "an unsolicited pong".into()));
                }
                Ok(())
            }
            Sent::Close(close) => {
                self.see(l, end, Seen::Close(close.map(|(code, _)| code)));
                self.close_went_out(l, close)
            }
        }
    }

    fn ping_went_out(&mut self, l: u32) {
        let (pinged, told) = (self.moment(), self.core_now);
        let shadow = &mut self.links[l as usize].shadow;
        // The core may be told an earlier time than that of the write.
        shadow.pinged_since.get_or_insert(told);
        shadow.pinged = Some(pinged);
    }

    pub(super) fn see(&mut self, l: u32, end: u64, seen: Seen) {
        let link = &mut self.links[l as usize];
        if !link.client_gone {
            link.seen.push_back((end, seen));
        }
    }

    fn http_went_out(&mut self, l: u32, status: u16) -> Checked {
        let shadow = &mut self.links[l as usize].shadow;
        shadow.http_sent = Some(status);
        let fits = match shadow.http {
            Some(expected) => expected == status,
            None => status == 101 && shadow.phase > Phase::Authenticating || shadow.user.is_some(),
        };
        if fits {
            return Ok(());
        }
        let (http, phase) = (shadow.http, shadow.phase);
        Err((
            29,
            format!("answered {status} in {phase:?}, expected {http:?}"),
        ))
    }

    /// Data may be sent to an open connection, and to one that ends in an orderly way.
    fn data_went_out(&mut self, l: u32, text: &str) -> Checked {
        let shadow = &self.links[l as usize].shadow;
        let last_word =
            text.starts_with("{\"type\":\"error\"") || text.starts_with("{\"type\":\"bye\"");
        if shadow.user.is_none() && !last_word {
            return Err((32, format!("data before admission: {text}")));
        }
        if let Some(reason) = shadow.closed
            && !flushes(reason)
            && !shadow.grace_bytes
            && !last_word
        {
            return Err((28, format!("data after a close with {reason}: {text}")));
        }
        Ok(())
    }

    fn close_went_out(&mut self, l: u32, close: Option<(u16, &str)>) -> Checked {
        let link = &mut self.links[l as usize];
        let shadow = &mut link.shadow;
        shadow.close_sent = true;
        let code = close.map(|(code, _)| code);
        let reason = close.map_or("", |(_, reason)| reason);
        self.hash(u64::from(code.unwrap_or(0)));
        let link = &self.links[l as usize];
        let shadow = &link.shadow;
        if shadow.phase == Phase::Open {
            return Err((28, format!("a Close {code:?} to an open connection")));
        }
        if link.fin_at.is_some() {
            self.probe(Probe::HalfClosedGotClose);
        }
        let shadow = &self.links[l as usize].shadow;
        if shadow.grace_bytes && !shadow.closed.is_some_and(flushes) {
            self.probe(Probe::CloseOvertook);
        }
        let shadow = &self.links[l as usize].shadow;
        let silent = shadow.close_code.is_none();
        if silent {
            // Before it logged in, no notice tells why it was closed.
            let allowed = reason == "auth_timeout" || shadow.causes & bit(reason) != 0;
            if reason == "auth_timeout" {
                self.probe(Probe::AuthTimeout);
            }
            return if allowed || reason == "policy" {
                Ok(())
            } else {
                Err((29, format!("closed {code:?} {reason} before it logged in")))
            };
        }
        let echo = shadow.closed.is_none_or(|closed| closed == "client_closed");
        let expected = shadow.close_code.unwrap_or_default();
        let words = echo || Some(reason) == shadow.closed || expected == Some(1008);
        if expected == code && words {
            return Ok(());
        }
        let closed = shadow.closed;
        Err((
            29,
            format!("closed {code:?} {reason}, expected {expected:?} {closed:?}"),
        ))
    }

    fn message_went_out(&mut self, l: u32, end: u64, text: &str) -> Checked {
        let message: Message<'_> =
            serde_json::from_str(text).map_err(|error| (16, format!("{error} in {text}")))?;
        let stale = || {
            (
                13,
                format!("a message about a room that it is not in: {text}"),
            )
        };
        match message.kind {
            "welcome" => {
                self.see(l, end, Seen::Welcome);
                let user = self.links[l as usize].shadow.user.as_deref();
                return if user == message.user {
                    Ok(())
                } else {
                    Err((31, format!("welcomed as {:?}", message.user)))
                };
            }
            "subscribed" => {
                let r = message.channel.and_then(room_number).ok_or_else(stale)?;
                self.see(l, end, Seen::Entered(r));
                self.entered(l, r, &message)?;
                self.see_position(l, end, r, &message);
            }
            "unsubscribed" => {
                let r = message.channel.and_then(room_number).ok_or_else(stale)?;
                self.see(l, end, Seen::Left(r));
                self.left_room(l, r)?;
            }
            "message" => {
                let r = message.channel.and_then(room_number).ok_or_else(stale)?;
                self.room_message(l, r, &message)?;
                self.see_number(l, end, r, message.seq);
            }
            "skip" | "gap" => {
                let r = message.channel.and_then(room_number).ok_or_else(stale)?;
                let numbers = message.from.zip(message.to).ok_or_else(stale)?;
                self.passed_over(l, r, numbers, message.kind)?;
                self.see_number(l, end, r, message.to);
            }
            "direct" => self.direct_message(l, &message)?,
            "health_ping" => {
                if let Some(timestamp) = message.timestamp {
                    self.see(l, end, Seen::HealthPing(timestamp));
                    self.ping_went_out(l);
                }
            }
            "presence" => {
                let r = message.channel.and_then(room_number).ok_or_else(stale)?;
                self.presence_message(l, r, &message)?;
            }
            "error" => self.probe_error(&message),
            "bye" => {
                if self.links[l as usize].shadow.closed != Some("draining") {
                    return Err((27, "a bye without a drain".into()));
                }
            }
            "ack" | "pong" | "authenticated" | "app" => {}
            other => return Err((16, format!("an unknown message {other}"))),
        }
        self.answered(l, end, &message)
    }

    /// An answer must carry the id of a pending request.
    fn answered(&mut self, l: u32, end: u64, message: &Message<'_>) -> Checked {
        let Some(id) = message.id.and_then(|id| id.get().parse::<u64>().ok()) else {
            return Ok(());
        };
        let answer = self.links[l as usize].shadow.answers.remove(&id);
        self.see_answer(l, end, id);
        let ack = message.kind == "ack";
        let told = (message.seq, message.duplicate);
        let code = message.code.as_ref().and_then(serde_json::Value::as_str);
        let lost = code == Some("unrecoverable");
        let fits = match answer {
            Some(Answer::Any) => true,
            Some(Answer::Seq(seq)) => ack && told == (Some(seq), None),
            Some(Answer::Passed) => ack && told == (None, None),
            Some(Answer::Duplicate(seq, unsure)) => {
                (ack && told == (Some(seq), Some(true))) || (unsure && lost)
            }
            Some(Answer::Unrecoverable) => lost,
            Some(Answer::LimitExceeded) => code == Some("limit_exceeded"),
            Some(Answer::Delivered(to)) => ack && message.delivered == Some(to),
            None => false,
        };
        if fits {
            return Ok(());
        }
        Err((11, format!("an answer {message:?}, expected {answer:?}")))
    }

    /// Checks `"d <link> <to> <number>"`, which names the sending link.
    fn direct_message(&mut self, l: u32, message: &Message<'_>) -> Checked {
        let content = message.content.map_or("", serde_json::value::RawValue::get);
        let mut words = content.trim_matches('"').split(' ').skip(1);
        let from: Option<u32> = words.next().and_then(|link| link.parse().ok());
        let to = words.next();
        let sender = from.and_then(|from| self.shared_user(from));
        let own = self.shared_user(l);
        if sender.is_some() && sender.as_deref() == message.sender && own.as_deref() == to {
            return Ok(());
        }
        Err((
            31,
            format!(
                "{content} to {own:?} from {:?}, expected {sender:?}",
                message.sender
            ),
        ))
    }

    fn probe_error(&mut self, message: &Message<'_>) {
        match message.code.as_ref().and_then(serde_json::Value::as_str) {
            Some("room_full") => self.probe(Probe::RoomFull),
            Some("limit_exceeded") => self.probe(Probe::TooManyRooms),
            _ => {}
        }
    }
}

fn shorten(sent: &Sent<'_>) -> String {
    let text = format!("{sent:?}");
    text.chars().take(160).collect()
}
