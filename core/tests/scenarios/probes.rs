//! `ping_user` (`docs/behaviour.md`, section 6).

use serde_json::json;
use switchboard_core::{Event, Notice, PingResult, UserPolicy, Wire};
use switchboard_kit::Received;

use crate::world::{Client, World, millis, secs};

fn pings(world: &mut World, client: Client) -> usize {
    let is_ping = |frame: &&Received| matches!(frame, Received::Ping(_));
    world.frames(client).iter().filter(is_ping).count()
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
