//! Rooms that keep a history, and clients that come back to them (docs/protocol.md, section 5): rows
//! K1 to K11 of the catalogue of hostile inputs.

use serde_json::{Value, json};

use super::app::Plain;
use super::catalogue::covers;
use super::peer::{Peer, upgrade};
use super::server::Server;
use crate::rt::{Config, History, Rates, RoomHistory, RoomRule, SlowPolicy, UserPolicy};

covers! {
    a_position_that_cannot_be_had_is_not_recovered:
        "K1", "a `since` above the last number; of 2^53" => "`subscribed` with `recovered` false, then live";
        "K1", "a `since` of -1; of 1.5; of 2^64; as a string; without its half" => "`bad_request`, nothing changes";
        "K2", "an epoch of another room; of an earlier life of the room" => "`recovered` false";
        "K2", "an epoch of 4 KB" => "`bad_request`; in the URL `recovered` false";
        "K3", "a `since` for a room without history" => "`subscribed` without `first` and `recovered`";
        "K3", "a `since` for a room that it is in" => "`already_subscribed`, nothing changes";
    the_last_messages_are_given_as_far_as_the_rule_allows:
        "K4", "`last` of 0; of 10^9" => "none; as many as the rule allows";
        "K4", "`since` and `last`" => "`bad_request`";
    a_message_that_is_sent_again_is_published_once_or_not_at_all:
        "K5", "`again` above the last number; before the history; without one; without a session; with another session's id" =>
            "`unrecoverable`, or published as the new message that it is";
        "K5", "`again` without `id`" => "`bad_request`";
        "K5", "`again` 200 times" => "each is answered";
    a_session_is_one_connection_at_a_time:
        "K6", "`session` twice; of 65 bytes; with a control character" => "400";
        "K6", "two sockets that take turns with one session" => "each ends the other, 1000";
        "K6", "the session of another user" => "both stay";
    clients_that_recover_and_do_not_read_cost_their_reads_only:
        "K7", "200 clients that recover and do not read" => "they hold no copy, and the others get everything at once";
    a_reader_that_is_too_slow_for_the_history_is_told_what_it_lost:
        "K7", "one that reads slowly while the room goes on" => "a `gap` for what has left the history, the rest in order";
    entering_and_leaving_again_and_again_leaves_nothing_behind:
        "K8", "subscribe with `since` and unsubscribe, 200 times, without reading" => "it is answered, and nothing stays queued";
}

pub(super) fn keeping(messages: usize) -> Config {
    let mut config = Config {
        history: History {
            messages,
            ..History::default()
        },
        rates: Rates::unlimited(),
        ..Config::default()
    };
    config.rates.strikes = 1_000;
    config.limits.per_ip = 1_000;
    config
}

/// Enters a room at this target, and returns `subscribed` too.
pub(super) fn enters(server: &Server, target: &str) -> (Peer, Value) {
    let mut peer = server.client(target);
    peer.expect("welcome");
    let subscribed = peer.expect("subscribed");
    (peer, subscribed)
}

pub(super) fn subscribe(peer: &mut Peer, room: &str, more: &Value) -> Value {
    let mut request = json!({"type": "subscribe", "channel": room, "id": 1});
    let fields = more.as_object().expect("fields").clone();
    request.as_object_mut().expect("an object").extend(fields);
    peer.say(&request.to_string());
    loop {
        let answer = peer.json();
        if answer["id"] == 1 {
            return answer;
        }
    }
}

pub(super) fn publish(server: &Server, room: &str, times: u64) {
    for n in 0..times {
        server.hub.broadcast(room, &n.to_string()).expect("JSON");
    }
}

/// Returns the numbers of the next messages.
pub(super) fn numbers(peer: &mut Peer, count: usize) -> Vec<u64> {
    let next = |peer: &mut Peer| peer.expect("message")["seq"].as_u64().expect("a number");
    (0..count).map(|_| next(peer)).collect()
}

