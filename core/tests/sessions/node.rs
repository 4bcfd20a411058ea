//! One session on a node in virtual time, and the calls of the application that it waits for.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use switchboard_core::session::{self, Call, Ended, LocalNode, Reply, Session, Step, Turn};
use switchboard_core::{
    Action, Config, ConnectionId, HandshakeConfig, Identity, Notice, Switchboard, Time, Wire,
    WriteTurn,
};

use super::support::{ClientFrame, wire};

pub(crate) const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub(crate) fn handshake(config: &Config) -> Arc<HandshakeConfig> {
    Arc::new(HandshakeConfig {
        endpoint: config.endpoint.clone(),
        pages: false,
        json: config.wire == Wire::Json,
        compression: config.compression.is_some(),
        room_contexts: config.compression.is_some_and(|it| it.room_contexts > 0),
        sse: config.sse.clone(),
        name_bytes: config.limits.name_bytes,
        tokens: switchboard_core::Tokens::default(),
    })
}

/// A switchboard that counts how often its lock is held.
pub(crate) struct Counted<'a> {
    pub(crate) switchboard: &'a mut Switchboard,
    pub(crate) now: Time,
    pub(crate) holds: &'a mut usize,
}

impl session::Node for Counted<'_> {
    type Held<'a> = LocalNode<'a>;

    fn hold<T>(&mut self, work: impl FnOnce(&mut LocalNode<'_>) -> T) -> T {
        *self.holds += 1;
        work(&mut LocalNode {
            switchboard: self.switchboard,
            now: self.now,
        })
    }

    fn config(&self) -> &Config {
        self.switchboard.config()
    }

    fn now(&self) -> Time {
        self.now
    }
}

/// A node with one connection, and the pending calls of the application.
pub(crate) struct Node {
    pub(crate) board: Switchboard,
    pub(crate) now: Time,
    pub(crate) session: Session,
    pub(crate) id: ConnectionId,
    /// The running call.
    pub(crate) call: Option<Call>,
    pub(crate) flushes: usize,
    /// How often the session held the lock.
    pub(crate) holds: usize,
    /// The bytes sent to the client.
    pub(crate) sent: Vec<u8>,
}

impl Node {
    pub(crate) fn new(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        change(&mut config);
        let handshake = handshake(&config);
        let now = Time::from_millis(1_000);
        let mut board = Switchboard::new(config, 7, now).expect("a valid configuration");
        let id = board.connect(now, PEER).expect("a seat");
        Self {
            board,
            now,
            session: Session::new(id, PEER, handshake),
            id,
            call: None,
            flushes: 0,
            holds: 0,
            sent: Vec::new(),
        }
    }

    /// Opens the connection as `ann` in the room `blue`.
    pub(crate) fn open(change: impl FnOnce(&mut Config)) -> Self {
        let mut node = Self::new(change);
        node.read(HEAD);
        node.let_in();
        node
    }

    pub(crate) fn let_in(&mut self) {
        let Some(Call::Authenticate(login)) = self.call.take() else {
            panic!("expected authentication");
        };
        let name = login.request.token().map_or("ann", |token| token.reveal());
        let (identity, name) = (Identity::user(name), name.to_owned());
        self.reply(Reply::Identity(login, Ok(identity.into())));
        let Some(Call::Lobby(lobby)) = self.call.take() else {
            panic!("expected authorization of the lobby");
        };
        assert_eq!(*lobby.user, *name);
        self.reply(Reply::Lobby(lobby, Ok(())));
        assert!(matches!(self.call.take(), Some(Call::Connect)));
        self.reply(Reply::Connected);
        assert!(self.board.is_connected(&name));
    }

