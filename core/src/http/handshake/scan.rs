//! Finds the end of a request head and rejects illegal bytes early.

use crate::BadRequest;

/// The maximum size of a head, from the first byte to the empty line.
pub(super) const HEAD_BYTES: usize = 64 * 1024;
/// The maximum number of header fields.
pub(super) const FIELDS: usize = 124;
/// The maximum size of a request target.
pub(super) const TARGET_BYTES: usize = 8 * 1024;
/// The maximum size of a method. The longest registered one has 17 letters.
const METHOD_BYTES: usize = 32;

/// The state of the scanner. An error depends only on the bytes up to it, never on how they were
/// split into reads, and is reported as early as possible.
///
/// ```text
/// Start ─▶ Method ─▶ Target ─▶ Version ─▶ LineEnd ─▶ Line ─▶ Name ─▶ Value ─▶ LineEnd ─▶ Line
///   │  ▲                                               └─▶ LastEnd ─▶ done
///   └──┴─ one CRLF before it all
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Start { blank: bool },
    BlankEnd,
    Method(usize),
    Target(usize),
    Version(usize),
    Line,
    Name,
    Value,
    LineEnd,
    LastEnd,
    Done,
}

/// Scans a head in one pass and constant memory, split in any way.
#[derive(Debug)]
pub(super) struct Scanner {
    at: At,
    bytes: usize,
    fields: usize,
    /// The number of bytes inspected; the tests check that it is one step for each.
    #[cfg(test)]
    pub(super) steps: usize,
}

impl Scanner {
    pub(super) const fn new() -> Self {
        Self {
            at: At::Start { blank: false },
            bytes: 0,
            fields: 0,
            #[cfg(test)]
            steps: 0,
        }
    }

    /// Scans up to the end of the head. Returns `Some(n)` if it ends after `n` bytes of this input.
    pub(super) fn scan(&mut self, input: &[u8]) -> Result<Option<usize>, BadRequest> {
        let allowed = &input[..input.len().min(HEAD_BYTES - self.bytes)];
        let mut used = 0;
        while let Some(&byte) = allowed.get(used) {
            // Fast path for runs of bytes in names, values and the target, which make up most of a
            // head and do not change the state.
            let rest = &allowed[used..];
            let step = match self.at {
                At::Name if is_token(byte) => run(rest, is_token),
                At::Value if is_value(byte) => run_of_value(rest),
                At::Target(bytes) if is_target(byte) && bytes < TARGET_BYTES => {
                    let room = rest.len().min(TARGET_BYTES - bytes);
                    let more = run(&rest[..room], is_target);
                    self.at = At::Target(bytes + more);
                    more
                }
                at => {
                    self.at = self.step(at, byte)?;
                    1
                }
            };
            #[cfg(test)]
            {
                self.steps += step;
            }
            used += step;
            if self.at == At::Done {
                self.bytes += used;
                return Ok(Some(used));
            }
        }
        self.bytes += used;
        if self.bytes == HEAD_BYTES {
            return Err(BadRequest::HeadTooLarge);
        }
        Ok(None)
    }

