//! Section 6: who is still there.

use serde_json::json;
use switchboard_core::{
    CloseReason, Event, Exclude, HealthPing, Notice, PingResult, UserPolicy, Wire,
};

use crate::client::Received;
use crate::world::{Client, World, millis, secs};

fn pings(world: &mut World, client: Client) -> usize {
    let is_ping = |frame: &&Received| matches!(frame, Received::Ping(_));
    world.frames(client).iter().filter(is_ping).count()
}

/// The payload of the only ping that came since the last look.
fn ping(world: &mut World, client: Client) -> Vec<u8> {
    match world.frames(client).as_slice() {
        [Received::Ping(payload)] => payload.clone(),
        other => panic!("{other:?}"),
    }
}

fn pinged(world: &World, ticket: u64) -> Vec<PingResult> {
    let mut found = world.notices.iter().filter_map(|notice| match notice {
        Notice::Pinged {
            ticket: of,
            results,
        } if *of == ticket => Some(results.clone()),
        _ => None,
    });
    let results = found.next().expect("a result");
    assert!(found.next().is_none(), "one result per question");
    results
}

fn has_result(world: &World, ticket: u64) -> bool {
    let is = |notice: &Notice| matches!(notice, Notice::Pinged { ticket: of, .. } if *of == ticket);
    world.notices.iter().any(is)
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
    // And they stay spread.
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
fn who_vanishes_is_evicted_within_interval_and_timeout() {
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
        world.board.intake(world.id(ann)),
        Ok(switchboard_core::Intake::Wait)
    );
    world.advance(secs(100));
    assert!(world.is_open(ann));
    world.reads(ann, 150);
    assert_eq!(
        world.board.intake(world.id(ann)),
        Ok(switchboard_core::Intake::Frames)
    );
    world.advance(secs(10));
    assert!(!world.is_open(ann), "it is read again, and says nothing");
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
        // A proxy answers for the dead, with pongs and with any bytes.
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
fn ping_user_asks_all_devices_and_gives_a_result_per_connection() {
    let mut world = World::with(|config| config.users = UserPolicy::Allow(3));
    let devices = [
        world.connect("ann", ""),
        world.connect("ann", ""),
        world.connect("ann", ""),
    ];
    world.forget();
    let ticket = world.board.ping_user(world.now, "ann", secs(2));
    world.advance(millis(40));
    for &device in &devices[..2] {
        let asked = world.messages_of(device, "health_ping").remove(0);
        world.says(
            device,
            json!({"type": "health_pong", "timestamp": asked["timestamp"]}),
        );
    }
    assert!(!has_result(&world, ticket));
    world.advance(millis(1_960));
    let expected = [Some(millis(40)), Some(millis(40)), None];
    let results = pinged(&world, ticket);
    assert_eq!(
        results.iter().map(|result| result.rtt).collect::<Vec<_>>(),
        expected
    );
    let ids = devices.map(|device| world.id(device));
    assert_eq!(
        results.iter().map(|result| result.id).collect::<Vec<_>>(),
        ids
    );
}

#[test]
fn the_result_comes_as_soon_as_everybody_has_answered_or_gone() {
    let mut world = World::with(|config| config.users = UserPolicy::Allow(2));
    let [a, b] = [world.connect("ann", ""), world.connect("ann", "")];
    world.forget();
    let ticket = world.board.ping_user(world.now, "ann", secs(2));
    let asked = world.messages_of(a, "health_ping").remove(0);
    world.says(
        a,
        json!({"type": "health_pong", "timestamp": asked["timestamp"]}),
    );
    assert!(!has_result(&world, ticket));
    world.happens(b, Event::Eof);
    let results = pinged(&world, ticket);
    assert_eq!((results[0].rtt, results[1].rtt), (Some(secs(0)), None));
}

#[test]
fn several_questions_at_once_do_not_disturb_each_other() {
    let mut world = World::new();
    let ann = world.connect("ann", "");
    world.forget();
    let first = world.board.ping_user(world.now, "ann", secs(2));
    world.advance(millis(100));
    let second = world.board.ping_user(world.now, "ann", secs(2));
    world.advance(millis(100));
    let asked = world.messages_of(ann, "health_ping");
    assert_ne!(asked[0]["timestamp"], asked[1]["timestamp"]);
    world.says(
        ann,
        json!({"type": "health_pong", "timestamp": asked[1]["timestamp"]}),
    );
    assert_eq!(pinged(&world, second)[0].rtt, Some(millis(100)));
    assert!(!has_result(&world, first));
    world.says(
        ann,
        json!({"type": "health_pong", "timestamp": asked[1]["timestamp"]}),
    );
    world.advance(secs(2));
    assert_eq!(pinged(&world, first)[0].rtt, None);
    world.says(
        ann,
        json!({"type": "health_pong", "timestamp": asked[0]["timestamp"]}),
    );
    assert_eq!(pinged(&world, first).len(), 1, "too late is too late");
}

#[test]
fn nobody_to_ask_is_a_result_at_once() {
    let mut world = World::new();
    let ticket = world.board.ping_user(world.now, "ann", secs(2));
    world.flush();
    assert_eq!(pinged(&world, ticket), []);
    assert_eq!(world.board.audit(), Ok(()));
}

#[test]
fn without_json_ping_user_uses_pings_with_payloads_of_their_own() {
    let mut world = World::with(|config| config.wire = Wire::Raw);
    let ann = world.connect("ann", "");
    world.peer_mut(ann).answers = false;
    let first = world.board.ping_user(world.now, "ann", secs(2));
    let second = world.board.ping_user(world.now, "ann", secs(2));
    let frames = world.frames(ann);
    let [Received::Ping(one), Received::Ping(two)] = frames.as_slice() else {
        panic!("{frames:?}");
    };
    assert_ne!(one, two);
    world.advance(millis(5));
    world.happens(ann, Event::Pong(two));
    assert_eq!(pinged(&world, second)[0].rtt, Some(millis(5)));
    assert!(!has_result(&world, first));
}

#[test]
fn ping_user_counts_as_no_heartbeat_and_disturbs_none() {
    let mut world = World::new();
    let ann = world.connect("ann", "");
    for _ in 0..100 {
        world.board.ping_user(world.now, "ann", secs(2));
        world.advance(secs(5));
    }
    assert!(world.is_open(ann));
    assert_eq!(pings(&mut world, ann), 20);
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
