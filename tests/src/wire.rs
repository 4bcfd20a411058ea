//! A strict reader of a server's output that shares no code with the core.

/// An item that a peer has read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
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

/// The reading side of one connection.
#[derive(Debug)]
pub struct Peer {
    buffer: Vec<u8>,
    /// Whether an HTTP response is awaited.
    head: bool,
    /// Whether nothing may follow.
    ended: bool,
}

impl Peer {
    /// Creates a peer; `head` is whether an HTTP response comes first.
    pub fn new(head: bool) -> Self {
        Self {
            buffer: Vec::new(),
            head,
            ended: false,
        }
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
    pub fn read(&mut self, bytes: &[u8]) -> Result<Vec<Heard>, String> {
        self.buffer.extend_from_slice(bytes);
        let mut heard = Vec::new();
        while !self.buffer.is_empty() {
            if self.ended {
                return Err("bytes after the end".into());
            }
            let next = if self.head {
                response(&self.buffer)?
            } else {
                frame(&self.buffer)?
            };
            let Some((what, used)) = next else { break };
            self.buffer.drain(..used);
            match what {
                Heard::Http(101) => self.head = false,
                Heard::Http(_) | Heard::Close(_) => self.ended = true,
                _ => {}
            }
            heard.push(what);
        }
        Ok(heard)
    }
}

fn response(bytes: &[u8]) -> Result<Option<(Heard, usize)>, String> {
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
    Ok((bytes.len() >= all).then_some((Heard::Http(status), all)))
}

/// Parses one frame (RFC 6455, section 5.2). A server's frames are unmasked and never fragmented
/// here.
fn frame(bytes: &[u8]) -> Result<Option<(Heard, usize)>, String> {
    let [first, second, ..] = *bytes else {
        return Ok(None);
    };
    if first & 0xF0 != 0x80 || second & 0x80 != 0 {
        return Err(format!("frame begins with {first:#x} {second:#x}"));
    }
    let (header, length) = match second {
        126 if bytes.len() < 4 => return Ok(None),
        127 if bytes.len() < 10 => return Ok(None),
        126 => (4, u64::from(u16::from_be_bytes([bytes[2], bytes[3]]))),
        127 => {
            let mut long = [0; 8];
            long.copy_from_slice(&bytes[2..10]);
            (10, u64::from_be_bytes(long))
        }
        short => (2, u64::from(short)),
    };
    if (header == 4 && length < 126) || (header == 10 && length < 0x1_0000) {
        return Err("a length that is not minimal".into());
    }
    let opcode = first & 0x0F;
    if opcode >= 8 && length > 125 {
        return Err(format!("a control frame of {length} bytes"));
    }
    let end = header + usize::try_from(length).map_err(|error| error.to_string())?;
    if bytes.len() < end {
        return Ok(None);
    }
    let payload = &bytes[header..end];
    Ok(Some((content(opcode, payload)?, end)))
}

fn content(opcode: u8, payload: &[u8]) -> Result<Heard, String> {
    let text = |bytes: &[u8]| {
        String::from_utf8(bytes.to_vec()).map_err(|error| format!("not UTF-8: {error}"))
    };
    Ok(match opcode {
        1 => Heard::Text(text(payload)?),
        2 => Heard::Binary(payload.to_vec()),
        8 => match *payload {
            [] => Heard::Close(None),
            [a, b, ref reason @ ..] => {
                let code = u16::from_be_bytes([a, b]);
                if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                    return Err(format!("close code {code}"));
                }
                Heard::Close(Some((code, text(reason)?)))
            }
            [_] => return Err("a Close body of one byte".into()),
        },
        9 => Heard::Ping(payload.to_vec()),
        10 => Heard::Pong(payload.to_vec()),
        other => return Err(format!("opcode {other}")),
    })
}
