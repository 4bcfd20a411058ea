//! Parses the output of one socket: an HTTP response, frames, and nothing after the end (invariants
//! 15 and 16). It shares no code with the encoder.

use switchboard_kit::deflate::Keeper;
use switchboard_kit::{Sent, split, split_deflated};

use super::frames::ACCEPT;

/// The state of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    Frames,
    /// After a Close frame, or after an HTTP response other than 101.
    Over,
}

/// The reader of one stream.
#[derive(Debug)]
pub(super) struct Output {
    state: State,
    partial: Vec<u8>,
    /// Bytes parsed.
    pub(super) bytes: u64,
    /// The window that the client offers to inflate messages with, in bits.
    pub(super) window: Option<u8>,
    /// Whether that was agreed on.
    inflates: bool,
    /// What the client keeps of what it has inflated, if that was agreed on.
    keeper: Option<Keeper>,
    /// Whether the application keeps the client from being sent compressed messages.
    pub(super) declined: bool,
    /// Messages that came compressed.
    pub(super) inflated: u64,
    /// Those among them that came to a client which keeps what it has inflated.
    pub(super) in_context: u64,
}

impl Output {
    pub(super) fn new() -> Self {
        Self {
            state: State::Head,
            partial: Vec::new(),
            bytes: 0,
            window: None,
            inflates: false,
            keeper: None,
            declined: false,
            inflated: 0,
            in_context: 0,
        }
    }

    /// Returns whether the last byte was inside a frame or a response.
    pub(super) fn is_cut(&self) -> bool {
        !self.partial.is_empty()
    }

    /// Returns whether nothing may follow.
    pub(super) fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Parses bytes that a socket took; passes complete items to `each` with the position of their
    /// end.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(u64, Sent<'_>) -> Result<(), String>,
    ) -> Result<(), String> {
        let start = self.bytes;
        self.bytes += bytes.len() as u64;
        let held = self.partial.len() as u64;
        let mut joined = std::mem::take(&mut self.partial);
        let input = if joined.is_empty() {
            bytes
        } else {
            joined.extend_from_slice(bytes);
            &joined
        };
        let mut at = 0;
        while at < input.len() {
            if self.state == State::Over {
                return Err(format!("{} bytes after the end", input.len() - at));
            }
            let mut inflated = Vec::new();
            let step = match self.state {
                State::Head => self.head(&input[at..])?,
                _ => self.frame(&input[at..], &mut inflated)?,
            };
            let Some((sent, used)) = step else { break };
            at += used;
            each(start + at as u64 - held, sent)?;
        }
        let rest = input[at..].to_vec();
        self.partial = rest;
        Ok(())
    }

    fn head<'a>(&mut self, input: &'a [u8]) -> Result<Option<(Sent<'a>, usize)>, String> {
        const START: &[u8] = b"HTTP/1.1 ";
        let seen = input.len().min(START.len());
        if input[..seen] != START[..seen] {
            return Err(format!(
                "no HTTP response: {:?}",
                String::from_utf8_lossy(input)
            ));
        }
        let Some(end) = input.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = str::from_utf8(&input[..end]).map_err(|_| "the response is not text")?;
        let status: u16 = head
            .get(9..12)
            .and_then(|digits| digits.parse().ok())
            .ok_or("the response has no status")?;
        let field = |name: &str| {
            head.split("\r\n")
                .filter_map(|line| line.split_once(": "))
                .find_map(|(given, value)| given.eq_ignore_ascii_case(name).then_some(value))
        };
        let mut used = end + 4;
        if status == 101 {
            if field("sec-websocket-accept") != Some(ACCEPT) {
                return Err(format!("a wrong accept key: {head:?}"));
            }
            if let Some(agreed) = field("sec-websocket-extensions") {
                let offered = |bits| agreed.ends_with(&format!("; server_max_window_bits={bits}"));
                if !self.window.is_some_and(offered) {
                    return Err(format!("another extension than was offered: {agreed}"));
                }
                self.inflates = true;
                let keeps = !agreed.contains("server_no_context_takeover");
                self.keeper = keeps.then(Keeper::default);
            }
            self.state = State::Frames;
        } else {
            let length: usize = field("content-length")
                .and_then(|length| length.parse().ok())
                .ok_or("the response has no length")?;
            let options = field("connection").unwrap_or_default();
            if !options.split(", ").any(|option| option == "close") {
                return Err("the response lacks `Connection: close`".into());
            }
            used += length;
            if input.len() < used {
                return Ok(None);
            }
            self.state = State::Over;
        }
        Ok(Some((Sent::Http(status), used)))
    }

    fn frame<'a>(
        &mut self,
        input: &'a [u8],
        inflated: &'a mut Vec<u8>,
    ) -> Result<Option<(Sent<'a>, usize)>, String> {
        let next = if self.inflates && !self.declined {
            split_deflated(input)?
        } else {
            split(input)?
        };
        let Some(mut frame) = next else {
            return Ok(None);
        };
        if frame.deflated
            && let Some(bits) = self.window
        {
            *inflated = match &mut self.keeper {
                Some(keeper) => frame.inflated_by(keeper)?,
                None => frame.inflated(bits)?,
            };
            self.in_context += u64::from(self.keeper.is_some());
            frame.payload = inflated;
            self.inflated += 1;
        }
        let sent = frame.content()?;
        if let Sent::Close(_) = sent {
            self.state = State::Over;
        }
        Ok(Some((sent, frame.len)))
    }
}

