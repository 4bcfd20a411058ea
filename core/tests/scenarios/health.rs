//! Liveness checks (`docs/behaviour.md`, section 6).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use switchboard_core::{CloseReason, Event, Exclude, HealthPing, Notice, UserPolicy};
use switchboard_kit::Received;

use crate::world::{Client, World, millis, secs};

fn pings(world: &mut World, client: Client) -> usize {
    let is_ping = |frame: &&Received| matches!(frame, Received::Ping(_));
    world.frames(client).iter().filter(is_ping).count()
}

/// Returns the payload of the only ping since the last call.
fn ping(world: &mut World, client: Client) -> Vec<u8> {
    match world.frames(client).as_slice() {
        [Received::Ping(payload)] => payload.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_quiet_but_answering_connection_stays_for_ever_and_is_pinged_once_per_interval() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    world.advance(secs(25 * 400));
    assert!(world.is_open(ann));
    assert_eq!(pings(&mut world, ann), 400);
}

#[test]
fn an_active_connection_is_pinged_for_its_round_trip_time_at_most_once_per_interval() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    for _ in 0..1_000 {
        world.advance(millis(250));
        world.says(ann, json!({"type": "ping"}));
    }
    assert_eq!(pings(&mut world, ann), 10);
}

#[test]
fn the_shortest_and_the_longest_interval_are_kept() {
    let year = secs(365 * 24 * 3_600);
    for (interval, intervals) in [(Duration::from_nanos(1), 100), (year, 4)] {
        let mut world = World::with(|config| config.health.ping_interval = interval);
        let ann = world.connect("ann", "lobby");
        world.advance(interval * intervals);
        assert_eq!(pings(&mut world, ann), intervals as usize, "{interval:?}");
    }
}

#[test]
fn the_first_ping_falls_at_random_in_its_interval() {
    let mut world = World::with(|config| config.presence.enabled = false);
    let clients: Vec<_> = (0..1_000)
        .map(|n| world.connect(&format!("u{n}"), "lobby"))
        .collect();
    let mut per_second = Vec::new();
    for _ in 0..25 {
        world.advance(secs(1));
        per_second.push(
            clients
                .iter()
                .map(|&client| pings(&mut world, client))
                .sum::<usize>(),
        );
    }
    assert_eq!(per_second.iter().sum::<usize>(), 1_000);
    assert!(
        per_second.iter().all(|&pings| (15..=70).contains(&pings)),
        "{per_second:?}"
    );
    // They stay spread.
    world.advance(secs(25 * 3));
    world.forget();
    world.advance(secs(1));
    let next = clients
        .iter()
        .map(|&client| pings(&mut world, client))
        .sum::<usize>();
    assert_eq!(next, per_second[0]);
}

#[test]
fn a_client_that_vanishes_is_evicted_within_interval_and_timeout() {
    for seed in 0..20 {
        let mut world = World::new();
        for n in 0..seed {
            world.connect(&format!("before{n}"), "");
        }
        let ann = world.connect("ann", "lobby");
        world.falls_silent(ann);
        world.advance(millis(10_000));
        assert!(world.is_open(ann), "not before a ping was not answered");
        world.advance(secs(25));
        assert!(world.is_gone(ann), "{seed}");
        assert_eq!(world.stats().closes["heartbeat_timeout"], 1);
        assert_eq!(world.close(ann), Some((4201, "heartbeat_timeout".into())));
    }
}

#[test]
fn any_inbound_byte_counts_as_life() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    world.peer_mut(ann).answers = false;
    for _ in 0..100 {
        world.advance(secs(9));
        world.happens(ann, Event::Heard);
    }
    assert!(world.is_open(ann));
}

#[test]
fn an_answer_at_the_last_moment_counts_and_input_comes_before_timers() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    world.peer_mut(ann).answers = false;
    world.forget();
    while world
        .frames(ann)
        .iter()
        .all(|frame| !matches!(frame, Received::Ping(_)))
    {
        world.advance(millis(1));
    }
    world.freeze(millis(10_000));
    world.happens(ann, Event::Heard);
    world.tick();
    assert!(world.is_open(ann));
}

