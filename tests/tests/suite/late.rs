//! Hooks that outlast their connection.

use std::sync::Arc;
use std::time::Duration;

use super::app::{Log, identify};
use super::catalogue::covers;
use super::gate::Gate;
use super::peer::upgrade;
use super::server::{Server, raw};
use crate::rt::{
    Application, CloseReason, Config, Connection, Denied, Entry, Identity, Message, Refusal,
    Request,
};

covers! {
    an_answer_for_a_connection_that_has_gone_has_no_effect:
        "R3", "a join is allowed after its connection has gone" => "no room comes to be";
        "R5", "a late answer of a hook" => "no effect";
    a_peer_that_is_evicted_does_not_wait_for_the_hooks:
        "R5", "a hook ends after the eviction" => "one disconnect, and the peer did not wait";
    a_client_that_vanishes_while_it_is_authenticated_gives_its_seats_back:
        "H19", "the end or a reset while the application is asked" => "every count is back";
    an_authentication_that_takes_too_long_is_refused:
        "A1", "the application does not say who it is" => "Close 1011 or 500, as configured";
}

/// Its disconnect hook returns once the gate opens.
struct Mourns(Log, Gate);

impl Application for Mourns {
    async fn on_message(&self, _: &Connection, _: Message) -> Result<(), Denied> {
        self.0.add("message");
        self.1.wait().await;
        Ok(())
    }

    async fn on_disconnect(&self, _: &Connection, _: &[Arc<str>], reason: CloseReason) {
        self.0.add(format!("disconnect {reason}"));
        self.1.wait().await;
        self.0.add("over");
    }
}

#[test]
fn a_peer_that_is_evicted_does_not_wait_for_the_hooks() {
    for says in [false, true] {
        let (log, gate) = (Log::default(), Gate::default());
        let mut config = raw();
        config.health.ping_interval = Duration::from_millis(100);
        config.health.ping_timeout = Duration::from_millis(100);
        let server = Server::start(config, Mourns(log.clone(), gate.clone()));
        let mut silent = server.client("/ws");
        if says {
            silent.say("hello");
            log.until_has("message");
        }
        silent.rest();
        assert_eq!(server.closes("heartbeat_timeout"), 1);
        assert_eq!(log.count("over"), 0);
        gate.open();
        log.until_has("over");
    }
}

/// Authenticates and answers once the gate opens.
struct Late {
    log: Log,
    gate: Gate,
    slow_authenticate: bool,
}

impl Application for Late {
    async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
        if self.slow_authenticate {
            self.log.add("asked");
            self.gate.wait().await;
            self.log.add("answered");
        }
        identify(request).unwrap_or(Ok(Identity::Anonymous))
    }

    async fn authorize_join(&self, _: &Connection, _: &str, _: Entry) -> Result<(), Denied> {
        self.log.add("asked");
        self.gate.wait().await;
        self.log.add("answered");
        Ok(())
    }

    async fn on_disconnect(&self, _: &Connection, rooms: &[Arc<str>], _: CloseReason) {
        self.log.add(format!("disconnect {}", rooms.join(",")));
    }
}

#[test]
fn an_answer_for_a_connection_that_has_gone_has_no_effect() {
    let (log, gate) = (Log::default(), Gate::default());
    let app = Late {
        log: log.clone(),
        gate: gate.clone(),
        slow_authenticate: false,
    };
    let server = Server::start(Config::default(), app);
    let mut ann = server.user("ann", "");
    ann.say(r#"{"type":"subscribe","channel":"a"}"#);
    log.until(&["asked"]);
    assert_eq!(server.hub.disconnect_user("ann", CloseReason::Kicked), 1);
    ann.closed(4004);
    gate.open();
    log.until(&["asked", "answered", "disconnect "]);
    assert_eq!(server.hub.stats().active_rooms, 0);
    server.until_empty();
}

#[test]
fn a_client_that_vanishes_while_it_is_authenticated_gives_its_seats_back() {
    for reset in [true, false] {
        let (log, gate) = (Log::default(), Gate::default());
        let app = Late {
            log: log.clone(),
            gate: gate.clone(),
            slow_authenticate: true,
        };
        let mut config = Config::default();
        config.timeouts.hook = Duration::from_millis(300);
        let server = Server::start(config, app);
        let mut peer = server.tcp();
        peer.send(&upgrade("/ws/blue?token=s3cr3t-ann", &[]));
        log.until(&["asked"]);
        assert_eq!(server.hub.stats().pending_handshakes, 1);
        if reset {
            peer.reset();
        } else {
            drop(peer);
        }
        server.until_empty();
        gate.open();
        assert_eq!(log.count("disconnect"), 0);
        assert_eq!(
            server.refused("internal") + server.closes("reset") + server.closes("eof"),
            1
        );
    }
}

#[test]
fn an_authentication_that_takes_too_long_is_refused() {
    for (refusal, expected) in [(Refusal::Close, 101), (Refusal::Http, 500)] {
        let app = Late {
            log: Log::default(),
            gate: Gate::default(),
            slow_authenticate: true,
        };
        let mut config = Config {
            refusal,
            ..Config::default()
        };
        config.timeouts.hook = Duration::from_millis(100);
        let server = Server::start(config, app);
        let mut peer = server.tcp();
        peer.send(&upgrade("/ws", &[]));
        assert_eq!(peer.head().status, expected);
        if expected == 101 {
            assert_eq!(peer.closed(1011), "internal");
        } else {
            drop(peer);
        }
        server.until_empty();
        assert_eq!(server.refused("internal"), 1);
    }
}
