//! A strict reader of a server's output.

use crate::deflate::{Keeper, inflate};
use crate::{BINARY, CLOSE, PING, PONG, TEXT};

/// Marks a compressed message.
const RSV1: u8 = 0x40;
/// The longest compressed message of a test.
const INFLATED_MAX: usize = 1 << 20;

/// What a server sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent<'a> {
    /// An HTTP response with this status.
    Http(u16),
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// A ping.
    Ping(&'a [u8]),
    /// A pong.
    Pong(&'a [u8]),
    /// A Close frame with its code and reason.
    Close(Option<(u16, &'a str)>),
}

/// What a client received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// An HTTP response with this status.
    Http(u16),
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// A Close frame with its code and reason.
    Close(Option<(u16, String)>),
}

impl From<Sent<'_>> for Received {
    fn from(sent: Sent<'_>) -> Self {
        match sent {
            Sent::Http(status) => Self::Http(status),
            Sent::Text(text) => Self::Text(text.to_owned()),
            Sent::Binary(bytes) => Self::Binary(bytes.to_owned()),
            Sent::Ping(payload) => Self::Ping(payload.to_owned()),
            Sent::Pong(payload) => Self::Pong(payload.to_owned()),
            Sent::Close(close) => {
                Self::Close(close.map(|(code, reason)| (code, reason.to_owned())))
            }
        }
    }
}

/// The reading side of one connection.
#[derive(Debug)]
pub struct Reader {
    buffer: Vec<u8>,
    /// Whether an HTTP response is awaited.
    head: bool,
    /// Whether nothing may follow.
    ended: bool,
    /// Whether messages may be compressed.
    inflates: bool,
    /// The number of messages that were.
    inflated: usize,
}

impl Reader {
    /// Creates a reader; `head` is whether an HTTP response comes first.
    pub fn new(head: bool) -> Self {
        Self {
            buffer: Vec::new(),
            head,
            ended: false,
            inflates: false,
            inflated: 0,
        }
    }

    /// Creates a reader that inflates messages; an HTTP response comes first.
    pub fn inflating() -> Self {
        Self {
            inflates: true,
            ..Self::new(true)
        }
    }

    /// Returns how many messages were compressed.
    pub fn inflated(&self) -> usize {
        self.inflated
    }

    /// Returns whether it has read to the end of a frame.
    pub fn is_between_frames(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Skips the response, because the application answers the request itself.
    pub fn skip_head(&mut self) {
        self.head = false;
    }

    /// Returns whether the response has arrived.
    pub fn is_upgraded(&self) -> bool {
        !self.head
    }

    /// Parses bytes and returns the complete items.
    ///
    /// # Errors
    ///
    /// Returns a description of the first violation.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Vec<Received>, String> {
        self.buffer.extend_from_slice(bytes);
        let mut received = Vec::new();
        while !self.buffer.is_empty() {
            if self.ended {
                return Err("bytes after the end".into());
            }
            let next = if self.head {
                response(&self.buffer)?
            } else {
                self.frame()?
            };
            let Some((what, used)) = next else { break };
            self.buffer.drain(..used);
            match what {
                Received::Http(101) => self.head = false,
                Received::Http(_) | Received::Close(_) => self.ended = true,
                _ => {}
            }
            received.push(what);
        }
        Ok(received)
    }

    fn frame(&mut self) -> Result<Option<(Received, usize)>, String> {
        let Some(frame) = parse(&self.buffer, self.inflates)? else {
            return Ok(None);
        };
        self.inflated += usize::from(frame.deflated);
        let received = if frame.deflated {
            frame.inflate(15)?
        } else {
            frame.content()?.into()
        };
        Ok(Some((received, frame.len)))
    }
}

fn response(bytes: &[u8]) -> Result<Option<(Received, usize)>, String> {
    let start = b"HTTP/1.1 ";
    let known = bytes.len().min(start.len());
    if bytes[..known] != start[..known] {
        return Err(format!("no HTTP response: {:?}", &bytes[..known]));
    }
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..end]).map_err(|error| error.to_string())?;
    let status = head[9..12].parse().map_err(|_| format!("status: {head}"))?;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .map_or(Ok(0), str::parse::<usize>)
        .map_err(|error| error.to_string())?;
    let all = end + 4 + length;
    Ok((bytes.len() >= all).then_some((Received::Http(status), all)))
}

