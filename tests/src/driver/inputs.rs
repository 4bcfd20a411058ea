//! What clients do.

use std::sync::Arc;
use std::time::Duration;

use switchboard_core::protocol::parse;
use switchboard_core::{
    Answer, BadRequest, CloseFrame, ConnectionId, Denied, Event, Handshake, HandshakeConfig,
    HealthPing, Identity, ProtocolError, Question, Refused, Request, response,
};

use super::streams::Socket;
use super::{Driver, Fault, ROOMS, USERS, address, ensure, named, room, same, user};
use crate::model::{Ask, Said, Verdict};
use crate::script::{Kind, Message, Reply, Stream, Who};

const RULE: &str = "this is not HTTP";

impl Driver {
    pub(super) fn connect(&mut self, ip: u8) -> Result<Option<ConnectionId>, Fault> {
        let (peer, key) = address(ip)?;
        let result = self.act(|sys, now| sys.connect(now, peer));
        if let Some(model) = &mut self.model {
            model.connect(result.ok(), key);
        }
        if let Ok(id) = result {
            ensure(!self.lives.contains_key(&id), || {
                format!("{id} is used twice")
            })?;
            self.lives.insert(id, super::Life::default());
            self.ids.push(id);
            let socket = Socket::new(!self.ids.len().is_multiple_of(3));
            self.sockets.insert(id, socket);
        }
        self.settle()?;
        Ok(result.ok())
    }

    pub(super) fn enter(&mut self, ip: u8, lobby: Option<u8>, who: Who) -> Result<(), Fault> {
        if let Some(id) = self.connect(ip)? {
            self.request(id, ip, lobby.map(|it| it % 5), true, Kind::Http)?;
            self.verdict(id, who)?;
        }
        Ok(())
    }

    /// A client loses its stream; its user enters again, where it was.
    pub(super) fn come_back(&mut self, id: ConnectionId, ip: u8, after: u64) -> Result<(), Fault> {
        let user = self.sys.user_of(id);
        let number = USERS.iter().position(|name| user.as_deref() == Some(*name));
        let rooms = self.sys.rooms_of(id).unwrap_or_default();
        let lobby = ROOMS
            .iter()
            .position(|name| rooms.iter().any(|room| **room == **name));
        self.stream(id, Stream::Eof)?;
        self.wait(after)?;
        match number {
            Some(number) => {
                let who = Who::User(number as u8, None);
                self.enter(ip, lobby.map(|number| number as u8), who)
            }
            None => Ok(()),
        }
    }

    pub(super) fn request(
        &mut self,
        id: ConnectionId,
        ip: u8,
        lobby: Option<u8>,
        good_origin: bool,
        kind: Kind,
    ) -> Result<(), Fault> {
        let (peer, key) = address(ip)?;
        let lobby = lobby.map(room);
        let mut request = request_of(lobby, good_origin, kind)?;
        request.set_peer(peer);
        let arrived = self.sys.intake(id) == Ok(switchboard_core::Intake::Head);
        let result = if kind == Kind::Upgraded {
            self.act(|sys, now| sys.upgraded(now, id, &request))
        } else {
            self.act(|sys, now| sys.request(now, id, &request))
        };
        if kind == Kind::Upgraded
            && arrived
            && let Some(socket) = self.sockets.get_mut(&id)
        {
            socket.peer.skip_head();
        }
        if let (Some(model), Ok(answer)) = (&mut self.model, result) {
            let json = self.config.wire == switchboard_core::Wire::Json;
            let len = response::switching_protocols(&request, json).len();
            let len = (kind == Kind::Http).then_some(len);
            let foreseen = match kind {
                Kind::Page => model.page_request(id),
                _ => model.request(id, key, request.lobby(), good_origin, len),
            };
            let answer = match answer {
                Answer::Authenticate => "authenticate",
                Answer::Page => "page",
                Answer::Refused => "refused",
            };
            same("the answer", &answer, &foreseen)?;
        }
        self.settle()
    }

    pub(super) fn malformed(&mut self, id: ConnectionId) -> Result<(), Fault> {
        let bad = BadRequest::Syntax(RULE);
        let known = self.act(|sys, now| sys.malformed(now, id, bad)).is_ok();
        self.is_known(id, known)?;
        if let Some(model) = &mut self.model {
            model.malformed(id, RULE);
        }
        self.settle()
    }

    pub(super) fn answer_page(&mut self, id: ConnectionId) -> Result<(), Fault> {
        let page = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        let known = self
            .act(|sys, now| sys.answer_page(now, id, page.to_vec()))
            .is_ok();
        self.is_known(id, known)?;
        if let Some(model) = &mut self.model {
            model.answer_page(id, 200, page.len());
        }
        self.settle()
    }

