//! A client's view of frames.

use switchboard_kit::{CLOSE, TEXT, split};

/// A frame from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) opcode: u8,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    /// Removes and returns the first frame, if it is complete.
    pub(super) fn take(bytes: &mut Vec<u8>) -> Option<Self> {
        let frame = split(bytes).expect("a frame")?;
        let (opcode, payload, len) = (frame.opcode, frame.payload.to_vec(), frame.len);
        bytes.drain(..len);
        Some(Self { opcode, payload })
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