/// A message of the server, as far as it is checked.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Message<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'a str,
    pub(super) channel: Option<&'a str>,
    pub(super) seq: Option<u64>,
    pub(super) epoch: Option<&'a str>,
    pub(super) first: Option<u64>,
    pub(super) recovered: Option<bool>,
    pub(super) keep: Option<&'a str>,
    pub(super) from: Option<u64>,
    pub(super) to: Option<u64>,
    pub(super) key: Option<&'a str>,
    pub(super) duplicate: Option<bool>,
    pub(super) sender: Option<&'a str>,
    #[serde(borrow)]
    pub(super) content: Option<&'a serde_json::value::RawValue>,
    #[serde(borrow)]
    pub(super) id: Option<&'a serde_json::value::RawValue>,
    pub(super) user: Option<&'a str>,
    pub(super) code: Option<serde_json::Value>,
    pub(super) timestamp: Option<u64>,
    pub(super) delivered: Option<u64>,
    pub(super) count: Option<usize>,
    pub(super) users: Option<Vec<&'a str>>,
    pub(super) joined: Option<Vec<&'a str>>,
    pub(super) left: Option<Vec<&'a str>>,
}

impl<'a> Message<'a> {
    /// Returns the content as written, which is `null` where a key is removed.
    pub(super) fn content(&self) -> &'a str {
        self.content
            .map_or("null", serde_json::value::RawValue::get)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_read_alike_in_any_split() {
        let head = format!("HTTP/1.1 101 x\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\r\n");
        let mut stream = head.into_bytes();
        stream.extend_from_slice(b"\x81\x02hi\x89\x00\x88\x02\x03\xe8");
        for cut in 0..=stream.len() {
            let (mut output, mut seen) = (Output::new(), Vec::new());
            for part in [&stream[..cut], &stream[cut..]] {
                let fed = output.feed(part, |end, sent| {
                    seen.push((end, format!("{sent:?}")));
                    Ok(())
                });
                assert_eq!(fed, Ok(()));
            }
            assert_eq!(seen.len(), 4, "{seen:?}");
            assert_eq!(seen.last().map(|(end, _)| *end), Some(stream.len() as u64));
            assert!(output.is_over());
            assert!(output.feed(b"x", |_, _| Ok(())).is_err());
        }
    }
}
