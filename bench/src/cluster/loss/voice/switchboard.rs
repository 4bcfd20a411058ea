//! Switchboard: a client knows its position in the room, and says it when it comes back.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{Heard, ROOM, Voice, What, content, message, number};
use crate::cluster::loss::judge::Fate;

pub(super) struct Switchboard {
    member: usize,
    /// Epoch and number up to which it has everything.
    position: Option<(String, u64)>,
    /// How far it came in each epoch.
    known: HashMap<String, u64>,
    /// Where it was when it first sent each of its messages.
    sent: HashMap<usize, (String, u64)>,
    /// It has come back without a loss.
    is_recovered: bool,
}

impl Switchboard {
    pub(super) fn new(member: usize) -> Self {
        Self {
            member,
            position: None,
            known: HashMap::new(),
            sent: HashMap::new(),
            is_recovered: false,
        }
    }

    /// The room goes on from a position. Returns whether something may lie between that and where the
    /// client was.
    fn positioned(&mut self, object: &Value) -> bool {
        self.is_recovered = object["recovered"] == true;
        if self.is_recovered {
            return false;
        }
        let epoch = object["epoch"].as_str().unwrap_or_default().to_owned();
        let seq = object["seq"].as_u64().unwrap_or_default();
        let before = self.known.insert(epoch.clone(), seq);
        self.position = Some((epoch, seq));
        before != Some(seq)
    }

    /// Returns whether numbers were left out before this one.
    fn moves(&mut self, from: &Value, to: &Value) -> bool {
        let (from, to) = (from.as_u64().unwrap_or_default(), to.as_u64());
        let Some((epoch, at)) = &mut self.position else {
            return true;
        };
        let has_hole = from != *at + 1;
        *at = to.unwrap_or_default();
        self.known.insert(epoch.clone(), *at);
        has_hole
    }

    fn publish(&self, number: usize) -> Value {
        let content = content(self.member, number);
        json!({
            "type": "message", "channel": ROOM, "content": content, "id": number, "echo": true,
        })
    }
}

impl Voice for Switchboard {
    fn target(&self) -> String {
        let member = self.member;
        let since = match &self.position {
            Some((epoch, seq)) => format!("&since={epoch}.{seq}"),
            None => String::new(),
        };
        format!("/ws/{ROOM}?token=m{member}&session=m{member}{since}")
    }

    fn hear(&mut self, text: &str) -> Heard {
        let object: Value = serde_json::from_str(text).unwrap_or_default();
        let fate = |fate| number(&object["id"]).map_or(What::Nothing, |at| What::Fate(at, fate));
        let (is_told, what) = match object["type"].as_str() {
            Some("subscribed") => (self.positioned(&object), What::In),
            Some("message") => {
                let is_told = self.moves(&object["seq"], &object["seq"]);
                (is_told, message(&object))
            }
            Some("skip") => (self.moves(&object["from"], &object["to"]), What::Nothing),
            Some("gap") => {
                self.moves(&object["from"], &object["to"]);
                (true, What::Nothing)
            }
            Some("ack") if object["local"] == true => (false, fate(Fate::Local)),
            Some("ack") => (false, fate(Fate::Acknowledged)),
            Some("error") => (false, fate(Fate::Refused)),
            _ => (false, What::Nothing),
        };
        Heard { is_told, what }
    }

    fn say(&mut self, number: usize) -> String {
        if let Some(position) = &self.position {
            self.sent.insert(number, position.clone());
        }
        self.publish(number).to_string()
    }

    /// Exactly once, or not at all where that cannot be known.
    fn say_again(&mut self, number: usize) -> Option<String> {
        let (epoch, seq) = self.sent.get(&number)?;
        let (present, _) = self.position.as_ref()?;
        if !self.is_recovered || epoch != present {
            return None;
        }
        let mut message = self.publish(number);
        message["again"] = (*seq).into();
        Some(message.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch: &str, seq: u64) -> String {
        json!({"type": "subscribed", "epoch": epoch, "seq": seq}).to_string()
    }

    #[test]
    fn a_client_is_told_by_holes_and_by_positions_that_it_was_not_at() {
        let mut voice = Switchboard::new(7);
        assert!(voice.hear(&at("e", 4)).is_told);
        let message = |seq| json!({"type": "message", "seq": seq, "content": "1-2"}).to_string();
        assert!(!voice.hear(&message(5)).is_told);
        assert!(voice.hear(&message(7)).is_told);
        assert!(voice.hear(&at("f", 0)).is_told);
        assert!(!voice.hear(&message(1)).is_told);
        // Back where it was, and from there on nothing is missing.
        assert!(!voice.hear(&at("e", 7)).is_told);
        assert!(!voice.hear(&message(8)).is_told);
        let skip = r#"{"type":"skip","from":9,"to":12}"#;
        assert!(!voice.hear(skip).is_told);
        assert!(!voice.hear(&message(13)).is_told);
        assert!(voice.target().ends_with("&since=e.13"));
    }

    #[test]
    fn a_message_is_sent_again_only_after_a_recovery_in_its_epoch() {
        let mut voice = Switchboard::new(7);
        voice.hear(&at("e", 4));
        voice.say(0);
        assert_eq!(voice.say_again(0), None);
        voice.hear(r#"{"type":"subscribed","epoch":"e","seq":9,"recovered":true}"#);
        let again = voice.say_again(0).expect("it may");
        assert!(again.contains(r#""again":4"#), "{again}");
        voice.hear(&at("f", 0));
        assert_eq!(voice.say_again(0), None);
    }
}
