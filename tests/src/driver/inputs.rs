//! Steps of a script in which clients send.

use std::time::Duration;

use switchboard_core::protocol::{Json, parse};
use switchboard_core::{
    CloseFrame, ConnectionId, Denied, Event, HealthPing, ProtocolError, Question, Time,
};

use super::arrivals::verdict_of;
use super::{Driver, Fault, ensure, same};
use crate::model::{Ask, Said};
use crate::script::{Message, Reply, Stream, Who};

impl Driver {
    /// A peer's bytes arrived.
    fn bytes_came(&mut self, id: ConnectionId) -> bool {
        let known = self
            .act(|sys, now| sys.handle(now, id, Event::Heard))
            .is_ok();
        if let Some(model) = &mut self.model {
            model.heard(id);
        }
        known
    }

    pub(super) fn say(
        &mut self,
        id: ConnectionId,
        message: Message,
        tagged: bool,
        reply: Reply,
    ) -> Result<(), Fault> {
        self.requests += 1;
        // A text that is not JSON has no id.
        let tagged = tagged && !matches!(message, Message::Garbage(choice) if choice % 4 == 0);
        let tag = tagged.then(|| self.requests.to_string());
        let (text, said) = self.text_of(id, message, tag.as_deref());
        self.say_text(id, &text, said, tag, reply)
    }

    pub(super) fn say_text(
        &mut self,
        id: ConnectionId,
        text: &str,
        said: Said,
        tag: Option<String>,
        reply: Reply,
    ) -> Result<(), Fault> {
        if !self.bytes_came(id) {
            return self.settle();
        }
        let Some(()) = self.whole_message(id, false, text.len())? else {
            return self.settle();
        };
        if !self.json() {
            return self.settle();
        }
        let question = self
            .act(|sys, now| sys.command(now, id, parse(text)))
            .unwrap_or_default();
        let tag = match &said {
            Said::HealthPong(_) => None,
            _ => tag,
        };
        let ask = match &mut self.model {
            Some(model) => model.command(id, said, tag),
            None => question.as_ref().map(|_| Ask { said, request: tag }),
        };
        self.settle()?;
        ensure(question.is_some() == ask.is_some(), || {
            format!("asked {question:?}, expected {ask:?}")
        })?;
        if let (Some(question), Some(ask)) = (question, ask) {
            self.reply(id, question, ask, reply)?;
        }
        Ok(())
    }

    /// A message is complete; returns whether it was accepted.
    fn whole_message(
        &mut self,
        id: ConnectionId,
        binary: bool,
        len: usize,
    ) -> Result<Option<()>, Fault> {
        let charged = self.charge(id, len);
        let accepted = self
            .act(|sys, now| sys.message(now, id, binary, len, charged))
            .unwrap_or_default();
        if let Some(model) = &mut self.model {
            let foreseen = model.message(id, binary, len);
            same("whether a message is accepted", &accepted, &foreseen)?;
        }
        if accepted {
            self.accepted(id)?;
        }
        Ok(accepted.then_some(()))
    }

    fn reply(
        &mut self,
        id: ConnectionId,
        question: Question,
        ask: Ask,
        reply: Reply,
    ) -> Result<(), Fault> {
        match (reply, &question) {
            (Reply::Later, _) => {
                self.stream(id, Stream::HookStarted)?;
                self.questions.push((id, question, ask));
                return Ok(());
            }
            (_, Question::Token { request, .. }) => {
                let who = match reply {
                    Reply::Yes(who) => who,
                    _ => Who::No(0),
                };
                let (verdict, foreseen) = verdict_of(who);
                let known = self
                    .act(|sys, now| sys.authenticated(now, id, verdict, request.as_ref()))
                    .is_ok();
                self.is_known(id, known)?;
                if let Some(model) = &mut self.model {
                    model.authenticated(id, foreseen, ask.request.as_deref());
                }
            }
            (reply, _) => {
                let (mut question, mut ask) = (question, ask);
                if let Reply::Yes(who) = reply {
                    decide(&mut question, &mut ask, who);
                }
                let (answer, foreseen) = match reply {
                    Reply::No(true) => (Err(Denied::Unauthorized), Some("unauthorized")),
                    Reply::No(false) => (Err(Denied::Forbidden), Some("forbidden")),
                    _ => (Ok(()), None),
                };
                let known = self
                    .act(|sys, now| sys.answer(now, id, question, answer))
                    .is_ok();
                self.is_known(id, known)?;
                if let Some(model) = &mut self.model {
                    model.answer(id, &ask, foreseen);
                }
            }
        }
        self.settle()
    }

