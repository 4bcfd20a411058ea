//! A client's view of frames.

pub(super) const TEXT: u8 = 1;
pub(super) const CLOSE: u8 = 8;

/// A frame from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) opcode: u8,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    /// Removes and returns the first frame, if it is complete.
    pub(super) fn take(bytes: &mut Vec<u8>) -> Option<Self> {
        let (first, second) = (*bytes.first()?, *bytes.get(1)?);
        assert_eq!(first & 0xf0, 0x80, "one frame a message, no extension");
        assert_eq!(second & 0x80, 0, "a server does not mask");
        let (start, length) = match second {
            126 => (
                4,
                usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])),
            ),
            127 => panic!("longer than any test's"),
            short => (2, usize::from(short)),
        };
        if bytes.len() < start + length {
            return None;
        }
        let rest = bytes.split_off(start + length);
        let payload = std::mem::replace(bytes, rest).split_off(start);
        Some(Self {
            opcode: first & 0x0f,
            payload,
        })
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.payload).expect("UTF-8")
    }

    /// Whether this is a JSON message of the given type.
    pub(super) fn is(&self, kind: &str) -> bool {
        self.opcode == TEXT && self.text().starts_with(&format!(r#"{{"type":"{kind}""#))
    }

    /// Whether this is a message to the given room.
    pub(super) fn is_to(&self, room: &str) -> bool {
        self.is("message") && self.text().contains(&format!(r#""channel":"{room}""#))
    }

    /// Returns the number of a `message`.
    pub(super) fn seq(&self) -> u64 {
        let (_, tail) = self.text().split_once(r#""seq":"#).expect("a number");
        let digits: String = tail.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().expect("a number")
    }

    /// Returns the code of a Close frame.
    pub(super) fn code(&self) -> Option<u16> {
        let code = self.payload.first_chunk::<2>()?;
        (self.opcode == CLOSE).then(|| u16::from_be_bytes(*code))
    }
}

/// Encodes a frame from a client, with a mask of zeros.
pub(super) fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("short");
    assert!(length < 126, "short");
    let mut bytes = vec![0x80 | opcode, 0x80 | length, 0, 0, 0, 0];
    bytes.extend_from_slice(payload);
    bytes
}
