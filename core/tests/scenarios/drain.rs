//! Draining a node (`docs/behaviour.md`, section 9).

use serde_json::json;
use switchboard_core::{CloseReason, DrainReport, Event, Exclude, Notice, Refusal, Wire};

use crate::world::{Client, World, millis, secs};

fn room_of(users: usize) -> (World, Vec<Client>) {
    let mut world = World::with(|config| config.presence.enabled = false);
    let clients = (0..users)
        .map(|n| world.connect(&format!("u{n}"), "lobby"))
        .collect();
    world.forget();
    (world, clients)
}

/// The reports: connections, evicted, hooks cut off.
fn drained(world: &World) -> Vec<(usize, usize, usize)> {
    let notices = world.notices.iter();
    notices
        .filter_map(|notice| match notice {
            Notice::Drained(DrainReport {
                connections,
                evicted,
                hooks_cut_off,
                ..
            }) => Some((*connections, *evicted, *hooks_cut_off)),
            _ => None,
        })
        .collect()
}

fn drain(world: &mut World, window: u64, deadline: u64) {
    world.board.drain(world.now, secs(window), secs(deadline));
    world.flush();
}

#[test]
fn live_connections_are_closed_spread_evenly_over_the_window() {
    let (mut world, clients) = room_of(100);
    drain(&mut world, 10, 15);
    for second in 1..=10 {
        world.advance(secs(1));
        let open = clients
            .iter()
            .filter(|&&client| world.is_open(client))
            .count();
        assert_eq!(open, 100 - 10 * second);
    }
    assert_eq!(drained(&world), [(100, 0, 0)]);
}

#[test]
fn they_are_closed_in_random_order() {
    let (mut world, clients) = room_of(100);
    drain(&mut world, 10, 15);
    world.advance(secs(5));
    let first_half = clients[..50]
        .iter()
        .filter(|&&client| world.is_open(client))
        .count();
    assert!((10..=40).contains(&first_half), "{first_half}");
}

#[test]
fn each_is_told_when_to_come_back_and_closed_1001() {
    let (mut world, clients) = room_of(50);
    drain(&mut world, 10, 15);
    world.advance(secs(10));
    let mut delays = Vec::new();
    for client in clients {
        let bye = world.last(client);
        assert_eq!((&bye["type"], &bye["code"]), (&json!("bye"), &json!(1001)));
        assert_eq!(bye["reason"], "draining");
        delays.push(bye["reconnect_in_ms"].as_u64().unwrap());
        assert_eq!(world.close(client), Some((1001, "draining".into())));
    }
    delays.sort_unstable();
    delays.dedup();
    assert!(delays.len() > 40, "they do not reconnect all at once");
    assert!(delays.last() <= Some(&10_500) && delays[0] >= 500);
    assert_eq!(world.stats().closes["draining"], 50);
}

#[test]
fn queued_messages_go_out_before_the_bye() {
    let (mut world, clients) = room_of(1);
    world.stops_reading_after(clients[0], 5);
    world.broadcast("lobby", "1", Exclude::NOBODY);
    drain(&mut world, 0, 5);
    world.reads_all(clients[0]);
    let messages = world.messages(clients[0]);
    assert_eq!(
        (&messages[0]["type"], &messages[1]["type"]),
        (&json!("message"), &json!("bye"))
    );
    assert!(world.close(clients[0]).is_some());
}

#[test]
fn until_its_own_close_a_connection_works_normally() {
    let (mut world, clients) = room_of(10);
    drain(&mut world, 10, 15);
    world.advance(millis(9_500));
    let mut left = clients.iter().filter(|&&client| world.is_open(client));
    let (Some(&last), None) = (left.next(), left.next()) else {
        panic!("one is left");
    };
    world.forget();
    world.says(last, json!({"type": "subscribe", "channel": "new"}));
    world.says(
        last,
        json!({"type": "message", "channel": "new", "content": 1, "echo": true}),
    );
    world.says(last, json!({"type": "auth", "token": "u0"}));
    let messages = world.messages(last);
    assert_eq!(messages[0]["type"], "subscribed");
    assert_eq!(messages[1]["seq"], 1);
}

