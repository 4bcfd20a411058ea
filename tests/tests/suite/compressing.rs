//! What the server sends compressed: to whom, and how often it is compressed.

use serde_json::{Value, json};
use switchboard_kit::deflate::Keeper;
use switchboard_kit::{Received, ServerFrame, split_deflated};

use super::app::Plain;
use super::catalogue::covers;
use super::peer::{Peer, upgrade};
use super::server::{Server, until};
use crate::rt::{
    Admission, Application, Compression, Config, Content, Denied, Exclude, Frame, Keep, Limits,
    Presence, Rates, Request, RoomMessage, RoomRule, Rooms, Wire,
};

covers! {
    a_message_is_compressed_once_whatever_the_number_of_members:
        "D13", "a window of 1 KiB in a room with larger messages" => "those plain, others compressed";
    who_is_admitted_without_compression_gets_plain_messages:
        "D13", "an offer of a client for which the application wants none" => "plain messages";
    who_reads_slowly_gets_every_message_in_its_form:
        "D13", "a slow reader that inflates, beside one that does not" => "every message, in its form";
    what_is_recovered_is_what_came_live_whatever_the_compression:
        "K12", "a client that comes back with other compression than the one before" =>
            "the messages that others got live, byte for byte, in its form";
}

fn compressing() -> Config {
    Config {
        compression: Some(Compression::default()),
        rates: Rates::unlimited(),
        rooms: Rooms::Open,
        presence: Presence {
            enabled: false,
            ..Presence::default()
        },
        ..Config::default()
    }
}

/// A client that inflates messages, or not.
struct Client {
    peer: Peer,
    bits: Option<u8>,
    /// What it keeps of what it has inflated, if that was agreed on.
    keeper: Option<Keeper>,
    inflated: usize,
}

impl Client {
    fn connect(server: &Server, path: &str, bits: Option<u8>) -> Self {
        let offer = bits.map(|bits| {
            format!("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits={bits}")
        });
        let headers: Vec<_> = offer.iter().map(String::as_str).collect();
        let mut peer = server.tcp();
        peer.send(&upgrade(path, &headers));
        let head = peer.head();
        assert_eq!(head.status, 101, "{}", head.text);
        let agreed = head.header("Sec-WebSocket-Extensions");
        assert_eq!(agreed.is_some(), bits.is_some(), "{}", head.text);
        let keeps = agreed.is_some_and(|it| !it.contains("server_no_context_takeover"));
        Self {
            peer,
            bits,
            keeper: keeps.then(Keeper::default),
            inflated: 0,
        }
    }

    fn member(server: &Server, path: &str, bits: Option<u8>) -> Self {
        let mut client = Self::connect(server, path, bits);
        client.expect("welcome");
        client.expect("subscribed");
        client
    }

    /// Returns the next frame that is not a ping.
    fn receive(&mut self) -> Received {
        loop {
            let bytes = self.peer.whole_frame();
            let frame = split_deflated(&bytes).expect("legal").expect("whole");
            let received = match (self.bits, &mut self.keeper) {
                (Some(_), Some(keeper)) if frame.deflated => {
                    let payload = &frame.inflated_by(keeper).expect("a message in its context");
                    let inflated = ServerFrame { payload, ..frame };
                    inflated.content().expect("legal").into()
                }
                (Some(bits), None) if frame.deflated => frame.inflate(bits).expect("a message"),
                _ => {
                    assert!(!frame.deflated, "it was not agreed on");
                    frame.content().expect("legal").into()
                }
            };
            self.inflated += usize::from(frame.deflated);
            if !matches!(received, Received::Ping(_)) {
                return received;
            }
        }
    }

    fn json(&mut self) -> Value {
        match self.receive() {
            Received::Text(text) => serde_json::from_str(&text).expect("JSON"),
            other => panic!("{other:?}"),
        }
    }

    fn expect(&mut self, kind: &str) -> Value {
        let message = self.json();
        assert_eq!(message["type"], kind, "{message}");
        message
    }

    fn say(&mut self, message: &Value) {
        self.peer.say(&message.to_string());
    }
}

fn words(bytes: usize) -> String {
    "how now brown cow ".repeat(bytes / 18 + 1)
}

#[test]
fn members_in_step_share_what_is_compressed_after_other_messages() {
    let mut config = compressing();
    config.compression = Some(Compression {
        room_contexts: 1,
        ..Compression::default()
    });
    let server = Server::with_threads(2, config, Plain::default());
    let bits = |number: usize| [None, Some(15), Some(10), Some(12)][number % 4];
    let mut members: Vec<_> = (0..24)
        .map(|number| Client::member(&server, "/ws/blue", bits(number)))
        .collect();
    for number in 0..200 {
        let line = format!("line {number}: the build of {} is done", number % 7);
        let sender = number % members.len();
        members[sender].say(&json!({"type": "message", "content": line, "echo": true}));
        for member in &mut members {
            let message = member.expect("message");
            assert_eq!(
                (&message["seq"], &message["content"]),
                (&json!(number + 1), &json!(line))
            );
        }
    }
    for (number, member) in members.iter().enumerate() {
        let keeps = matches!(bits(number), Some(12..));
        assert_eq!(member.inflated, if keeps { 200 } else { 0 });
    }
    let contexts = server.hub.stats().contexts;
    assert_eq!((contexts.rooms, contexts.messages), (1, 200));
    assert!(contexts.bytes_out * 2 < contexts.bytes_in, "{contexts:?}");
}

