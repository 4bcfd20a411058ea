//! Recoveries that end before they are over, and what happens while the application is asked
//! (docs/protocol.md, section 5).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::app::{Log, Plain, identify};
use super::catalogue::covers;
use super::coming_back::{again, enters, keeping, numbers, publish, subscribe};
use super::gate::Gate;
use super::guest::{Guest, hasty, lock};
use super::peer::{Peer, upgrade};
use super::server::Server;
use crate::rt::client::{Event, State};
use crate::rt::{
    Admission, Application, CloseReason, Config, Connection, Denied, Entry, Identity, JoinFrom,
    Message, Reach, Request, Rooms,
};

covers! {
    ends_in_the_middle_of_a_recovery_are_clean:
        "K9", "unsubscribe, kick, replacement, drain, end of the login in the middle of a recovery" =>
            "no frame is cut, nothing comes twice, every count is back";
    large_messages_and_many_rooms_stay_within_the_bounds:
        "K10", "a message as large as the room may keep; one byte more" => "kept; the history begins anew";
        "K10", "5 000 rooms published to once" => "the oldest go";
    what_a_replaced_connection_had_asked_for_has_no_effect:
        "K11", "a resume and a resend while the hook of the message is pending" =>
            "the older request is void, and the message is published once";
    a_position_is_looked_at_when_the_application_has_answered:
        "K11", "messages while the hook of a `subscribe` with `since` is pending" => "they are recovered, too";
}

const LARGE: usize = 32 << 10;

/// A room with 20 large messages, and a client that is in the middle of recovering them.
fn in_the_middle(server: &Server, token: &str) -> Peer {
    let content = format!("{:?}", "x".repeat(LARGE));
    for _ in 0..20 {
        server.hub.broadcast("blue", &content).expect("JSON");
    }
    let epoch = server.hub.position("blue").expect("a room").epoch;
    let mut peer = Peer::connect_narrow(server.address);
    peer.send(&upgrade(
        &format!("/ws/blue?token=s3cr3t-{token}&since={epoch}.0"),
        &[],
    ));
    assert_eq!(peer.head().status, 101);
    server.until("it recovers", |stats| stats.recoveries.ok == 1);
    peer
}

fn with_large_history() -> Config {
    let mut config = keeping(100);
    config.history.room_bytes = 16 << 20;
    config.limits.unsent_bytes = 4 << 10;
    config.presence.enabled = false;
    config
}

/// Reads up to the Close frame: the numbers in order, each once, and its code.
fn read_to_the_end(peer: &mut Peer) -> (u64, u16) {
    let mut last = 0;
    loop {
        let frame = peer.frame();
        if frame.first == 0x88 {
            let code = u16::from_be_bytes([frame.payload[0], frame.payload[1]]);
            return (last, code);
        }
        let message: Value = serde_json::from_slice(&frame.payload).expect("a whole message");
        if message["type"] == "message" {
            assert_eq!(message["seq"], last + 1);
            last += 1;
        }
    }
}

#[test]
fn ends_in_the_middle_of_a_recovery_are_clean() {
    type End = fn(&Server);
    let ends: [(&str, u16, bool, End); 4] = [
        ("ann", 4004, false, |server| {
            server.hub.disconnect_user("ann", CloseReason::Kicked);
        }),
        ("ann", 1000, true, |server| {
            server.user("ann", "").leave();
        }),
        ("ann", 1001, true, |server| {
            let hub = server.hub.clone();
            server.runtime.spawn(async move {
                hub.drain(Duration::ZERO, Duration::from_secs(9)).await;
            });
        }),
        ("ann,300", 4202, true, |_| {}),
    ];
    for (token, code, whole, end) in ends {
        let server = Server::start(with_large_history(), Plain::default());
        let mut peer = in_the_middle(&server, token);
        end(&server);
        server.until_connected(0);
        let (last, closed) = read_to_the_end(&mut peer);
        assert_eq!((closed, last == 20), (code, whole), "{last}");
        drop(peer);
        server.until_empty();
    }
}

