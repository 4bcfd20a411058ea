//! The sizes of messages on the wire.

use serde_json::Value;

use super::Input;
use crate::protocol::Content;

impl Input<'_> {
    /// Creates a `Publish` with the computed size.
    pub fn publish<'a>(channel: &'a str, content: Content<'a>) -> Input<'a> {
        let name = Value::from(channel).to_string();
        Input::Publish {
            channel,
            content,
            bytes: name.len() + content.as_json().len() + ENVELOPE,
            echo: None,
            queue: None,
        }
    }

    /// Creates a `Direct` with the computed size.
    pub fn direct<'a>(to: &'a str, content: Content<'a>) -> Input<'a> {
        let name = Value::from(to).to_string();
        Input::Direct {
            to,
            content,
            bytes: name.len() + content.as_json().len() + ENVELOPE,
            queue: None,
        }
    }
}

/// The size of a message without its content and its channel.
const ENVELOPE: usize =
    r#"{"type":"message","channel":,"content":,"echo":false,"id":9007199254740991}"#.len();

/// What a message is longer by when it is sent again.
pub(super) const AGAIN: usize = r#","again":9007199254740991"#.len();
