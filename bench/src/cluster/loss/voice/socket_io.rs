//! Socket.IO 4, with what its documentation advises against losses: connection state recovery, and
//! retries of what was not acknowledged.

use serde_json::{Value, json};

use super::{Heard, ROOM, Voice, What, content, message};
use crate::cluster::loss::judge::Fate;
use crate::socket_io::{ACK, CONNECT, EVENT, TARGET, answer_to};

pub(super) struct SocketIo {
    member: usize,
    /// The private id of its session, if the server has recovery.
    session: Option<String>,
    /// The offset of the last message.
    offset: Option<String>,
}

impl SocketIo {
    pub(super) fn new(member: usize) -> Self {
        Self {
            member,
            session: None,
            offset: None,
        }
    }

    /// Returns what enters the namespace, and recovers what was missed.
    fn connect(&self) -> String {
        match &self.session {
            Some(session) => {
                let mut recovery = json!({"pid": session});
                if let Some(offset) = &self.offset {
                    recovery["offset"] = offset.as_str().into();
                }
                format!("{CONNECT}{recovery}")
            }
            None => CONNECT.to_owned(),
        }
    }

    fn entered(&mut self, answer: &Value) -> Heard {
        let session = answer["pid"].as_str().map(str::to_owned);
        let is_recovered = session.is_some() && session == self.session;
        self.session = session;
        Heard {
            is_told: !is_recovered,
            what: What::In,
        }
    }

    fn event(&mut self, packet: &Value) -> What {
        if let Some(offset) = packet[2].as_str() {
            self.offset = Some(offset.to_owned());
        }
        message(&packet[1])
    }
}

impl Voice for SocketIo {
    fn target(&self) -> String {
        format!("{TARGET}&room={ROOM}")
    }

    fn hear(&mut self, text: &str) -> Heard {
        let json = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
        if text.as_bytes().starts_with(EVENT) {
            // The name of the event comes first.
            return self.event(&json(&text[2..])).into();
        }
        if let Some(answer) = text.strip_prefix(CONNECT) {
            return self.entered(&json(answer));
        }
        if let Some(acknowledgement) = text.strip_prefix(ACK) {
            let number = acknowledgement.split('[').next().map(str::parse);
            return Heard::from(match number {
                Some(Ok(number)) => What::Fate(number, Fate::Acknowledged),
                _ => What::Nothing,
            });
        }
        Heard::from(match answer_to(text.as_bytes()) {
            Some(answer) if answer == CONNECT.as_bytes() => What::Reply(self.connect()),
            Some(answer) => What::Reply(String::from_utf8_lossy(answer).into_owned()),
            None => What::Nothing,
        })
    }

    fn say(&mut self, number: usize) -> String {
        let content = content(self.member, number);
        let packet = json!(["message", {"type": "message", "channel": ROOM, "content": content}]);
        format!("42{number}{packet}")
    }

    /// At least once.
    fn say_again(&mut self, number: usize) -> Option<String> {
        Some(self.say(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_comes_back_under_its_id_is_recovered() {
        let mut voice = SocketIo::new(7);
        assert_eq!(voice.hear("0{}").what, What::Reply("40".into()));
        assert!(voice.hear(r#"40{"sid":"s","pid":"p"}"#).is_told);
        let heard = voice.hear(r#"42["message",{"content":"3-14"},"1-0"]"#);
        let (publisher, number) = (3, 14);
        assert_eq!(heard.what, What::Message { publisher, number });
        let again = r#"40{"offset":"1-0","pid":"p"}"#;
        assert_eq!(voice.hear("0{}").what, What::Reply(again.into()));
        assert!(!voice.hear(r#"40{"sid":"s","pid":"p"}"#).is_told);
        assert!(voice.hear(r#"40{"sid":"t","pid":"q"}"#).is_told);
    }

    #[test]
    fn an_acknowledgement_has_the_number_of_its_message() {
        let mut voice = SocketIo::new(7);
        assert!(voice.say(5).starts_with(r#"425["message",{"#));
        assert_eq!(voice.hear("435[]").what, What::Fate(5, Fate::Acknowledged));
        assert_eq!(voice.hear("2").what, What::Reply("3".into()));
    }
}
