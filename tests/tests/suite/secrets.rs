//! Log lines carry the identity of their connection, and never a token, however it arrived.

use std::time::Duration;

use super::app::{Plain, identify};
use super::catalogue::covers;
use super::frames::{PING, TEXT, frame};
use super::logs::{self, WATCHED_PEER};
use super::peer::upgrade;
use super::server::{Server, raw, until};
use crate::rt::{
    Application, Config, Connection, Denied, Identity, Message, Refusal, Request, Wire, sleep,
};

covers! {
    no_line_of_the_log_has_a_token:
        "A3", "a token in every place, good and bad, with the log at TRACE" => "in no line of any test";
}

#[test]
fn no_line_of_the_log_has_a_token() {
    let bearer = "Sec-WebSocket-Protocol: switchboard.v1.json, \
                  base64url.bearer.switchboard.czNjcjN0LXdhdGNoZWQ";
    let requests = [
        upgrade("/ws/watched?token=s3cr3t-watched", &[]),
        upgrade("/ws/watched?token=s3cr3t-forbidden", &[]),
        upgrade("/ws/watched?token=s3cr3t-watched&token=s3cr3t-watched", &[]),
        upgrade("/ws/watched", &["Authorization: Bearer s3cr3t-watched"]),
        upgrade("/ws/watched", &["Cookie: token=s3cr3t-watched"]),
        upgrade("/ws/watched", &[bearer]),
        upgrade("/s3cr3t-path?token=s3cr3t-watched", &[]),
        upgrade("/ws/watched?token=s3cr3t-%ff", &[]),
        upgrade("/ws/watched?token=s3cr3t-watched", &["X: \u{1}"]),
        b"s3cr3t-watched\r\n\r\n".to_vec(),
    ];
    for refusal in [Refusal::Close, Refusal::Http] {
        let mut config = Config {
            refusal,
            ..Config::default()
        };
        config.tokens.cookie = Some("token".into());
        let server = Server::start(config, Plain::first_message());
        for request in &requests {
            let mut peer = server.tcp();
            peer.send(request);
            if peer.head().status == 101 {
                peer.try_send(&frame(
                    TEXT,
                    br#"{"type":"auth","token":"s3cr3t-watched","id":1}"#,
                ));
                peer.try_send(&frame(TEXT, br#"{"type":"ping","token":"s3cr3t-watched"}"#));
                peer.try_send(&frame(TEXT, br#"{"type":"auth","token":"s3cr3t-x"}"#));
                peer.try_send(&frame(PING, b"s3cr3t-watched"));
                peer.finish();
                peer.rest();
            }
        }
        let mut first = server.client("/ws/watched");
        first.say(r#"{"type":"auth","token":"s3cr3t-unauthorized"}"#);
        first.closed(4001);
        let mut first = server.client("/ws/watched");
        first.say(r#"{"type":"auth","token":"s3cr3t-watched"}"#);
        first.expect("authenticated");
        first.leave();
        server.until_empty();
    }
    logs::check();
    for words in [
        ["DEBUG", "connected"],
        ["DEBUG", "disconnected"],
        ["TRACE", "joined"],
    ] {
        assert!(logs::logged(&words), "{words:?}");
    }
}

/// Panics on every message.
struct Panics;

impl Application for Panics {
    async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
        identify(request).unwrap_or(Err(Denied::Unauthorized))
    }

    async fn on_message(&self, _: &Connection, _: Message) -> Result<(), Denied> {
        panic!("a hook that panics");
    }
}

#[test]
fn every_line_about_a_connection_says_which_and_whose_address() {
    let config = Config {
        trusted_proxies: vec!["127.0.0.0/8".parse().expect("a network")],
        wire: Wire::Raw,
        ..Config::default()
    };
    let server = Server::start(config, Panics);
    let from = format!("X-Forwarded-For: {WATCHED_PEER}");
    let connect = |token: &str| {
        let path = format!("/ws/blue?token=s3cr3t-{token}");
        server.tcp().upgrade(&path, &[&from])
    };
    connect("unauthorized").closed(4001);
    let evicted = connect("ann");
    server.until_connected(1);
    evicted.reset();
    server.until_closed("reset", 1);
    let mut panics = connect("ann");
    panics.say("?");
    panics.closed(1011);
    let peer = format!("peer={WATCHED_PEER}");
    for (level, what, user) in [
        ("DEBUG", "refused", ""),
        ("DEBUG", "connected", "user=ann"),
        ("TRACE", "joined", "user=ann"),
        ("TRACE", "message", "user=ann"),
        ("TRACE", "left", "user=ann"),
        ("DEBUG", "reason=reset", "user=ann"),
        ("ERROR", "a hook panicked", "user=ann"),
    ] {
        let words = [level, what, "conn=", &peer, user];
        until(what, || logs::logged(&words), || words);
    }
}

/// Logs in its hooks, before and after they have waited.
struct Logs;

impl Application for Logs {
    async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
        tracing::info!("watched switchboard: who is it");
        identify(request).unwrap_or(Err(Denied::Unauthorized))
    }

    async fn on_message(&self, _: &Connection, _: Message) -> Result<(), Denied> {
        tracing::info!("watched switchboard: before");
        sleep(Duration::from_millis(10)).await;
        tracing::info!("watched switchboard: after");
        Ok(())
    }
}

#[test]
fn what_a_hook_logs_says_for_which_connection_it_was_called() {
    let config = Config {
        trusted_proxies: vec!["127.0.0.0/8".parse().expect("a network")],
        ..raw()
    };
    let server = Server::start(config, Logs);
    let from = format!("X-Forwarded-For: {WATCHED_PEER}");
    let path = "/ws/blue?token=s3cr3t-hook-user";
    let mut peer = server.tcp().upgrade(path, &[&from]);
    peer.say("?");
    let whose = format!("peer={WATCHED_PEER}");
    for (line, hook, user) in [
        ("who is it", "hook=\"authenticate\"", ""),
        ("before", "hook=\"on_message\"", "user=hook-user"),
        ("after", "hook=\"on_message\"", "user=hook-user"),
    ] {
        let words = ["INFO", "hook{", hook, "conn=", &whose, user, line];
        until(line, || logs::logged(&words), || words);
    }
}