    pub(super) fn verdict(&mut self, id: ConnectionId, who: Who) -> Result<(), Fault> {
        let (verdict, foreseen) = verdict_of(who);
        let known = self
            .act(|sys, now| sys.authenticated(now, id, verdict, None))
            .is_ok();
        self.is_known(id, known)?;
        if let Some(model) = &mut self.model {
            model.authenticated(id, foreseen, None);
        }
        self.settle()
    }

    /// Bytes have come from a peer.
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
        // What is no JSON has no id.
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
            format!("asked {question:?}, foreseen {ask:?}")
        })?;
        if let (Some(question), Some(ask)) = (question, ask) {
            self.reply(id, question, ask, reply)?;
        }
        Ok(())
    }

    /// A message has come in whole: whether it was accepted.
    fn whole_message(
        &mut self,
        id: ConnectionId,
        binary: bool,
        len: usize,
    ) -> Result<Option<()>, Fault> {
        let accepted = self
            .act(|sys, now| sys.message(now, id, binary, len))
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
        let known = self
            .act(|sys, now| sys.handle(now, id, Event::Ping(&payload)))
            .is_ok();
        self.is_known(id, known)?;
        if let Some(model) = &mut self.model {
            model.pinged(id, &payload);
        }
        self.settle()
    }

    pub(super) fn pong(&mut self, id: ConnectionId, right: bool) -> Result<(), Fault> {
        if right && self.sockets.get(&id).is_some_and(|it| !it.pings.is_empty()) {
            return self.answer_pings(id);
        }
        self.pong_with(id, &[0xEE; 8])
    }

    /// Answers all pings that a peer has read, each in its way.
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
        let known = self
            .act(|sys, now| sys.handle(now, id, Event::Pong(payload)))
            .is_ok();
        self.is_known(id, known)?;
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
            Stream::Discarded(bytes) => model.discarded(id, bytes as usize),
            Stream::HookStarted => model.hook_started(id),
            Stream::HookFailed => model.hook_failed(id),
            Stream::Paused | Stream::Resumed | Stream::HookDone => {
                if let Some(conn) = model.conns.get_mut(&id) {
                    match what {
                        Stream::HookDone => conn.hook = None,
                        Stream::Paused => conn.paused = true,
                        _ => (conn.paused, conn.opened) = (false, live),
                    }
                }
            }
        }
        self.settle()
    }

    /// Whether pings of the interval go out as messages.
    pub(super) fn asks_by_message(&self) -> bool {
        self.json() && self.config.health.health_ping == HealthPing::All
    }
}

fn verdict_of(who: Who) -> (Result<Identity, Refused>, Verdict) {
    match who {
        Who::User(number, expires) => {
            let expires = expires.map(|ms| Duration::from_millis(ms.into()));
            let nanos = expires.map(crate::model::nanos);
            let name = user(number);
            (Ok(named(name, expires)), Verdict::User(name.into(), nanos))
        }
        Who::Anonymous => (Ok(Identity::Anonymous), Verdict::Anonymous),
        Who::First => (Ok(Identity::FirstMessage), Verdict::FirstMessage),
        Who::No(0) => (Err(Refused::Unauthorized), Verdict::No("unauthorized")),
        Who::No(1) => (Err(Refused::Forbidden), Verdict::No("forbidden")),
        Who::No(_) => (Err(Refused::Internal), Verdict::No("internal")),
    }
}

fn request_of(lobby: Option<&str>, good_origin: bool, kind: Kind) -> Result<Request, Fault> {
    let origin = if good_origin {
        "http://here.test"
    } else {
        "http://there.test"
    };
    if kind == Kind::Upgraded {
        let headers = [("Host", "here.test"), ("Origin", origin)];
        let made = Request::upgraded("/ws", lobby.map(str::to_owned), headers);
        return made.map_err(|bad| bad.to_string());
    }
    let path = match (kind, lobby) {
        (Kind::Page, _) => "/".to_owned(),
        // An illegal name does not come through a handshake.
        (_, Some(name)) if name.len() <= 8 && !name.is_empty() && !name.contains('\u{7}') => {
            format!("/ws/{name}")
        }
        _ => "/ws".to_owned(),
    };
    let upgrade = if kind == Kind::Page {
        ""
    } else {
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    };
    let head =
        format!("GET {path} HTTP/1.1\r\nHost: here.test\r\nOrigin: {origin}\r\n{upgrade}\r\n");
    let config = HandshakeConfig {
        endpoint: switchboard_core::Endpoint::default(),
        pages: true,
        json: true,
        name_bytes: 8,
    };
    let request = Handshake::new(Arc::new(config)).receive(head.as_bytes());
    request
        .map_err(|bad| bad.to_string())?
        .ok_or_else(|| "no whole request".into())
}
