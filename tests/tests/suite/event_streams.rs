//! Event streams in place of a WebSocket (docs/protocol.md, section 6).

use std::time::Duration;

use serde_json::Value;

use super::app::Plain;
use super::peer::{End, Head, PATIENCE, Peer};
use super::server::{Server, until};
use crate::rt::{Config, Rates, Wire};

/// A client of an event stream.
pub(super) struct Stream {
    pub(super) peer: Peer,
    /// Where it posts.
    pub(super) path: String,
    /// The last id.
    pub(super) id: String,
}

/// An event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) name: String,
    pub(super) data: String,
}

impl Stream {
    pub(super) fn open(server: &Server, target: &str) -> Self {
        Self::open_on(server.tcp(), target, "")
    }

    pub(super) fn open_on(mut peer: Peer, target: &str, headers: &str) -> Self {
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        peer.send(request.as_bytes());
        let head = peer.head();
        assert_eq!(head.status, 200, "{}", head.text);
        assert_eq!(head.header("Content-Type"), Some("text/event-stream"));
        let mut stream = Self {
            peer,
            path: String::new(),
            id: String::new(),
        };
        let session = stream.event();
        assert_eq!(session.name, "session");
        let session: Value = serde_json::from_str(&session.data).expect("JSON");
        let session = session["session"].as_str().expect("a session");
        stream.path = format!("/sse/{session}");
        stream
    }

    /// Returns the next event, as a browser dispatches it.
    pub(super) fn event(&mut self) -> Told {
        self.try_event().expect("an event")
    }

    pub(super) fn try_event(&mut self) -> Result<Told, End> {
        let text = self.peer.try_until("\n\n")?;
        let (mut name, mut data) = (String::from("message"), Vec::new());
        for line in text.trim_end_matches('\n').lines() {
            match line.split_once(": ") {
                Some(("event", value)) => value.clone_into(&mut name),
                Some(("data", value)) => data.push(value),
                Some(("id", value)) => value.clone_into(&mut self.id),
                _ => assert_eq!(line, ":", "a comment"),
            }
        }
        let data = data.join("\n");
        Ok(Told { name, data })
    }

