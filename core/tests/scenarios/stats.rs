//! Counters and their keys, and that ids are never reused.

use std::collections::BTreeSet;

use serde_json::json;
use switchboard_core::cluster::{Cluster, ClusterConfig};
use switchboard_core::{
    Buckets, CloseReason, Event, Exclude, Frame, JoinError, Notice, ProtocolError, SendError,
    StaleId, Time, UserPolicy, operations,
};

use switchboard_kit::Received;

use crate::world::{World, millis, secs};

#[test]
fn the_statistics_have_the_keys_of_stats_json() {
    let world = World::new();
    let stats = serde_json::to_value(world.stats()).unwrap();
    assert_eq!(
        stats,
        json!({
            "total_connections": 0, "max_connections": 10_000, "capacity_percent": 0.0,
            "active_rooms": 0, "active_lobbies": 0, "users": 0, "pending_handshakes": 0,
            "closing": 0, "disconnecting": 0, "queued_bytes": 0, "opened": 0,
            "opened_streams": 0, "messages_in": 0, "messages_out": 0,
            "bytes_in": 0, "bytes_out": 0, "dropped": {},
            "closes": {}, "refused": {}, "rtt_ms": {"p50": 0.0, "p99": 0.0}, "uptime_s": 0.0,
            "history": {"rooms": 0, "messages": 0, "bytes": 0},
            "recoveries": {"ok": 0, "gone": 0, "epoch": 0, "ahead": 0}, "lagging": 0,
            "compressed": {"connections": 0, "messages": 0, "bytes_in": 0, "bytes_out": 0},
            "contexts": {"rooms": 0, "messages": 0, "bytes_in": 0, "bytes_out": 0},
            "inflated": {"messages": 0, "bytes_in": 0, "bytes_out": 0},
            "draining": false, "cluster": null,
        })
    );
}

#[test]
fn the_statistics_count_what_is_there_and_what_went_through() {
    let mut world = World::with(|config| {
        config.limits.connections = 8;
        config.users = UserPolicy::Allow(2);
    });
    let ann = world.connect("ann", "lobby");
    world.connect("ann", "lobby");
    world.connect("bob", "");
    world.arrives(world.new_address()).unwrap();
    world.says(ann, json!({"type": "subscribe", "channel": "more"}));
    world.advance(millis(1_500));
    let before = world.stats();
    assert_eq!((before.total_connections, before.users), (3, 2));
    assert!((before.capacity_percent - 37.5).abs() < 0.001);
    assert_eq!((before.active_rooms, before.active_lobbies), (2, 1));
    assert_eq!(before.pending_handshakes, 1);
    assert!((before.uptime_s - 1.5).abs() < 0.001);
    world.says(
        ann,
        json!({"type": "message", "channel": "lobby", "content": 1, "echo": true}),
    );
    let after = world.stats();
    assert_eq!(after.messages_in - before.messages_in, 1);
    assert_eq!(after.messages_out - before.messages_out, 2);
}