    pub(super) fn answer(&mut self, number: u8, reply: Reply) -> Result<(), Fault> {
        if self.questions.is_empty() || matches!(reply, Reply::Later) {
            return Ok(());
        }
        let at = usize::from(number) % self.questions.len();
        let (id, question, ask) = self.questions.remove(at);
        self.reply(id, question, ask, reply)
    }

    pub(super) fn binary(&mut self, id: ConnectionId, len: usize) -> Result<(), Fault> {
        if self.bytes_came(id) {
            self.whole_message(id, true, len)?;
        }
        self.settle()
    }

    pub(super) fn ping(&mut self, id: ConnectionId, len: u8) -> Result<(), Fault> {
        self.bytes_came(id);
        let payload = vec![len; usize::from(len)];
        let event = self.charge(id, payload.len()).map_or_else(
            |retry_after| Event::OverRate {
                bytes: payload.len(),
                retry_after,
            },
            |()| Event::Ping(&payload),
        );
        let known = self.act(|sys, now| sys.handle(now, id, event)).is_ok();
        self.is_known(id, known)?;
        if let Some(model) = &mut self.model {
            model.pinged(id, &payload);
        }
        self.settle()
    }

    /// Charges a message or control frame to the connection's meter, as its session does.
    fn charge(&mut self, id: ConnectionId, bytes: usize) -> Result<(), Duration> {
        let now = Time::from_nanos(self.seen.max(self.now));
        let meter = self.meters.entry(id).or_default();
        meter.charge(now, &self.config.rates, bytes)
    }

    pub(super) fn pong(&mut self, id: ConnectionId, right: bool) -> Result<(), Fault> {
        if right && self.sockets.get(&id).is_some_and(|it| !it.pings.is_empty()) {
            return self.answer_pings(id);
        }
        self.pong_with(id, &[0xEE; 8])
    }

