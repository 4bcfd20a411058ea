//! Incremental UTF-8 validation (RFC 6455, section 8.1; RFC 3629).

use std::str;

use super::error::ProtocolError;

/// Returns the number of bytes (0 to 3) at the end of `text` that form an incomplete character.
///
/// # Errors
/// Fails at the first byte that cannot begin or continue a character, without waiting for more: `ED
/// A0` is invalid before its third byte.
pub(super) fn open_end(text: &[u8]) -> Result<u8, ProtocolError> {
    match str::from_utf8(text) {
        Ok(_) => Ok(0),
        Err(error) if error.error_len().is_none() => Ok((text.len() - error.valid_up_to()) as u8),
        Err(_) => Err(ProtocolError::InvalidUtf8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_open_end_is_the_part_of_the_last_character() {
        for (text, open) in [
            (&b""[..], 0),
            (b"abc", 0),
            (b"a\xC3", 1),
            (b"\xE2\x82", 2),
            (b"a\xF0\x9F\x98", 3),
            (b"\xF0\x9F\x98\x80", 0),
        ] {
            assert_eq!(open_end(text), Ok(open), "{text:X?}");
        }
    }

    #[test]
    fn a_character_that_can_not_become_valid_is_wrong_at_its_earliest_byte() {
        for text in [
            &b"\x80"[..],
            b"\xC0",
            b"\xC1",
            b"\xE0\x80",
            b"\xED\xA0",
            b"\xF0\x80",
            b"\xF4\x90",
            b"\xF5",
            b"\xFF",
            b"\xC3a",
        ] {
            assert_eq!(open_end(text), Err(ProtocolError::InvalidUtf8), "{text:X?}");
            let before = &text[..text.len() - 1];
            assert!(open_end(before).is_ok(), "{before:X?}");
        }
    }
}
