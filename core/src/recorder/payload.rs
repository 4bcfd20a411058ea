//! What stands for content in a recording.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher};

use serde::{Deserialize, Serialize};

use crate::PresenceInfo;
use crate::base::hash::Keyed;
use crate::protocol::{Content, Json};

/// The number of bytes of a payload that are hashed. It is limited because hashing happens under the
/// lock of the node.
const HASHED: usize = 1 << 10;

/// The length of a payload in bytes, and a keyed hash of its beginning, which reveals only whether two
/// payloads are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    pub bytes: usize,
    pub hash: u32,
}

impl Payload {
    /// Returns a text in place of the payload: as long, and different where the hash is.
    pub(crate) fn text(self) -> String {
        let digits = format!("{:08x}", self.hash);
        digits.chars().cycle().take(self.bytes).collect()
    }

    /// Returns JSON in place of the payload.
    pub(crate) fn json(self) -> String {
        match self.bytes.checked_sub(2) {
            Some(bytes) => format!("\"{}\"", Self { bytes, ..self }.text()),
            None => "0".into(),
        }
    }
}

/// Stands for payloads and cuts names, so that a recording shows neither content nor names without end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Redactor {
    keyed: Keyed,
    name_bytes: usize,
}

impl Redactor {
    pub(super) const fn new(keyed: Keyed, name_bytes: usize) -> Self {
        Self { keyed, name_bytes }
    }

    pub(crate) fn payload(&self, bytes: &[u8]) -> Payload {
        let mut hasher = self.keyed.build_hasher();
        hasher.write(&bytes[..bytes.len().min(HASHED)]);
        Payload {
            bytes: bytes.len(),
            hash: hasher.finish() as u32,
        }
    }

    /// Returns what stands for content; `None` for `null`, which removes a key.
    pub(crate) fn content(&self, content: Content<'_>) -> Option<Payload> {
        (!content.is_null()).then(|| self.payload(content.as_json().as_bytes()))
    }

    pub(crate) fn json(&self, content: &Json) -> Option<Payload> {
        self.content(content.as_content())
    }

    pub(crate) fn presence(&self, info: Option<&PresenceInfo>) -> Option<Payload> {
        Some(self.payload(info?.as_json().as_bytes()))
    }

    /// Returns a name; of one that is too long, as much as shows that.
    pub(crate) fn name<'a>(&self, name: &'a str) -> Cow<'a, str> {
        if name.len() <= self.name_bytes {
            return Cow::Borrowed(name);
        }
        let end = (self.name_bytes + 1..=name.len()).find(|&at| name.is_char_boundary(at));
        Cow::Borrowed(&name[..end.unwrap_or(name.len())])
    }

    /// Returns what stands for the session that a client names, and is as legal.
    pub(crate) fn session(&self, session: &str) -> String {
        format!("{:016x}", self.keyed.hash_one(session))
    }
}

/// Returns content that stands in for a recorded payload.
pub(crate) fn content_of(payload: Option<Payload>) -> Json {
    let json = payload.map_or_else(|| "null".to_owned(), Payload::json);
    Json::parse(&json).unwrap_or_else(|_| Content::NULL.to_kept())
}

pub(crate) fn presence_of(payload: Option<Payload>) -> Option<PresenceInfo> {
    PresenceInfo::new(content_of(Some(payload?))).ok()
}