#[test]
fn bytes_are_counted_as_messages_bring_them_and_as_sockets_take_them() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    world.advance(secs(60));
    let before = world.stats();
    world.says(ann, r#"{"type":"ping"}"#);
    let after = world.stats();
    assert_eq!(after.bytes_in - before.bytes_in, 15);
    // A header of two bytes, and {"type":"pong"}.
    assert_eq!(after.bytes_out - before.bytes_out, 17);
    // Of what waits, only what the socket has taken counts.
    world.stops_reading_after(ann, 5);
    world.says(ann, r#"{"type":"ping"}"#);
    assert_eq!(world.stats().bytes_out - after.bytes_out, 5);
}

#[test]
fn only_those_who_are_admitted_count_as_opened() {
    let mut world = World::with(|config| config.limits.connections = 2);
    world.connect("ann", "");
    world.connect("bob", "");
    world.connect("ann", "");
    world.tries("cas", "");
    world.tries("wrong", "");
    world.connect_to_log_in("");
    assert_eq!(world.stats().opened, 3);
}

#[test]
fn the_fanout_of_each_message_to_a_room_is_how_many_it_was_accepted_for() {
    let mut world = World::new();
    let clients: Vec<_> = (0..7)
        .map(|n| world.connect(&format!("u{n}"), "lobby"))
        .collect();
    world.advance(secs(60));
    let first = world.id(clients[0]);
    world.broadcast("lobby", "0", Exclude::NOBODY);
    let exclude = Exclude {
        connections: &[first],
        users: &[],
    };
    world.broadcast("lobby", "0", exclude);
    world.says(clients[0], json!({"type": "message", "content": 0}));
    world.broadcast("nobody", "0", Exclude::NOBODY);
    let Buckets {
        bounds,
        counts,
        sum,
        ..
    } = world.stats().fanout;
    let at = bounds.iter().position(|&bound| bound >= 7.0).unwrap();
    assert_eq!((counts[at], counts.iter().sum()), (3, 3));
    assert!((sum - 19.0).abs() < 1e-9, "{sum}");
}

#[test]
fn a_round_trip_is_measured_once() {
    let mut world = World::new();
    let ann = world.connect("ann", "");
    world.peer_mut(ann).answers = false;
    let ticket = world.board.ping_user(world.now, "ann", secs(10));
    let ping = world.frames(ann).pop();
    let Some(Received::Text(ping)) = ping else {
        panic!("no ping for ticket {ticket}: {ping:?}")
    };
    world.advance(millis(40));
    world.says(ann, &*ping.replace("health_ping", "health_pong"));
    let rtt = world.stats().rtt;
    let at = rtt.bounds.iter().position(|&bound| bound >= 0.04).unwrap();
    assert_eq!((rtt.counts[at], rtt.counts.iter().sum()), (1, 1));
    assert!((rtt.sum - 0.04).abs() < 1e-9, "{}", rtt.sum);
}

#[test]
fn when_everybody_has_gone_every_count_is_back() {
    let mut world = World::new();
    let clients: Vec<_> = (0..20)
        .map(|n| world.connect(&format!("u{n}"), "lobby"))
        .collect();
    world.arrives(world.new_address()).unwrap();
    world.connect_to_log_in("lobby");
    for (n, &client) in clients.iter().enumerate() {
        world.stops_reading_after(client, n);
    }
    for _ in 0..10 {
        world.broadcast("lobby", "0", Exclude::NOBODY);
    }
    for (n, &client) in clients.iter().enumerate() {
        match n % 4 {
            0 => world.happens(client, Event::Eof),
            1 => world.happens(client, Event::Reset),
            2 => world.happens(client, Event::Close(None)),
            _ => {
                let id = world.id(client);
                world
                    .board
                    .close(world.now, id, CloseReason::Kicked)
                    .unwrap();
            }
        }
    }
    world.advance(secs(60));
    let stats = world.stats();
    let held = [
        stats.total_connections,
        stats.active_rooms,
        stats.active_lobbies,
        stats.users,
        stats.pending_handshakes,
        stats.closing,
        stats.queued_bytes,
    ];
    assert_eq!(held, [0; 7]);
    assert_eq!(world.board.next_deadline(), None);
}

#[test]
fn ends_without_a_code_of_ours_have_keys_of_their_own() {
    let mut world = World::new();
    let client = |world: &mut World| world.connect("ann", "");
    let (eof, reset) = (client(&mut world), client(&mut world));
    world.happens(eof, Event::Eof);
    world.happens(reset, Event::Reset);
    let closed = client(&mut world);
    world.happens(closed, Event::Close(None));
    world.arrives(world.new_address()).unwrap();
    world.advance(secs(10));
    let gone = client(&mut world);
    let id = world.id(gone);
    world
        .board
        .close(world.now, id, CloseReason::Shutdown)
        .unwrap();
    world.flush();
    let keys: Vec<_> = world.stats().closes.into_keys().collect();
    let expected = [
        "client_closed",
        "handshake_timeout",
        "replaced",
        "reset",
        "shutdown",
    ];
    assert_eq!(keys, expected, "the first was replaced before its end came");
}

#[test]
fn an_id_is_never_used_twice() {
    let mut world = World::new();
    let mut seen = BTreeSet::new();
    let mut slots = BTreeSet::new();
    for n in 0..500 {
        let client = world.connect(&format!("u{}", n % 7), "lobby");
        let id = world.id(client);
        assert!(seen.insert(id) && seen.len() == n + 1);
        slots.insert(id.slot());
        if n % 3 == 0 {
            world.happens(client, Event::Reset);
        }
        world.advance(millis(100));
    }
    assert!(slots.len() < 20, "slots are used again: {}", slots.len());
}

#[test]
fn every_operation_answers_a_stale_id_with_a_typed_error_or_does_nothing() {
    let mut world = World::new();
    let old = world.connect("old", "lobby");
    let id = world.id(old);
    let question = world
        .asks_to(old, json!({"type": "subscribe", "channel": "x"}))
        .unwrap();
    world.happens(old, Event::Reset);
    let new = world.connect("new", "lobby");
    assert_eq!(world.id(new).slot(), id.slot());
    let request = world.request("/ws/lobby", "", "192.0.2.1".parse().unwrap());
    world.forget();
    let (now, stale, frame) = (world.now, StaleId(id), Frame::text("x"));
    let board = &mut world.board;
    assert_eq!(board.request(now, id, &request), Err(stale));
    assert_eq!(board.upgraded(now, id, &request), Err(stale));
    let bad = switchboard_core::BadRequest::Method;
    assert_eq!(board.omit_body(id), Err(stale));
    assert_eq!(board.malformed(now, id, bad), Err(stale));
    assert_eq!(board.answer_page(now, id, Vec::new()), Err(stale));
    let verdict = crate::world::verdict("ann");
    assert_eq!(board.authenticated(now, id, verdict, None), Err(stale));
    assert_eq!(board.read_mode(id), Err(stale));
    assert_eq!(board.message(now, id, false, 1, Ok(())), Err(stale));
    let command = switchboard_core::protocol::parse(r#"{"type":"ping"}"#);
    assert_eq!(board.command(now, id, command).unwrap_err(), stale);
    assert_eq!(board.answer(now, id, question, Ok(())), Err(stale));
    assert_eq!(board.join(now, id, "x"), Err(JoinError::Stale(stale)));
    assert_eq!(board.leave(now, id, "lobby"), Err(stale));
    assert_eq!(board.rooms_of(id), Err(stale));
    assert_eq!(board.send(now, id, frame), Err(SendError::Stale(stale)));
    assert_eq!(board.close(now, id, CloseReason::Kicked), Err(stale));
    assert_eq!(board.user_of(id), None);
    assert_eq!(board.round_trip(id), None);
    world.flush();
    assert!(world.is_open(new) && world.frames(new).is_empty());
}

#[test]
fn operations_on_a_closing_connection_are_told_so() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    world.falls_silent(ann);
    let id = world.id(ann);
    world
        .board
        .close(world.now, id, CloseReason::Kicked)
        .unwrap();
    let now = world.now;
    assert_eq!(
        world.board.send(now, id, Frame::text("x")),
        Err(SendError::NotOpen)
    );
    assert_eq!(world.board.join(now, id, "x"), Err(JoinError::NotOpen));
    assert_eq!(world.board.leave(now, id, "lobby"), Ok(false));
    assert_eq!(world.board.close(now, id, CloseReason::Replaced), Ok(()));
    world.advance(secs(5));
    assert!(world.is_gone(ann));
}

#[test]
fn every_limit_that_is_watched_is_noticed_at_80_and_100_percent() {
    let mut world = World::with(|config| {
        config.limits.rooms = 5;
        config.limits.handshakes = 5;
        config.limits.queue_bytes = 10_000;
        config.limits.queued_bytes = 10_000;
    });
    let ann = world.connect("ann", "");
    for n in 0..5 {
        world
            .board
            .join(world.now, world.id(ann), &format!("r{n}"))
            .unwrap();
    }
    for _ in 0..5 {
        world.arrives(world.new_address()).unwrap();
    }
    world.stops_reading_after(ann, 0);
    world.send(ann, &"x".repeat(8_500));
    world.send(ann, &"x".repeat(1_492));
    let mut reached = BTreeSet::new();
    for notice in &world.notices {
        if let Notice::NearLimit { limit, percent } = notice {
            assert!(
                reached.insert((*limit, *percent)),
                "told twice: {limit} {percent}"
            );
        }
    }
    let expected = ["limits.handshakes", "limits.queued_bytes", "limits.rooms"];
    let expected = expected.map(|limit| [(limit, 80), (limit, 100)]);
    assert_eq!(reached, expected.into_iter().flatten().collect());
}

#[test]
fn one_seed_and_one_script_give_one_history() {
    let play = || {
        let mut world = World::new();
        let ann = world.connect("ann", "lobby");
        for n in 0..20 {
            world.connect(&format!("u{n}"), "lobby");
        }
        world.board.drain(world.now, secs(10), secs(10));
        world.advance(secs(60));
        (format!("{:?}", world.notices), world.messages(ann))
    };
    assert_eq!(play(), play());
}

#[test]
fn late_events_of_a_connection_that_is_gone_are_stale_and_do_nothing() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    let id = world.id(ann);
    world.happens(ann, Event::Reset);
    let bob = world.connect("bob", "lobby");
    assert_eq!(world.id(bob).slot(), id.slot());
    for event in [
        Event::Heard,
        Event::Partial {
            in_message: true,
            bytes: 9,
        },
        Event::Ping(b""),
        Event::Pong(b""),
        Event::OverRate {
            bytes: 9,
            retry_after: secs(1),
        },
        Event::Close(None),
        Event::Violation(ProtocolError::InvalidUtf8),
        Event::Discarded(9),
        Event::Eof,
        Event::Reset,
        Event::Writable,
        Event::Paused,
        Event::Resumed,
        Event::Leaving,
        Event::HookStarted,
        Event::HookDone,
        Event::HookFailed,
    ] {
        assert_eq!(
            world.board.handle(world.now, id, event),
            Err(StaleId(id)),
            "{event:?}"
        );
    }
    assert!(world.is_open(bob));
    assert_eq!(world.board.audit(), Ok(()));
}

