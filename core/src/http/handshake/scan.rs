//! Finds the end of a request head and rejects illegal bytes early.

use crate::BadRequest;

/// The maximum size of a head, from the first byte to the empty line.
pub(super) const HEAD_BYTES: usize = 64 * 1024;
/// The maximum number of header fields.
pub(super) const FIELDS: usize = 124;
/// The maximum size of a request target.
pub(super) const TARGET_BYTES: usize = 8 * 1024;
/// Fields for which there is room with the first one: about as many as a browser sends.
const ROOM: usize = 16;
/// How the first line of nearly all requests ends.
const COMMON_END: &[u8] = b"HTTP/1.1\r\n";
/// The maximum size of a method. The longest registered one has 17 letters.
const METHOD_BYTES: u16 = 32;

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
    Method(u16),
    Target(u16),
    Version(u16),
    Line,
    Name,
    Value,
    LineEnd,
    LastEnd,
    Done,
}

/// Where the parts of a head lie, in bytes from its first one. All are below [`HEAD_BYTES`].
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// The start of the method, before which there may be an empty line.
    pub(super) start: u16,
    /// The space that ends the method.
    pub(super) method_end: u16,
    /// The space that ends the target.
    pub(super) target_end: u16,
    /// The colon that ends the name of each field, and the CR that ends its value.
    pub(super) fields: Vec<(u16, u16)>,
}

impl Layout {
    fn begin_field(&mut self) {
        if self.fields.is_empty() {
            self.fields.reserve_exact(ROOM);
        }
        self.fields.push((0, 0));
    }

    fn end_name(&mut self, at: u16) {
        if let Some((name_end, _)) = self.fields.last_mut() {
            *name_end = at;
        }
    }

    fn end_value(&mut self, at: u16) {
        if let Some((_, value_end)) = self.fields.last_mut() {
            *value_end = at;
        }
    }
}

/// Scans a head in one pass and in memory of a few bytes for each field, split in any way.
#[derive(Debug)]
pub(super) struct Scanner {
    at: At,
    bytes: u32,
    layout: Layout,
    /// The number of bytes inspected; the tests check that it is one step for each.
    #[cfg(test)]
    pub(super) steps: usize,
}

impl Scanner {
    pub(super) const fn new() -> Self {
        Self {
            at: At::Start { blank: false },
            bytes: 0,
            layout: Layout {
                start: 0,
                method_end: 0,
                target_end: 0,
                fields: Vec::new(),
            },
            #[cfg(test)]
            steps: 0,
        }
    }

    /// Scans up to the end of the head. Returns `Some(n)` if it ends after `n` bytes of this input.
    pub(super) fn scan(&mut self, input: &[u8]) -> Result<Option<usize>, BadRequest> {
        let before = self.bytes as usize;
        let allowed = &input[..input.len().min(HEAD_BYTES - before)];
        let mut used = 0;
        while let Some(&byte) = allowed.get(used) {
            // Fast paths for the bytes of names, values and the target, which make up most of a head, and
            // for what is always the same.
            let rest = &allowed[used..];
            let at = before + used;
            let step = match self.at {
                At::Line if is_token(byte) => self.field(rest, at)?,
                At::Name if is_token(byte) => run(rest, is_token),
                At::Value if is_value(byte) => run_of_value(rest),
                At::Target(bytes) if is_target(byte) && usize::from(bytes) < TARGET_BYTES => {
                    let room = rest.len().min(TARGET_BYTES - usize::from(bytes));
                    let more = run_of_target(&rest[..room]);
                    self.at = At::Target(bytes + more as u16);
                    more
                }
                At::Version(0) if rest.starts_with(COMMON_END) => {
                    self.at = At::Line;
                    COMMON_END.len()
                }
                state => {
                    self.at = self.step(state, byte, at as u16)?;
                    1
                }
            };
            #[cfg(test)]
            {
                self.steps += step;
            }
            used += step;
            if self.at == At::Done {
                self.bytes += used as u32;
                return Ok(Some(used));
            }
        }
        self.bytes += used as u32;
        if before + used == HEAD_BYTES {
            return Err(BadRequest::HeadTooLarge);
        }
        Ok(None)
    }

    /// Returns where the parts of the head lie that has ended.
    pub(super) fn take_layout(&mut self) -> Layout {
        std::mem::take(&mut self.layout)
    }

    /// Begins a field, and goes through as much of it as there is. Returns how much that is.
    fn field(&mut self, rest: &[u8], at: usize) -> Result<usize, BadRequest> {
        if self.layout.fields.len() == FIELDS {
            return Err(BadRequest::HeadTooLarge);
        }
        self.layout.begin_field();
        self.at = At::Name;
        let colon = run(rest, is_token);
        if rest.get(colon) != Some(&b':') {
            return Ok(colon);
        }
        self.layout.end_name((at + colon) as u16);
        self.at = At::Value;
        let value = colon + 1;
        let end = value + run_of_value(&rest[value..]);
        if !rest[end..].starts_with(b"\r\n") {
            return Ok(end);
        }
        self.layout.end_value((at + end) as u16);
        self.at = At::Line;
        Ok(end + 2)
    }