#[test]
fn what_was_missed_comes_once_in_order_and_byte_for_byte() {
    let server = Server::start(keeping(100), Plain::default());
    let (mut ann, subscribed) = enters(&server, "/ws/blue?token=s3cr3t-ann");
    let epoch = subscribed["epoch"].as_str().expect("an epoch").to_owned();
    publish(&server, "blue", 3);
    let before = numbers(&mut ann, 3);
    ann.reset();
    server.until_connected(0);
    // Nobody is there; it is kept all the same.
    publish(&server, "blue", 20);
    let mut live = server.user("bob", "blue");
    publish(&server, "blue", 1);
    let target = format!("/ws/blue?token=s3cr3t-ann&since={epoch}.{}", before[2]);
    let (mut ann, subscribed) = enters(&server, &target);
    assert_eq!(subscribed["recovered"], true);
    assert_eq!(
        (&subscribed["first"], &subscribed["seq"]),
        (&json!(1), &json!(24))
    );
    publish(&server, "blue", 1);
    assert_eq!(numbers(&mut ann, 22), (4..=25).collect::<Vec<_>>());
    assert_eq!(numbers(&mut live, 2), [24, 25]);
    let excerpt = server.hub.history("blue", 24..).expect("a room");
    let kept: Value = serde_json::from_str(excerpt.messages[0].as_json()).expect("JSON");
    assert_eq!(kept["seq"], 24);
    assert_eq!(server.hub.position("blue").map(|it| it.seq), Some(25));
    assert_eq!(server.hub.stats().recoveries.ok, 1);
}

