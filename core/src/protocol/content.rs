//! Content of messages, passed through unchanged from the sender to the members.

use std::fmt;

use serde::Serialize;
use serde_json::value::RawValue;

use super::MAX_NESTING;

/// A JSON value as its sender wrote it: validated once, then copied byte for byte.
///
/// It is well-formed, nested less deep than [`MAX_NESTING`] and free of lone surrogates, so every
/// member can parse the message around it. `Debug` prints its length only.
#[derive(Clone, Copy, Serialize)]
#[serde(transparent)]
pub struct Content<'a>(&'a RawValue);

/// Why a text is not valid [`Content`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadContent {
    /// The text is not one JSON value (RFC 8259).
    NotJson,
    /// Arrays and objects are nested deeper than [`MAX_NESTING`] allows.
    TooDeep,
    /// A string contains a lone surrogate (RFC 8259, section 8.2).
    LoneSurrogate,
}

impl BadContent {
    /// Returns the broken rule, for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotJson => "the content must be one JSON value",
            Self::TooDeep => "arrays and objects are nested too deeply",
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

impl Content<'static> {
    /// The content `null`, which removes a key.
    pub const NULL: Self = Self(RawValue::NULL);
}

impl<'a> Content<'a> {
    /// Validates content of the application in linear time. Surrounding white space is dropped.
    ///
    /// ```
    /// use switchboard_core::protocol::{BadContent, Content};
    ///
    /// assert_eq!(Content::parse(r#" {"temperature": 21.50} "#)?.as_json(), r#"{"temperature": 21.50}"#);
    /// assert_eq!(Content::parse("sunny"), Err(BadContent::NotJson));
    /// # Ok::<(), BadContent>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The [`BadContent`] says why it is not JSON that clients can read.
    pub fn parse(json: &'a str) -> Result<Self, BadContent> {
        let raw: &RawValue = serde_json::from_str(json).map_err(|_| BadContent::NotJson)?;
        check_nesting(raw.get(), MAX_NESTING - 1)?;
        check_strings(raw.get())?;
        Ok(Self(raw))
    }

    /// Wraps content whose message has been validated as a whole.
    #[cfg(feature = "server")]
    pub(super) const fn checked(raw: &'a RawValue) -> Self {
        Self(raw)
    }

    /// Returns the JSON text.
    pub fn as_json(&self) -> &'a str {
        self.0.get()
    }

    /// Returns whether it is `null`.
    pub fn is_null(&self) -> bool {
        self.as_json() == "null"
    }

    /// Returns an owned copy, without validating it again.
    pub fn to_kept(&self) -> Json {
        Json(self.0.to_owned())
    }
}

/// An owned [`Content`].
#[derive(Clone)]
pub struct Json(Box<RawValue>);

impl Json {
    /// Validates content of the application, like [`Content::parse`].
    ///
    /// # Errors
    ///
    /// The [`BadContent`] says why it is not JSON that clients can read.
    pub fn parse(json: &str) -> Result<Self, BadContent> {
        Content::parse(json).map(|content| content.to_kept())
    }

    /// Encodes a value of the application.
    ///
    /// # Errors
    ///
    /// [`BadContent::NotJson`] if the value cannot be encoded, as a map whose keys are no texts, and
    /// [`BadContent::TooDeep`] if it is nested deeper than [`MAX_NESTING`] allows.
    pub fn encode(value: &(impl Serialize + ?Sized)) -> Result<Self, BadContent> {
        let raw = serde_json::value::to_raw_value(value).map_err(|_| BadContent::NotJson)?;
        check_nesting(raw.get(), MAX_NESTING - 1)?;
        Ok(Self(raw))
    }

    /// Borrows the content, without validating it again.
    pub fn as_content(&self) -> Content<'_> {
        Content(&self.0)
    }

    /// Returns the JSON text.
    pub fn as_json(&self) -> &str {
        self.0.get()
    }
}

impl fmt::Debug for Json {
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

/// Checks that the arrays and objects of a well-formed JSON text are nested at most `limit` deep.
///
/// `serde_json` skips raw values without recursion, but also without a depth limit.
pub(super) fn check_nesting(json: &str, limit: usize) -> Result<(), BadContent> {
    let opens = |byte: u8| matches!(byte, b'[' | b'{');
    if json.bytes().filter(|&byte| opens(byte)).count() <= limit {
        return Ok(()); // The common case; brackets in strings only cost the slow path.
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

/// Skips the rest of a string, including its closing quote.
fn skip_string(bytes: &mut impl Iterator<Item = u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}

/// Checks that the strings of a well-formed JSON text contain no lone surrogates.
///
/// For raw values, `serde_json` checks the syntax of escapes but not their code units.
pub(super) fn check_strings(json: &str) -> Result<(), BadContent> {
    // Backslashes occur in strings only, so each one found here starts an escape.
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        rest = &rest[at..];
        let escape = match unicode_escape(rest) {
            None => 2, // In well-formed text the second character is ASCII.
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

/// Returns the code unit of a `\uXXXX` escape at the start of a text.
fn unicode_escape(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}
