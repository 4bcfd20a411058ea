//! Parsed messages of the server.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Number;
use serde_json::value::RawValue;

/// A message of the server: its text and the fields known to this client. A field of the wrong type
/// counts as absent. Cheap to clone.
#[derive(Clone)]
pub struct ServerText(Arc<Inner>);

struct Inner {
    text: Box<str>,
    kind: Box<str>,
    channel: Option<Arc<str>>,
    sender: Option<Box<str>>,
    user: Option<Box<str>>,
    epoch: Option<Box<str>>,
    code: Option<Box<str>>,
    reason: Option<Box<str>>,
    message: Option<Box<str>>,
    id: TextId,
    close_code: Option<u16>,
    seq: Option<u64>,
    delivered: Option<u64>,
    timestamp: Option<Number>,
    ping: Option<Duration>,
    max_bytes: Option<u64>,
    reconnect_in: Option<Duration>,
    first: Option<u64>,
    recovered: Option<bool>,
    keep: Option<Box<str>>,
    key: Option<Box<str>>,
    from: Option<u64>,
    to: Option<u64>,
    retry_after: Option<Duration>,
    content: Option<Range<usize>>,
}

/// The `id` of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TextId {
    /// There is no id.
    Absent,
    /// The id of one of this client's requests.
    Number(u64),
    /// An id that this client does not use.
    Foreign,
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default)]
    channel: Option<&'a RawValue>,
    #[serde(borrow, default)]
    sender: Option<&'a RawValue>,
    #[serde(borrow, default)]
    user: Option<&'a RawValue>,
    #[serde(borrow, default)]
    epoch: Option<&'a RawValue>,
    #[serde(borrow, default)]
    code: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reason: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    seq: Option<&'a RawValue>,
    #[serde(borrow, default)]
    delivered: Option<&'a RawValue>,
    #[serde(borrow, default)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow, default)]
    ping_ms: Option<&'a RawValue>,
    #[serde(borrow, default)]
    max_bytes: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reconnect_in_ms: Option<&'a RawValue>,
    #[serde(borrow, default)]
    first: Option<&'a RawValue>,
    #[serde(borrow, default)]
    recovered: Option<&'a RawValue>,
    #[serde(borrow, default)]
    keep: Option<&'a RawValue>,
    #[serde(borrow, default)]
    key: Option<&'a RawValue>,
    #[serde(borrow, default)]
    from: Option<&'a RawValue>,
    #[serde(borrow, default)]
    to: Option<&'a RawValue>,
    #[serde(borrow, default)]
    retry_after_ms: Option<&'a RawValue>,
    // `null` is valid content, not an absent one.
    #[serde(borrow, default, deserialize_with = "present")]
    content: Option<&'a RawValue>,
}

fn present<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

fn number<T: DeserializeOwned>(raw: Option<&RawValue>) -> Option<T> {
    serde_json::from_str(raw?.get()).ok()
}

fn text<T: for<'a> From<Cow<'a, str>>>(raw: Option<&RawValue>) -> Option<T> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    let Text(text) = serde_json::from_str(raw?.get()).ok()?;
    Some(text.into())
}

impl ServerText {
    /// Parses a message; returns `None` if it is not a JSON object with a `type`.
    pub(super) fn parse(json: &str) -> Option<Self> {
        // serde would read an array as the fields in order.
        if !json.trim_ascii_start().starts_with('{') {
            return None;
        }
        let fields: Fields<'_> = serde_json::from_str(json).ok()?;
        let millis = |raw| number(raw).map(Duration::from_millis);
        let range = |raw: &RawValue| {
            let start = raw.get().as_ptr() as usize - json.as_ptr() as usize;
            start..start + raw.get().len()
        };
        Some(Self(Arc::new(Inner {
            text: json.into(),
            kind: text(fields.kind)?,
            channel: text(fields.channel),
            sender: text(fields.sender),
            user: text(fields.user),
            epoch: text(fields.epoch),
            code: text(fields.code),
            reason: text(fields.reason),
            message: text(fields.message),
            id: match fields.id {
                None => TextId::Absent,
                Some(id) => number(Some(id)).map_or(TextId::Foreign, TextId::Number),
            },
            close_code: number(fields.code),
            seq: number(fields.seq),
            delivered: number(fields.delivered),
            timestamp: number(fields.timestamp),
            ping: millis(fields.ping_ms),
            max_bytes: number(fields.max_bytes),
            reconnect_in: millis(fields.reconnect_in_ms),
            first: number(fields.first),
            recovered: number(fields.recovered),
            keep: text(fields.keep),
            key: text(fields.key),
            from: number(fields.from),
            to: number(fields.to),
            retry_after: millis(fields.retry_after_ms),
            content: fields.content.map(range),
        })))
    }

    /// Returns the whole text.
    pub fn as_json(&self) -> &str {
        &self.0.text
    }

