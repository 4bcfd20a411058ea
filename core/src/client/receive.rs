//! Handles messages of the server.

use serde_json::Number;

use super::channels::Entry;
use super::config::{AGAIN, SILENCE};
use super::failure::Failure;
use super::frame::{ServerText, TextId};
use super::machine::Machine;
use super::messages::Request;
use super::output::{Output, Report};
use super::phase::Phase;
use super::ready::Ready;
use super::state::State;

impl Machine {
    pub(super) fn receive(&mut self, text: &str) {
        if let Phase::Ready(ready) = &mut self.phase {
            ready.heard(self.now);
        }
        let Some(frame) = ServerText::parse(text) else {
            return;
        };
        match frame.kind() {
            "" => return,
            "welcome" => return self.welcomed(frame),
            "health_ping" => {
                if let Some(timestamp) = frame.timestamp() {
                    let pong = format!(r#"{{"type":"health_pong","timestamp":{timestamp}}}"#);
                    self.act(Output::Send(pong));
                }
                return;
            }
            "pong" => return self.pong(frame.timestamp().and_then(Number::as_u64)),
            "ack" | "result" => return self.acknowledged(frame),
            "subscribed" => return self.subscribed(&frame),
            "error" => return self.refused(frame),
            "bye" => self.last_bye = Some(frame.clone()),
            "unsubscribed" => self.put_out(&frame),
            "message" if !self.is_new(&frame) => return,
            "presence" => {
                let name = frame.channel().unwrap_or_default();
                self.channels.see_presence(name, &frame);
            }
            "skip" => return self.skipped(&frame),
            "gap" if self.gone(&frame) => return,
            _ => {}
        }
        self.notify(Report::Deliver(frame));
    }

    fn welcomed(&mut self, welcome: ServerText) {
        if !matches!(self.phase, Phase::Opened { .. }) {
            return;
        }
        let silence = welcome.ping_interval().filter(|ping| !ping.is_zero());
        let silence = silence.unwrap_or(SILENCE);
        self.phase = Phase::Ready(Ready::new(self.now, silence, welcome.max_bytes()));
        let last = self.last_close.clone();
        self.notify(Report::State(State::Connected { welcome, last }));
        self.enter_channels();
        self.send_free();
    }

    /// Handles an `ack` or a `result`.
    fn acknowledged(&mut self, ack: ServerText) {
        let TextId::Number(id) = ack.id() else {
            return;
        };
        // A `subscribe` is not answered by an `ack`, and only a call by a `result`.
        let is_result = ack.kind() == "result";
        let is_answer = |it: &Request| it.call == is_result;
        if self.entry_of(id).is_some() || !self.messages.request(id).is_some_and(is_answer) {
            return;
        }
        let Some(request) = self.messages.answered(id) else {
            return;
        };
        let seq = ack.seq();
        if request.told {
            // Only the number of a late answer counts.
        } else if is_result {
            self.act(Output::Result { id, frame: ack });
        } else {
            let value = ack.seq().or(ack.delivered()).unwrap_or_default();
            self.act(Output::Done { id, value });
        }
        self.was_read(request.over);
        if let (Some(channel), Some(seq)) = (request.channel, seq) {
            self.see_own(&channel, seq, request.echo);
        }
    }

    fn subscribed(&mut self, frame: &ServerText) {
        let id = frame.id();
        let name = frame.channel().unwrap_or_default();
        // A `subscribed` never answers a message, whatever its id, nor the `subscribe` of another channel.
        let mut over = None;
        if let TextId::Number(id) = id {
            over = self.messages.request(id).and_then(|it| it.over);
            if over.is_some() || self.entry_of(id).is_some_and(|it| &*it.name == name) {
                self.messages.answered(id);
            }
        }
        self.was_read(over);
        // Ignore the answer to an earlier `subscribe` that was cancelled since.
        let asked = self.channels.get(name).map(|channel| channel.entry);
        if let Some(Entry::Asked(ours)) = asked
            && id != TextId::Absent
            && id != TextId::Number(ours)
        {
            return;
        }
        self.notify(Report::Deliver(frame.clone()));
        // Before `welcome` the connection is in no channel.
        if matches!(self.phase, Phase::Ready(_)) {
            let told = id == TextId::Absent;
            if told {
                self.channels.announced(name);
            }
            let known = self.channels.get(name);
            // The answer to a cancelled `subscribe` is ignored, because the channel is being left. On
            // an active channel, only a `subscribed` that is not an answer is a new position.
            if known.is_some_and(|channel| told || !channel.active) {
                self.entered(name, frame);
            } else if known.is_none() && told {
                self.channels.remember_lobby(name, frame);
            }
        }
    }

    /// Records the number of a message. Where there is history, it may come a second time: returns
    /// whether it is to be delivered.
    fn is_new(&mut self, message: &ServerText) -> bool {
        let (Some(name), Some(seq)) = (message.channel(), message.seq()) else {
            return true;
        };
        let Some(place) = self.channels.place(name) else {
            return true;
        };
        let history = place.has_history();
        let is_own = place.is_own(seq);
        !is_own && self.see(name, seq, seq, seq) || !history
    }

    /// Handles numbers that were not meant for this client.
    fn skipped(&mut self, skip: &ServerText) {
        if let (Some(name), Some((from, to))) = (skip.channel(), skip.range()) {
            self.see(name, from, from, to);
        }
    }

    /// Handles numbers that left the history before they were sent. Returns whether the channel is
    /// active, so that they are reported.
    fn gone(&mut self, gap: &ServerText) -> bool {
        let name = gap.channel().unwrap_or_default();
        if let Some((from, to)) = gap.range() {
            self.see(name, from, to.saturating_add(1), to);
        }
        self.channels.get(name).is_some_and(|it| it.active)
    }

    /// Handles `unsubscribed`. Without an id, the server's application removed the connection. A
    /// pending `subscribe` will still be answered.
    fn put_out(&mut self, frame: &ServerText) {
        let name = frame.channel().unwrap_or_default();
        self.channels.forget_lobby(name);
        if frame.id() != TextId::Absent {
            return;
        }
        self.channels.forget_presence(name);
        let Some(channel) = self.channels.get_mut(name) else {
            return;
        };
        channel.active = false;
        let messages = &self.messages;
        if !matches!(channel.entry, Entry::Asked(id) if messages.request(id).is_some()) {
            channel.entry = Entry::Refused;
        }
    }

    fn refused(&mut self, frame: ServerText) {
        let request = match frame.id() {
            TextId::Number(id) => self.messages.answered(id).map(|it| (id, it)),
            TextId::Absent | TextId::Foreign => None,
        };
        let Some((id, request)) = request else {
            let limited = frame.code() == Some("rate_limited");
            self.notify(Report::Deliver(frame.clone()));
            if limited {
                self.oldest_was_not_read(self.messages.turns, Some(&frame));
            }
            return;
        };
        let channel = request.channel.as_deref();
        let channel = channel.and_then(|name| self.channels.get_mut(name));
        match channel.filter(|channel| channel.entry == Entry::Asked(id)) {
            // The connection was already in the channel, by the URL, so this is not an error.
            Some(channel) if frame.code() == Some("already_subscribed") => {
                if !channel.active {
                    let name = channel.name.clone();
                    self.entered_before(&name);
                }
            }
            Some(channel) => {
                channel.entry = Entry::Refused;
                let channel = channel.name.clone();
                let failure = Failure::Refused {
                    code: frame.code().unwrap_or_default().to_owned().into(),
                    frame: None,
                };
                let name = channel.clone();
                self.notify(Report::Refused { channel, frame });
                self.drop_held(|item| item.is_for(&name), &failure);
            }
            None if !request.told => self.refuse(id, request.again, Failure::refused(&frame)),
            None => self.was_read(request.over),
        }
    }

    /// Handles the answer to a request that was taken for an unread one: the unread one was then a
    /// later request. The server may send `rate_limited` while it still handles an earlier request.
    fn was_read(&mut self, over: Option<u64>) {
        if let Some(before) = over {
            self.oldest_was_not_read(before, None);
        }
    }

    /// Handles `rate_limited`, which does not say which request before this turn was not read.
    /// Since answers come in order, it was the oldest unanswered one.
    fn oldest_was_not_read(&mut self, before: u64, frame: Option<&ServerText>) {
        let Some(id) = self.messages.oldest(before) else {
            return;
        };
        let Some((request, told)) = self.messages.was_not_read(id, before) else {
            return;
        };
        let again = request.again;
        let name = request.channel.as_deref();
        let channel = name.and_then(|name| self.channels.get_mut(name));
        if let Some(channel) = channel.filter(|channel| channel.entry == Entry::Asked(id)) {
            channel.entry = Entry::Unasked;
            let delay = frame
                .and_then(ServerText::retry_after)
                .filter(|delay| !delay.is_zero());
            if let Phase::Ready(ready) = &mut self.phase {
                ready.again_at = Some(self.now + delay.unwrap_or(AGAIN));
            }
        } else if !told {
            let limited = || Failure::Refused {
                code: "rate_limited".into(),
                frame: None,
            };
            self.refuse(id, again, frame.map_or_else(limited, Failure::refused));
        }
        self.forget_late();
    }
}