    /// Handles one byte, which is at this place of the head.
    fn step(&mut self, state: At, byte: u8, at: u16) -> Result<At, BadRequest> {
        let next = match (state, byte) {
            (At::Start { blank: false }, b'\r') => At::BlankEnd,
            (At::BlankEnd, b'\n') => At::Start { blank: true },
            (At::Start { .. }, _) if is_token(byte) => {
                self.layout.start = at;
                At::Method(1)
            }
            (At::Start { .. } | At::BlankEnd, _) => {
                return Err(BadRequest::Syntax("this is not HTTP"));
            }
            (At::Method(bytes), _) => {
                self.layout.method_end = at;
                return method(bytes, byte);
            }
            (At::Target(bytes), _) => {
                self.layout.target_end = at;
                return target(bytes, byte);
            }
            (At::Version(bytes), _) => return version(bytes, byte),
            (At::LineEnd, b'\n') => At::Line,
            (At::Line, b'\r') => At::LastEnd,
            (At::Line, b' ' | b'\t') => {
                return Err(BadRequest::Syntax("a header must not be folded"));
            }
            (At::Name, b':') => {
                self.layout.end_name(at);
                At::Value
            }
            (At::Line | At::Name, _) => {
                return Err(BadRequest::Syntax("a header name has an illegal byte"));
            }
            (At::Value, b'\r') => {
                self.layout.end_value(at);
                At::LineEnd
            }
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

fn method(bytes: u16, byte: u8) -> Result<At, BadRequest> {
    match byte {
        b' ' => Ok(At::Target(0)),
        _ if !is_token(byte) => Err(BadRequest::Syntax("the method has an illegal byte")),
        _ if bytes == METHOD_BYTES => Err(BadRequest::Syntax("the method is too long")),
        _ => Ok(At::Method(bytes + 1)),
    }
}

/// Handles the byte that ends a run of target bytes.
fn target(bytes: u16, byte: u8) -> Result<At, BadRequest> {
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
fn version(bytes: u16, byte: u8) -> Result<At, BadRequest> {
    const NAME: &[u8] = b"HTTP/";
    match (bytes, byte) {
        (0..5, _) if byte == NAME[usize::from(bytes)] => Ok(At::Version(bytes + 1)),
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

/// [`run`] for values.
fn run_of_value(bytes: &[u8]) -> usize {
    let odd = |block| below(block, b' ') | equal(block, 0x7f);
    let plain = run_of_blocks(bytes, odd);
    plain + run(&bytes[plain..], is_value)
}

/// [`run`] for targets.
fn run_of_target(bytes: &[u8]) -> usize {
    let odd = |block| below(block, b'!') | equal(block, 0x7f) | equal(block, b'#') | block & TOPS;
    let plain = run_of_blocks(bytes, odd);
    plain + run(&bytes[plain..], is_target)
}

/// The top bit of each byte.
const TOPS: u64 = u64::from_le_bytes([0x80; 8]);

/// Returns the number of bytes before the first one that is `odd`, of which the top bit is set then, in
/// as many whole blocks as there are.
fn run_of_blocks(bytes: &[u8], odd: impl Fn(u64) -> u64) -> usize {
    let (blocks, _) = bytes.as_chunks::<8>();
    for (number, block) in blocks.iter().enumerate() {
        let found = odd(u64::from_le_bytes(*block));
        if found != 0 {
            return 8 * number + found.trailing_zeros() as usize / 8;
        }
    }
    8 * blocks.len()
}

/// Sets the top bit of the bytes that are below `limit`, which is ASCII. Only the first one of them is
/// right: it borrows from those after it.
fn below(block: u64, limit: u8) -> u64 {
    block.wrapping_sub(u64::from_le_bytes([limit; 8])) & !block & TOPS
}

/// Sets the top bit of the bytes that are equal to `byte`, as [`below`] does.
fn equal(block: u64, byte: u8) -> u64 {
    below(block ^ u64::from_le_bytes([byte; 8]), 1)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_in_blocks_is_as_long_as_one_by_bytes() {
        let mut rng = fastrand::Rng::with_seed(4);
        let special = [
            b' ', b'!', b'#', b'~', 0x7f, 0x80, 0xff, b'\t', b'\r', 0, 0x1f,
        ];
        for _ in 0..if cfg!(miri) { 100 } else { 20_000 } {
            let mut bytes = vec![b'a'; rng.usize(0..40)];
            for _ in 0..rng.usize(0..4) {
                if let Some(byte) = rng.choice(&mut bytes) {
                    *byte = special[rng.usize(..special.len())];
                }
            }
            assert_eq!(run_of_value(&bytes), run(&bytes, is_value), "{bytes:?}");
            assert_eq!(run_of_target(&bytes), run(&bytes, is_target), "{bytes:?}");
        }
    }
}
