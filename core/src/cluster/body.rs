//! What nodes say of a room's message to each other: a header of fields parted by TAB, a newline, the
//! content untouched.
//!
//! ```text
//! s=sender TAB c=connection TAB u=excluded user TAB … ⏎ content
//! ```
//!
//! A field is a letter, `=`, and a value without control characters. Unknown fields are ignored, so that
//! later versions can add some. A sender with control characters, which only an application can name, is
//! `e=` and a JSON string.

use std::borrow::Cow;
use std::fmt;
use std::str;
use std::sync::Arc;

use crate::protocol::Content;

/// A message to a room, as it stands in the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body<'a> {
    /// The sender: a user, or a name that the application gives.
    pub sender: Option<Cow<'a, str>>,
    /// The connection that sent it and does not get it, on the node that sent it. Not where the session is
    /// known, which says the same everywhere.
    pub connection: Option<&'a str>,
    /// The session of the client that sent it, which does not get it when it recovers.
    pub session: Option<&'a str>,
    /// The client's request, as it stands in its message: a repeat has the same one.
    pub request: Option<&'a str>,
    /// Users who do not get it.
    pub excluded_users: Vec<&'a str>,
    /// Sessions that do not get it.
    pub excluded_sessions: Vec<&'a str>,
    /// The key whose value it is, in a room that keeps the latest of each.
    pub key: Option<&'a str>,
    /// It must not be compressed for its recipients.
    pub uncompressed: bool,
    /// Whether it is to be the key's value only where the key has none.
    pub only_if_absent: bool,
    /// What the content is.
    pub form: Form,
    /// The content.
    pub content: &'a [u8],
}

/// What the content of a message is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// JSON, which each node wraps into a `message`.
    #[default]
    Json,
    /// Text that is sent as it is.
    Text,
    /// Bytes that are sent as they are.
    Binary,
}

/// Why a message of another node is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadBody;

impl fmt::Display for BadBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a malformed message of another node")
    }
}

impl std::error::Error for BadBody {}

impl<'a> Body<'a> {
    /// Returns what [`Body::parse`] reads as this. Values with control characters are left out, except the
    /// sender.
    pub fn to_bytes(&self) -> Arc<[u8]> {
        let mut header = String::new();
        let escaped = self.sender.as_deref().filter(|it| !is_field(it));
        let escaped = escaped.and_then(|sender| serde_json::to_string(sender).ok());
        let fields = self.fields().filter(|(_, value)| is_field(value));
        for (letter, value) in escaped.iter().map(|it| ('e', &**it)).chain(fields) {
            if !header.is_empty() {
                header.push('\t');
            }
            header.push(letter);
            header.push('=');
            header.push_str(value);
        }
        [header.as_bytes(), b"\n", self.content].concat().into()
    }

    fn fields(&self) -> impl Iterator<Item = (char, &str)> {
        let one = |letter, value: Option<&'a str>| value.map(|value| (letter, value));
        let form = match self.form {
            Form::Json => None,
            Form::Text => Some("text"),
            Form::Binary => Some("binary"),
        };
        let sender = self.sender.as_deref().map(|sender| ('s', sender));
        let single = [
            sender,
            one('c', self.connection),
            one('w', self.session),
            one('r', self.request),
            one('k', self.key),
            one('z', self.uncompressed.then_some("0")),
            one('i', self.only_if_absent.then_some("1")),
            one('f', form),
        ];
        let users = self.excluded_users.iter().map(|user| ('u', *user));
        let sessions = self.excluded_sessions.iter().map(|it| ('x', *it));
        single.into_iter().flatten().chain(users).chain(sessions)
    }

    /// Reads a message. Costs time linear in its header.
    ///
    /// # Errors
    ///
    /// [`BadBody`] if it is no message, or its form is unknown.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BadBody> {
        let end = bytes
            .iter()
            .position(|&byte| byte == b'\n')
            .ok_or(BadBody)?;
        let header = str::from_utf8(&bytes[..end]).map_err(|_| BadBody)?;
        let mut body = Self {
            content: &bytes[end + 1..],
            ..Self::default()
        };
        for field in header.split('\t').filter(|field| !field.is_empty()) {
            let (letter, value) = field.split_once('=').ok_or(BadBody)?;
            match letter {
                "s" => body.sender = Some(value.into()),
                "e" => body.sender = Some(serde_json::from_str(value).map_err(|_| BadBody)?),
                "c" => body.connection = Some(value),
                "w" => body.session = Some(value),
                "r" => body.request = Some(value),
                "k" => body.key = Some(value),
                "i" => body.only_if_absent = value == "1",
                "u" => body.excluded_users.push(value),
                "x" => body.excluded_sessions.push(value),
                "z" => body.uncompressed = true,
                "f" => {
                    body.form = match value {
                        "text" => Form::Text,
                        "binary" => Form::Binary,
                        _ => return Err(BadBody),
                    }
                }
                _ => {}
            }
        }
        Ok(body)
    }

    /// Returns the content of a `message` to the members of a room; `None` if it is not JSON.
    pub(crate) fn json(&self) -> Option<Content<'a>> {
        if self.form != Form::Json {
            return None;
        }
        Content::parse(str::from_utf8(self.content).ok()?).ok()
    }
}

/// Whether a value can stand in a header as it is. Else it could pretend to be another field, or content.
fn is_field(value: &str) -> bool {
    !value.bytes().any(|byte| byte.is_ascii_control())
}
