//! What an application makes of a message (`Application::process_message`).

use std::sync::Arc;

use serde_json::json;

use super::server::{Server, raw};
use crate::rt::{
    Application, Config, Connection, Delivery, Denied, Identity, Json, Keep, Message, Request,
    RoomRule,
};

/// What it does with a message, the message says.
struct Obedient;

impl Application for Obedient {
    async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
        let name = request.token().map_or("ann", crate::rt::Token::reveal);
        Ok(Identity::user(name))
    }

    async fn process_message(
        &self,
        client: &Connection,
        message: Message,
    ) -> Result<Delivery, Denied> {
        match message {
            Message::Room { content, .. } => match &*content {
                "\"handle\"" => Ok(Delivery::Handled),
                "\"replace\"" => Ok(Delivery::Replace(Json::parse("{\"by\": 1.0}")?)),
                "\"remove\"" => Ok(Delivery::Replace(Json::encode(&())?)),
                "\"grow\"" => Ok(Delivery::Replace(Json::encode(&"x".repeat(2 << 20))?)),
                "\"refuse\"" => Err(Denied::because("rude", "no such words")),
                _ => Ok(Delivery::Deliver),
            },
            Message::Text(text) => {
                let _ = client.send_text(&text);
                Ok(Delivery::Handled)
            }
            _ => Err(Denied::Forbidden),
        }
    }

    async fn on_message(&self, _: &Connection, _: Message) -> Result<(), Denied> {
        panic!("asked in place of process_message");
    }
}

fn say(content: &str, id: u8) -> String {
    json!({"type": "message", "content": content, "id": id}).to_string()
}

#[test]
fn a_message_is_delivered_replaced_handled_or_refused() {
    let server = Server::start(Config::default(), Obedient);
    let mut bob = server.member("/ws/blue?token=bob");
    let mut ann = server.member("/ws/blue?token=ann");
    ann.say(&say("plain", 1));
    assert_eq!(ann.find("ack"), json!({"type":"ack","id":1,"seq":1}));
    // What is handled takes no number.
    ann.say(&say("handle", 2));
    assert_eq!(ann.find("ack"), json!({"type":"ack","id":2}));
    ann.say(r#"{"type":"message","content":"handle"}"#);
    ann.say(&say("replace", 3));
    assert_eq!(ann.find("ack"), json!({"type":"ack","id":3,"seq":2}));
    ann.say(&say("refuse", 4));
    assert_eq!(ann.find("error")["code"], "rude");
    ann.say(&say("grow", 5));
    assert_eq!(ann.find("error")["code"], "too_large");
    ann.say(&say("last", 6));
    ann.find("ack");
    assert_eq!(bob.find("message")["content"], "plain");
    let replaced = bob.text();
    let expected =
        r#"{"type":"message","channel":"blue","content":{"by": 1.0},"sender":"ann","seq":2}"#;
    assert_eq!(replaced, expected);
    let last = bob.find("message");
    assert_eq!(
        (&last["content"], &last["seq"]),
        (&json!("last"), &json!(3))
    );
}

#[test]
fn a_replaced_value_keeps_its_key() {
    let config = Config {
        room_rules: vec![RoomRule {
            prefix: "blue".into(),
            keep: Keep::Latest { keys: 10 },
            ..RoomRule::default()
        }],
        ..Config::default()
    };
    let server = Server::start(config, Obedient);
    let mut bob = server.member("/ws/blue?token=bob");
    let mut ann = server.member("/ws/blue?token=ann");
    for (content, value) in [("replace", json!({"by": 1.0})), ("remove", json!(null))] {
        ann.say(&format!(
            r#"{{"type":"message","key":"k","content":"{content}"}}"#
        ));
        let told = bob.find("message");
        assert_eq!((&told["key"], &told["content"]), (&json!("k"), &value));
    }
}

#[test]
fn in_raw_mode_a_message_that_is_handled_leaves_the_connection_open() {
    let server = Server::start(raw(), Obedient);
    let mut ann = server.client("/ws?token=ann");
    for text in ["one", "two"] {
        ann.say(text);
        assert_eq!(ann.text(), text);
    }
}

#[test]
fn a_shared_application_is_asked_by_each_of_its_hooks() {
    let app = Arc::new(Obedient);
    let server = Server::start(Config::default(), app.clone());
    let mut ann = server.member("/ws/blue?token=ann");
    ann.say(&say("handle", 1));
    assert_eq!(ann.find("ack"), json!({"type":"ack","id":1}));
    assert!(Arc::strong_count(&app) > 1);
}
