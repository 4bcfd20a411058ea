//! The hand-written server: it knows no positions, and tells a publisher whether Redis took a message.

use serde_json::{Value, json};

use super::{Heard, ROOM, Voice, What, content, message, number};
use crate::cluster::loss::judge::Fate;

pub(super) struct Plain {
    member: usize,
}

impl Plain {
    pub(super) fn new(member: usize) -> Self {
        Self { member }
    }
}

impl Voice for Plain {
    fn target(&self) -> String {
        format!("/ws/{ROOM}?token=m{}", self.member)
    }

    fn connected(&mut self) -> Heard {
        // Whoever comes back knows that something may be missing.
        Heard {
            is_told: true,
            what: What::In,
        }
    }

    fn hear(&mut self, text: &str) -> Heard {
        let object: Value = serde_json::from_str(text).unwrap_or_default();
        let fate = |fate| number(&object["id"]).map_or(What::Nothing, |at| What::Fate(at, fate));
        Heard::from(match object["type"].as_str() {
            Some("message") => message(&object),
            Some("ack") => fate(Fate::Acknowledged),
            Some("error") => fate(Fate::Refused),
            _ => What::Nothing,
        })
    }

    fn say(&mut self, number: usize) -> String {
        let content = content(self.member, number);
        json!({"type": "message", "channel": ROOM, "content": content, "id": number}).to_string()
    }

    /// It might have been published.
    fn say_again(&mut self, _: usize) -> Option<String> {
        None
    }
}
