//! Rate limits and strikes, as tokens counted in time (invariants 17 and 20).

use switchboard_core::{Denied, Direct, Question};

use super::frames;
use super::link::{Answer, Phase};
use super::oracle::{Verdict, room_number};
use super::plan::SECOND;
use super::publishing::Sent;
use super::recoveries::{Entering, Wish};
use super::world::World;

/// A client's request, as the oracle reads it.
#[derive(serde::Deserialize)]
struct Asked<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    channel: Option<&'a str>,
    to: Option<&'a str>,
    id: Option<serde_json::Value>,
    since: Option<Since>,
    last: Option<u64>,
    key: Option<&'a str>,
    again: Option<u64>,
}

/// A position in a request.
#[derive(serde::Deserialize)]
struct Since {
    epoch: String,
    seq: u64,
}

impl Asked<'_> {
    /// Returns from where on it wants the messages of a room.
    fn wish(&self) -> Wish {
        match (&self.since, self.last) {
            (Some(since), _) => Wish::Since(since.epoch.clone(), since.seq),
            (None, Some(last)) => Wish::Last(last),
            (None, None) => Wish::Rule,
        }
    }
}

impl World {
    /// Returns whether a message must be admitted; `None` if that is unknown.
    pub(super) fn predict_message(&mut self, l: u32, binary: bool, bytes: usize) -> Option<bool> {
        match self.links[l as usize].shadow.phase {
            // While the application checks a login, what follows it waits.
            Phase::AwaitingAuth
                if bytes > 4_096 || binary && self.links[l as usize].hook.is_none() =>
            {
                self.allow(l, "policy");
                return Some(false);
            }
            Phase::Open | Phase::AwaitingAuth => {}
            _ => return Some(false),
        }
        if binary && self.plan.json {
            self.allow(l, "unsupported_data");
            return Some(false);
        }
        let charged = self.charge(l, bytes);
        (!self.links[l as usize].shadow.fuzzy).then_some(charged)
    }

    /// The session has charged a ping, or it has found a ping or pong to be over the rates.
    pub(super) fn predict_control(&mut self, l: u32, bytes: usize, allowed: bool) {
        let shadow = &self.links[l as usize].shadow;
        let fuzzy = shadow.fuzzy;
        if !matches!(shadow.phase, Phase::Open | Phase::AwaitingAuth) {
            return;
        }
        let fits = self.take_tokens(l, bytes);
        self.check(20, fits == allowed || fuzzy, || {
            format!("link {l}: a control frame of {bytes} bytes, allowed: {allowed}")
        });
        if !allowed {
            self.strike(l);
        }
    }

    /// Predicts a pong, which is charged unless it answers our ping. One that is over the rates is
    /// reported as such.
    pub(super) fn predict_pong(&mut self, l: u32, payload: &[u8]) {
        let free = self.answers_ping(l, payload);
        let phase = self.links[l as usize].shadow.phase;
        if !free && matches!(phase, Phase::Open | Phase::AwaitingAuth) {
            self.take_tokens(l, payload.len());
        }
    }

    /// Takes tokens, or records a strike.
    fn charge(&mut self, l: u32, bytes: usize) -> bool {
        let fits = self.take_tokens(l, bytes);
        if !fits {
            self.strike(l);
        }
        fits
    }

    /// Takes tokens if there are enough.
    fn take_tokens(&mut self, l: u32, bytes: usize) -> bool {
        let now = self.now;
        let rates = self.plan.config.rates;
        let shadow = &mut self.links[l as usize].shadow;
        let (mut messages, mut volume) = (shadow.messages_full, shadow.bytes_full);
        let mut fits = true;
        if let Some(rate) = rates.messages {
            let each = SECOND / rate.per_second;
            messages = messages.max(now) + each;
            fits &= messages <= now + each * rate.burst;
        }
        if let Some(rate) = rates.bytes {
            let each = SECOND / rate.per_second;
            volume = volume.max(now) + each * bytes as u64;
            fits &= volume <= now + each * rate.burst;
        }
        if fits {
            (shadow.messages_full, shadow.bytes_full) = (messages, volume);
        }
        fits
    }

    pub(super) fn strike(&mut self, l: u32) {
        let now = self.core_time();
        let rates = self.plan.config.rates;
        if rates.messages.is_none() && rates.bytes.is_none() {
            return;
        }
        let window = rates.strike_window.as_nanos() as u64;
        let shadow = &mut self.links[l as usize].shadow;
        shadow.strikes.retain(|&at| now - at < window);
        shadow.strikes.push(now);
        let (count, fuzzy, phase) = (shadow.strikes.len(), shadow.fuzzy, shadow.phase);
        if count >= rates.strikes as usize || fuzzy {
            self.allow(l, "rate_limited");
            if !fuzzy && phase == Phase::Open {
                self.oracle.predicted = Some((l, Verdict::Closed("rate_limited")));
            }
        }
    }

    pub(super) fn predicted_charge(&mut self, l: u32) {
        self.predicted_admission(l);
    }

