//! The client's end of a connection: a socket with a limit, and the received bytes, parsed
//! independently.

use serde_json::Value;
use switchboard_core::ConnectionId;
use switchboard_kit::deflate::Keeper;
use switchboard_kit::{Received, ServerFrame, split, split_deflated};

/// A simulated client and the bytes that it received.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts set by tests"
)]
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) id: ConnectionId,
    /// The number of bytes that its socket still takes; `None` for no limit.
    pub(crate) room: Option<usize>,
    /// Whether it answers pings.
    pub(crate) answers: bool,
    /// Whether it ends its side after the server.
    pub(crate) polite: bool,
    /// Whether a write found its socket full.
    pub(crate) blocked: bool,
    /// Whether the server has shut down its write side.
    pub(crate) shut: bool,
    /// Whether the server has dropped the socket.
    pub(crate) gone: bool,
    /// The window with which it inflates messages, in bits, if it does.
    pub(crate) bits: Option<u8>,
    /// What it keeps of what it has inflated, if it does.
    pub(crate) keeper: Option<Keeper>,
    /// Messages that came compressed.
    pub(crate) inflated: usize,
    /// The HTTP status.
    pub(crate) status: Option<u16>,
    /// The HTTP response.
    pub(crate) head: String,
    /// All frames, in order.
    pub(crate) frames: Vec<Received>,
    /// The number of frames that the test has looked at.
    pub(crate) seen: usize,
    /// The bytes of an incomplete frame.
    rest: Vec<u8>,
    upgraded: bool,
}

impl Peer {
    pub(crate) fn new(id: ConnectionId, upgraded: bool) -> Self {
        Self {
            id,
            room: None,
            answers: true,
            polite: true,
            blocked: false,
            shut: false,
            gone: false,
            bits: None,
            keeper: None,
            inflated: 0,
            status: None,
            head: String::new(),
            frames: Vec::new(),
            seen: 0,
            rest: Vec::new(),
            upgraded,
        }
    }

    /// Receives what the socket has room for; returns the number of bytes.
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> usize {
        let taken = self.room.map_or(bytes.len(), |room| room.min(bytes.len()));
        if let Some(room) = &mut self.room {
            *room -= taken;
        }
        self.rest.extend_from_slice(&bytes[..taken]);
        self.parse();
        taken
    }

    /// Returns the number of bytes of an incomplete frame.
    pub(crate) fn cut(&self) -> usize {
        self.rest.len()
    }

    /// Returns the Close frame, if there is one, checking that nothing follows it.
    pub(crate) fn close(&self) -> Option<(u16, String)> {
        let at = self
            .frames
            .iter()
            .position(|frame| matches!(frame, Received::Close(_)))?;
        assert_eq!(at, self.frames.len() - 1, "a frame after the Close");
        match &self.frames[at] {
            Received::Close(Some(close)) => Some(close.clone()),
            _ => Some((1005, String::new())),
        }
    }

    fn parse(&mut self) {
        if !self.upgraded {
            let Some(end) = self.rest.windows(4).position(|four| four == b"\r\n\r\n") else {
                return;
            };
            let head = String::from_utf8(self.rest.drain(..end + 4).collect()).expect("ASCII");
            self.status = Some(head[9..12].parse().expect("a status"));
            self.head = head;
            self.upgraded = self.status == Some(101);
            let keeps = self.head.contains("permessage-deflate")
                && !self.head.contains("server_no_context_takeover");
            self.keeper = keeps.then(Keeper::default);
        }
        if self.upgraded {
            let next = if self.bits.is_some() {
                split_deflated
            } else {
                split
            };
            while let Some(frame) = next(&self.rest).expect("a frame") {
                let len = frame.len;
                let received = match (self.bits, &mut self.keeper) {
                    (Some(_), Some(keeper)) if frame.deflated => {
                        let payload = &frame.inflated_by(keeper).expect("a message in its context");
                        let inflated = ServerFrame { payload, ..frame };
                        inflated.content().expect("a valid message").into()
                    }
                    (Some(bits), None) if frame.deflated => frame.inflate(bits).expect("a message"),
                    _ => frame.content().expect("a valid frame").into(),
                };
                self.inflated += usize::from(frame.deflated);
                self.frames.push(received);
                self.rest.drain(..len);
            }
        } else {
            let body = std::mem::take(&mut self.rest);
            self.head.push_str(&String::from_utf8(body).expect("text"));
        }
    }
}

/// Returns the JSON of a text frame.
pub(crate) fn json(frame: &Received) -> Option<Value> {
    match frame {
        Received::Text(text) => Some(serde_json::from_str(text).expect("JSON")),
        _ => None,
    }
}
