//! The server's core under a driver without sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use switchboard_core::protocol::parse;
use switchboard_core::{
    Action, CloseFrame, Config, ConnectionId, Event, Handshake, HandshakeConfig, History, Identity,
    Limits, Notice, Rates, Request, RequestOutcome, Rooms, SlowPolicy, Switchboard, Time, Wire,
    WriteTurn,
};

/// Messages that a room keeps.
pub(super) const KEPT: usize = 1_000;
/// Messages that may wait for a member before it counts as slow.
pub(super) const WAITING: usize = 100;

/// A client's socket: the index of the client and the number of its socket.
pub(super) type Socket = (usize, u32);

/// An output of a node.
pub(super) enum NodeOutput {
    Bytes(Socket, Vec<u8>),
    /// The end of the node's side.
    End(Socket),
    Drained,
}

pub(super) struct Node {
    pub(super) board: Switchboard,
    sockets: BTreeMap<ConnectionId, Socket>,
    ids: BTreeMap<Socket, ConnectionId>,
    /// These take no bytes.
    stalled: BTreeSet<Socket>,
}

impl Node {
    pub(super) fn new(seed: u64, now: Time, clients: usize) -> Self {
        let config = Config {
            limits: Limits {
                connections: 2 * clients,
                handshakes: 2 * clients,
                closing: 2 * clients,
                queue_messages: WAITING,
                ..Limits::default()
            },
            rates: Rates {
                connects: None,
                ..Rates::default()
            },
            rooms: Rooms::Open,
            slow: SlowPolicy::CatchUp,
            history: History {
                messages: KEPT,
                ..History::default()
            },
            ..Config::default()
        };
        Self {
            board: Switchboard::new(config, seed, now).expect("a configuration"),
            sockets: BTreeMap::new(),
            ids: BTreeMap::new(),
            stalled: BTreeSet::new(),
        }
    }

    /// Connects a client, sends its request and authenticates it.
    pub(super) fn arrive(&mut self, now: Time, socket: Socket, user: &str, session: &str) {
        let from = IpAddr::V4(Ipv4Addr::from_bits(0x0A00_0000 + socket.0 as u32));
        let Ok(id) = self.board.connect(now, from) else {
            panic!("the node has a seat for every client");
        };
        self.sockets.insert(id, socket);
        self.ids.insert(socket, id);
        let mut request = request(self.board.config(), session);
        request.set_peer(from);
        if self.board.request(now, id, &request) == Ok(RequestOutcome::Authenticate) {
            let known = Ok(Identity::user(user));
            let _ = self.board.authenticated(now, id, known, None);
        }
    }

    pub(super) fn text(&mut self, now: Time, socket: Socket, text: &str) {
        let Some(&id) = self.ids.get(&socket) else {
            return;
        };
        let _ = self.board.handle(now, id, Event::Heard);
        if self.board.message(now, id, false, text.len(), Ok(())) == Ok(true) {
            let asked = self.board.command(now, id, parse(text));
            // The application allows everything.
            if let Ok(Some(question)) = asked {
                let _ = self.board.answer(now, id, question, Ok(()));
            }
        }
    }

    pub(super) fn pong(&mut self, now: Time, socket: Socket, payload: &[u8]) {
        if let Some(&id) = self.ids.get(&socket) {
            let _ = self.board.handle(now, id, Event::Pong(payload));
        }
    }

    /// The client sent a Close frame and closed its side.
    pub(super) fn closed(&mut self, now: Time, socket: Socket, code: u16) {
        if let Some(&id) = self.ids.get(&socket) {
            let close = CloseFrame { code, reason: "" };
            let _ = self.board.handle(now, id, Event::Close(Some(close)));
            let _ = self.board.handle(now, id, Event::Eof);
        }
    }

    /// The connection is reset.
    pub(super) fn reset(&mut self, now: Time, socket: Socket) {
        if let Some(&id) = self.ids.get(&socket) {
            let _ = self.board.handle(now, id, Event::Reset);
        }
    }

    /// A client stops reading, until [`resume`](Self::resume).
    pub(super) fn stall(&mut self, socket: Socket) {
        self.stalled.insert(socket);
    }

    /// All clients read on.
    pub(super) fn resume(&mut self, now: Time) {
        for socket in std::mem::take(&mut self.stalled) {
            if let Some(&id) = self.ids.get(&socket) {
                let _ = self.board.handle(now, id, Event::Writable);
            }
        }
    }

    /// Returns all outputs that are due.
    pub(super) fn outputs(&mut self, now: Time) -> Vec<NodeOutput> {
        let mut outputs = Vec::new();
        let mut turn = WriteTurn::default();
        loop {
            self.act(&mut outputs);
            if !self.board.wants_write() {
                return outputs;
            }
            self.board.take_turn(&mut turn, 32);
            turn.write_each(|id, bytes| {
                let socket = self.sockets.get(&id).copied();
                if socket.is_some_and(|socket| self.stalled.contains(&socket)) {
                    return 0;
                }
                outputs.extend(socket.map(|socket| NodeOutput::Bytes(socket, bytes.to_vec())));
                bytes.len()
            });
            self.board.report(now, &mut turn);
        }
    }

    fn act(&mut self, outputs: &mut Vec<NodeOutput>) {
        while let Some(action) = self.board.poll_action() {
            match action {
                Action::ShutdownWrite(id) => {
                    if let Some(&socket) = self.sockets.get(&id) {
                        outputs.push(NodeOutput::End(socket));
                    }
                }
                Action::Evict { id, last } => {
                    if let Some(socket) = self.sockets.remove(&id) {
                        self.ids.remove(&socket);
                        if let Some(frame) = last {
                            outputs.push(NodeOutput::Bytes(socket, frame.as_bytes().to_vec()));
                        }
                        outputs.push(NodeOutput::End(socket));
                    }
                }
                Action::Notify(Notice::Drained(_)) => outputs.push(NodeOutput::Drained),
                _ => {}
            }
        }
    }
}

/// Returns the request of a client in this session.
fn request(config: &Config, session: &str) -> Request {
    let config = HandshakeConfig {
        endpoint: config.endpoint.clone(),
        pages: false,
        json: config.wire == Wire::Json,
        compression: config.compression.is_some(),
        room_contexts: config.compression.is_some_and(|it| it.room_contexts > 0),
        sse: config.sse.clone(),
        name_bytes: config.limits.name_bytes,
        tokens: switchboard_core::Tokens::default(),
    };
    let text = format!(
        "GET /ws?session={session} HTTP/1.1\r\nHost: chat.example\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let request = Handshake::new(Arc::new(config)).receive(text.as_bytes());
    request
        .expect("a valid request")
        .expect("a complete request")
}
