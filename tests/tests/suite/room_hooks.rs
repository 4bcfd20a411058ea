//! The hooks about rooms: `on_join` and `on_leave`.

use std::sync::Arc;

use super::app::Log;
use super::frames::{TEXT, frame, joined};
use super::gate::Gate;
use super::peer::Peer;
use super::server::{Server, raw};
use crate::rt::{
    Application, CloseReason, Config, Connection, Denied, Entry, Identity, Message, Request, Rooms,
};

/// Logs its hooks. Those of users whose names begin with `slow` wait at the gate after they connect.
#[derive(Clone, Default)]
struct Logged {
    log: Log,
    gate: Gate,
}

impl Application for Logged {
    async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
        let name = request.token().map_or("ann", crate::rt::Token::reveal);
        Ok(Identity::user(name))
    }

    async fn authorize_join(&self, _: &Connection, room: &str, _: Entry) -> Result<(), Denied> {
        self.log.add(format!("authorize {room}"));
        Ok(())
    }

    async fn on_connect(&self, client: &Connection) {
        self.log.add("connect");
        if client.user().starts_with("slow") {
            self.gate.wait().await;
        }
    }

    async fn on_join(&self, client: &Connection, room: &str) {
        self.log.add(format!("join {room}"));
        assert_ne!(room, "panic", "the hook panics");
        let _ = client.hub().direct(client.user(), "\"snapshot\"", None);
    }

    async fn on_message(&self, _: &Connection, message: Message) -> Result<(), Denied> {
        match message {
            Message::Room { room, .. } => self.log.add(format!("message {room}")),
            _ => self.log.add("message"),
        }
        Ok(())
    }

    async fn on_leave(&self, _: &Connection, room: &str) {
        self.log.add(format!("leave {room}"));
        assert_ne!(room, "bad", "the hook panics");
    }

    async fn on_disconnect(&self, _: &Connection, rooms: &[Arc<str>], reason: CloseReason) {
        self.log
            .add(format!("disconnect {} {reason}", rooms.join(",")));
    }
}

fn start(config: Config) -> (Server, Logged) {
    let app = Logged::default();
    (Server::start(config, app.clone()), app)
}

fn say_at_once(peer: &mut Peer, texts: &[&str]) {
    let frames: Vec<_> = texts
        .iter()
        .map(|text| frame(TEXT, text.as_bytes()))
        .collect();
    peer.send(&joined(&frames));
}

#[test]
fn the_application_is_told_of_a_room_before_what_comes_after() {
    let (server, app) = start(Config::default());
    let mut ann = server.client("/ws/blue?token=ann");
    say_at_once(
        &mut ann,
        &[
            r#"{"type":"subscribe","channel":"red"}"#,
            r#"{"type":"message","channel":"red","content":1}"#,
            r#"{"type":"unsubscribe","channel":"red"}"#,
            r#"{"type":"message","channel":"blue","content":1,"id":1}"#,
        ],
    );
    ann.find("ack");
    drop(ann);
    app.log.until(&[
        "authorize blue",
        "connect",
        "join blue",
        "authorize red",
        "join red",
        "message red",
        "leave red",
        "message blue",
        "leave blue",
        "disconnect blue eof",
    ]);
    server.until_empty();
}

#[test]
fn rooms_that_need_no_permission_are_told_too() {
    let (server, app) = start(Config {
        rooms: Rooms::Open,
        ..Config::default()
    });
    let mut ann = server.client("/ws?token=ann");
    say_at_once(
        &mut ann,
        &[
            r#"{"type":"subscribe","channel":"red"}"#,
            r#"{"type":"subscribe","channel":"green"}"#,
            r#"{"type":"unsubscribe","channel":"red"}"#,
            r#"{"type":"ping"}"#,
        ],
    );
    ann.find("pong");
    app.log
        .until(&["connect", "join red", "join green", "leave red"]);
    ann.leave();
}

#[test]
fn what_a_hook_sends_on_joining_comes_after_subscribed() {
    let (server, _) = start(Config::default());
    let mut ann = server.client("/ws/blue?token=ann");
    ann.expect("welcome");
    ann.expect("subscribed");
    assert_eq!(ann.expect("direct")["content"], "snapshot");
    ann.say(r#"{"type":"subscribe","channel":"red"}"#);
    ann.expect("subscribed");
    assert_eq!(ann.expect("direct")["content"], "snapshot");
}

#[test]
fn rooms_that_the_application_chooses_are_told_on_raw_connections_too() {
    let (server, app) = start(raw());
    let ann = server.client("/ws/blue?token=ann");
    app.log.until_has("join blue");
    let id = server.hub.connections_of("ann")[0];
    server.hub.join(id, "red").expect("it may");
    app.log.until_has("join red");
    server.hub.leave(id, "blue").expect("it is there");
    app.log.until_has("leave blue");
    server.hub.disconnect_user("ann", CloseReason::Kicked);
    ann.closed(4004);
    let ended = ["leave red", "disconnect red kicked"];
    app.log.until_has(ended[1]);
    assert_eq!(app.log.lines()[5..], ended);
}

#[test]
fn a_room_that_was_left_before_it_could_be_told_is_not_told() {
    let (server, app) = start(Config::default());
    let ann = server.client("/ws/blue?token=slow");
    app.log.until_has("connect");
    let id = server.hub.connections_of("slow")[0];
    for _ in 0..1_000 {
        server.hub.join(id, "red").expect("it may");
        server.hub.leave(id, "red").expect("it is there");
    }
    server.hub.join(id, "green").expect("it may");
    app.gate.open();
    app.log
        .until(&["authorize blue", "connect", "join blue", "join green"]);
    ann.leave();
}

#[test]
fn who_ends_before_on_connect_has_returned_was_in_no_room() {
    let (server, app) = start(Config::default());
    let ann = server.client("/ws/blue?token=slow");
    app.log.until_has("connect");
    server.hub.disconnect_user("slow", CloseReason::Kicked);
    ann.closed(4004);
    server.until_empty();
    app.gate.open();
    app.log
        .until(&["authorize blue", "connect", "disconnect blue kicked"]);
}

#[test]
fn a_panic_in_these_hooks_costs_one_connection_and_the_others_are_told() {
    let (server, app) = start(Config::default());
    let mut ann = server.member("/ws/bad?token=ann");
    ann.say(r#"{"type":"subscribe","channel":"panic"}"#);
    assert_eq!(ann.closed(1011), "internal");
    app.log.until(&[
        "authorize bad",
        "connect",
        "join bad",
        "authorize panic",
        "join panic",
        "leave bad",
        "leave panic",
        "disconnect bad,panic internal",
    ]);
    server.until_empty();
}
