//! Volatile messages (docs/behaviour.md, section 3).

use serde_json::json;

use super::app::Plain;
use super::peer::{Peer, upgrade};
use super::server::Server;
use crate::rt::{Config, Presence, Rates};

fn config() -> Config {
    Config {
        presence: Presence {
            enabled: false,
            ..Presence::default()
        },
        rates: Rates::unlimited(),
        ..Config::default()
    }
}

#[test]
fn a_volatile_message_comes_without_a_number() {
    let server = Server::start(config(), Plain::default());
    let mut ann = server.client("/ws/blue?token=s3cr3t-ann");
    let mut ben = server.client("/ws/blue?token=s3cr3t-ben");
    ann.find("subscribed");
    ben.find("subscribed");
    ann.say(r#"{"type":"message","content":"typing","volatile":true,"id":1}"#);
    assert_eq!(ann.expect("ack"), json!({"type":"ack","id":1}));
    assert_eq!(
        ben.text(),
        r#"{"type":"message","channel":"blue","content":"typing","sender":"ann"}"#
    );
    ben.roundtrip();
    let sent = server.hub.broadcast_volatile("blue", "[1]");
    let sent = sent.map(|it| (it.seq, it.accepted, it.dropped_volatile));
    assert_eq!(sent, Ok((None, 2, 0)));
    assert_eq!(
        ann.text(),
        r#"{"type":"message","channel":"blue","content":[1]}"#
    );
    let numbered = server.hub.broadcast("blue", "2").map(|it| it.seq);
    assert_eq!(numbered, Ok(Some(1)));
}

#[test]
fn who_does_not_keep_up_misses_volatile_messages_and_nothing_else() {
    let server = Server::start(config(), Plain::default());
    let mut slow = Peer::connect_narrow(server.address);
    slow.send(&upgrade("/ws/blue?token=s3cr3t-ann", &[]));
    assert_eq!(slow.head().status, 101);
    slow.find("subscribed");
    let large = format!(r#""{}""#, "x".repeat(30_000));
    // More than its socket takes, and less than may wait.
    for _ in 0..30 {
        server.hub.broadcast("blue", &large).expect("it fits");
    }
    let mut missed = 0;
    for _ in 0..2_000 {
        let receipt = server.hub.broadcast_volatile("blue", "0").expect("JSON");
        missed += receipt.dropped_volatile;
    }
    assert_eq!(missed, 2_000);
    assert_eq!(server.hub.stats().dropped.get("volatile"), Some(&2_000));
    for seq in 1..=30 {
        assert_eq!(slow.expect("message")["seq"], seq);
    }
    assert_eq!(server.closes("slow_consumer"), 0);
}