    pub(crate) fn with<T>(&mut self, work: impl FnOnce(&mut Session, &mut Counted<'_>) -> T) -> T {
        let mut node = Counted {
            switchboard: &mut self.board,
            now: self.now,
            holds: &mut self.holds,
        };
        let result = work(&mut self.session, &mut node);
        self.drive();
        result
    }

    /// Drives the switchboard like a driver.
    pub(crate) fn drive(&mut self) {
        let mut ended = None;
        let mut turn = WriteTurn::default();
        loop {
            while let Some(action) = self.board.poll_action() {
                match action {
                    Action::Notify(Notice::Closed {
                        id, rooms, reason, ..
                    }) if id == self.id => {
                        ended = Some(Ended { rooms, reason });
                    }
                    _ => {}
                }
            }
            self.board.take_turn(&mut turn, 32);
            if turn.is_empty() {
                break;
            }
            turn.write_each(|_, bytes| {
                self.sent.extend_from_slice(bytes);
                bytes.len()
            });
            self.board.report(self.now, &mut turn);
        }
        let mut node = LocalNode {
            switchboard: &mut self.board,
            now: self.now,
        };
        let mode = node.switchboard.read_mode(self.id).ok();
        self.session.update(&mut node, mode, ended);
        if !self.session.is_calling() {
            self.call = None;
        }
    }

    pub(crate) fn carry_out(&mut self, mut step: Option<Step>) {
        loop {
            match step.take() {
                Some(Step::Call(call)) => self.call = Some(call),
                Some(Step::Flush) => self.flushes += 1,
                None => {}
            }
            step = self.with(|session, node| session.next(node));
            // Its effects may have ended the connection, which it learns only then.
            let idle = self.session.is_calling() || self.session.is_idle();
            if step.is_none() && idle {
                return;
            }
        }
    }

    /// Passes received bytes; returns the number consumed.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> usize {
        let (mut bytes, mut used, mut turn) = (bytes.to_vec(), 0, Turn::default());
        loop {
            let received =
                self.with(|session, node| session.receive(node, &mut bytes[used..], &mut turn));
            used += received.used;
            if received.step.is_none() {
                return used;
            }
            self.carry_out(received.step);
        }
    }

    /// Passes received bytes to a session whose calls all return at once. Returns how often that
    /// held the lock.
    pub(crate) fn holds_of(&mut self, bytes: &[u8]) -> usize {
        let before = self.holds;
        let (mut bytes, mut used, mut turn) = (bytes.to_vec(), 0, Turn::default());
        let mut reply: Option<Reply> = None;
        loop {
            let answered = reply.take();
            let received = self.with(|session, node| match answered {
                Some(reply) => {
                    session.reply_and_receive(node, reply, &mut bytes[used..], &mut turn)
                }
                None => session.receive(node, &mut bytes[used..], &mut turn),
            });
            used += received.used;
            reply = match received.step {
                None => break,
                Some(Step::Flush) => panic!("nothing to flush"),
                Some(Step::Call(Call::Ask(question))) => Some(Reply::Verdict(question, Ok(()))),
                Some(Step::Call(_)) => Some(Reply::Delivered(Ok(()))),
            };
            if used == bytes.len() {
                let step =
                    reply.and_then(|last| self.with(|session, node| session.reply(node, last)));
                assert!(step.is_none());
                break;
            }
        }
        assert_eq!(used, bytes.len());
        self.holds - before
    }

    pub(crate) fn say(&mut self, frames: &[ClientFrame]) -> usize {
        self.read(&wire(frames))
    }

    pub(crate) fn reply(&mut self, reply: Reply) {
        let step = self.with(|session, node| session.reply(node, reply));
        self.carry_out(step);
    }

    /// Returns the text that is being passed to the application.
    pub(crate) fn text(&mut self) -> Option<String> {
        match self.call.take() {
            Some(Call::Text(text)) => Some(text),
            None => None,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn pending(&mut self) -> Option<Time> {
        self.with(|session, node| session.pending(node))
    }

    pub(crate) fn time_out(&mut self) {
        self.with(|session, node| session.time_out(node));
        self.carry_out(None);
    }

    /// Returns whether a second connection of `ann`, who may have one, is admitted.
    pub(crate) fn admits_another(&mut self) -> bool {
        let id = self.board.connect(self.now, PEER).expect("a seat");
        let handshake = handshake(self.board.config());
        let mut session = Session::new(id, PEER, handshake);
        let mut node = LocalNode {
            switchboard: &mut self.board,
            now: self.now,
        };
        let (mut head, mut turn) = (HEAD.to_vec(), Turn::default());
        let mut step = session.receive(&mut node, &mut head, &mut turn).step;
        while let Some(Step::Call(call)) = step.take() {
            step = match call {
                Call::Authenticate(login) => {
                    let identity = Ok(Identity::user("ann").into());
                    session.reply(&mut node, Reply::Identity(login, identity))
                }
                Call::Lobby(lobby) => session.reply(&mut node, Reply::Lobby(lobby, Ok(()))),
                _ => None,
            };
        }
        self.board.connections_of("ann").contains(&id)
    }

    /// Returns where in the bytes sent to the client this text is.
    pub(crate) fn position(&self, text: &str) -> usize {
        let sent = String::from_utf8_lossy(&self.sent);
        sent.find(text)
            .unwrap_or_else(|| panic!("no {text} in {sent}"))
    }

    pub(crate) fn has_sent(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.sent).contains(text)
    }
}

pub(crate) const HEAD: &[u8] =
    b"GET /ws/blue?token=ann HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

pub(crate) fn raw(config: &mut Config) {
    config.wire = Wire::Raw;
}
