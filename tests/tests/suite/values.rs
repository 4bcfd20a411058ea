//! Rooms that keep the latest value of each key (docs/protocol.md, section 5).

use std::collections::BTreeMap;

use serde_json::json;

use super::app::Plain;
use super::peer::{Peer, upgrade};
use super::server::Server;
use crate::rt::{BroadcastError, Config, Keep, Presence, Rates, RoomRule, SendError};

fn ticker(keys: usize) -> Config {
    Config {
        presence: Presence {
            enabled: false,
            ..Presence::default()
        },
        rates: Rates::unlimited(),
        room_rules: vec![RoomRule {
            prefix: "prices".into(),
            keep: Keep::Latest { keys },
            ..RoomRule::default()
        }],
        ..Config::default()
    }
}

#[test]
fn values_are_there_for_newcomers_until_they_are_removed() {
    let server = Server::start(ticker(2), Plain::default());
    let hub = &server.hub;
    let receipt = hub.publish_key("prices", "A", r#"{"bid": 1.0}"#);
    assert_eq!(receipt.map(|it| (it.seq, it.accepted)), Ok((Some(1), 0)));
    hub.publish_key("prices", "B", "2").expect("it is kept");
    let refused = hub.publish_key("prices", "C", "3");
    let too_many = SendError::TooManyKeys { limit: 2 };
    assert_eq!(refused, Err(BroadcastError::Send(too_many)));
    assert_eq!(hub.remove_key("prices", "B").map(|it| it.seq), Ok(Some(3)));
    assert_eq!(hub.remove_key("news", "B"), Err(SendError::NoKeys));

    let mut ann = server.client("/ws/prices?token=s3cr3t-ann");
    let subscribed = ann.find("subscribed");
    assert_eq!(subscribed["keep"], "latest");
    assert_eq!(
        ann.text(),
        r#"{"type":"message","channel":"prices","key":"A","content":{"bid": 1.0},"seq":1}"#
    );
    let mut ben = server.client("/ws/prices?token=s3cr3t-ben");
    ben.find("message");
    ben.say(r#"{"type":"message","key":"A","content":null,"id":7}"#);
    assert_eq!(ben.expect("ack"), json!({"type":"ack","id":7,"seq":4}));
    assert_eq!(
        ann.text(),
        r#"{"type":"message","channel":"prices","key":"A","content":null,"sender":"ben","seq":4}"#
    );
    ben.say(r#"{"type":"message","key":"A B","content":1,"id":8}"#);
    ben.expect("ack");
    let mut cat = server.client("/ws/prices?token=s3cr3t-cat");
    let first = cat.find("message");
    assert_eq!((&first["key"], &first["seq"]), (&json!("A B"), &json!(5)));
}

#[test]
fn a_reader_that_stops_and_goes_on_ends_with_the_latest_value_of_each_key() {
    const KEYS: usize = 200;
    const ROUNDS: usize = 60;
    let server = Server::start(ticker(KEYS), Plain::default());
    let mut slow = Peer::connect_narrow(server.address);
    slow.send(&upgrade("/ws/prices?token=s3cr3t-ann", &[]));
    assert_eq!(slow.head().status, 101);
    slow.find("subscribed");
    let filler = "x".repeat(400);
    for round in 0..ROUNDS {
        for key in 0..KEYS {
            let content = format!(r#"[{round},"{filler}"]"#);
            let put = server.hub.publish_key("prices", &key.to_string(), &content);
            assert_eq!(put.map(|it| it.closed), Ok(0));
        }
    }
    let stats = server.hub.stats();
    assert!(
        stats.queued_bytes < 3 * KEYS * 600,
        "{}",
        stats.queued_bytes
    );
    let (mut values, mut last, mut got) = (BTreeMap::new(), 0, 0);
    while last < (KEYS * ROUNDS) as u64 {
        let message = slow.expect("message");
        let seq = message["seq"].as_u64().expect("a number");
        assert!(seq > last, "in order, and none twice");
        last = seq;
        got += 1;
        values.insert(message["key"].to_string(), message["content"][0].clone());
    }
    assert_eq!(values.len(), KEYS);
    assert!(values.values().all(|round| *round == ROUNDS - 1));
    assert!(got < KEYS * ROUNDS, "what was overwritten was skipped");
    assert_eq!(server.closes("slow_consumer"), 0);
}