    /// Deserialises the whole message, for fields without a method here.
    ///
    /// # Errors
    ///
    /// The message does not have the form of `T`.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0.text)
    }

    /// Returns the `type`.
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// Returns the channel.
    pub fn channel(&self) -> Option<&str> {
        self.0.channel.as_deref()
    }

    /// Returns the sending user; `None` if the application sent it without a sender.
    pub fn sender(&self) -> Option<&str> {
        self.0.sender.as_deref()
    }

    /// Returns the user of this connection (`welcome`, `authenticated`).
    pub fn user(&self) -> Option<&str> {
        self.0.user.as_deref()
    }

    /// Returns the number of the message in the channel.
    pub fn seq(&self) -> Option<u64> {
        self.0.seq
    }

    /// Returns the epoch of the channel.
    pub fn epoch(&self) -> Option<&str> {
        self.0.epoch.as_deref()
    }

    /// Returns the oldest number that the server keeps of the channel, or the next one if it keeps
    /// none (`subscribed`); `None` where the channel has no history.
    pub fn first(&self) -> Option<u64> {
        self.0.first
    }

    /// Returns whether all messages since the old position follow (`subscribed`); `None` where there
    /// was no position.
    pub fn recovered(&self) -> Option<bool> {
        self.0.recovered
    }

    /// Returns the key that the content is the latest value of, in a channel that keeps these.
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// Returns the content as JSON text.
    pub fn content_json(&self) -> Option<&str> {
        self.0.text.get(self.0.content.clone()?)
    }

    /// Deserialises the content.
    ///
    /// # Errors
    ///
    /// There is no content, or it does not have the form of `T`.
    pub fn content<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.content_json().unwrap_or_default())
    }

    /// Returns the code of an `error`, for programs.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// Returns the text of an `error`, for people.
    pub fn message(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    /// Returns the delay before a rate-limited request may be retried.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Returns the delay before reconnecting (`bye`).
    pub fn reconnect_in(&self) -> Option<Duration> {
        self.0.reconnect_in
    }

    /// Returns the server's ping interval (`welcome`).
    pub fn ping_interval(&self) -> Option<Duration> {
        self.0.ping
    }

    /// Returns the largest message that the server accepts, in bytes (`welcome`).
    pub fn max_bytes(&self) -> Option<u64> {
        self.0.max_bytes
    }

    pub(super) fn id(&self) -> TextId {
        self.0.id
    }

    /// Returns what the channel keeps: `latest` for the latest value of each key (`subscribed`).
    pub(super) fn keep(&self) -> Option<&str> {
        self.0.keep.as_deref()
    }

    /// Returns the first and the last number that a `skip` or a `gap` names.
    pub(super) fn range(&self) -> Option<(u64, u64)> {
        Some((self.0.from?, self.0.to?)).filter(|(from, to)| from <= to)
    }

    pub(super) fn delivered(&self) -> Option<u64> {
        self.0.delivered
    }

    /// Returns the timestamp, which is echoed unchanged.
    pub(super) fn timestamp(&self) -> Option<&Number> {
        self.0.timestamp.as_ref()
    }

    /// Returns the close code and the reason that a `bye` announces.
    pub(super) fn announced(&self) -> Option<(u16, &str)> {
        Some((
            self.0.close_code?,
            self.0.reason.as_deref().unwrap_or_default(),
        ))
    }
}

/// Omits contents, which do not belong in logs.
impl fmt::Debug for ServerText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerText")
            .field("kind", &self.kind())
            .field("channel", &self.channel())
            .field("seq", &self.seq())
            .field("bytes", &self.as_json().len())
            .finish_non_exhaustive()
    }
}

impl PartialEq for ServerText {
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json()
    }
}

impl Eq for ServerText {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_is_the_text_that_was_sent() {
        let frame =
            ServerText::parse(r#" {"content": {"a": 1.50} ,"type":"message","seq":3}"#).unwrap();
        assert_eq!(frame.content_json(), Some(r#"{"a": 1.50}"#));
        assert_eq!((frame.kind(), frame.seq()), ("message", Some(3)));
        let keyed = ServerText::parse(r#"{"type":"message","content":1,"key":"a\u0062"}"#).unwrap();
        assert_eq!((keyed.key(), frame.key()), (Some("ab"), None));
        let null = ServerText::parse(r#"{"type":"message","content":null}"#).unwrap();
        assert_eq!(null.content::<Option<u8>>().unwrap(), None);
        assert_eq!(null.content_json(), Some("null"));
    }

    #[test]
    fn a_field_of_another_kind_counts_as_absent() {
        let frame =
            ServerText::parse(r#"{"type":"message","channel":7,"seq":"x","code":[]}"#).unwrap();
        assert_eq!(
            (frame.channel(), frame.seq(), frame.code()),
            (None, None, None)
        );
        let escaped = ServerText::parse(r#"{"type":"direct","sender":"\u00e9"}"#).unwrap();
        assert_eq!(escaped.sender(), Some("é"));
    }

    #[test]
    fn what_is_no_object_with_a_type_is_no_message() {
        for text in [
            "",
            "null",
            "7",
            "[]",
            "{",
            r#"["welcome"]"#,
            r#"{"type":5}"#,
            r#"{"a":1}"#,
        ] {
            assert!(ServerText::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn debug_output_has_no_content() {
        let frame = ServerText::parse(r#"{"type":"message","content":"s3cr3t"}"#).unwrap();
        assert!(!format!("{frame:?}").contains("s3cr3t"));
    }
}