#[test]
fn a_position_that_cannot_be_had_is_not_recovered() {
    let mut config = keeping(100);
    config.room_rules = vec![RoomRule {
        prefix: "plain".into(),
        history: RoomHistory {
            messages: Some(0),
            ..RoomHistory::default()
        },
        ..RoomRule::default()
    }];
    let server = Server::start(config, Plain::default());
    let (mut ann, subscribed) = enters(&server, "/ws/blue?token=s3cr3t-ann");
    let epoch = subscribed["epoch"].clone();
    publish(&server, "blue", 3);
    publish(&server, "red", 3);
    let red = server
        .hub
        .position("red")
        .expect("a room")
        .epoch
        .to_string();
    let mut bob = server.user("bob", "");
    for (since, answer) in [
        (json!({"epoch": epoch, "seq": 4}), json!(false)),
        (json!({"epoch": epoch, "seq": 1_u64 << 53}), json!(false)),
        (json!({"epoch": red, "seq": 1}), json!(false)),
        (json!({"epoch": "1-1", "seq": 1}), json!(false)),
        (json!({"epoch": epoch, "seq": -1}), Value::Null),
        (json!({"epoch": epoch, "seq": 1.5}), Value::Null),
        (
            json!({"epoch": epoch, "seq": 18_446_744_073_709_551_616.0}),
            Value::Null,
        ),
        (json!({"epoch": epoch, "seq": "1"}), Value::Null),
        (json!({"epoch": epoch}), Value::Null),
        (json!({"epoch": "e".repeat(4_000), "seq": 1}), Value::Null),
    ] {
        let told = subscribe(&mut bob, "blue", &json!({"since": since}));
        if answer.is_null() {
            assert_eq!(told["code"], "bad_request", "{since}");
        } else {
            assert_eq!(
                (&told["type"], &told["recovered"]),
                (&json!("subscribed"), &answer)
            );
            bob.say(r#"{"type":"unsubscribe","channel":"blue"}"#);
            bob.expect("unsubscribed");
        }
    }
    let told = subscribe(
        &mut ann,
        "blue",
        &json!({"since": {"epoch": epoch, "seq": 0}}),
    );
    assert_eq!(told["code"], "already_subscribed");
    let told = subscribe(
        &mut bob,
        "plain",
        &json!({"since": {"epoch": "e", "seq": 0}}),
    );
    assert_eq!((told.get("first"), told.get("recovered")), (None, None));
    let target = format!("/ws/blue?token=s3cr3t-cid&since={}.1", "e".repeat(4_000));
    assert_eq!(enters(&server, &target).1["recovered"], false);
}

#[test]
fn the_last_messages_are_given_as_far_as_the_rule_allows() {
    let mut config = keeping(100);
    (config.history.on_join, config.history.on_join_max) = (2, 5);
    let server = Server::start(config, Plain::default());
    publish(&server, "blue", 10);
    let mut ann = server.user("ann", "blue");
    assert_eq!(numbers(&mut ann, 2), [9, 10]);
    let mut bob = server.user("bob", "");
    for (last, first) in [(0, 11), (3, 8), (1_000_000_000, 6)] {
        let told = subscribe(&mut bob, "blue", &json!({"last": last}));
        assert_eq!(told["seq"], 10);
        assert_eq!(
            numbers(&mut bob, 11 - first),
            (first as u64..=10).collect::<Vec<_>>()
        );
        bob.say(r#"{"type":"unsubscribe","channel":"blue"}"#);
        bob.expect("unsubscribed");
    }
    let both = json!({"last": 1, "since": {"epoch": "e", "seq": 1}});
    assert_eq!(subscribe(&mut bob, "blue", &both)["code"], "bad_request");
}

pub(super) fn again(peer: &mut Peer, id: &str, again: u64) -> Value {
    let message =
        json!({"type": "message", "channel": "blue", "content": 1, "id": id, "again": again});
    peer.say(&message.to_string());
    loop {
        let answer = peer.json();
        if answer["id"] == id {
            return answer;
        }
    }
}

#[test]
fn a_message_that_is_sent_again_is_published_once_or_not_at_all() {
    let server = Server::start(keeping(50), Plain::default());
    let mut bob = server.user("bob", "blue");
    let target = "/ws/blue?token=s3cr3t-ann&session=s";
    let mut ann = server.member(target);
    ann.say(r#"{"type":"message","channel":"blue","content":1,"id":"x"}"#);
    assert_eq!(numbers(&mut bob, 1), [1]);
    // Its ack is lost.
    ann.reset();
    let mut ann = server.member(target);
    let ack = again(&mut ann, "x", 0);
    assert_eq!((&ack["seq"], &ack["duplicate"]), (&json!(1), &json!(true)));
    let ack = again(&mut ann, "y", 1);
    assert_eq!((&ack["seq"], ack.get("duplicate")), (&json!(2), None));
    assert_eq!(numbers(&mut bob, 1), [2]);
    assert_eq!(again(&mut ann, "z", 3)["code"], "unrecoverable");
    for n in 0..200 {
        assert_eq!(again(&mut ann, "y", n % 2)["duplicate"], true);
    }
    publish(&server, "blue", 60);
    assert_eq!(again(&mut ann, "x", 0)["code"], "unrecoverable");
    let mut other = server.member("/ws/blue?token=s3cr3t-cid&session=s");
    assert_eq!(
        again(&mut other, "y", 62)["seq"],
        63,
        "it is another session's"
    );
    let mut without = server.member("/ws/blue?token=s3cr3t-dan");
    assert_eq!(again(&mut without, "x", 63)["code"], "unrecoverable");
    let mut nobody = server.member("/ws/blue?session=s");
    assert_eq!(again(&mut nobody, "x", 63)["code"], "unrecoverable");
    nobody.say(r#"{"type":"message","channel":"blue","content":1,"again":1}"#);
    assert_eq!(nobody.find("error")["code"], "bad_request");
}

#[test]
fn a_session_is_one_connection_at_a_time() {
    let mut config = keeping(50);
    config.users = UserPolicy::Allow(10);
    let app = Plain::default();
    let server = Server::start(config, app.clone());
    let long = "x".repeat(65);
    for bad in ["a&session=a", &long, "%00", ""] {
        let mut peer = server.tcp();
        peer.send(&upgrade(
            &format!("/ws?token=s3cr3t-ann&session={bad}"),
            &[],
        ));
        assert_eq!(peer.head().status, 400, "{bad}");
    }
    let target = "/ws/blue?token=s3cr3t-ann&session=s";
    let other = server.member("/ws/blue?token=s3cr3t-bob&session=s");
    let mut last = server.member(target);
    for _ in 0..5 {
        let next = server.member(target);
        assert_eq!(last.closed(1000), "replaced");
        last = next;
    }
    server.until_connected(2);
    app.log.until_has("disconnect ann [blue] replaced");
    last.leave();
    other.leave();
    server.until_empty();
}

#[test]
fn clients_that_recover_and_do_not_read_cost_their_reads_only() {
    let mut config = keeping(100);
    config.limits.queued_bytes = 4 << 20;
    config.presence.enabled = false;
    let server = Server::start(config, Plain::default());
    let mut reader = server.user("reader", "blue");
    for _ in 0..100 {
        let content = format!("{:?}", "x".repeat(2_000));
        server.hub.broadcast("blue", &content).expect("JSON");
    }
    numbers(&mut reader, 100);
    let epoch = server.hub.position("blue").expect("a room").epoch;
    let stuck: Vec<Peer> = (0..200)
        .map(|n| {
            let mut peer = Peer::connect_narrow(server.address);
            let target = format!("/ws/blue?token=s3cr3t-{n}&since={epoch}.0");
            peer.send(&upgrade(&target, &[]));
            peer
        })
        .collect();
    server.until("all recover", |stats| stats.recoveries.ok == 200);
    let stats = server.hub.stats();
    assert!(
        stats.queued_bytes <= stats.history.bytes + (1 << 20),
        "{stats:?}"
    );
    publish(&server, "blue", 1);
    assert_eq!(numbers(&mut reader, 1), [101]);
    for mut peer in stuck {
        assert_eq!(peer.head().status, 101);
        assert_eq!(peer.expect("welcome")["type"], "welcome");
        peer.expect("subscribed");
        assert_eq!(numbers(&mut peer, 101), (1..=101).collect::<Vec<_>>());
    }
    server.until("all have caught up", |stats| stats.lagging == 0);
}

#[test]
fn a_reader_that_is_too_slow_for_the_history_is_told_what_it_lost() {
    let mut config = keeping(20);
    config.slow = SlowPolicy::CatchUp;
    config.history.room_bytes = 1 << 20;
    config.limits.queue_messages = 5;
    config.presence.enabled = false;
    let server = Server::start(config, Plain::default());
    let mut slow = Peer::connect_narrow(server.address);
    slow.send(&upgrade("/ws/blue?token=s3cr3t-slow", &[]));
    server.until_connected(1);
    let mut reader = server.user("reader", "blue");
    let content = format!("{:?}", "x".repeat(32 << 10));
    for seq in 1..=300 {
        server.hub.broadcast("blue", &content).expect("JSON");
        assert_eq!(numbers(&mut reader, 1), [seq]);
    }
    assert_eq!(server.hub.stats().lagging, 1);
    assert_eq!(slow.head().status, 101);
    let (mut next, mut lost) = (1, 0);
    while next <= 300 {
        let message = slow.json();
        match message["type"].as_str() {
            Some("gap") => {
                assert_eq!(message["from"], next);
                next = message["to"].as_u64().expect("a number") + 1;
                lost += 1;
            }
            Some("message") => {
                assert_eq!(message["seq"], next);
                next += 1;
            }
            _ => {}
        }
    }
    assert_eq!(lost, 1);
    server.until("it has caught up", |stats| stats.lagging == 0);
    assert_eq!(server.closes("slow_consumer"), 0);
}

#[test]
fn entering_and_leaving_again_and_again_leaves_nothing_behind() {
    let server = Server::start(keeping(100), Plain::default());
    publish(&server, "blue", 100);
    let epoch = server.hub.position("blue").expect("a room").epoch;
    let mut ann = server.user("ann", "");
    let since = format!(r#"{{"epoch":"{epoch}","seq":0}}"#);
    for _ in 0..200 {
        ann.say(&format!(
            r#"{{"type":"subscribe","channel":"blue","since":{since}}}"#
        ));
        ann.say(r#"{"type":"unsubscribe","channel":"blue"}"#);
    }
    for _ in 0..200 {
        ann.find("unsubscribed");
    }
    ann.roundtrip();
    server.until("nothing is queued", |stats| stats.queued_bytes == 0);
    assert_eq!(server.hub.stats().lagging, 0);
}