#[test]
fn who_unsubscribes_in_the_middle_of_a_recovery_gets_no_more_of_it() {
    let server = Server::start(with_large_history(), Plain::default());
    let mut peer = in_the_middle(&server, "ann");
    peer.say(r#"{"type":"unsubscribe","channel":"blue"}"#);
    server.until("it has left", |stats| stats.active_rooms == 0);
    let mut last = 0;
    loop {
        let message = peer.json();
        match message["type"].as_str() {
            Some("message") => {
                assert_eq!(message["seq"], last + 1);
                last += 1;
            }
            Some("unsubscribed") => break,
            _ => {}
        }
    }
    assert!(last < 20, "{last}");
    peer.leave();
    server.until_empty();
}

#[test]
fn large_messages_and_many_rooms_stay_within_the_bounds() {
    let mut config = keeping(100);
    config.history.room_bytes = 1_000;
    config.history.rooms = 500;
    let server = Server::start(config, Plain::default());
    let frame = |content: usize| {
        let json = r#"{"type":"message","channel":"blue","content":"","seq":1}"#;
        4 + json.len() + content
    };
    let most = 1_000 - 112 - frame(0);
    for (content, kept) in [(10, 1), (most, 1), (most + 1, 0), (10, 1)] {
        let content = format!("{:?}", "x".repeat(content));
        server.hub.broadcast("blue", &content).expect("JSON");
        assert_eq!(server.hub.stats().history.messages, kept);
    }
    for n in 0..5_000 {
        publish(&server, &format!("room-{n}"), 1);
    }
    let stats = server.hub.stats();
    assert_eq!((stats.history.rooms, stats.active_rooms), (500, 0));
    assert_eq!(server.hub.position("room-4000"), None);
    assert!(server.hub.position("room-4999").is_some());
}

/// Its hooks wait at a gate, and it lets clients reach back to the message with number 3.
#[derive(Clone, Default)]
struct Careful {
    log: Log,
    joins: Gate,
    messages: Gate,
}

impl Application for Careful {
    async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
        identify(request).unwrap_or(Err(Denied::Unauthorized))
    }

    async fn authorize_join_from(
        &self,
        client: &Connection,
        room: &str,
        entry: Entry,
        from: &JoinFrom,
    ) -> Result<Reach, Denied> {
        let from = match from {
            JoinFrom::Since(position) => format!("since {}", position.seq),
            JoinFrom::Last(last) => format!("last {last}"),
            _ => "as the rule says".to_owned(),
        };
        self.log
            .add(format!("{} {room} {entry:?} {from}", client.user()));
        match (entry, client.user()) {
            (_, "eve") => Err(Denied::Forbidden),
            (_, "late") => Ok(Reach::Now),
            (Entry::Lobby, _) => Ok(Reach::From(3)),
            _ => {
                self.joins.wait().await;
                Ok(Reach::From(3))
            }
        }
    }

    async fn on_message(&self, client: &Connection, _: Message) -> Result<(), Denied> {
        self.log.add(format!("message of {}", client.user()));
        self.messages.wait().await;
        Ok(())
    }
}

#[test]
fn the_application_sees_the_position_and_says_how_far_back_a_client_reaches() {
    let app = Careful::default();
    let server = Server::start(keeping(10), app.clone());
    app.joins.open();
    publish(&server, "blue", 4);
    let epoch = server.hub.position("blue").expect("a room").epoch;
    let (mut ann, subscribed) = enters(
        &server,
        &format!("/ws/blue?token=s3cr3t-ann&since={epoch}.1"),
    );
    assert_eq!(subscribed["recovered"], true);
    let skip = json!({"type": "skip", "channel": "blue", "from": 2, "to": 2});
    assert_eq!(ann.expect("skip"), skip);
    assert_eq!(numbers(&mut ann, 2), [3, 4]);
    let since = json!({"since": {"epoch": &*epoch, "seq": 3}});
    let mut bob = server.user("bob", "");
    assert_eq!(subscribe(&mut bob, "blue", &since)["recovered"], true);
    assert_eq!(numbers(&mut bob, 1), [4]);
    let mut late = server.user("late", "");
    assert_eq!(subscribe(&mut late, "blue", &since)["recovered"], false);
    let mut eve = server.user("eve", "");
    assert_eq!(
        subscribe(&mut eve, "blue", &json!({"last": 2}))["code"],
        "forbidden"
    );
    app.log.until(&[
        "ann blue Lobby since 1",
        "bob blue Subscribe since 3",
        "late blue Subscribe since 3",
        "eve blue Subscribe last 2",
    ]);
}

#[test]
fn a_position_is_looked_at_when_the_application_has_answered() {
    let app = Careful::default();
    let server = Server::start(keeping(10), app.clone());
    publish(&server, "blue", 4);
    let epoch = server.hub.position("blue").expect("a room").epoch;
    let mut bob = server.user("bob", "");
    bob.say(&format!(
        r#"{{"type":"subscribe","channel":"blue","since":{{"epoch":"{epoch}","seq":3}}}}"#
    ));
    app.log.until_has("bob blue Subscribe since 3");
    publish(&server, "blue", 2);
    app.joins.open();
    let subscribed = bob.expect("subscribed");
    assert_eq!(
        (&subscribed["seq"], &subscribed["recovered"]),
        (&json!(6), &json!(true))
    );
    assert_eq!(numbers(&mut bob, 3), [4, 5, 6]);
}

