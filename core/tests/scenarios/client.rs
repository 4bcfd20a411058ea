//! The client's end of a connection: a socket with a limit, and the received bytes, parsed
//! independently.

use serde_json::Value;
use switchboard_core::ConnectionId;

/// A frame of the server (RFC 6455, section 5.2).
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Received {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

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
        }
        if self.upgraded {
            while let Some((length, frame)) = parse_frame(&self.rest) {
                self.rest.drain(..length);
                self.frames.push(frame);
            }
        } else {
            let body = std::mem::take(&mut self.rest);
            self.head.push_str(&String::from_utf8(body).expect("text"));
        }
    }
}

fn parse_frame(bytes: &[u8]) -> Option<(usize, Received)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    assert_eq!(first & 0xF0, 0x80, "one final frame, no reserved bit");
    assert_eq!(second & 0x80, 0, "a server masks nothing");
    let (start, length) = match second {
        126 => (
            4,
            usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])),
        ),
        127 => {
            let length: [u8; 8] = bytes.get(2..10)?.try_into().expect("eight");
            (10, u64::from_be_bytes(length) as usize)
        }
        short => (2, usize::from(short)),
    };
    let payload = bytes.get(start..start + length)?.to_vec();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let frame = match first & 0x0F {
        0x1 => Received::Text(text(payload)),
        0x2 => Received::Binary(payload),
        0x8 if payload.is_empty() => Received::Close(None),
        0x8 => Received::Close(Some((
            u16::from_be_bytes([payload[0], payload[1]]),
            text(payload[2..].to_vec()),
        ))),
        0x9 => Received::Ping(payload),
        0xA => Received::Pong(payload),
        other => panic!("opcode {other}"),
    };
    Some((start + length, frame))
}

/// Returns the JSON of a text frame.
pub(crate) fn json(frame: &Received) -> Option<Value> {
    match frame {
        Received::Text(text) => Some(serde_json::from_str(text).expect("JSON")),
        _ => None,
    }
}
