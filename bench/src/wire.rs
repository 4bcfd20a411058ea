//! Frames, requests and the published message.

use memchr::memmem::Finder;

/// The start of room messages on every server.
pub(crate) const MESSAGE: &[u8] = br#"{"type":"message""#;
/// The start of direct messages on every server.
pub(crate) const DIRECT: &[u8] = br#"{"type":"direct""#;

/// The start of the answer to entering a room, on our servers.
pub(crate) const SUBSCRIBED: &[u8] = br#"{"type":"subscribed""#;

/// A mask that requires unmasking.
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
/// The key of RFC 6455, section 1.3, and its answer.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Hexadecimal digits of a publisher and of its sequence number.
const PUBLISHER: usize = 4;
const SEQUENCE: usize = 8;
/// The minimum length of content.
pub(crate) const CONTENT_MIN: usize = PUBLISHER + SEQUENCE;

pub(crate) const TEXT: u8 = 0x1;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xA;

/// A frame's header, in either direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) opcode: u8,
    /// Whether it is a compressed message.
    pub(crate) deflated: bool,
    pub(crate) mask: Option<[u8; 4]>,
    /// Length of the header itself.
    pub(crate) bytes: usize,
    pub(crate) payload: usize,
}

/// Returns the header at the start of `input`, or `None` if it is incomplete.
pub(crate) fn header(input: &[u8]) -> Option<Header> {
    let (&first, &second) = (input.first()?, input.get(1)?);
    let (payload, mut bytes) = match second & 0x7F {
        126 => (
            usize::from(u16::from_be_bytes(*input.get(2..)?.first_chunk()?)),
            4,
        ),
        127 => (
            u64::from_be_bytes(*input.get(2..)?.first_chunk()?) as usize,
            10,
        ),
        short => (usize::from(short), 2),
    };
    let mut mask = None;
    if second & 0x80 != 0 {
        mask = Some(*input.get(bytes..)?.first_chunk()?);
        bytes += 4;
    }
    Some(Header {
        opcode: first & 0xF,
        deflated: first & 0x40 != 0,
        mask,
        bytes,
        payload,
    })
}

/// Appends the header of a final frame.
pub(crate) fn put_header(out: &mut Vec<u8>, opcode: u8, payload: usize, masked: bool) {
    let bit = u8::from(masked) << 7;
    out.push(0x80 | opcode);
    match payload {
        0..=0x7D => out.push(bit | payload as u8),
        126..=0xFFFF => {
            out.push(bit | 0x7E);
            out.extend((payload as u16).to_be_bytes());
        }
        _ => {
            out.push(bit | 0x7F);
            out.extend((payload as u64).to_be_bytes());
        }
    }
}

/// Appends a client's frame.
pub(crate) fn put_client_frame(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    put_header(out, opcode, payload.len(), true);
    out.extend(MASK);
    let start = out.len();
    out.extend(payload);
    unmask(&mut out[start..], MASK);
}

/// Masks or unmasks, eight bytes at a time.
pub(crate) fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (chunks, rest) = bytes.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

/// The destination of a published message.
#[derive(Clone, Debug)]
pub(crate) enum To {
    Room(usize),
    User(usize),
}

/// Appends the text of a published message.
pub(crate) fn put_message(
    out: &mut Vec<u8>,
    to: &To,
    publisher: usize,
    sequence: u32,
    content: usize,
) {
    let head = match to {
        To::Room(room) => format!(r#"{{"type":"message","channel":"r{room}","content":""#),
        To::User(user) => format!(r#"{{"type":"direct","to":"u{user}","content":""#),
    };
    out.extend(head.as_bytes());
    out.extend(format!("{publisher:04x}{sequence:08x}").as_bytes());
    out.resize(out.len() + content - CONTENT_MIN, b'.');
    let tail: &[u8] = match to {
        To::Room(_) => br#"","echo":true}"#,
        To::User(_) => br#""}"#,
    };
    out.extend(tail);
}

/// The most frequent words of English.
const WORDS: &str = "the of and to in is that it was for on are as with they at be this from have or by one \
    had not but what all were when we there can an your which their said if do will each about how up out \
    them then she many some so these would other into has more two like him see time could no make than \
    first been its who now people my made over did down only way find use may water long little very after";

/// Fills the content of a published message with words, others for each number.
pub(crate) fn put_words(text: &mut [u8], sequence: u32) {
    let words: Vec<&str> = WORDS.split_ascii_whitespace().collect();
    let mut random = u64::from(sequence);
    let fill = text.iter_mut().filter(|byte| **byte == b'.');
    let drawn = std::iter::repeat_with(|| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        words[(random >> 33) as usize % words.len()].bytes()
    });
    let bytes = drawn.flat_map(|word| std::iter::once(b' ').chain(word));
    for (byte, drawn) in fill.zip(bytes) {
        *byte = drawn;
    }
}

/// Finds the published content in a delivery.
pub(crate) struct Reader {
    content: Finder<'static>,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self {
            content: Finder::new(br#""content":""#),
        }
    }

    /// Returns the publisher and its sequence number; `None` if the message is damaged.
    pub(crate) fn read(&self, payload: &[u8], content: usize) -> Option<(usize, u32)> {
        let at = self.content.find(payload)? + self.content.needle().len();
        let digits = payload.get(at..at + content)?;
        if payload.get(at + content) != Some(&b'"') {
            return None;
        }
        let (publisher, rest) = digits.split_at(PUBLISHER);
        Some((
            hexadecimal(publisher)? as usize,
            hexadecimal(&rest[..SEQUENCE])?,
        ))
    }
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, &digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u32::from(digit))
    })
}

