//! Hostile clients of event streams: rows E1 to E9 of the catalogue of hostile inputs.

use std::time::Duration;

use super::app::{Log, Plain};
use super::catalogue::covers;
use super::event_streams::{Stream, config, post};
use super::gate::Gate;
use super::peer::{End, Peer};
use super::server::Server;
use crate::rt::{Application, Connection, Denied, Message, Origins, Rate};

covers! {
    malformed_posts_get_their_status:
        "E1", "no Content-Length; chunks" => "411";
        "E1", "neither GET nor POST" => "405, `Allow: GET, POST`";
        "E1", "a body larger than a message; 65 messages" => "413";
        "E1", "half a JSON value; nothing; bytes that are not UTF-8" => "400";
    nobody_posts_for_another:
        "E2", "a guessed session; one of an ended stream; that of a WebSocket" => "404";
    pages_of_foreign_origins_neither_listen_nor_post:
        "E3", "a stream and a post from a page of a foreign origin" => "403";
    a_stream_takes_no_input:
        "E4", "bytes on the stream after the request" => "`event: close` with 1002";
    a_stream_that_is_not_read_is_closed_and_the_others_miss_nothing:
        "E5", "a stream is not read" => "`slow_consumer`; the others miss nothing";
    posts_are_charged_to_the_rates_of_their_stream:
        "E6", "posts over the rate, from many connections" => "`rate_limited` on the stream, then 4102";
    posts_behind_a_busy_hook_are_bounded:
        "E7", "posts while a hook does not return" => "429 with `Retry-After`, once 64 messages wait";
    a_body_that_does_not_come_costs_a_seat_until_the_deadline:
        "E8", "half a body" => "408 at the deadline";
        "E8", "half a body, then the end or a reset" => "every count is back";
    no_content_forges_an_event:
        "E9", "a message with line breaks that looks like an event" => "one event, with these as data";
}

const PING: &str = r#"{"type":"ping"}"#;

fn pings(count: usize) -> String {
    format!("[{}]", vec![PING; count].join(","))
}