#[test]
fn a_message_is_compressed_once_whatever_the_number_of_members() {
    let server = Server::with_threads(2, compressing(), Plain::default());
    let bits = |number: usize| [None, Some(15), Some(10), Some(15)][number % 4];
    let mut members: Vec<_> = (0..24)
        .map(|number| Client::member(&server, "/ws/blue", bits(number)))
        .collect();
    let stats = || server.hub.stats().compressed;
    assert_eq!(stats().connections, 18);
    // Of a client, of the application, and one too short to be compressed.
    let text = words(2_000);
    for number in 1..=3 {
        members[0]
            .say(&json!({"type": "message", "channel": "blue", "content": text, "echo": true}));
        until(
            "it is published",
            || stats().messages == 2 * number - 1,
            stats,
        );
        server
            .hub
            .broadcast("blue", &format!("{text:?}"))
            .expect("sent");
        assert_eq!(stats().messages, 2 * number);
        server.hub.broadcast("blue", "\"short\"").expect("sent");
        assert_eq!(stats().messages, 2 * number);
    }
    for member in &mut members {
        for number in 1..=9 {
            let message = member.expect("message");
            let short = number % 3 == 0;
            assert_eq!(message["seq"], number);
            assert_eq!(message["content"], if short { "short" } else { &text });
        }
        // A window of 10 bits is too small.
        let expected = if member.bits == Some(15) { 6 } else { 0 };
        assert_eq!(member.inflated, expected);
    }
    let all = stats();
    assert!(all.bytes_out < all.bytes_in / 3, "{all:?}");
}

#[test]
fn nothing_is_compressed_where_nobody_can_inflate_it() {
    let server = Server::start(compressing(), Plain::default());
    let mut plain = Client::member(&server, "/ws/blue", None);
    let declining = Client::connect(&server, "/ws/blue?deflate=off", None);
    let text = format!("{:?}", words(2_000));
    server.hub.broadcast("blue", &text).expect("sent");
    plain.expect("message");
    assert_eq!(server.hub.stats().compressed.messages, 0);
    let mut other = Client::member(&server, "/ws/blue", Some(15));
    server.hub.broadcast("blue", &text).expect("sent");
    other.expect("message");
    assert_eq!(
        (other.inflated, server.hub.stats().compressed.messages),
        (1, 1)
    );
    drop((other, declining));
    server.until("it has left", |stats| stats.compressed.connections == 0);
    server.hub.broadcast("blue", &text).expect("sent");
    assert_eq!(server.hub.stats().compressed.messages, 1);
}

#[test]
fn a_rule_for_rooms_and_a_message_can_do_without_compression() {
    let mut config = compressing();
    config.room_rules = vec![RoomRule {
        prefix: "secret".into(),
        compress: Some(false),
        ..RoomRule::default()
    }];
    let server = Server::start(config, Plain::default());
    let mut secret = Client::member(&server, "/ws/secrets", Some(15));
    let mut member = Client::member(&server, "/ws/blue", Some(15));
    let text = format!("{:?}", words(2_000));
    server.hub.broadcast("secrets", &text).expect("sent");
    secret.say(&json!({"type": "message", "content": words(2_000), "echo": true}));
    let content = Content::parse(&text).expect("JSON");
    let message = RoomMessage::new("blue", content).uncompressed();
    server
        .hub
        .broadcast_message(message, Exclude::NOBODY)
        .expect("sent");
    for _ in 0..2 {
        secret.expect("message");
    }
    member.expect("message");
    assert_eq!((secret.inflated, member.inflated), (0, 0));
    assert_eq!(server.hub.stats().compressed.messages, 0);
    server.hub.broadcast("blue", &text).expect("sent");
    member.expect("message");
    assert_eq!(member.inflated, 1);
}

/// Lets in whoever has a path that begins with `/ws/`; those who log in as `careful` want no compression.
struct Careful;

impl Application for Careful {
    async fn admit(&self, request: &Request) -> Result<Admission, Denied> {
        let careful = request.token().is_some_and(|it| it.reveal() == "careful");
        let admission = Admission::anonymous();
        Ok(if careful {
            admission.without_compression()
        } else {
            admission
        })
    }
}

#[test]
fn who_is_admitted_without_compression_gets_plain_messages() {
    let server = Server::start(compressing(), Careful);
    let mut careful = Client::member(&server, "/ws/blue?token=careful", Some(15));
    let text = words(2_000);
    server
        .hub
        .broadcast("blue", &format!("{text:?}"))
        .expect("sent");
    assert_eq!(careful.expect("message")["content"], text);
    let mut other = Client::member(&server, "/ws/blue?token=ann", Some(15));
    assert_eq!(server.hub.stats().compressed.connections, 1);
    careful.say(&json!({"type": "message", "content": text, "echo": true}));
    for client in [&mut careful, &mut other] {
        assert_eq!(client.expect("message")["content"], text);
    }
    assert_eq!((careful.inflated, other.inflated), (0, 1));
}