    fn step(&mut self, at: At, byte: u8) -> Result<At, BadRequest> {
        let next = match (at, byte) {
            (At::Start { blank: false }, b'\r') => At::BlankEnd,
            (At::BlankEnd, b'\n') => At::Start { blank: true },
            (At::Start { .. }, _) if is_token(byte) => At::Method(1),
            (At::Start { .. } | At::BlankEnd, _) => {
                return Err(BadRequest::Syntax("this is not HTTP"));
            }
            (At::Method(bytes), _) => return method(bytes, byte),
            (At::Target(bytes), _) => return target(bytes, byte),
            (At::Version(bytes), _) => return version(bytes, byte),
            (At::LineEnd, b'\n') => At::Line,
            (At::Line, b'\r') => At::LastEnd,
            (At::Line, b' ' | b'\t') => {
                return Err(BadRequest::Syntax("a header must not be folded"));
            }
            (At::Line, _) if is_token(byte) => {
                self.fields += 1;
                if self.fields > FIELDS {
                    return Err(BadRequest::HeadTooLarge);
                }
                At::Name
            }
            (At::Name, b':') => At::Value,
            (At::Line | At::Name, _) => {
                return Err(BadRequest::Syntax("a header name has an illegal byte"));
            }
            (At::Value, b'\r') => At::LineEnd,
            (At::Value, b'\n') => return Err(BadRequest::Syntax("a line must end with CR LF")),
            (At::Value, _) => {
                return Err(BadRequest::Syntax("a header value has an illegal byte"));
            }
            (At::LastEnd, b'\n') | (At::Done, _) => At::Done,
            (At::LineEnd | At::LastEnd, _) => {
                return Err(BadRequest::Syntax("a CR must be followed by LF"));
            }
        };
        Ok(next)
    }
}

fn method(bytes: usize, byte: u8) -> Result<At, BadRequest> {
    match byte {
        b' ' => Ok(At::Target(0)),
        _ if !is_token(byte) => Err(BadRequest::Syntax("the method has an illegal byte")),
        _ if bytes == METHOD_BYTES => Err(BadRequest::Syntax("the method is too long")),
        _ => Ok(At::Method(bytes + 1)),
    }
}

/// Handles the byte that ends a run of target bytes.
fn target(bytes: usize, byte: u8) -> Result<At, BadRequest> {
    match byte {
        b' ' if bytes > 0 => Ok(At::Version(0)),
        _ if is_target(byte) => Err(BadRequest::TargetTooLong),
        _ => Err(BadRequest::Syntax("the target has an illegal byte")),
    }
}

/// Visible ASCII except `#`: a target has no fragment.
const fn is_target(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && byte != b'#'
}

/// Accepts `HTTP/1.0` and `HTTP/1.1` (RFC 9112, section 2.3). Whether 1.0 is allowed depends on the
/// request and is checked later.
fn version(bytes: usize, byte: u8) -> Result<At, BadRequest> {
    const NAME: &[u8] = b"HTTP/";
    match (bytes, byte) {
        (0..5, _) if byte == NAME[bytes] => Ok(At::Version(bytes + 1)),
        (5, b'1') | (6, b'.') | (7, b'0' | b'1') => Ok(At::Version(bytes + 1)),
        (5 | 7, b'0'..=b'9') => Err(BadRequest::HttpVersion),
        (8, b'\r') => Ok(At::LineEnd),
        (8, b'\n') => Err(BadRequest::Syntax("a line must end with CR LF")),
        _ => Err(BadRequest::Syntax("the request line has no HTTP version")),
    }
}

fn run(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    bytes
        .iter()
        .position(|&byte| !belongs(byte))
        .unwrap_or(bytes.len())
}

/// [`run`] for values, in blocks of 16 bytes that the compiler can vectorise.
fn run_of_value(bytes: &[u8]) -> usize {
    let (blocks, _) = bytes.as_chunks::<16>();
    let whole = blocks
        .iter()
        .take_while(|block| block.iter().fold(true, |all, &byte| all & is_value(byte)));
    let start = 16 * whole.count();
    start + run(&bytes[start..], is_value)
}

/// Returns whether the byte is legal in a header value: visible ASCII, space, tab, or 0x80 and
/// above (RFC 9110, section 5.5).
const fn is_value(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

/// Returns whether the byte is legal in a token (RFC 9110, section 5.6.2).
pub(crate) const fn is_token(byte: u8) -> bool {
    const TOKEN: [bool; 256] = {
        let legal =
            b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let mut table = [false; 256];
        let mut index = 0;
        while index < legal.len() {
            table[legal[index] as usize] = true;
            index += 1;
        }
        table
    };
    TOKEN[byte as usize]
}