#[test]
fn the_latest_round_trip_time_is_known_per_connection_and_as_a_histogram() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    world.peer_mut(ann).answers = false;
    assert_eq!(world.board.round_trip(world.id(ann)), None);
    assert_eq!(
        (world.stats().rtt_ms.p50, world.stats().rtt_ms.p99),
        (0.0, 0.0)
    );
    world.forget();
    for n in 0..100 {
        while world.peer(ann).frames.len() == world.peer(ann).seen {
            world.advance(millis(10));
        }
        let payload = ping(&mut world, ann);
        let rtt = if n < 50 { 20 } else { 200 };
        world.advance(millis(rtt));
        world.happens(ann, Event::Heard);
        world.happens(ann, Event::Pong(&payload));
        let measured = world.board.round_trip(world.id(ann)).unwrap();
        assert!(
            measured >= millis(rtt) && measured <= millis(rtt + 10),
            "{measured:?}"
        );
    }
    let rtt = world.stats().rtt_ms;
    assert!((20.0..=34.0).contains(&rtt.p50), "{rtt:?}");
    assert!((200.0..=240.0).contains(&rtt.p99), "{rtt:?}");
}

#[test]
fn a_late_or_made_up_pong_is_no_round_trip() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    world.happens(ann, Event::Pong(&[0; 8]));
    world.happens(ann, Event::Pong(b"what"));
    assert_eq!(world.board.round_trip(world.id(ann)), None);
}

#[test]
fn a_ping_times_out_from_when_it_has_left_and_not_from_when_it_was_queued() {
    let mut world = World::with(|config| config.timeouts.write_stall = secs(1_000));
    let ann = world.connect("ann", "lobby");
    world.advance(millis(300));
    world.peer_mut(ann).answers = false;
    // The partly written frame precedes the ping.
    world.stops_reading_after(ann, 5);
    world.send(ann, "what waits before the ping");
    world.advance(secs(100));
    assert!(world.is_open(ann), "no ping has left");
    // A frame stays queued until all of it is written.
    let waits = world.stats().queued_bytes - 5;
    world.reads(ann, waits - 1);
    world.advance(secs(100));
    assert!(world.is_open(ann), "it is not completely written");
    world.reads_all(ann);
    world.advance(millis(9_999));
    assert!(world.is_open(ann));
    world.advance(millis(1));
    assert_eq!(world.stats().closes["heartbeat_timeout"], 1);
}

#[test]
fn a_reader_that_is_slow_but_answers_is_kept() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    world.advance(millis(300));
    world.stops_reading_after(ann, 0);
    world.send(ann, &"x".repeat(100_000));
    // The frame is partly written, so each ping waits far longer than its timeout.
    for _ in 0..200 {
        world.reads(ann, 50);
        world.advance(secs(20));
        assert!(world.is_open(ann));
    }
}

#[test]
fn a_client_that_vanishes_while_blocked_is_found_by_the_write_stall() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    world.falls_silent(ann);
    world.stops_reading_after(ann, 0);
    world.advance(secs(25 + 30));
    assert!(!world.is_open(ann));
}

#[test]
fn while_we_do_not_read_the_ping_timeout_does_not_run() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    world.peer_mut(ann).answers = false;
    world.happens(ann, Event::Paused);
    world.advance(secs(100));
    assert!(world.is_open(ann));
    world.happens(ann, Event::Resumed);
    world.advance(millis(9_999));
    assert!(world.is_open(ann));
    world.advance(millis(1));
    assert!(!world.is_open(ann));
}

#[test]
fn reading_pauses_while_the_queue_is_long_and_so_does_the_ping_timeout() {
    let mut world = World::with(|config| {
        config.limits.pause_reading = Some(100);
        config.timeouts.write_stall = secs(1_000);
    });
    let ann = world.connect("ann", "lobby");
    world.advance(millis(300));
    world.peer_mut(ann).answers = false;
    world.stops_reading_after(ann, 0);
    world.send(ann, &"x".repeat(200));
    assert_eq!(
        world.board.read_mode(world.id(ann)),
        Ok(switchboard_core::ReadMode::Wait)
    );
    world.advance(secs(100));
    assert!(world.is_open(ann));
    world.reads(ann, 150);
    assert_eq!(
        world.board.read_mode(world.id(ann)),
        Ok(switchboard_core::ReadMode::Frames)
    );
    world.advance(secs(10));
    assert!(!world.is_open(ann), "it is read again, and is silent");
}

#[test]
fn leaving_a_room_that_made_the_queue_long_lets_reading_go_on() {
    let mut world = World::with(|config| {
        config.limits.pause_reading = Some(100);
        config.timeouts.write_stall = secs(1_000);
    });
    let ann = world.connect("ann", "lobby");
    world.advance(millis(300));
    world.falls_silent(ann);
    world.stops_reading_after(ann, 0);
    for _ in 0..10 {
        world.broadcast("lobby", "1234567890", Exclude::NOBODY);
    }
    world.advance(secs(30));
    world
        .board
        .leave(world.now, world.id(ann), "lobby")
        .unwrap();
    world.flush();
    world.reads_all(ann);
    world.advance(secs(35));
    assert!(!world.is_open(ann), "the ping timeout runs again");
}