    /// Answers all pings that a peer has read, by pong or by message.
    pub(super) fn answer_pings(&mut self, id: ConnectionId) -> Result<(), Fault> {
        let Some(socket) = self.sockets.get_mut(&id) else {
            return Ok(());
        };
        for (number, by_message) in std::mem::take(&mut socket.pings) {
            if by_message {
                let text = format!(r#"{{"type":"health_pong","timestamp":{number}}}"#);
                let said = Said::HealthPong(Some(number));
                self.say_text(id, &text, said, None, Reply::Later)?;
            } else {
                self.pong_with(id, &number.to_be_bytes())?;
            }
        }
        Ok(())
    }

    fn pong_with(&mut self, id: ConnectionId, payload: &[u8]) -> Result<(), Fault> {
        self.bytes_came(id);
        let asked_for = self.act(|sys, now| sys.pong(now, id, payload));
        self.is_known(id, asked_for.is_ok())?;
        if asked_for == Ok(false)
            && let Err(retry_after) = self.charge(id, payload.len())
        {
            let bytes = payload.len();
            let event = Event::OverRate { bytes, retry_after };
            let _ = self.act(|sys, now| sys.handle(now, id, event));
        }
        if let Some(model) = &mut self.model {
            model.ponged(id, payload, false);
        }
        self.settle()
    }

    pub(super) fn peer_close(&mut self, id: ConnectionId, code: Option<u16>) -> Result<(), Fault> {
        self.bytes_came(id);
        let close = code.map(|code| CloseFrame {
            code,
            reason: "bye",
        });
        let known = self
            .act(|sys, now| sys.handle(now, id, Event::Close(close)))
            .is_ok();
        self.is_known(id, known)?;
        if let Some(model) = &mut self.model {
            model.peer_closed(id, code);
        }
        self.settle()
    }

    pub(super) fn partial(
        &mut self,
        id: ConnectionId,
        in_message: bool,
        bytes: usize,
    ) -> Result<(), Fault> {
        let bytes = if in_message { bytes } else { 0 };
        self.bytes_came(id);
        let event = Event::Partial { in_message, bytes };
        let known = self.act(|sys, now| sys.handle(now, id, event)).is_ok();
        self.is_known(id, known)?;
        if let Some(model) = &mut self.model {
            model.partial(id, in_message, bytes);
        }
        self.settle()
    }

    pub(super) fn stream(&mut self, id: ConnectionId, what: Stream) -> Result<(), Fault> {
        let (error, key) = match what {
            Stream::Violation(1) => (ProtocolError::InvalidUtf8, "invalid_utf8"),
            Stream::Violation(2) => (ProtocolError::TooBig, "too_big"),
            Stream::Violation(3) => (ProtocolError::TooManyFragments, "policy"),
            _ => (ProtocolError::UnmaskedFrame, "protocol_error"),
        };
        let event = match what {
            Stream::Heard => Event::Heard,
            Stream::Eof => Event::Eof,
            Stream::Reset => Event::Reset,
            Stream::Violation(_) => Event::Violation(error),
            Stream::Discarded(bytes) => Event::Discarded(bytes as usize),
            Stream::Paused => Event::Paused,
            Stream::Resumed => Event::Resumed,
            Stream::Leaving => Event::Leaving,
            Stream::HookStarted => Event::HookStarted,
            Stream::HookDone => Event::HookDone,
            Stream::HookFailed => Event::HookFailed,
        };
        let known = self.act(|sys, now| sys.handle(now, id, event)).is_ok();
        self.is_known(id, known)?;
        let Some(model) = &mut self.model else {
            return self.settle();
        };
        let live = model.live();
        match what {
            Stream::Heard => model.heard(id),
            Stream::Eof => model.peer_ended(id),
            Stream::Reset => model.peer_reset(id),
            Stream::Violation(_) => model.close_by(id, key),
            // This only changes the read mode.
            Stream::Discarded(bytes) => {
                let conn = model.conns.get_mut(&id);
                if let Some(conn) = conn.filter(|conn| conn.is_ending() && conn.shut) {
                    conn.discarded += bytes as usize;
                }
            }
            Stream::HookStarted => model.hook_started(id),
            Stream::HookFailed => model.hook_failed(id),
            Stream::Paused | Stream::Resumed | Stream::Leaving | Stream::HookDone => {
                if let Some(conn) = model.conns.get_mut(&id) {
                    match what {
                        Stream::HookDone => conn.hook = None,
                        Stream::Paused => conn.paused = true,
                        Stream::Leaving => conn.leaving = true,
                        _ => (conn.paused, conn.opened) = (false, live),
                    }
                }
            }
        }
        self.settle()
    }

    /// Returns whether interval pings are sent as messages.
    pub(super) fn asks_by_message(&self) -> bool {
        self.json() && self.config.health.health_ping == HealthPing::All
    }
}

/// Grants a request. What else the application can do, it does for some of them: it echoes the
/// parameters of a call, and replaces the content of a message or handles it itself.
fn decide(question: &mut Question, ask: &mut Ask, who: Who) {
    match (&*question, &mut ask.said, who) {
        (Question::Call { params, .. }, ..) => {
            let result = params.clone();
            question.resolve(result);
        }
        (Question::Message { .. }, said, Who::Anonymous) => {
            question.handle();
            *said = Said::Handled;
        }
        (Question::Message { .. }, Said::Message(_, content, _), Who::First) => {
            r#"{"replaced": [ true ]}"#.clone_into(content);
            question.replace(Json::parse(content).expect("JSON"));
        }
        _ => {}
    }
}
