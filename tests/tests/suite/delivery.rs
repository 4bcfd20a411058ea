//! Rooms, users and messages, as clients see them (docs/behaviour.md, sections 2 and 3).

use std::time::Duration;

use serde_json::json;

use super::app::Plain;
use super::catalogue::covers;
use super::frames::{BINARY, CONTINUATION, TEXT, frame, joined, part};
use super::peer::{Peer, upgrade};
use super::server::{Server, raw};
use crate::rt::{
    CloseReason, Config, Direct, Exclude, Frame, Presence, Rates, Rooms, SendError, UserPolicy,
    WebSocket, WebSocketMessage,
};

covers! {
    a_handshake_may_come_byte_by_byte:
        "H20", "a legal request byte by byte" => "101";
    the_end_of_a_stream_is_the_end_of_its_connection:
        "S5", "the end of the stream, from a peer that still reads" => "`eof`; out of everything at once";
    large_and_fragmented_messages_arrive_whole:
        "F14", "characters of two to four bytes, cut anywhere" => "delivered intact";
}

#[test]
fn a_client_is_welcomed_and_its_goodbye_is_answered() {
    let app = Plain::default();
    let mut config = Config::default();
    config.health.ping_interval = Duration::from_secs(90);
    let server = Server::start(config, app.clone());
    let mut ann = server.client("/ws?token=s3cr3t-ann");
    let welcome = ann.json();
    assert_eq!(welcome["type"], "welcome");
    assert_eq!(welcome["user"], "ann");
    assert_eq!(welcome["ping_ms"], 90_000);
    assert_eq!(welcome["max_bytes"], 65_536);
    assert!(server.hub.is_connected("ann"));
    assert_eq!(server.hub.connections_of("ann").len(), 1);
    ann.leave();
    server.until_empty();
    app.log
        .until(&["connect ann", "disconnect ann [] client_closed"]);
}