    /// Returns whether a pong is free. Unknown if pings may have crossed it.
    fn answers_ping(&mut self, l: u32, payload: &[u8]) -> bool {
        let now = self.now;
        let shadow = &mut self.links[l as usize].shadow;
        let Some(at) = shadow.pings_out.iter().position(|(_, out)| out == payload) else {
            return false;
        };
        let (sent, _) = shadow.pings_out.remove(at);
        if shadow.ever_blocked || now - sent > SECOND / 4 {
            shadow.fuzzy = true;
        }
        true
    }

    /// Predicts the outcome of a client's message, as far as it is known before the application is
    /// asked.
    pub(super) fn predict_command(&mut self, l: u32, text: &str) {
        if self.links[l as usize].shadow.phase == Phase::AwaitingAuth {
            if !text.starts_with("{\"type\":\"auth\",\"token\"") {
                self.allow(l, "policy");
            }
            return;
        }
        if self.links[l as usize].shadow.phase != Phase::Open {
            return;
        }
        if frames::is_bad_json(text) {
            return self.strike(l);
        }
        let Ok(asked) = serde_json::from_str::<Asked<'_>>(text) else {
            let unfinished = text.starts_with('x') || text.starts_with(' ');
            return self.check(29, unfinished, || {
                format!("link {l}: a message that no client sent: {text:?}")
            });
        };
        let id = asked.id.as_ref().and_then(serde_json::Value::as_u64);
        match asked.kind {
            "message" if asked.channel.is_none() => {
                let only = self.links[l as usize].shadow.rooms.len() == 1;
                if !only {
                    self.strike(l);
                    self.expect_answer(l, id, Answer::Any);
                }
            }
            "message" => {
                let room = asked.channel.and_then(room_number);
                let inside = room.is_some_and(|r| self.links[l as usize].shadow.rooms.contains(&r));
                match room.filter(|_| inside) {
                    None => self.expect_answer(l, id, Answer::Any),
                    Some(r) => self.predict_routed(l, r, id, &asked),
                }
            }
            "subscribe" => {
                self.oracle.entering = Some(Entering {
                    wish: asked.wish(),
                    ..Entering::default()
                });
                self.expect_answer(l, id, Answer::Any);
            }
            "unsubscribe" | "ping" => self.expect_answer(l, id, Answer::Any),
            "direct" if self.plan.config.direct == Direct::Open => {
                self.expect_direct(l, id, asked.to.unwrap_or_default());
            }
            _ => {}
        }
    }

    /// Predicts what is answered before the application is asked about a message to a room.
    fn predict_routed(&mut self, l: u32, r: u32, id: Option<u64>, asked: &Asked<'_>) {
        let keeping = self.oracle.rooms[r as usize].keeping;
        if asked.key.is_some() && keeping.is_none_or(|it| it.keys.is_none()) {
            self.strike(l);
            return self.expect_answer(l, id, Answer::Any);
        }
        if let (Some(id), Some(again)) = (id, asked.again) {
            let again = self.predict_again(l, r, id, again);
            if again.answer().is_some() {
                self.probe_again(again);
            }
            let answer = again.answer().unwrap_or(Answer::Unrecoverable);
            self.expect_answer(l, Some(id), answer);
        }
    }

    pub(super) fn predicted_command(&mut self, l: u32) {
        self.predicted_admission(l);
    }

    pub(super) fn expect_answer(&mut self, l: u32, id: Option<u64>, answer: Answer) {
        if let Some(id) = id {
            self.links[l as usize].shadow.answers.insert(id, answer);
        }
    }

    fn expect_direct(&mut self, l: u32, id: Option<u64>, to: &str) {
        let devices = self.oracle.users.get(to).map_or(&[][..], Vec::as_slice);
        // A full or tiny queue may not take it, so fewer members may get it.
        let full = |&l: &u32| self.links[l as usize].shadow.ever_blocked;
        let unsure = self.plan.tiny_queue || devices.iter().any(full);
        let devices = devices.len() as u64;
        let answer = if devices == 0 || unsure {
            Answer::Any
        } else {
            Answer::Delivered(devices)
        };
        self.expect_answer(l, id, answer);
    }

    /// The application answered: predicts the message to the room and its number.
    pub(super) fn predict_answer(
        &mut self,
        l: u32,
        question: &Question,
        answer: &Result<(), Denied>,
    ) {
        if self.links[l as usize].shadow.phase != Phase::Open {
            return;
        }
        match question {
            Question::Message {
                room,
                content,
                key,
                echo,
                volatile,
                again,
                request,
                ..
            } => {
                let id = request.as_ref().and_then(|id| id.as_json().parse().ok());
                if answer.is_err() {
                    return self.expect_answer(l, id, Answer::Any);
                }
                let sent = Sent {
                    content: content.as_json(),
                    key: key.as_deref(),
                    echo: *echo,
                    volatile: *volatile,
                    again: *again,
                    id,
                };
                let answer = self.expect_message(l, room, &sent);
                self.expect_answer(l, id, answer);
            }
            Question::Direct { to, request, .. } => {
                let id = request.as_ref().and_then(|id| id.as_json().parse().ok());
                if answer.is_err() {
                    return self.expect_answer(l, id, Answer::Any);
                }
                self.expect_direct(l, id, to);
            }
            _ => {}
        }
    }
}