    /// Returns the next message of this type, and skips others.
    pub(super) fn find(&mut self, kind: &str) -> Value {
        loop {
            let event = self.event();
            assert_eq!(event.name, "message", "instead of {kind}: {event:?}");
            let message: Value = serde_json::from_str(&event.data).expect("JSON");
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// Reads up to the event `close` and the end of the stream; returns what it says.
    pub(super) fn closed(mut self) -> (u64, String) {
        loop {
            let event = self.event();
            if event.name == "close" {
                assert_eq!(self.peer.rest(), (Vec::new(), End::Eof));
                let close: Value = serde_json::from_str(&event.data).expect("JSON");
                let reason = close["reason"].as_str().expect("a reason");
                return (close["code"].as_u64().expect("a code"), reason.to_owned());
            }
        }
    }

    pub(super) fn post(&self, server: &Server, body: &str) -> Head {
        post(server, &self.path, "", body)
    }
}

pub(super) fn post(server: &Server, path: &str, headers: &str, body: &str) -> Head {
    let mut peer = server.tcp();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    peer.send(head.as_bytes());
    peer.try_send(body.as_bytes());
    let head = peer.head();
    assert_eq!(peer.rest().1, End::Eof);
    head
}

pub(super) fn config() -> Config {
    Config {
        sse: Some("/sse".into()),
        rates: Rates::unlimited(),
        ..Config::default()
    }
}

#[test]
fn a_stream_and_a_websocket_talk_in_one_room() {
    let app = Plain::default();
    let mut config = config();
    config.health.ping_interval = Duration::from_secs(90);
    let server = Server::start(config, app.clone());
    let mut ann = Stream::open(&server, "/sse/blue?token=s3cr3t-ann");
    let welcome = ann.find("welcome");
    assert_eq!(
        (&welcome["user"], &welcome["ping_ms"]),
        (&"ann".into(), &90_000.into())
    );
    let epoch = ann.find("subscribed")["epoch"].clone();
    let epoch = epoch.as_str().expect("an epoch");
    assert_eq!(ann.id, format!("{epoch}.0"));
    let mut bob = server.user("bob", "blue");
    assert_eq!(ann.find("presence")["users"], serde_json::json!(["ann"]));
    while ann.find("presence")["count"] != 2 {}

    bob.say(r#"{"type":"message","content":"to a stream","id":1}"#);
    let message = ann.find("message");
    assert_eq!(
        (&message["content"], &message["seq"]),
        (&"to a stream".into(), &1.into())
    );
    assert_eq!(ann.id, format!("{epoch}.1"));
    let said = r#"[{"type":"message","content":"from a stream","id":"a"},{"type":"ping"}]"#;
    assert_eq!(ann.post(&server, said).status, 202);
    assert_eq!(bob.find("message")["sender"], "ann");
    assert_eq!(ann.find("ack")["seq"], 2);
    ann.find("pong");
    app.log.until_has("connect ann");
    drop(ann);
    server.until_closed("eof", 1);
    while bob.find("presence")["count"] != 1 {}
    bob.leave();
    server.until_empty();
}

#[test]
fn a_stream_goes_on_after_the_last_event_id() {
    let mut config = config();
    config.history.messages = 100;
    let server = Server::start(config, Plain::default());
    let mut bob = server.user("bob", "blue");
    let mut ann = Stream::open(&server, "/sse/blue?token=s3cr3t-ann");
    let say = |bob: &mut Peer, n: u32| {
        bob.say(&format!(r#"{{"type":"message","content":{n},"id":{n}}}"#));
        assert_eq!(bob.find("ack")["id"], n);
    };
    say(&mut bob, 1);
    ann.find("message");
    let seen = ann.id.clone();
    drop(ann);
    server.until_closed("eof", 1);
    say(&mut bob, 2);
    say(&mut bob, 3);
    let header = format!("Last-Event-ID: {seen}\r\n");
    let mut ann = Stream::open_on(server.tcp(), "/sse/blue?token=s3cr3t-ann", &header);
    assert_eq!(ann.find("subscribed")["recovered"], true);
    assert_eq!(ann.id, seen);
    for n in [2, 3] {
        assert_eq!(ann.find("message")["content"], n);
    }
    say(&mut bob, 4);
    assert_eq!(ann.find("message")["content"], 4);
}

#[test]
fn a_stream_may_log_in_by_its_first_post() {
    let server = Server::start(config(), Plain::first_message());
    let mut ann = Stream::open(&server, "/sse/blue");
    let login = r#"{"type":"auth","token":"s3cr3t-ann"}"#;
    assert_eq!(ann.post(&server, login).status, 202);
    assert_eq!(ann.find("authenticated")["user"], "ann");
    ann.find("subscribed");
    let wrong = Stream::open(&server, "/sse/blue");
    let login = r#"{"type":"auth","token":"wrong"}"#;
    assert_eq!(wrong.post(&server, login).status, 202);
    assert_eq!(wrong.closed(), (4001, "unauthorized".into()));
}

#[test]
fn a_stream_is_refused_by_status() {
    let mut config = config();
    config.limits.room_members = 1;
    let server = Server::start(config, Plain::default());
    let _bob = server.user("bob", "blue");
    for (target, headers, status) in [
        ("/sse/blue?token=s3cr3t-ann", "", 503),
        ("/sse?token=wrong", "", 401),
        ("/sse?token=s3cr3t-forbidden", "", 403),
        ("/sse", "Origin: https://example.org\r\n", 403),
        ("/sse/private?token=s3cr3t-ann", "", 403),
    ] {
        let mut peer = server.tcp();
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        peer.send(request.as_bytes());
        let head = peer.head();
        assert_eq!(head.status, status, "{target}: {}", head.text);
        assert_eq!(peer.rest().1, End::Eof);
    }
    server.until_connected(1);
}

#[test]
fn a_newer_connection_replaces_a_stream_and_the_other_way_round() {
    let server = Server::start(config(), Plain::default());
    let first = Stream::open(&server, "/sse/blue?token=s3cr3t-ann");
    let second = server.user("ann", "blue");
    let gone = first.path.clone();
    assert_eq!(first.closed(), (1000, "replaced".into()));
    assert_eq!(post(&server, &gone, "", "{}").status, 404);
    let third = Stream::open(&server, "/sse/blue?token=s3cr3t-ann");
    assert_eq!(second.closed(1000), "replaced");
    assert_eq!(third.post(&server, r#"{"type":"ping"}"#).status, 202);
    server.until_connected(1);
}

#[test]
fn a_drain_tells_streams_when_to_come_back() {
    let server = Server::start(config(), Plain::default());
    let mut ann = Stream::open(&server, "/sse/blue?token=s3cr3t-ann");
    ann.find("subscribed");
    let hub = server.hub.clone();
    server.runtime.spawn(async move {
        hub.drain(Duration::ZERO, PATIENCE).await;
    });
    assert!(ann.find("bye")["reconnect_in_ms"].is_u64());
    assert_eq!(ann.closed(), (1001, "draining".into()));
    until(
        "the report",
        || server.report().is_some(),
        || server.report(),
    );
}

#[test]
fn a_raw_stream_carries_texts_and_bytes() {
    let config = Config {
        wire: Wire::Raw,
        ..config()
    };
    let server = Server::start(config, Plain::default());
    let mut ann = Stream::open(&server, "/sse?token=s3cr3t-ann");
    assert_eq!(ann.post(&server, "two\nlines").status, 202);
    assert_eq!(ann.event().data, "two\nlines");
    let bytes = "Content-Type: application/octet-stream\r\n";
    assert_eq!(post(&server, &ann.path, bytes, "\u{1}\u{2}").status, 202);
    let (name, data) = ("binary".into(), "AQI=".into());
    assert_eq!(ann.event(), Told { name, data });
}
