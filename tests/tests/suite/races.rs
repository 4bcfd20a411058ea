//! Concurrent and unluckily ordered events: section 2.5 of the catalogue of hostile inputs.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::app::{Log, Plain, identify};
use super::catalogue::covers;
use super::frames::close;
use super::peer::{Peer, upgrade};
use super::server::{Server, raw, until};
use crate::rt::{
    Application, CloseReason, Config, Connection, Denied, Exclude, Frame, Identity, Message,
    Presence, Rates, Refusal, Request,
};

covers! {
    predecessors_that_will_not_go_touch_nothing:
        "R1", "three connections of a user replaced in turn, none of which answers its Close" =>
            "one 1000 `replaced` each; only the last is the user's";
    a_kick_within_a_broadcast_reaches_each_other_member_once:
        "R2", "a hook broadcasts, kicks a member, broadcasts" =>
            "each other member gets both once, the kicked at most the first and 4004";
    an_id_names_nobody_else_ever:
        "R6", "an id whose slot has a new connection" => "an error, and nothing reaches the new one";
        "R5", "commands for an id that has gone" => "an error";
    several_ends_at_once_are_told_as_one:
        "R10", "the application closes, the peer closes, and the stream fails, all at once" =>
            "one disconnect, one reason counted";
    a_drain_in_a_storm_of_connects_leaves_nobody:
        "R8", "a drain while 4 clients connect over and over" =>
            "503 from that instant; one 1001 to each that was in; nobody left";
    a_member_removed_from_a_room_gets_nothing_more_of_it:
        "A7", "rights to a room end while messages of it wait" =>
            "`unsubscribed`; what waited is dropped, what comes is not sent";
    a_ticket_is_good_once:
        "A8", "one ticket, used by 16 at once" => "101 once, 401 for the others";
}

#[test]
fn predecessors_that_will_not_go_touch_nothing() {
    let app = Plain::default();
    let mut config = raw();
    config.timeouts.close = Duration::from_millis(400);
    let server = Server::start(config, app.clone());
    let mut old: Vec<Peer> = Vec::new();
    for _ in 0..3 {
        let connected = server.hub.stats().total_connections;
        old.push(server.client("/ws/blue?token=s3cr3t-ann"));
        let before = old.len();
        assert!(connected <= 1);
        until(
            "it is in",
            || app.log.count("connect") == before,
            || app.log.lines(),
        );
    }
    let mut new = server.client("/ws/blue?token=s3cr3t-ann");
    app.log.until_has("connect ann");
    for peer in &mut old {
        assert_eq!(peer.close(), (1000, "replaced".into()));
    }
    // They do not answer, and are dropped at the timeout.
    server.until("they have gone", |stats| stats.closing == 0);
    assert_eq!(server.closes("replaced"), 3);
    assert_eq!(server.hub.connections_of("ann").len(), 1);
    assert_eq!(server.hub.members("blue"), server.hub.connections_of("ann"));
    let receipt = server.hub.send_to_user("ann", Frame::text("hello"));
    assert_eq!(receipt.expect("sent").accepted, 1);
    assert_eq!(new.text(), "hello");
    new.leave();
    server.until_empty();
    assert_eq!(app.log.count("disconnect ann [blue] replaced"), 3);
}

/// On any message: broadcasts, kicks the victim, broadcasts again.
struct Kicks;

impl Application for Kicks {
    async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
        identify(request).unwrap_or(Ok(Identity::Anonymous))
    }

    async fn on_message(&self, client: &Connection, _: Message) -> Result<(), Denied> {
        let hub = client.hub();
        let first = hub.broadcast_raw("blue", Frame::text("first"), Exclude::NOBODY);
        assert_eq!(first.expect("sent").accepted, 6);
        assert_eq!(hub.disconnect_user("victim", CloseReason::Kicked), 1);
        let second = hub.broadcast_raw("blue", Frame::text("second"), Exclude::NOBODY);
        assert_eq!(second.expect("sent").accepted, 5);
        Ok(())
    }
}

#[test]
fn a_kick_within_a_broadcast_reaches_each_other_member_once() {
    let server = Server::start(raw(), Kicks);
    let victim = server.client("/ws/blue?token=s3cr3t-victim");
    let mut others: Vec<Peer> = (0..5)
        .map(|n| server.client(&format!("/ws/blue?token=s3cr3t-{n}")))
        .collect();
    server.until_connected(6);
    others[2].say("now");
    victim.closed(4004);
    for mut peer in others {
        assert_eq!(
            (peer.text(), peer.text()),
            ("first".into(), "second".into())
        );
        peer.leave();
    }
    server.until_empty();
}

#[test]
fn an_id_names_nobody_else_ever() {
    let server = Server::start(raw(), Plain::default());
    let mut gone = BTreeSet::new();
    for round in 0..20 {
        let mut peer = server.client("/ws/blue?token=s3cr3t-ann");
        server.until_connected(1);
        let id = server.hub.connections_of("ann")[0];
        for id in &gone {
            assert!(server.hub.send(*id, Frame::text("old")).is_err());
            assert!(server.hub.close(*id, CloseReason::Kicked).is_err());
            assert!(server.hub.leave(*id, "blue").is_err());
            assert!(server.hub.join(*id, "red").is_err());
            assert_eq!(server.hub.user_of(*id), None);
        }
        assert!(gone.insert(id), "round {round}: never used before");
        server.hub.send(id, Frame::text("new")).expect("sent");
        assert_eq!(peer.text(), "new");
        assert_eq!(server.hub.members("blue"), [id]);
        peer.leave();
        server.until_empty();
    }
}