/// Returns what follows `key`, up to the next quote.
pub(crate) fn field<'a>(text: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let at = memchr::memmem::find(text, key.as_bytes())? + key.len();
    let end = memchr::memchr(b'"', &text[at..])?;
    Some(&text[at..at + end])
}

/// Returns the epoch and the last number of a room, from the answer to entering it.
pub(crate) fn position(text: &[u8]) -> Option<(String, u64)> {
    let epoch = str::from_utf8(field(text, r#""epoch":""#)?).ok()?;
    Some((epoch.to_owned(), number(text, r#""seq":"#)?))
}

/// Returns the number that follows `key`.
pub(crate) fn number(text: &[u8], key: &str) -> Option<u64> {
    let at = memchr::memmem::find(text, key.as_bytes())? + key.len();
    let digits = text[at..].iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |number, digit| 10 * number + u64::from(digit - b'0')))
}

/// Returns the recipient of a direct message.
pub(crate) fn addressee(text: &[u8]) -> Option<&str> {
    str::from_utf8(field(text, r#""to":""#)?).ok()
}

/// Returns the room and the user of a target `/ws/ROOM?token=USER`.
pub(crate) fn target(target: &str) -> Option<(String, String)> {
    let (path, query) = target.split_once('?')?;
    let room = path.strip_prefix("/ws/")?;
    let user = query.strip_prefix("token=")?;
    Some((room.to_owned(), user.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_published_message_is_read_again() {
        let (mut text, mut frame) = (Vec::new(), Vec::new());
        put_message(&mut text, &To::Room(7), 0xab, 0x1234_5678, 36);
        put_client_frame(&mut frame, TEXT, &text);
        let head = header(&frame).expect("a complete header");
        assert_eq!((head.opcode, head.payload), (TEXT, text.len()));
        let payload = &mut frame[head.bytes..];
        unmask(payload, head.mask.expect("a mask"));
        assert_eq!(payload, text);
        assert_eq!(Reader::new().read(payload, 36), Some((0xab, 0x1234_5678)));
        assert_eq!(Reader::new().read(payload, 35), None);
    }

    #[test]
    fn words_fill_the_content_and_nothing_else() {
        let (mut text, mut other) = (Vec::new(), Vec::new());
        for (text, number) in [(&mut text, 1), (&mut other, 2)] {
            put_message(text, &To::Room(7), 0xab, number, 1_000);
            put_words(text, number);
            assert!(!text.contains(&b'.'));
            assert_eq!(Reader::new().read(text, 1_000), Some((0xab, number)));
        }
        assert_eq!(text.len(), other.len());
        assert_ne!(text[100..], other[100..]);
    }

    #[test]
    fn a_header_that_is_not_all_there_is_none() {
        for payload in [3, 300, 70_000] {
            let mut out = Vec::new();
            put_header(&mut out, TEXT, payload, false);
            assert_eq!(header(&out).map(|head| head.payload), Some(payload));
            assert_eq!(header(&out[..out.len() - 1]), None);
        }
    }

    #[test]
    fn addressees_and_targets_are_found() {
        let mut text = Vec::new();
        put_message(&mut text, &To::User(12), 1, 1, 20);
        assert_eq!(addressee(&text), Some("u12"));
        assert_eq!(target("/ws/r1?token=u2"), Some(("r1".into(), "u2".into())));
        assert_eq!(target("/other"), None);
    }
}