#[test]
fn what_a_replaced_connection_had_asked_for_has_no_effect() {
    let app = Careful::default();
    let mut config = keeping(10);
    config.rooms = Rooms::Open;
    let server = Server::start(config, app.clone());
    let target = "/ws/blue?token=s3cr3t-ann&session=s";
    let mut older = server.member(target);
    let message = r#"{"type":"message","channel":"blue","content":1,"id":"x"}"#;
    older.say(message);
    app.log.until_has("message of ann");
    let mut newer = server.member(target);
    older.closed(1000);
    app.messages.open();
    let ack = again(&mut newer, "x", 0);
    assert_eq!((&ack["seq"], ack.get("duplicate")), (&json!(1), None));
    assert_eq!(again(&mut newer, "x", 0)["duplicate"], true);
    assert_eq!(server.hub.stats().history.messages, 1);
}

/// Stores what it is told under user, session and id, then waits at a gate.
#[derive(Clone, Default)]
struct Storing {
    stored: Arc<Mutex<BTreeMap<[String; 3], String>>>,
    log: Log,
    gate: Gate,
}

struct Session(String);

impl Application for Storing {
    async fn admit(&self, request: &Request) -> Result<Admission, Denied> {
        let identity = identify(request).unwrap_or(Err(Denied::Unauthorized))?;
        let session = request.query("session").unwrap_or_default().to_owned();
        Ok(Admission::from(identity).with(Session(session)))
    }

    async fn on_message(&self, client: &Connection, message: Message) -> Result<(), Denied> {
        let Message::Room { content, id, .. } = message else {
            return Err(Denied::Forbidden);
        };
        let session = client.get::<Session>().map_or("", |it| &it.0).to_owned();
        let key = [client.user().to_owned(), session, id.unwrap_or_default()];
        let known = self.stored.lock().expect("a map").insert(key, content);
        let said = if known.is_some() { "knows" } else { "stores" };
        self.log.add(said.to_owned());
        self.gate.wait().await;
        Ok(())
    }
}

#[test]
fn an_application_knows_by_its_id_a_message_that_is_sent_again() {
    let app = Storing::default();
    let server = Server::start(keeping(10), app.clone());
    let target = "/ws/blue?token=s3cr3t-ann&session=s";
    let mut older = server.member(target);
    older.say(r#"{"type":"message","channel":"blue","content":1,"id":"x"}"#);
    app.log.until(&["stores"]);
    let mut newer = server.member(target);
    older.closed(1000);
    app.gate.open();
    let ack = again(&mut newer, "x", 0);
    assert_eq!((&ack["seq"], ack.get("duplicate")), (&json!(1), None));
    app.log.until(&["stores", "knows"]);
    newer.say(r#"{"type":"message","channel":"blue","content":2,"id":7}"#);
    newer.expect("ack");
    newer.say(r#"{"type":"message","channel":"blue","content":3}"#);
    app.log.until(&["stores", "knows", "stores", "stores"]);
    let stored = app.stored.lock().expect("a map").clone();
    let key = |id: &str| ["ann", "s", id].map(str::to_owned);
    let expected = [("", "3"), (r#""x""#, "1"), ("7", "2")];
    let expected = expected.map(|(id, content)| (key(id), content.to_owned()));
    assert_eq!(stored, BTreeMap::from(expected));
}

#[test]
fn a_client_whose_network_is_cut_misses_nothing_and_sends_nothing_twice() {
    let server = Server::start(keeping(100), Plain::default());
    let ann = Guest::at(server.address, "/ws?token=s3cr3t-ann", hasty());
    let bob = Guest::at(server.address, "/ws?token=s3cr3t-bob", hasty());
    for guest in [&ann, &bob] {
        guest.enter("blue");
    }
    assert_eq!(bob.publish("blue", "one"), Ok(1));
    ann.until_texts(&["one"]);
    for round in 0..5 {
        let id = server.hub.connections_of("ann")[0];
        let reason = CloseReason::application(4400).expect("a code");
        server.hub.close(id, reason).expect("it is there");
        let sent = ann.publish_later("blue", "mine");
        server.hub.broadcast("blue", r#""away""#).expect("JSON");
        ann.until_state("it is back", |state| {
            matches!(state, State::Connected { .. })
        });
        super::server::until("it is sent", || lock(&sent).is_some(), || ann.events());
        assert!(lock(&sent).as_ref().is_some_and(Result::is_ok));
        let expected = 1 + 2 * (round + 1);
        super::server::until(
            "everything is there",
            || server.hub.position("blue").map(|it| it.seq) == Some(expected),
            || server.hub.position("blue"),
        );
    }
    ann.until_texts(&["one", "away", "away", "away", "away", "away"]);
    let gaps = ann.events().into_iter();
    let gaps = gaps
        .filter(|event| matches!(event, Event::Gap { .. }))
        .count();
    assert_eq!(gaps, 0);
}