#[test]
fn values_of_keys_are_compressed_for_members_and_newcomers() {
    let mut config = compressing();
    config.room_rules = vec![RoomRule {
        prefix: "prices".into(),
        keep: Keep::Latest { keys: 10 },
        ..RoomRule::default()
    }];
    let server = Server::start(config, Plain::default());
    let mut first = Client::member(&server, "/ws/prices", Some(15));
    let text = words(2_000);
    server
        .hub
        .publish_key("prices", "tea", &format!("{text:?}"))
        .expect("sent");
    let mut newcomer = Client::member(&server, "/ws/prices", Some(15));
    let mut plain = Client::member(&server, "/ws/prices", None);
    for client in [&mut first, &mut newcomer, &mut plain] {
        let message = client.expect("message");
        assert_eq!(
            (&message["key"], &message["content"]),
            (&json!("tea"), &json!(text))
        );
    }
    let inflated = [first.inflated, newcomer.inflated, plain.inflated];
    assert_eq!(inflated, [1, 1, 0]);
}

#[test]
fn what_is_recovered_is_what_came_live_whatever_the_compression() {
    for room_contexts in [0, 1] {
        let mut config = compressing();
        config.compression = Some(Compression {
            room_contexts,
            ..Compression::default()
        });
        config.history.messages = 10;
        let server = Server::start(config, Plain::default());
        let forms = [None, Some(15), Some(10)];
        let mut live = forms.map(|bits| Client::member(&server, "/ws/blue", bits));
        for content in [words(2_000), "short".into(), words(600)] {
            let content = format!("{content:?}");
            server.hub.broadcast("blue", &content).expect("sent");
        }
        let expected: Vec<_> = (0..3).map(|_| live[0].receive()).collect();
        for client in &mut live[1..] {
            for expected in &expected {
                assert_eq!(&client.receive(), expected);
            }
        }
        let epoch = server.hub.position("blue").expect("a room").epoch;
        let target = format!("/ws/blue?since={epoch}.0");
        for bits in forms {
            let mut back = Client::connect(&server, &target, bits);
            back.expect("welcome");
            assert_eq!(back.expect("subscribed")["recovered"], true);
            for expected in &expected {
                assert_eq!(&back.receive(), expected);
            }
            if bits == Some(15) {
                // The short one only after others.
                assert_eq!(back.inflated, if room_contexts == 0 { 2 } else { 3 });
            }
        }
    }
}

#[test]
fn a_message_whose_number_is_awaited_is_compressed_too() {
    let server = Server::start(compressing(), Plain::default());
    let mut member = Client::member(&server, "/ws/blue", Some(15));
    let text = words(2_000);
    let content = format!("{text:?}");
    let hub = server.hub.clone();
    let position = smol::block_on(hub.publish("blue", &content));
    assert_eq!(position.map(|at| at.seq), Ok(1));
    assert_eq!(member.expect("message")["content"], text);
    assert_eq!(member.inflated, 1);
}

#[test]
fn raw_messages_are_compressed_where_the_application_says_so() {
    let config = Config {
        wire: Wire::Raw,
        limits: Limits {
            message_bytes: 1 << 20,
            ..Limits::default()
        },
        ..compressing()
    };
    let server = Server::start(config, Plain::default());
    let mut plain = Client::connect(&server, "/ws/blue", None);
    let mut other = Client::connect(&server, "/ws/blue", Some(15));
    server.until_connected(2);
    for bytes in [600, 20_000, 300_000] {
        let text = words(bytes);
        let frame = server.hub.compress(Frame::text(&text));
        assert!(frame.deflated_len().is_some());
        server
            .hub
            .broadcast_all(frame, Exclude::NOBODY)
            .expect("sent");
        server
            .hub
            .broadcast_all(Frame::text(&text), Exclude::NOBODY)
            .expect("sent");
        for client in [&mut plain, &mut other] {
            for _ in 0..2 {
                assert_eq!(client.receive(), Received::Text(text.clone()));
            }
        }
    }
    assert_eq!((plain.inflated, other.inflated), (0, 3));
    let short = server.hub.compress(Frame::text("short"));
    assert_eq!(short.deflated_len(), None);
}

#[test]
fn who_reads_slowly_gets_every_message_in_its_form() {
    let server = Server::start(compressing(), Plain::default());
    let mut slow: Vec<_> = [None, Some(15)]
        .into_iter()
        .map(|bits| Client::member(&server, "/ws/blue", bits))
        .collect();
    let noise = |number: u64| -> String {
        let mut state = number;
        std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            char::from(b'a' + (state >> 60) as u8)
        })
        .take(30_000)
        .collect()
    };
    for number in 0..30 {
        let content = format!("{:?}", noise(number));
        server.hub.broadcast("blue", &content).expect("sent");
    }
    for client in &mut slow {
        for number in 0..30 {
            assert_eq!(client.expect("message")["content"], noise(number));
        }
    }
    assert_eq!(slow[1].inflated, 30);
}