#[test]
fn newcomers_and_pending_handshakes_are_refused_from_that_instant() {
    for (refusal, told) in [
        (Refusal::Close, (101, Some((1012, "restart".to_owned())))),
        (Refusal::Http, (503, None)),
    ] {
        let mut world = World::with(|config| config.refusal = refusal);
        world.connect("ann", "lobby");
        let arrived = world.arrives(world.new_address()).unwrap();
        let (pending, _) = world.asks(world.new_address(), "/ws/lobby", "");
        drain(&mut world, 10, 15);
        assert_eq!(world.told(pending), told);
        let from = world.new_address();
        world.asks_on(arrived, from, "/ws/lobby", "");
        assert_eq!(world.told(arrived), told);
        let newcomer = world.tries("bob", "lobby");
        assert_eq!(world.told(newcomer), told);
        if told.0 == 503 {
            assert!(world.peer(newcomer).head.contains("Retry-After"));
        }
        world.authenticate(pending, crate::world::verdict("cem"));
        assert_eq!(world.stats().total_connections, 1);
        world.advance(secs(20));
        let late = world.tries("late", "lobby");
        assert_eq!(world.told(late), told, "also after the end");
    }
}

#[test]
fn at_the_deadline_whoever_is_left_is_evicted_and_counted() {
    let (mut world, clients) = room_of(4);
    for &client in &clients[..3] {
        world.falls_silent(client);
        world.stops_reading_after(client, 0);
        world.send(client, "x");
    }
    drain(&mut world, 1, 3);
    world.advance(millis(2_999));
    assert_eq!(drained(&world), []);
    world.advance(millis(1));
    assert_eq!(drained(&world), [(4, 3, 0)]);
    assert!(clients.iter().all(|&client| world.is_gone(client)));
    assert_eq!(
        (world.stats().total_connections, world.stats().closing),
        (0, 0)
    );
}

#[test]
fn a_connection_not_closed_yet_is_evicted_at_a_deadline_that_comes_first() {
    let (mut world, clients) = room_of(4);
    drain(&mut world, 10, 2);
    world.advance(secs(10));
    assert!(clients.iter().all(|&client| world.is_gone(client)));
    assert_eq!(drained(&world).len(), 1);
}

#[test]
fn a_drain_of_nobody_is_over_at_once() {
    let mut world = World::new();
    drain(&mut world, 10, 15);
    assert_eq!(drained(&world), [(0, 0, 0)]);
    assert!(world.stats().draining);
    assert_eq!(world.board.next_deadline(), None);
}

#[test]
fn a_connection_about_to_be_admitted_is_told_before_the_end() {
    let mut world = World::new();
    let (pending, _) = world.asks(world.new_address(), "/ws/lobby", "");
    world.keeps_its_side_open(pending);
    drain(&mut world, 10, 15);
    assert_eq!(drained(&world), [], "it may not have read its answer yet");
    assert_eq!(
        world.told(pending),
        (101, Some((1012, "restart".to_owned())))
    );
    world.advance(secs(1));
    assert_eq!(drained(&world), [(0, 0, 0)]);
    assert!(world.is_gone(pending));
}

#[test]
fn drained_comes_once_as_soon_as_nobody_is_left() {
    let (mut world, clients) = room_of(3);
    drain(&mut world, 10, 15);
    for &client in &clients {
        assert_eq!(drained(&world), []);
        world.happens(client, Event::Eof);
    }
    assert_eq!(drained(&world).len(), 1);
    world.advance(secs(100));
    assert_eq!(drained(&world).len(), 1);
}

#[test]
fn a_second_drain_changes_nothing() {
    let (mut world, clients) = room_of(10);
    drain(&mut world, 10, 15);
    world.advance(secs(1));
    drain(&mut world, 0, 0);
    drain(&mut world, 1_000, 1_000);
    let open = |world: &World| {
        clients
            .iter()
            .filter(|&&client| world.is_open(client))
            .count()
    };
    assert_eq!(open(&world), 9);
    world.advance(secs(9));
    assert_eq!(open(&world), 0);
    drain(&mut world, 10, 10);
    assert_eq!(drained(&world).len(), 1);
}

