//! Steps of a script in which clients connect.

use std::sync::Arc;
use std::time::Duration;

use switchboard_core::{
    BadRequest, ConnectionId, Handshake, HandshakeConfig, Identity, Refused, Request,
    RequestOutcome, response,
};

use super::streams::Socket;
use super::{Driver, Fault, PROXY, ROOMS, USERS, address, ensure, named, room, same, user};
use crate::model::Verdict;
use crate::script::{Kind, Stream, Who};

const RULE: &str = "this is not HTTP";

impl Driver {
    pub(super) fn connect(&mut self, ip: u8) -> Result<Option<ConnectionId>, Fault> {
        let (peer, key) = address(ip)?;
        let result = self.act(|sys, now| sys.connect(now, peer));
        // A configured trusted network contains only this address.
        let proxy = key == PROXY && !self.config.trusted_proxies.is_empty();
        if let Some(model) = &mut self.model {
            model.connect(result.ok(), key, proxy);
        }
        if let Ok(id) = result {
            ensure(!self.lives.contains_key(&id), || {
                format!("{id} was issued twice")
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

    /// A client loses its stream, and its user connects again.
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
        let arrived = self.sys.read_mode(id) == Ok(switchboard_core::ReadMode::Head);
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
                Kind::Page => model.page_request(id, key),
                _ => model.request(id, key, request.lobby(), good_origin, len),
            };
            let answer = match answer {
                RequestOutcome::Authenticate => "authenticate",
                RequestOutcome::Page => "page",
                RequestOutcome::Refused => "refused",
                other => unreachable!("{other:?} is unknown to the model"),
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
}

pub(super) fn verdict_of(who: Who) -> (Result<Identity, Refused>, Verdict) {
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
        // A handshake cannot carry an illegal name.
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
        compression: false,
        room_contexts: false,
        sse: None,
        name_bytes: 8,
        tokens: switchboard_core::Tokens::default(),
    };
    let request = Handshake::new(Arc::new(config)).receive(head.as_bytes());
    request
        .map_err(|bad| bad.to_string())?
        .ok_or_else(|| "incomplete request".into())
}
