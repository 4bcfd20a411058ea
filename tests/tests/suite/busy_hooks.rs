//! What waits behind a hook that is busy, and what does not (docs/behaviour.md, section 10).

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::app::Log;
use super::catalogue::covers;
use super::frames::{PING, TEXT, frame};
use super::gate::Gate;
use super::server::{Server, raw};
use crate::rt::{Application, CloseReason, Connection, Denied, Message};

covers! {
    a_hook_that_takes_too_long_costs_its_connection_and_no_other:
        "R13", "a hook does not return" => "1011 for its connection, and the others are served";
}

/// Its message hook returns only while the gate is open.
struct Gated {
    log: Log,
    gate: Gate,
}

impl Application for Gated {
    async fn on_message(&self, client: &Connection, message: Message) -> Result<(), Denied> {
        self.gate.wait().await;
        if let Message::Text(text) = message {
            self.log.add(text.clone());
            let _ = client.send_text(&text);
        }
        Ok(())
    }

    async fn on_disconnect(&self, _: &Connection, _: &[Arc<str>], reason: CloseReason) {
        self.log.add(format!("disconnect {reason}"));
    }
}

#[test]
fn the_backlog_behind_a_hook_is_bounded_and_reading_pauses() {
    let (log, gate) = (Log::default(), Gate::default());
    let app = Gated {
        log: log.clone(),
        gate: gate.clone(),
    };
    let mut config = raw();
    config.health.ping_interval = Duration::from_millis(30);
    config.health.ping_timeout = Duration::from_millis(150);
    let server = Server::start(config, app);
    let mut peer = server.client("/ws");
    let count = 200;
    for n in 0..count {
        peer.say(&n.to_string());
    }
    // One message in the hook, 32 waiting, and no more is read.
    server.until("33 are in", |stats| stats.messages_in >= 33);
    thread::sleep(Duration::from_millis(500));
    assert_eq!(server.hub.stats().messages_in, 33);
    // Pings went unanswered for longer than their timeout, because the client was not read.
    server.until_connected(1);
    gate.open();
    for n in 0..count {
        assert_eq!(peer.text(), n.to_string());
    }
    peer.leave();
    log.until_has("disconnect client_closed");
}

#[test]
fn the_backlog_behind_the_hooks_of_all_connections_is_bounded() {
    const CLIENTS: usize = 40;
    const MESSAGES: usize = 32;
    const BYTES: usize = 16 << 10;
    let gate = Gate::default();
    let app = Gated {
        log: Log::default(),
        gate: gate.clone(),
    };
    let mut config = raw();
    config.limits.unfinished_bytes = 1 << 20;
    let waiting = (1 << 20) / BYTES;
    let server = Server::start(config, app);
    let message = frame(TEXT, &[b'x'; BYTES]);
    let mut peers: Vec<_> = (0..CLIENTS).map(|_| server.client("/ws")).collect();
    for peer in &mut peers {
        for _ in 0..MESSAGES {
            peer.send(&message);
        }
    }
    // A connection with an idle hook is read, in turns in which the others could be read too.
    let mut idle = server.client("/ws");
    server.until("every hook but this one is busy", |stats| {
        stats.messages_in as usize >= CLIENTS
    });
    for _ in 0..200 {
        idle.send(&frame(PING, b"alive?"));
        assert_eq!(idle.frame().first, 0x8a);
    }
    // One message per connection is in its hook and does not wait. Messages read in the same turn
    // may exceed the bound by one.
    let taken = server.hub.stats().messages_in as usize;
    assert!(taken <= CLIENTS + waiting + 1, "{taken} messages");
    gate.open();
    for peer in &mut peers {
        for _ in 0..MESSAGES {
            assert_eq!(peer.text().len(), BYTES);
        }
    }
}

/// Messages of two kinds, each with its own gate.
struct TwoGates {
    first: Gate,
    second: Gate,
}

impl Application for TwoGates {
    async fn on_message(&self, client: &Connection, message: Message) -> Result<(), Denied> {
        if let Message::Text(text) = message {
            let first = text.starts_with("first");
            let gate = if first { &self.first } else { &self.second };
            gate.wait().await;
            let _ = client.send_text(&text);
        }
        Ok(())
    }
}

#[test]
fn a_connection_that_pauses_for_the_backlog_of_others_is_read_again_while_its_hook_is_busy() {
    let (first, second) = (Gate::default(), Gate::default());
    let app = TwoGates {
        first: first.clone(),
        second: second.clone(),
    };
    let mut config = raw();
    config.limits.unfinished_bytes = 64 << 10;
    let server = Server::start(config, app);
    let mut idle = server.client("/ws");
    let mut taken_in = || {
        // After this many turns, everything readable has been read.
        for _ in 0..50 {
            idle.send(&frame(PING, b"alive?"));
            assert_eq!(idle.frame().first, 0x8a);
        }
        server.hub.stats().messages_in
    };
    let (mut pauses, mut causes) = (server.client("/ws"), server.client("/ws"));
    pauses.say("first");
    assert_eq!(taken_in(), 1);
    let long = "second ".repeat(1_000);
    for _ in 0..40 {
        causes.say(&long);
    }
    let before = taken_in();
    assert!(before < 41, "{before} messages");
    for _ in 0..3 {
        pauses.say("first");
    }
    assert_eq!(taken_in(), before);
    second.open();
    server.until("all are in", |stats| stats.messages_in == 44);
    for _ in 0..40 {
        assert_eq!(causes.text(), long);
    }
    first.open();
    for _ in 0..4 {
        assert_eq!(pauses.text(), "first");
    }
}

#[test]
fn pings_are_answered_while_a_hook_is_busy() {
    let gate = Gate::default();
    let app = Gated {
        log: Log::default(),
        gate: gate.clone(),
    };
    let server = Server::start(raw(), app);
    let mut peer = server.client("/ws");
    peer.say("first");
    peer.send(&frame(PING, b"alive?"));
    let pong = peer.frame();
    assert_eq!((pong.first, &pong.payload[..]), (0x8a, &b"alive?"[..]));
    gate.open();
    assert_eq!(peer.text(), "first");
}

#[test]
fn the_end_of_a_connection_waits_for_its_hook_and_drops_what_else_waits() {
    let (log, gate) = (Log::default(), Gate::default());
    let app = Gated {
        log: log.clone(),
        gate: gate.clone(),
    };
    let server = Server::start(raw(), app);
    let mut peer = server.client("/ws");
    peer.say("first");
    server.until("it is in", |stats| stats.messages_in == 1);
    peer.reset();
    server.until_closed("reset", 1);
    gate.open();
    log.until(&["first", "disconnect reset"]);
    server.until_empty();
}

#[test]
fn a_hook_that_takes_too_long_costs_its_connection_and_no_other() {
    let (log, gate) = (Log::default(), Gate::default());
    let app = Gated {
        log: log.clone(),
        gate: gate.clone(),
    };
    let mut config = raw();
    config.timeouts.hook = Duration::from_millis(100);
    let server = Server::start(config, app);
    let other = server.client("/ws");
    let mut peer = server.client("/ws");
    peer.say("never answered");
    assert_eq!(peer.closed(1011), "internal");
    log.until(&["disconnect internal"]);
    assert_eq!(server.hub.stats().total_connections, 1);
    other.leave();
    server.until_empty();
}