#[test]
fn a_window_of_zero_closes_all_at_once() {
    let (mut world, clients) = room_of(10);
    drain(&mut world, 0, 1);
    assert!(clients.iter().all(|&client| world.close(client).is_some()));
    assert_eq!(drained(&world).len(), 1);
}

#[test]
fn where_the_deadline_comes_at_once_everybody_is_told_as_well() {
    for (window, deadline) in [(0, 0), (10, 0), (10, 10)] {
        let (mut world, clients) = room_of(10);
        for &client in &clients {
            world.falls_silent(client);
        }
        world.broadcast("lobby", "1", Exclude::NOBODY);
        drain(&mut world, window, deadline);
        world.advance(secs(10));
        let left = usize::from(window == 0) * 9;
        for &client in &clients {
            assert!(world.is_gone(client));
            assert_eq!(world.last(client)["type"], "bye", "{window}, {deadline}");
            assert_eq!(world.close(client), Some((1001, "draining".into())));
        }
        let reports = drained(&world);
        assert_eq!(reports[0].0, 10);
        assert!(reports[0].1 > left, "{reports:?}");
        assert_eq!(world.stats().dropped.len(), 0, "what waited went out too");
    }
}

#[test]
fn a_connection_that_was_closing_before_the_drain_is_not_counted_by_it() {
    let (mut world, clients) = room_of(3);
    world.falls_silent(clients[0]);
    world.falls_silent(clients[1]);
    let kicked = world.id(clients[0]);
    world
        .board
        .close(world.now, kicked, CloseReason::Kicked)
        .unwrap();
    drain(&mut world, 1, 2);
    world.advance(secs(2));
    let reports = drained(&world);
    assert_eq!((reports[0].0, reports[0].1), (2, 1));
    assert!(world.is_gone(clients[0]));
}

#[test]
fn a_connection_that_ends_during_a_drain_keeps_its_own_reason() {
    let (mut world, clients) = room_of(3);
    drain(&mut world, 10, 15);
    world
        .board
        .close(world.now, world.id(clients[0]), CloseReason::Kicked)
        .unwrap();
    world.advance(secs(10));
    assert_eq!(world.stats().closes["kicked"], 1);
    assert_eq!(world.stats().closes["draining"], 2);
}

#[test]
fn in_raw_mode_there_is_no_bye() {
    let mut world = World::with(|config| config.wire = Wire::Raw);
    let ann = world.connect("ann", "lobby");
    drain(&mut world, 0, 1);
    assert_eq!(world.frames(ann).len(), 1);
    assert_eq!(world.close(ann), Some((1001, "draining".into())));
}

#[test]
fn all_that_live_get_exactly_one_1001_during_a_connect_storm() {
    let (mut world, clients) = room_of(50);
    drain(&mut world, 5, 10);
    for _ in 0..50 {
        world.advance(millis(100));
        world.tries("storm", "lobby");
    }
    world.advance(secs(5));
    assert!(
        clients
            .iter()
            .all(|&client| world.close(client).unwrap().0 == 1001)
    );
    assert_eq!(world.stats().refused["restart"], 50);
    assert_eq!(world.stats().closes["draining"], 50);
    assert_eq!(world.stats().pending_handshakes, 0);
}

#[test]
fn the_end_waits_for_the_hooks_that_run_but_not_beyond_the_deadline() {
    for ends in [true, false] {
        let mut world = World::new();
        world.board.await_disconnect_hooks();
        let (ann, bob) = (world.connect("ann", "lobby"), world.connect("bob", "lobby"));
        world.happens(ann, Event::Eof);
        drain(&mut world, 0, 15);
        world.advance(secs(5));
        assert!(!world.is_open(bob));
        assert_eq!(world.stats().disconnecting, 2);
        world.board.disconnect_hook_done(world.now);
        world.flush();
        assert_eq!(drained(&world), []);
        if ends {
            world.board.disconnect_hook_done(world.now);
            world.flush();
        } else {
            world.advance(secs(10));
        }
        assert_eq!(drained(&world), [(1, 0, usize::from(!ends))]);
    }
}