#[test]
fn several_ends_at_once_are_told_as_one() {
    let app = Plain::default();
    let server = Server::with_threads(2, raw(), app.clone());
    let rounds = 60;
    for round in 0..rounds {
        let mut peer = server.client("/ws?token=s3cr3t-ann");
        until(
            "it is in",
            || app.log.count("connect") == round + 1,
            || app.log.lines(),
        );
        let id = server.hub.connections_of("ann")[0];
        let barrier = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                barrier.wait();
                let _ = server.hub.close(id, CloseReason::Kicked);
            });
            barrier.wait();
            peer.try_send(&close(1000, b""));
            if round % 2 == 0 {
                peer.reset();
            }
        });
        server.until_empty();
    }
    until(
        "all are told",
        || app.log.count("disconnect") >= rounds,
        || app.log.lines(),
    );
    assert_eq!(app.log.count("disconnect"), rounds);
    let stats = server.hub.stats();
    assert_eq!(
        stats.closes.values().sum::<u64>(),
        rounds as u64,
        "{stats:?}"
    );
}

#[test]
fn a_drain_in_a_storm_of_connects_leaves_nobody() {
    let app = Plain::default();
    let config = Config {
        refusal: Refusal::Http,
        ..raw()
    };
    let server = Server::start(config, app.clone());
    let (over, refused) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let storm = || {
            let mut admitted = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let mut peer = server.tcp();
                peer.send(&upgrade("/ws/blue", &[]));
                // The last ones find the listener closed.
                match peer.try_head().map(|head| head.status) {
                    Ok(101) => admitted.push(peer),
                    Ok(503) => drop(refused.fetch_add(1, Ordering::Relaxed)),
                    Ok(status) => panic!("{status}"),
                    Err(_) => break,
                }
            }
            for peer in admitted {
                peer.closed(1001);
            }
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(storm)).collect();
        server.until("some are in", |stats| stats.total_connections > 40);
        let hub = server.hub.clone();
        let (window, deadline) = (Duration::from_millis(300), Duration::from_secs(20));
        server.runtime.spawn(async move {
            hub.drain(window, deadline).await;
        });
        server.until("it drains", |stats| stats.draining);
        let before = app.log.count("connect");
        server.until("some are told", |_| refused.load(Ordering::Relaxed) > 20);
        over.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().expect("each was closed once");
        }
        assert!(
            app.log.count("connect") <= before + 4,
            "no connection was admitted afterwards"
        );
    });
    until(
        "serve returns",
        || server.report().is_some(),
        || server.hub.stats(),
    );
    assert_eq!(server.report().expect("a report").evicted, 0);
    server.until_empty();
    assert_eq!(app.log.count("disconnect"), app.log.count("connect"));
}

#[test]
fn a_member_removed_from_a_room_gets_nothing_more_of_it() {
    let mut config = Config {
        rates: Rates::unlimited(),
        presence: Presence {
            enabled: false,
            ..Presence::default()
        },
        ..Config::default()
    };
    config.limits.queue_bytes = 64 << 20;
    let server = Server::start(config, Plain::default());
    let mut stuck = Peer::connect_narrow(server.address).upgrade("/ws/blue?token=s3cr3t-ann", &[]);
    let mut other = server.user("ben", "blue");
    server.until_connected(2);
    let content = format!("\"{}\"", "x".repeat(32 << 10));
    let count = 500;
    for number in 0..count {
        assert_eq!(
            server
                .hub
                .broadcast("blue", &content)
                .expect("JSON")
                .accepted,
            2
        );
        assert_eq!(other.expect("message")["seq"], number + 1);
    }
    let id = server.hub.connections_of("ann")[0];
    assert_eq!(server.hub.leave(id, "blue"), Ok(true));
    assert_eq!(server.hub.broadcast("blue", "1").expect("JSON").accepted, 1);
    let mut messages = 0;
    loop {
        let message = stuck.json();
        match message["type"].as_str() {
            Some("message") => messages += 1,
            Some("unsubscribed") => break,
            _ => {}
        }
    }
    assert!(messages < count, "queued messages were dropped");
    stuck.say(r#"{"type":"ping"}"#);
    assert_eq!(stuck.json()["type"], "pong", "and nothing of the room");
    other.leave();
}

/// Admits the first client to use the ticket.
struct Tickets(Mutex<BTreeSet<String>>, Log);

impl Application for Tickets {
    async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
        let ticket = request.token().ok_or(Denied::Unauthorized)?.reveal();
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tickets.remove(ticket) {
            return Ok(Identity::Anonymous);
        }
        Err(Denied::Unauthorized)
    }

    async fn on_connect(&self, _: &Connection) {
        self.1.add("connect");
    }

    async fn on_disconnect(&self, _: &Connection, _: &[Arc<str>], _: CloseReason) {
        self.1.add("disconnect");
    }
}

#[test]
fn a_ticket_is_good_once() {
    let log = Log::default();
    let tickets = Mutex::new(BTreeSet::from(["s3cr3t-ticket".to_owned()]));
    let config = Config {
        refusal: Refusal::Http,
        ..raw()
    };
    let server = Server::with_threads(2, config, Tickets(tickets, log.clone()));
    let barrier = Barrier::new(16);
    let statuses: Vec<u16> = thread::scope(|scope| {
        let attempt = || {
            let mut peer = server.tcp();
            barrier.wait();
            peer.send(&upgrade("/ws?token=s3cr3t-ticket", &[]));
            peer.head().status
        };
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(attempt)).collect();
        let joined = threads
            .into_iter()
            .map(|thread| thread.join().expect("it ran"));
        joined.collect()
    });
    let count = |status| statuses.iter().filter(|given| **given == status).count();
    assert_eq!((count(101), count(401)), (1, 15));
    server.until_empty();
    log.until(&["connect", "disconnect"]);
}