#[test]
fn reaching_80_and_100_percent_of_a_limit_is_noticed_once() {
    let mut world = World::with(|config| config.limits.connections = 5);
    let near = |world: &World| -> Vec<u8> {
        let notices = world.notices.iter();
        notices
            .filter_map(|notice| match notice {
                Notice::NearLimit {
                    limit: "limits.connections",
                    percent,
                } => Some(*percent),
                _ => None,
            })
            .collect()
    };
    let clients: Vec<_> = (0..5)
        .map(|n| world.connect(&format!("u{n}"), ""))
        .collect();
    assert_eq!(near(&world), [80, 100]);
    world.happens(clients[0], Event::Eof);
    world.connect("again", "");
    assert_eq!(near(&world), [80, 100]);
}

#[test]
fn the_statistics_of_a_node_of_a_cluster_have_the_cluster() {
    let world = World::new();
    let mut stats = world.stats();
    let cluster = Cluster::new(ClusterConfig::new("a-1"), Time::ZERO);
    stats.add_cluster(&cluster.stats(Time::ZERO + secs(2)), true);
    assert_eq!(
        serde_json::to_value(&stats).unwrap()["cluster"],
        json!({
            "node": "a-1", "up": false, "since_s": 2.0, "nodes": 1, "connections": 0, "users": 0, "rooms": 0,
            "gaps": 0, "repairs": 0, "epochs": 0, "lag_ms": null, "outbox": 0,
        })
    );
    // It says that it is not ready only where it is configured to.
    assert_eq!(operations::readyz(&stats).status, 503);
    stats.add_cluster(&cluster.stats(Time::ZERO), false);
    assert_eq!(operations::readyz(&stats).status, 200);
}