/// A frame of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerFrame<'a> {
    /// The opcode.
    pub opcode: u8,
    /// The payload.
    pub payload: &'a [u8],
    /// The length in bytes, with the header.
    pub len: usize,
    /// Whether it is compressed.
    pub deflated: bool,
}

impl<'a> ServerFrame<'a> {
    /// Inflates the payload of a compressed message with a window of so many bits.
    ///
    /// # Errors
    ///
    /// Returns a description of the violation.
    pub fn inflated(&self, bits: u8) -> Result<Vec<u8>, String> {
        let content = inflate(self.payload, INFLATED_MAX).map_err(|error| format!("{error:?}"))?;
        // No distance in a message is longer than the message.
        if bits < 15 && content.bytes.len() > 1 << bits {
            return Err(format!(
                "{} bytes for a window of {bits} bits",
                content.bytes.len()
            ));
        }
        Ok(content.bytes)
    }

    /// Inflates a compressed message with a window of so many bits, and checks it.
    ///
    /// # Errors
    ///
    /// Returns a description of the violation.
    pub fn inflate(&self, bits: u8) -> Result<Received, String> {
        let payload = &self.inflated(bits)?;
        let frame = ServerFrame { payload, ..*self };
        Ok(frame.content()?.into())
    }

    /// Inflates the payload of a compressed message after those that `keeper` has inflated.
    ///
    /// # Errors
    ///
    /// Returns a description of the violation.
    pub fn inflated_by(&self, keeper: &mut Keeper) -> Result<Vec<u8>, String> {
        let content = keeper.inflate(self.payload, INFLATED_MAX);
        content.map_err(|error| format!("{error:?} after {} messages", keeper.messages()))
    }

    /// Checks the payload.
    ///
    /// # Errors
    ///
    /// Returns a description of the violation.
    pub fn content(&self) -> Result<Sent<'a>, String> {
        let text = |bytes| str::from_utf8(bytes).map_err(|error| format!("not UTF-8: {error}"));
        Ok(match self.opcode {
            TEXT => Sent::Text(text(self.payload)?),
            BINARY => Sent::Binary(self.payload),
            CLOSE => match self.payload {
                [] => Sent::Close(None),
                [high, low, reason @ ..] => {
                    let code = u16::from_be_bytes([*high, *low]);
                    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                        return Err(format!("close code {code}"));
                    }
                    Sent::Close(Some((code, text(reason)?)))
                }
                [_] => return Err("a Close body of one byte".into()),
            },
            PING => Sent::Ping(self.payload),
            PONG => Sent::Pong(self.payload),
            other => return Err(format!("opcode {other}")),
        })
    }
}

/// Splits off the first frame (RFC 6455, section 5.2); `None` if it is not complete. A server's
/// frames are unmasked and never fragmented here.
///
/// # Errors
///
/// Returns a description of the violation.
pub fn split(bytes: &[u8]) -> Result<Option<ServerFrame<'_>>, String> {
    parse(bytes, false)
}

/// The same, but a text or binary message may be compressed.
///
/// # Errors
///
/// Returns a description of the violation.
pub fn split_deflated(bytes: &[u8]) -> Result<Option<ServerFrame<'_>>, String> {
    parse(bytes, true)
}

fn parse(bytes: &[u8], may_be_deflated: bool) -> Result<Option<ServerFrame<'_>>, String> {
    let [first, second, ..] = *bytes else {
        return Ok(None);
    };
    let deflated = first & RSV1 != 0;
    let legal = !deflated || may_be_deflated && matches!(first & 0x0F, TEXT | BINARY);
    if first & 0xB0 != 0x80 || !legal || second & 0x80 != 0 {
        return Err(format!("frame begins with {first:#x} {second:#x}"));
    }
    let extra = match second {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let Some(extended) = bytes.get(2..2 + extra) else {
        return Ok(None);
    };
    let length = if extra == 0 {
        usize::from(second)
    } else {
        let shifted = |sum, &byte| sum << 8 | usize::from(byte);
        extended.iter().fold(0, shifted)
    };
    if (extra == 2 && length < 126) || (extra == 8 && length < 0x1_0000) {
        return Err("a length that is not minimal".into());
    }
    let opcode = first & 0x0F;
    if opcode >= CLOSE && length > 125 {
        return Err(format!("a control frame of {length} bytes"));
    }
    let header = 2 + extra;
    let payload = bytes[header..].get(..length);
    Ok(payload.map(|payload| ServerFrame {
        opcode,
        payload,
        len: header + length,
        deflated,
    }))
}
