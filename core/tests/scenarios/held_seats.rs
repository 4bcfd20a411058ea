//! Seats of rooms, and those that are held for users who were lost (`docs/behaviour.md`, section 3).

use std::time::Duration;

use serde_json::json;
use switchboard_core::{CloseReason, Config, Event, RoomRule, UserPolicy};

use crate::world::{Client, World, millis, secs};

const HOLD: Duration = secs(10);

/// A node whose rooms `game` have so many seats, which are held.
fn game_of(members: usize, change: impl FnOnce(&mut Config)) -> World {
    World::with(|config| {
        config.room_rules = vec![RoomRule {
            prefix: "game".into(),
            members: Some(members),
            hold_seat: Some(HOLD),
            ..RoomRule::default()
        }];
        change(config);
    })
}

/// Whether somebody may connect to the room now.
fn is_free(world: &mut World, room: &str) -> bool {
    let stranger = world.tries("stranger", room);
    let free = world.is_open(stranger);
    if free {
        let id = world.id(stranger);
        let _ = world.board.close(world.now, id, CloseReason::Kicked);
        world.flush();
    }
    free
}

fn enters(world: &mut World, client: Client, room: &str) -> String {
    world.forget();
    world.says(client, json!({"type": "subscribe", "channel": room}));
    let answers = world.messages(client);
    let kinds = answers.iter().filter_map(|answer| match &answer["type"] {
        kind if kind == "error" => answer["code"].as_str(),
        kind if kind == "subscribed" => kind.as_str(),
        _ => None,
    });
    kinds.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_rule_sets_the_seats_of_its_rooms() {
    let mut world = game_of(2, |config| config.limits.room_members = 1);
    world.connect("ann", "game-1");
    world.connect("bob", "game-1");
    let cem = world.tries("cem", "game-1");
    assert_eq!(world.close(cem), Some((4002, "lobby_full".into())));
    world.connect("cem", "game-2");
    world.connect("dan", "lobby");
    assert!(!is_free(&mut world, "lobby"));
}

#[test]
fn the_seat_of_a_lost_user_is_held_for_that_user() {
    let mut world = game_of(2, |_| {});
    let ann = world.connect("ann", "game-1");
    world.connect("bob", "game-1");
    world.happens(ann, Event::Reset);
    assert_eq!(world.board.held_seats("game-1"), 1);
    assert_eq!(world.board.member_count("game-1"), 1);
    let have = ["ann", "bob", "cem"].map(|user| world.board.has_seat("game-1", user));
    assert_eq!(have, [true, true, false]);
    world.advance(HOLD.saturating_sub(millis(1)));
    assert!(!is_free(&mut world, "game-1"));
    world.connect("ann", "game-1");
    assert_eq!(world.board.held_seats("game-1"), 0);
    assert!(!is_free(&mut world, "game-1"));
}

#[test]
fn a_held_seat_is_free_after_its_time() {
    let mut world = game_of(2, |_| {});
    let ann = world.connect("ann", "game-1");
    world.connect("bob", "game-1");
    world.happens(ann, Event::Eof);
    world.advance(HOLD);
    assert!(is_free(&mut world, "game-1"));
    assert_eq!(world.board.held_seats("game-1"), 0);
}

#[test]
fn seats_are_held_in_a_room_that_has_lost_all_its_members() {
    let mut world = game_of(1, |_| {});
    let ann = world.connect("ann", "game-1");
    world.happens(ann, Event::Reset);
    assert_eq!(world.stats().active_rooms, 0);
    assert!(!is_free(&mut world, "game-1"));
    let bob = world.connect("bob", "");
    assert_eq!(enters(&mut world, bob, "game-1"), "room_full");
    let (id, now) = (world.id(bob), world.now);
    let error = world.board.join(now, id, "game-1").unwrap_err();
    assert_eq!(error.to_string(), "the room is full");
    let ann = world.connect("ann", "");
    assert_eq!(enters(&mut world, ann, "game-1"), "subscribed");
}

#[test]
fn the_seats_of_a_connection_that_is_replaced_are_held_in_rooms_to_which_its_user_has_yet_to_come_back()
 {
    let mut world = game_of(1, |_| {});
    let old = world.connect("ann", "hall");
    assert_eq!(enters(&mut world, old, "game-1"), "subscribed");
    let new = world.connect("ann", "hall");
    assert!(!is_free(&mut world, "game-1"));
    assert_eq!(enters(&mut world, new, "game-1"), "subscribed");
    // In a room that the newer connection has entered already, there is nothing to hold.
    let newest = world.connect("ann", "game-1");
    assert_eq!(world.board.members("game-1"), [world.id(newest)]);
    assert_eq!(world.board.held_seats("game-1"), 0);
}

#[test]
fn seats_are_held_after_ends_from_which_clients_come_back_at_once() {
    for (reason, held) in [
        (CloseReason::HeartbeatTimeout, 1),
        (CloseReason::TokenExpired, 1),
        (CloseReason::SlowConsumer, 1),
        (CloseReason::ClientClosed, 1),
        (CloseReason::Kicked, 0),
        (CloseReason::Forbidden, 0),
        (CloseReason::RateLimited, 0),
        (CloseReason::application(4400).expect("a code"), 0),
    ] {
        let mut world = game_of(1, |_| {});
        let ann = world.connect("ann", "game-1");
        let id = world.id(ann);
        let _ = world.board.close(world.now, id, reason);
        world.flush();
        assert_eq!(world.board.held_seats("game-1"), held, "{reason}");
    }
}

#[test]
fn who_leaves_or_is_put_out_has_no_seat_any_more() {
    let mut world = game_of(1, |_| {});
    let ann = world.connect("ann", "game-1");
    world.says(ann, json!({"type": "unsubscribe", "channel": "game-1"}));
    assert!(is_free(&mut world, "game-1"));
    assert_eq!(enters(&mut world, ann, "game-1"), "subscribed");
    world.happens(ann, Event::Reset);
    assert!(!is_free(&mut world, "game-1"));
    let now = world.now;
    let ended = world.board.disconnect_user(now, "ann", CloseReason::Kicked);
    assert_eq!(ended, 0);
    assert!(is_free(&mut world, "game-1"));
}

#[test]
fn the_application_makes_a_held_seat_free() {
    let mut world = game_of(1, |_| {});
    let ann = world.connect("ann", "game-1");
    world.happens(ann, Event::Reset);
    let now = world.now;
    assert!(!world.board.release_seat(now, "game-1", "bob"));
    assert!(world.board.release_seat(now, "game-1", "ann"));
    assert!(!world.board.release_seat(now, "game-1", "ann"));
    assert!(is_free(&mut world, "game-1"));
}

#[test]
fn only_the_last_connection_of_a_user_leaves_a_seat_behind() {
    let mut world = game_of(3, |config| config.users = UserPolicy::Allow(2));
    let [first, second] = [
        world.connect("ann", "game-1"),
        world.connect("ann", "game-1"),
    ];
    world.happens(first, Event::Reset);
    assert_eq!(world.board.held_seats("game-1"), 0);
    world.happens(second, Event::Reset);
    assert_eq!(world.board.held_seats("game-1"), 1);
    world.connect("ann", "game-1");
    assert_eq!(world.board.held_seats("game-1"), 0);
}

#[test]
fn no_seat_is_held_for_an_anonymous_connection() {
    let mut world = game_of(1, |_| {});
    let nobody = world.connect("", "game-1");
    world.happens(nobody, Event::Reset);
    assert!(is_free(&mut world, "game-1"));
}

#[test]
fn no_more_seats_are_held_for_a_user_than_a_connection_can_have() {
    let mut world = game_of(1, |config| config.limits.rooms_per_connection = 2);
    for room in ["game-1", "game-2", "game-3"] {
        let ann = world.connect("ann", room);
        world.happens(ann, Event::Reset);
    }
    let held = ["game-1", "game-2", "game-3"].map(|room| world.board.held_seats(room));
    assert_eq!(held, [1, 1, 0]);
}
