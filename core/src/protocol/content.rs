//! What passes through from a sender to the members.

use std::fmt;

use serde::Serialize;
use serde_json::value::RawValue;

use super::MAX_NESTING;

/// Any JSON value, as its sender wrote it: checked once, then copied byte for byte.
///
/// It is well-formed, nested less deep than [`MAX_NESTING`] and without lone surrogates, so every
/// member can read the message that it comes in. `Debug` prints its length only.
#[derive(Clone, Copy, Serialize)]
#[serde(transparent)]
pub struct Content<'a>(&'a RawValue);

/// Why a text is no [`Content`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadContent {
    /// It is not one JSON value (RFC 8259).
    NotJson,
    /// Its arrays and objects lie in each other deeper than the limit ([`MAX_NESTING`]).
    TooDeep,
    /// A string has half of a surrogate pair (RFC 8259, section 8.2).
    LoneSurrogate,
}

impl BadContent {
    /// The rule that was broken.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotJson => "the content must be one JSON value",
            Self::TooDeep => "arrays and objects must be nested less deep",
            Self::LoneSurrogate => "strings must not have lone surrogates",
        }
    }
}

impl fmt::Display for BadContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for BadContent {}

impl<'a> Content<'a> {
    /// Checks the application's own content, in linear time. White space around it is left out.
    ///
    /// ```
    /// use switchboard_core::protocol::{BadContent, Content};
    ///
    /// assert_eq!(Content::parse(r#" {"temperature": 21.50} "#)?.as_json(), r#"{"temperature": 21.50}"#);
    /// assert_eq!(Content::parse("sunny"), Err(BadContent::NotJson));
    /// # Ok::<(), BadContent>(())
    /// ```
    pub fn parse(json: &'a str) -> Result<Self, BadContent> {
        let raw: &RawValue = serde_json::from_str(json).map_err(|_| BadContent::NotJson)?;
        check_nesting(raw.get(), MAX_NESTING - 1)?;
        check_strings(raw.get())?;
        Ok(Self(raw))
    }

    /// Content whose message has been checked as a whole.
    pub(super) const fn checked(raw: &'a RawValue) -> Self {
        Self(raw)
    }

    /// The JSON text.
    pub fn as_json(&self) -> &'a str {
        self.0.get()
    }

    /// A copy that may be kept. It is not checked again.
    pub fn to_kept(&self) -> KeptContent {
        KeptContent(self.0.to_owned())
    }
}

/// A [`Content`] that may be kept.
#[derive(Clone)]
pub struct KeptContent(Box<RawValue>);

impl KeptContent {
    /// The content, unchanged: nothing is checked again.
    pub fn as_content(&self) -> Content<'_> {
        Content(&self.0)
    }

    /// The JSON text.
    pub fn as_json(&self) -> &str {
        self.0.get()
    }
}

impl fmt::Debug for KeptContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_content().fmt(f)
    }
}

impl fmt::Debug for Content<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} bytes)", self.as_json().len())
    }
}

impl PartialEq for Content<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json()
    }
}

impl Eq for Content<'_> {}

/// Whether the arrays and objects of a well-formed JSON text lie in each other at most `limit` deep.
///
/// `serde_json` skips a raw value without recursion, but also without a limit.
pub(super) fn check_nesting(json: &str, limit: usize) -> Result<(), BadContent> {
    let opens = |byte: u8| matches!(byte, b'[' | b'{');
    if json.bytes().filter(|&byte| opens(byte)).count() <= limit {
        return Ok(()); // Almost always; and the bytes in strings, counted too, only lead on.
    }
    let mut depth = 0_usize;
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ if opens(byte) => {
                depth += 1;
                if depth > limit {
                    return Err(BadContent::TooDeep);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Takes the rest of a string, its closing quote included.
fn skip_string(bytes: &mut impl Iterator<Item = u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}

/// Whether the strings of a well-formed JSON text have whole surrogate pairs only.
///
/// A raw value has the syntax of its escapes checked, not what they stand for.
pub(super) fn check_strings(json: &str) -> Result<(), BadContent> {
    // Outside strings there is no backslash, so each one starts an escape wherever it stands.
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        rest = &rest[at..];
        let escape = match unicode_escape(rest) {
            None => 2, // Its second character is ASCII, as the text is well-formed.
            Some(0xD800..=0xDBFF) => match rest.get(6..).and_then(unicode_escape) {
                Some(0xDC00..=0xDFFF) => 12,
                _ => return Err(BadContent::LoneSurrogate),
            },
            Some(0xDC00..=0xDFFF) => return Err(BadContent::LoneSurrogate),
            Some(_) => 6,
        };
        rest = rest.get(escape..).unwrap_or_default();
    }
    Ok(())
}

/// The code unit of a `\uXXXX` at the start of a text.
fn unicode_escape(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}
