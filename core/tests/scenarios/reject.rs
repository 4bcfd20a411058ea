//! The `Reject` policy: a dead connection does not keep its user out (`docs/protocol.md`, section
//! 4).

use serde_json::json;
use switchboard_core::{Config, Event, HealthPing, ReadMode, UserPolicy};
use switchboard_kit::Received;

use crate::world::{Client, World, millis, secs};

/// Ann under `Reject`, silent for a while.
fn silent(change: impl FnOnce(&mut Config)) -> (World, Client) {
    let mut world = World::with(|config| {
        config.users = UserPolicy::Reject;
        // Longer than these tests, so that regular pings do not interfere.
        config.health.ping_interval = secs(100_000);
        change(config);
    });
    let old = world.connect("ann", "lobby");
    world.advance(secs(5));
    (world, old)
}

#[test]
fn a_newcomer_replaces_a_connection_that_answers_nothing_for_a_second() {
    let (mut world, old) = silent(|_| {});
    world.falls_silent(old);
    let new = world.tries("ann", "lobby");
    assert!(world.is_open(old) && !world.is_open(new), "it is asked");
    world.advance(millis(999));
    assert!(world.is_open(old) && !world.is_open(new));
    world.advance(millis(1));
    assert_eq!(world.close(old), Some((1000, "replaced".into())));
    assert_eq!(world.board.connections_of("ann"), [world.id(new)]);
    assert_eq!(world.board.members("lobby"), [world.id(new)]);
    let stats = world.stats();
    assert_eq!((stats.total_connections, stats.refused.len()), (1, 0));
}

#[test]
fn a_newcomer_whose_login_expires_while_it_waits_is_closed_as_it_is_admitted() {
    let (mut world, old) = silent(|_| {});
    world.falls_silent(old);
    let new = world.tries("ann:1", "lobby");
    world.advance(secs(1));
    assert_eq!(world.close(old), Some((1000, "replaced".into())));
    assert_eq!(world.close(new), Some((4202, "token_expired".into())));
    let before = world.notices.len();
    world.tick();
    assert_eq!(world.notices[before..], [], "a second tick does nothing");
}

#[test]
fn a_connection_that_answers_when_asked_is_kept() {
    let (mut world, old) = silent(|_| {});
    let new = world.tries("ann", "lobby");
    world.advance(secs(1));
    assert_eq!(world.close(new), Some((4005, "already_connected".into())));
    assert!(world.is_open(old));
    assert!(pinged(&mut world, old));
    assert_eq!(world.stats().closes.len(), 0);
}

fn pinged(world: &mut World, client: Client) -> bool {
    let frames = world.frames(client);
    frames.iter().any(|it| matches!(it, Received::Ping(_)))
}

#[test]
fn a_ping_that_is_out_for_a_second_needs_no_other() {
    let mut world = World::with(|config| config.users = UserPolicy::Reject);
    let old = world.connect("ann", "lobby");
    world.falls_silent(old);
    for _ in 0..2_500 {
        if pinged(&mut world, old) {
            break;
        }
        world.advance(millis(10));
    }
    world.advance(secs(1));
    let new = world.tries("ann", "lobby");
    assert!(world.is_open(new), "at once");
    assert_eq!(world.stats().closes["replaced"], 1);
}

#[test]
fn a_connection_whose_socket_takes_nothing_for_a_second_is_replaced_at_once() {
    let (mut world, old) = silent(|_| {});
    world.stops_reading_after(old, 0);
    world.send(old, "what the dead network never takes");
    world.advance(millis(500));
    let early = world.tries("ann", "lobby");
    assert!(
        !world.is_open(early) && world.is_open(old),
        "not for a second yet"
    );
    world.happens(early, Event::Eof);
    world.advance(millis(500));
    let new = world.tries("ann", "lobby");
    assert!(world.is_open(new));
    assert_eq!(world.board.connections_of("ann"), [world.id(new)]);
}

#[test]
fn a_connection_that_we_do_not_read_counts_as_alive() {
    let (mut world, old) = silent(|_| {});
    world.falls_silent(old);
    world.happens(old, Event::Paused);
    let new = world.tries("ann", "lobby");
    world.advance(secs(1));
    assert_eq!(world.close(new), Some((4005, "already_connected".into())));
    assert!(world.is_open(old));
}