#[test]
fn two_members_of_a_lobby_talk() {
    let server = Server::start(Config::default(), Plain::default());
    let mut ann = server.client("/ws/blue?token=s3cr3t-ann");
    ann.expect("welcome");
    let subscribed = ann.json();
    assert_eq!(subscribed["type"], "subscribed");
    assert_eq!(subscribed["channel"], "blue");
    assert_eq!(subscribed["seq"], 0);
    let presence = ann.json();
    assert_eq!(
        presence,
        json!({"type":"presence","channel":"blue","count":1,"users":["ann"]})
    );
    let mut ben = server.user("ben", "blue");
    let joined = ann.json();
    assert_eq!(
        joined,
        json!({"type":"presence","channel":"blue","count":2,"users":["ann","ben"]})
    );
    ben.say(r#"{"type":"message","channel":"blue","content":{"a": 1.0},"id":"x","sender":"ann"}"#);
    assert_eq!(ben.expect("ack"), json!({"type":"ack","id":"x","seq":1}));
    assert_eq!(
        ann.text(),
        r#"{"type":"message","channel":"blue","content":{"a": 1.0},"sender":"ben","seq":1}"#
    );
    ann.say(r#"{"type":"message","content":"me too","echo":true}"#);
    for peer in [&mut ann, &mut ben] {
        let message = peer.expect("message");
        assert_eq!(
            (&message["seq"], &message["sender"]),
            (&json!(2), &json!("ann"))
        );
    }
    assert_eq!(server.hub.room_users("blue").len(), 2);
    assert_eq!(server.hub.members("blue").len(), 2);
}

#[test]
fn rooms_are_entered_and_left_by_message() {
    let server = Server::start(Config::default(), Plain::default());
    let mut ann = server.user("ann", "");
    ann.say(r#"{"type":"subscribe","channel":"a","id":1}"#);
    let subscribed = ann.json();
    assert_eq!(
        (&subscribed["id"], &subscribed["seq"]),
        (&json!(1), &json!(0))
    );
    ann.say(r#"{"type":"subscribe","channel":"a","id":2}"#);
    assert_eq!(ann.expect("error")["code"], "already_subscribed");
    ann.say(r#"{"type":"subscribe","channel":"private","id":3}"#);
    let error = ann.expect("error");
    assert_eq!(
        (&error["code"], &error["id"]),
        (&json!("forbidden"), &json!(3))
    );
    ann.say(r#"{"type":"unsubscribe","channel":"a","id":4}"#);
    assert_eq!(
        ann.expect("unsubscribed"),
        json!({"type":"unsubscribed","channel":"a","id":4})
    );
    ann.say(r#"{"type":"message","channel":"a","content":1,"id":5}"#);
    assert_eq!(ann.expect("error")["code"], "not_in_channel");
    ann.say(r#"{"type":"dance"}"#);
    assert_eq!(ann.expect("error")["code"], "unknown_type");
    ann.say("not json");
    assert_eq!(ann.expect("error")["code"], "bad_request");
    ann.say(r#"{"type":"ping","timestamp":12.5}"#);
    assert_eq!(ann.text(), r#"{"type":"pong","timestamp":12.5}"#);
    assert_eq!(server.hub.stats().active_rooms, 0);
}

#[test]
fn direct_messages_reach_every_device_of_a_user() {
    let config = Config {
        users: UserPolicy::Allow(2),
        direct: Direct::Open,
        ..Config::default()
    };
    let server = Server::start(config, Plain::default());
    let mut phone = server.user("ann", "");
    let mut laptop = server.user("ann", "");
    let mut ben = server.user("ben", "");
    ben.say(r#"{"type":"direct","to":"ann","content":[1],"id":7}"#);
    assert_eq!(
        ben.expect("ack"),
        json!({"type":"ack","id":7,"delivered":2})
    );
    for device in [&mut phone, &mut laptop] {
        let direct = device.json();
        assert_eq!(
            direct,
            json!({"type":"direct","content":[1],"sender":"ben"})
        );
    }
    ben.say(r#"{"type":"direct","to":"eve","content":1,"id":8}"#);
    assert_eq!(ben.expect("error")["code"], "not_connected");
}

#[test]
fn the_application_sends_to_rooms_users_connections_and_all() {
    let server = Server::start(Config::default(), Plain::default());
    let mut ann = server.user("ann", "blue");
    let mut ben = server.user("ben", "blue");
    let hub = &server.hub;
    let receipt = hub.broadcast("blue", r#"{"n":1}"#).expect("JSON");
    assert_eq!((receipt.seq, receipt.accepted), (Some(1), 2));
    let exclude = Exclude {
        connections: &[],
        users: &["ben"],
    };
    let receipt = hub
        .broadcast_from("blue", "2", Some("app"), exclude)
        .expect("JSON");
    assert_eq!((receipt.accepted, receipt.excluded), (1, 1));
    assert!(hub.broadcast("blue", "{").is_err());
    assert_eq!(hub.broadcast("nowhere", "1").expect("JSON").accepted, 0);
    let text = Frame::text("to ann");
    assert_eq!(hub.send_to_user("ann", text).expect("sent").accepted, 1);
    let id = hub.connections_of("ben")[0];
    hub.send(id, Frame::text("to this one")).expect("sent");
    let all = hub.broadcast_all(Frame::text("to all"), Exclude::NOBODY);
    assert_eq!(all.expect("sent").accepted, 2);
    let room = hub.broadcast_raw("blue", Frame::binary(&[1, 2]), Exclude::NOBODY);
    assert_eq!((room.expect("sent").accepted), 2);

    assert_eq!(ann.expect("message")["content"], json!({"n":1}));
    let second = ann.expect("message");
    assert_eq!(
        (&second["seq"], &second["sender"]),
        (&json!(2), &json!("app"))
    );
    assert_eq!([ann.text(), ann.text()], ["to ann", "to all"]);
    assert_eq!(ann.frame().payload, [1, 2]);
    assert_eq!(ben.expect("message")["seq"], 1);
    assert_eq!([ben.text(), ben.text()], ["to this one", "to all"]);
    assert_eq!(ben.frame().first, 0x80 | BINARY);

    hub.join(id, "red").expect("joined");
    assert_eq!(ben.find("subscribed")["channel"], "red");
    assert_eq!(hub.leave(id, "red"), Ok(true));
    hub.close(id, CloseReason::application(4499).unwrap())
        .expect("closed");
    ben.closed(4499);
    assert!(matches!(
        hub.send(id, Frame::text("late")),
        Err(SendError::Stale(_) | SendError::NotOpen)
    ));
}

#[test]
fn presence_tells_who_came_and_who_went() {
    let config = Config {
        presence: Presence {
            leave_grace: Duration::from_millis(50),
            interval: Duration::from_millis(20),
            ..Presence::default()
        },
        users: UserPolicy::Allow(3),
        ..Config::default()
    };
    let server = Server::start(config, Plain::default());
    let mut ann = server.user("ann", "blue");
    assert_eq!(ann.json()["users"], json!(["ann"]));
    let first = server.user("ben", "blue");
    assert_eq!(ann.json()["users"], json!(["ann", "ben"]));
    // A second connection is not a second user, and its end does not end the user's presence.
    let second = server.user("ben", "blue");
    second.leave();
    first.leave();
    let left = ann.json();
    assert_eq!(
        left,
        json!({"type":"presence","channel":"blue","count":1,"users":["ann"]})
    );
}

#[test]
fn raw_mode_carries_text_and_binary_and_nothing_else() {
    let app = Plain::default();
    let server = Server::start(raw(), app.clone());
    let mut peer = server.client("/ws/blue?token=s3cr3t-ann");
    peer.say("not json");
    let answer = peer.try_frame().expect("the first frame is the echo");
    assert_eq!(
        (answer.first, &answer.payload[..]),
        (0x81, &b"not json"[..])
    );
    peer.send(&frame(BINARY, &[0, 255, 7]));
    let answer = peer.frame();
    assert_eq!(
        (answer.first, &answer.payload[..]),
        (0x82, &[0, 255, 7][..])
    );
    peer.send(&frame(TEXT, b""));
    assert_eq!(peer.text(), "");
    let receipt = server
        .hub
        .broadcast_raw("blue", Frame::text("x"), Exclude::NOBODY);
    assert_eq!(receipt.expect("sent").accepted, 1);
    assert_eq!(peer.text(), "x");
    peer.leave();
    app.log.until_has("disconnect ann [blue] client_closed");
}

#[test]
fn large_and_fragmented_messages_arrive_whole() {
    let mut config = raw();
    config.limits.message_bytes = 1 << 20;
    config.limits.queue_bytes = 4 << 20;
    config.rates = Rates::unlimited();
    let server = Server::start(config, Plain::default());
    let mut peer = server.client("/ws");
    for size in [125, 126, 65_535, 65_536, 200_000, 1 << 20] {
        let payload: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
        peer.send(&frame(BINARY, &payload));
        assert!(peer.frame().payload == payload, "{size} bytes");
    }
    let text = "grüße ".repeat(20_000);
    let pieces: Vec<&[u8]> = text.as_bytes().chunks(997).collect();
    let (last, parts) = pieces.split_last().expect("pieces");
    peer.send(&part(TEXT, &[]));
    for piece in parts {
        peer.send(&part(CONTINUATION, piece));
    }
    peer.send(&frame(CONTINUATION, last));
    assert_eq!(peer.text(), text);
}

#[test]
fn a_handshake_may_come_byte_by_byte() {
    let server = Server::start(Config::default(), Plain::default());
    let mut peer = server.tcp();
    peer.send_bytewise(&upgrade("/ws/blue?token=s3cr3t-ann", &[]));
    let head = peer.head();
    assert_eq!(head.status, 101);
    assert_eq!(
        head.header("Sec-WebSocket-Accept"),
        Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
    assert_eq!(peer.json()["user"], "ann");
    peer.send_bytewise(&frame(TEXT, br#"{"type":"ping","id":1}"#));
    assert_eq!(peer.find("pong")["id"], 1);
}

#[test]
fn many_messages_in_one_packet_are_answered_in_order() {
    let config = Config {
        rooms: Rooms::Open,
        ..Config::default()
    };
    let server = Server::start(config, Plain::default());
    let mut ann = server.user("ann", "");
    let mut packet = vec![frame(TEXT, br#"{"type":"subscribe","channel":"a"}"#)];
    packet.extend((0..100).map(|n| {
        let text = format!(r#"{{"type":"message","content":{n},"id":{n}}}"#);
        frame(TEXT, text.as_bytes())
    }));
    ann.send(&joined(&packet));
    ann.expect("subscribed");
    for n in 0..100 {
        let ack = ann.expect("ack");
        assert_eq!((&ack["id"], &ack["seq"]), (&json!(n), &json!(n + 1)));
    }
}

#[test]
fn a_client_of_another_make_talks_with_ours() {
    let server = Server::start(Config::default(), Plain::default());
    let mut ann = server.user("ann", "blue");
    let address = server.address;
    let heard = server.runtime.run(async move {
        let mut ben = WebSocket::connect(address, "/ws/blue?token=s3cr3t-ben").await;
        let text = r#"{"type":"message","channel":"blue","content":"hi","echo":true}"#;
        ben.send(WebSocketMessage::text(text)).await;
        loop {
            let message = ben.receive().await.expect("a message");
            let text = message.into_text().expect("text");
            if text.contains(r#""content":"hi""#) {
                ben.send(WebSocketMessage::Close(None)).await;
                while ben.receive().await.is_some() {}
                return text.to_string();
            }
        }
    });
    assert!(heard.contains(r#""sender":"ben""#), "{heard}");
    assert_eq!(ann.expect("message")["content"], "hi");
    server.until_connected(1);
}

#[test]
fn thirty_clients_of_another_make_hear_the_same() {
    let server = Server::with_threads(2, raw(), Plain::default());
    let address = server.address;
    let hub = server.hub.clone();
    let heard = server.runtime.run(async move {
        let mut clients = Vec::new();
        for _ in 0..30 {
            clients.push(WebSocket::connect(address, "/ws/blue").await);
        }
        for n in 0..50 {
            let text = Frame::text(&n.to_string());
            hub.broadcast_raw("blue", text, Exclude::NOBODY)
                .expect("sent");
        }
        let mut heard = 0;
        for client in &mut clients {
            for n in 0..50 {
                let message = client.receive().await.expect("a message");
                assert_eq!(message.into_text().expect("text"), n.to_string().as_str());
                heard += 1;
            }
        }
        heard
    });
    assert_eq!(heard, 1_500);
    server.until_empty();
}

#[test]
fn the_end_of_a_stream_is_the_end_of_its_connection() {
    let app = Plain::default();
    let server = Server::start(Config::default(), app.clone());
    drop(server.user("ann", "blue"));
    app.log.until(&["connect ann", "disconnect ann [blue] eof"]);
    server.user("ben", "").reset();
    server.until_closed("reset", 1);
    let mut half: Peer = server.user("cat", "");
    half.finish();
    half.gone();
    server.until_closed("eof", 2);
    server.until_empty();
}