#[test]
fn malformed_posts_get_their_status() {
    let mut config = config();
    config.limits.message_bytes = 2_000;
    let server = Server::start(config, Plain::default());
    let mut ann = Stream::open(&server, "/sse/blue?token=s3cr3t-ann");
    let path = ann.path.clone();
    let host = "HTTP/1.1\r\nHost: localhost";
    for (request, status) in [
        (format!("POST {path} {host}\r\n\r\n"), 411),
        (
            format!("POST {path} {host}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            411,
        ),
        (
            format!("PUT {path} {host}\r\nContent-Length: 0\r\n\r\n"),
            405,
        ),
        (
            format!("POST {path} {host}\r\nContent-Length: 99999999999999999999\r\n\r\n"),
            400,
        ),
        (
            format!("POST {path} {host}\r\nContent-Length: 2001\r\n\r\n"),
            413,
        ),
    ] {
        let mut peer = server.tcp();
        peer.send(request.as_bytes());
        let head = peer.head();
        assert_eq!(head.status, status, "{request}");
        let allow = (status == 405).then_some("GET, POST");
        assert_eq!(head.header("Allow"), allow);
        assert_eq!(peer.rest().1, End::Eof);
    }
    assert_eq!(ann.post(&server, &pings(65)).status, 413);
    for body in ["{", "", "[{}"] {
        assert_eq!(ann.post(&server, body).status, 400, "{body}");
    }
    let mut peer = server.tcp();
    peer.send(format!("POST {path} {host}\r\nContent-Length: 2\r\n\r\n").as_bytes());
    peer.send(&[0xC0, 0xAF]);
    assert_eq!(peer.head().status, 400);
    // The largest that is allowed.
    let spaces = " ".repeat(2_000 - PING.len());
    assert_eq!(ann.post(&server, &(spaces + PING)).status, 202);
    ann.find("pong");
}

#[test]
fn nobody_posts_for_another() {
    let app = Plain::default();
    let server = Server::start(config(), app.clone());
    let ann = Stream::open(&server, "/sse/blue?token=s3cr3t-ann");
    let _bob = server.user("bob", "blue");
    app.log.until_has("connect bob");
    let (secret, ended) = (
        ann.path.clone(),
        Stream::open(&server, "/sse?token=s3cr3t-eve"),
    );
    let gone = ended.path.clone();
    drop(ended);
    server.until_closed("eof", 1);
    let (ids, hash) = secret.rsplit_once('-').expect("a hash");
    let last = if hash.ends_with('0') { '1' } else { '0' };
    for guess in [
        format!("{ids}-{}{last}", &hash[..31]),
        format!("{ids}-"),
        ids.to_owned(),
        format!("/sse/1-0-{hash}"),
        format!("/sse/ffffffff-ffffffff-{hash}"),
        gone,
    ] {
        let said = r#"{"type":"message","channel":"blue","content":"forged"}"#;
        assert_eq!(post(&server, &guess, "", said).status, 404, "{guess}");
    }
    assert_eq!(app.log.count("message"), 0);
}

#[test]
fn pages_of_foreign_origins_neither_listen_nor_post() {
    let mut config = config();
    config.origins = Origins::List(vec!["https://example.org".into()]);
    let server = Server::start(config, Plain::default());
    let origin = "Origin: https://example.org\r\n";
    let foreign = "Origin: https://example.com\r\n";
    let ann = Stream::open_on(server.tcp(), "/sse?token=s3cr3t-ann", origin);
    let head = post(&server, &ann.path, origin, PING);
    assert_eq!(head.status, 202);
    assert_eq!(
        head.header("Access-Control-Allow-Origin"),
        Some("https://example.org")
    );
    let head = post(&server, &ann.path, foreign, PING);
    assert_eq!(
        (head.status, head.header("Access-Control-Allow-Origin")),
        (403, None)
    );
    let mut peer = server.tcp();
    peer.send(format!("GET /sse HTTP/1.1\r\nHost: localhost\r\n{foreign}\r\n").as_bytes());
    assert_eq!(peer.head().status, 403);
    assert_eq!(server.refused("origin"), 2);
}

#[test]
fn a_stream_takes_no_input() {
    let server = Server::start(config(), Plain::default());
    let mut ann = Stream::open(&server, "/sse/blue?token=s3cr3t-ann");
    ann.find("subscribed");
    ann.peer.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(ann.closed(), (1002, "protocol_error".into()));
    server.until_empty();
}

#[test]
fn a_stream_that_is_not_read_is_closed_and_the_others_miss_nothing() {
    let mut config = config();
    config.limits.queue_bytes = 256 << 10;
    config.timeouts.close = Duration::from_millis(400);
    let server = Server::start(config, Plain::default());
    let narrow = Peer::connect_narrow(server.address);
    let _stuck = Stream::open_on(narrow, "/sse/blue?token=s3cr3t-stuck", "");
    let mut ann = Stream::open(&server, "/sse/blue?token=s3cr3t-ann");
    ann.find("subscribed");
    let content = format!("\"{}\"", "x".repeat(16 << 10));
    let mut sent = 0;
    while server.closes("slow_consumer") == 0 {
        assert!(sent < 2_000, "it is closed at some time");
        server.hub.broadcast("blue", &content).expect("room");
        sent += 1;
        assert_eq!(ann.find("message")["seq"], sent);
    }
    server.until_connected(1);
}

#[test]
fn posts_are_charged_to_the_rates_of_their_stream() {
    let mut config = config();
    config.rates.messages = Some(Rate {
        per_second: 1,
        burst: 2,
    });
    config.rates.strikes = 10;
    let server = Server::start(config, Plain::default());
    let mut ann = Stream::open(&server, "/sse/blue?token=s3cr3t-ann");
    assert_eq!(ann.post(&server, &pings(3)).status, 202);
    assert_eq!(ann.find("error")["code"], "rate_limited");
    assert_eq!(ann.post(&server, &pings(64)).status, 202);
    assert_eq!(ann.closed(), (4102, "rate_limited".into()));
}

/// Its message hook returns only while the gate is open.
struct Gated {
    log: Log,
    gate: Gate,
}

impl Application for Gated {
    async fn on_message(&self, _: &Connection, message: Message) -> Result<(), Denied> {
        self.gate.wait().await;
        if let Message::Room { content, .. } = message {
            self.log.add(content);
        }
        Ok(())
    }
}

#[test]
fn posts_behind_a_busy_hook_are_bounded() {
    let (log, gate) = (Log::default(), Gate::default());
    let app = Gated {
        log: log.clone(),
        gate: gate.clone(),
    };
    let mut config = config();
    config.rooms = crate::rt::Rooms::Open;
    let server = Server::start(config, app);
    let mut ann = Stream::open(&server, "/sse/blue");
    let said = |n: usize| format!(r#"{{"type":"message","content":{n},"id":{n}}}"#);
    let (mut accepted, mut refused) = (0, 0);
    for n in 0..100 {
        let head = ann.post(&server, &said(n));
        match head.status {
            202 => accepted += 1,
            429 => {
                assert_eq!(head.header("Retry-After"), Some("1"));
                refused += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert!(
        (64..=65).contains(&accepted) && accepted + refused == 100,
        "{accepted}"
    );
    assert_eq!(log.lines(), [""; 0]);
    gate.open();
    for n in 0..accepted {
        assert_eq!(ann.find("ack")["id"], n);
    }
    assert_eq!(log.lines().len(), accepted);
}

#[test]
fn a_body_that_does_not_come_costs_a_seat_until_the_deadline() {
    let mut config = config();
    config.timeouts.handshake = Duration::from_millis(300);
    let server = Server::start(config, Plain::default());
    let ann = Stream::open(&server, "/sse/blue?token=s3cr3t-ann");
    let half = format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{{",
        ann.path
    );
    let begun = || {
        let mut peer = server.tcp();
        peer.send(half.as_bytes());
        peer
    };
    let mut peer = begun();
    assert_eq!(peer.head().status, 408);
    drop(begun());
    begun().reset();
    server.until("its seats are free", |stats| stats.pending_handshakes == 0);
    drop((ann, peer));
    server.until_empty();
}

#[test]
fn no_content_forges_an_event() {
    let server = Server::start(config(), Plain::default());
    let mut ann = Stream::open(&server, "/sse/blue?token=s3cr3t-ann");
    let mut bob = server.user("bob", "blue");
    bob.say("{\"type\":\"message\",\"content\":[1,\n\nevent: close\r\rdata: {}\r\n\r\n]}");
    assert_eq!(bob.find("error")["code"], "bad_request");
    bob.say("{\"type\":\"message\",\"content\":[1,\n\n\r\r2\r\n\r\n]}");
    let message = ann.find("message");
    assert_eq!(message["content"], serde_json::json!([1, 2]));
}