#[test]
fn a_connection_that_is_leaving_gives_its_place_at_once() {
    let mut world = World::with(|config| config.users = UserPolicy::Reject);
    let old = world.connect("ann", "lobby");
    world.happens(old, Event::Leaving);
    assert!(world.is_open(old), "its answers are still to come");
    let new = world.tries("ann", "lobby");
    assert!(world.is_open(new));
    assert_eq!(world.close(old), Some((1000, "replaced".into())));
    assert_eq!(world.board.members("lobby"), [world.id(new)]);
}

#[test]
fn a_connection_that_leaves_while_it_is_asked_gives_its_place() {
    let (mut world, old) = silent(|_| {});
    let new = world.tries("ann", "lobby");
    world.advance(millis(500));
    world.happens(old, Event::Heard);
    world.happens(old, Event::Leaving);
    world.advance(millis(500));
    assert!(world.is_open(new));
    assert_eq!(world.board.connections_of("ann"), [world.id(new)]);
}

#[test]
fn the_first_of_two_newcomers_gets_in_and_is_then_alive() {
    let (mut world, old) = silent(|_| {});
    world.falls_silent(old);
    let first = world.tries("ann", "lobby");
    world.advance(millis(400));
    let second = world.tries("ann", "lobby");
    world.advance(secs(1));
    assert!(world.is_open(first));
    assert_eq!(
        world.close(second),
        Some((4005, "already_connected".into()))
    );
}

#[test]
fn a_newcomer_gets_in_when_the_old_connection_ends_meanwhile() {
    let (mut world, old) = silent(|_| {});
    world.falls_silent(old);
    let new = world.tries("ann", "lobby");
    world.happens(old, Event::Reset);
    world.advance(secs(1));
    assert!(world.is_open(new));
    assert_eq!(world.stats().closes.get("replaced"), None);
}

#[test]
fn a_newcomer_that_waits_for_the_verdict_is_not_read_and_may_leave() {
    let (mut world, old) = silent(|_| {});
    world.falls_silent(old);
    let new = world.connect_to_log_in("lobby");
    world.says(new, json!({"type": "auth", "token": "ann:60"}));
    assert_eq!(world.board.read_mode(world.id(new)), Ok(ReadMode::Wait));
    assert!(world.board.is_undecided(world.id(new)));
    world.advance(millis(500));
    let gone = world.tries("ann", "lobby");
    world.happens(gone, Event::Eof);
    world.advance(millis(500));
    assert!(
        world.is_open(new),
        "the timeout of the first message is over"
    );
    assert_eq!(world.board.read_mode(world.id(new)), Ok(ReadMode::Frames));
    assert!(world.is_gone(gone));
    assert_eq!(world.board.connections_of("ann"), [world.id(new)]);
    // The identity is valid for 60 s from the application's answer.
    world.advance(millis(58_999));
    assert!(world.is_open(new));
    world.advance(millis(1));
    assert_eq!(world.close(new).unwrap().0, 4202);
}

#[test]
fn a_drain_refuses_who_waits_for_the_answer() {
    let (mut world, old) = silent(|_| {});
    world.falls_silent(old);
    let new = world.tries("ann", "lobby");
    world.board.drain(world.now, secs(10), secs(10));
    world.flush();
    assert_eq!(world.close(new).unwrap().0, 1012);
    world.advance(secs(2));
    assert!(!world.is_open(new));
}

#[test]
fn where_health_is_asked_by_message_so_is_a_silent_connection() {
    let (mut world, old) = silent(|config| {
        config.health.health_ping = HealthPing::All;
    });
    world.forget();
    let new = world.tries("ann", "lobby");
    let asked = world.messages_of(old, "health_ping");
    assert_eq!(asked.len(), 1);
    let answer = json!({"type": "health_pong", "timestamp": asked[0]["timestamp"]});
    world.says(old, answer);
    world.advance(secs(1));
    assert_eq!(world.close(new).unwrap().0, 4005);
    assert!(world.is_open(old));
}