#[test]
fn health_pings_are_off_by_default_and_on_demand_only_for_ping_user() {
    for health_ping in [HealthPing::Off, HealthPing::Demand] {
        let mut world = World::with(|config| config.health.health_ping = health_ping);
        let ann = world.connect("ann", "lobby");
        world.advance(secs(100));
        assert_eq!(world.messages_of(ann, "health_ping").len(), 0);
        world.board.ping_user(world.now, "ann", secs(2));
        assert_eq!(world.messages_of(ann, "health_ping").len(), 1);
    }
}

#[test]
fn where_health_pings_are_on_for_all_only_a_message_counts_as_life() {
    let mut world = World::with(|config| config.health.health_ping = HealthPing::All);
    let [ann, bob] = [world.connect("ann", "lobby"), world.connect("bob", "lobby")];
    for _ in 0..500 {
        world.advance(millis(500));
        // A proxy answers for a dead client, with pongs and other bytes.
        world.happens(bob, Event::Heard);
        world.happens(bob, Event::Pong(b""));
        for asked in world.messages_of(ann, "health_ping") {
            world.says(
                ann,
                json!({"type": "health_pong", "timestamp": asked["timestamp"]}),
            );
        }
    }
    assert!(world.is_open(ann));
    assert!(world.board.round_trip(world.id(ann)).is_some());
    assert!(!world.is_open(bob));
    assert_eq!(world.stats().closes["heartbeat_timeout"], 1);
}

#[test]
fn where_health_pings_are_on_any_message_counts_as_life() {
    let mut world = World::with(|config| config.health.health_ping = HealthPing::All);
    let ann = world.connect("ann", "lobby");
    for _ in 0..30 {
        world.advance(secs(9));
        world.says(ann, json!({"type": "ping"}));
    }
    assert!(world.is_open(ann));
}

#[test]
fn a_health_pong_has_no_answer_whatever_its_number() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    world.forget();
    world.says(ann, json!({"type": "health_pong", "timestamp": 99}));
    world.says(ann, json!({"type": "health_pong", "timestamp": -1}));
    assert_eq!(world.frames(ann), []);
    assert_eq!(world.board.round_trip(world.id(ann)), None);
}

#[test]
fn the_user_is_free_for_another_login_after_a_heartbeat_timeout() {
    let mut world = World::with(|config| config.users = UserPolicy::Reject);
    let ann = world.connect("ann", "lobby");
    world.falls_silent(ann);
    world.advance(secs(35));
    world.connect("ann", "lobby");
    let closed = |notice: &Notice| {
        matches!(
            notice,
            Notice::Closed {
                reason: CloseReason::HeartbeatTimeout,
                ..
            }
        )
    };
    assert_eq!(
        world.notices.iter().filter(|notice| closed(notice)).count(),
        1
    );
}

#[test]
fn pings_of_many_connections_share_their_moments() {
    let mut world = World::with(|config| config.presence.enabled = false);
    for n in 0..1_000 {
        world.connect(&format!("u{n}"), "lobby");
        world.advance(millis(1));
    }
    world.advance(secs(60));
    // 4 000 pings, and as many deadlines for their answers, at 20 moments per second each.
    let wakes = world.wakes_within(secs(100));
    assert!((1_000..=4_010).contains(&wakes), "{wakes}");
}

#[test]
fn connections_pinged_at_one_moment_share_a_ping_and_answer_for_themselves() {
    let mut world = World::with(|config| config.presence.enabled = false);
    let clients: Vec<_> = (0..1_000)
        .map(|n| world.connect(&format!("u{n}"), "lobby"))
        .collect();
    world.forget();
    world.advance(secs(25));
    let mut with_payload = BTreeMap::new();
    for &client in &clients {
        let of_it: &mut Vec<_> = with_payload.entry(ping(&mut world, client)).or_default();
        of_it.push(client);
    }
    // 500 moments in an interval, and 1 000 clients.
    let together = with_payload.values().find(|together| together.len() > 1);
    let (&answers, silent) = together
        .and_then(|together| together.split_first())
        .unwrap();
    for &client in silent {
        world.falls_silent(client);
    }
    world.advance(secs(25 + 25 + 10));
    assert!(world.is_open(answers));
    assert!(silent.iter().all(|&client| !world.is_open(client)));
}
