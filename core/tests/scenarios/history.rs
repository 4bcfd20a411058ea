//! What rooms keep of their messages, and for how long (`docs/behaviour.md`, section 4).

use std::ops::Bound::{self, Excluded, Included, Unbounded};

use serde_json::json;
use switchboard_core::{Config, Event, Exclude, JoinError, RoomHistory, RoomRule, SlowPolicy};

use crate::world::{World, millis, secs};

/// A world whose rooms keep this many messages.
fn keeping(messages: usize) -> World {
    keeping_with(messages, |_| {})
}

fn keeping_with(messages: usize, change: impl FnOnce(&mut Config)) -> World {
    World::with(|config| {
        config.history.messages = messages;
        change(config);
    })
}

/// Rooms, messages, bytes.
fn kept(world: &World) -> (usize, usize, usize) {
    let history = world.stats().history;
    (history.rooms, history.messages, history.bytes)
}

#[test]
fn the_last_messages_are_kept_within_count_bytes_and_age() {
    let mut world = keeping_with(3, |config| config.history.room_bytes = 1_000);
    world.connect("ann", "lobby");
    let frame = 2 + r#"{"type":"message","channel":"lobby","content":0,"seq":1}"#.len();
    for messages in [1, 2, 3, 3] {
        world.broadcast("lobby", "0", Exclude::NOBODY);
        assert_eq!(kept(&world), (1, messages, messages * (frame + 112)));
    }
    let large = format!("{:?}", "x".repeat(500));
    world.broadcast("lobby", &large, Exclude::NOBODY);
    assert_eq!(kept(&world).1, 2, "the bytes allow no more");
    world.broadcast(
        "lobby",
        &format!("{:?}", "x".repeat(1_000)),
        Exclude::NOBODY,
    );
    assert_eq!(kept(&world), (1, 0, 0), "not even this one");
    world.broadcast("lobby", "0", Exclude::NOBODY);
    world.advance(secs(299));
    world.broadcast("lobby", "0", Exclude::NOBODY);
    assert_eq!(kept(&world).1, 2);
    world.advance(secs(1));
    assert_eq!(kept(&world).1, 1);
    world.advance(secs(299));
    assert_eq!(kept(&world), (1, 0, 0));
}

#[test]
fn what_is_only_history_does_not_count_as_queued() {
    let mut world = keeping(10);
    let ann = world.connect("ann", "lobby");
    world.stops_reading_after(ann, 0);
    world.broadcast("lobby", "0", Exclude::NOBODY);
    assert!(world.stats().queued_bytes > 0);
    world.reads_all(ann);
    assert_eq!(world.stats().queued_bytes, 0);
    assert_eq!(kept(&world).1, 1);
}

#[test]
fn a_room_with_history_outlives_its_members_until_it_has_lingered() {
    let mut world = keeping(10);
    let ann = world.connect("ann", "lobby");
    let epoch = world.messages_of(ann, "subscribed")[0]["epoch"].clone();
    world.says(ann, json!({"type": "unsubscribe", "channel": "lobby"}));
    let stats = world.stats();
    assert_eq!((stats.active_rooms, stats.history.rooms), (0, 1));
    world.advance(secs(599));
    let receipt = world.broadcast("lobby", "1", Exclude::NOBODY);
    assert_eq!((receipt.seq, receipt.accepted), (Some(1), 0));
    // It lingers anew.
    world.advance(secs(599));
    world.says(ann, json!({"type": "subscribe", "channel": "lobby"}));
    let subscribed = &world.messages_of(ann, "subscribed")[0];
    assert_eq!(
        (&subscribed["epoch"], &subscribed["seq"]),
        (&epoch, &json!(1))
    );
    world.says(ann, json!({"type": "unsubscribe", "channel": "lobby"}));
    world.advance(secs(600));
    assert_eq!(kept(&world), (0, 0, 0));
    world.says(ann, json!({"type": "subscribe", "channel": "lobby"}));
    let subscribed = &world.messages_of(ann, "subscribed")[0];
    assert_ne!(subscribed["epoch"], epoch);
    assert_eq!(subscribed["seq"], 0);
}

#[test]
fn a_broadcast_to_a_room_that_does_not_exist_is_stored_where_the_rule_keeps_history() {
    let mut world = World::with(|config| {
        config.room_rules = vec![RoomRule {
            prefix: "kept".into(),
            history: RoomHistory {
                messages: Some(5),
                ..RoomHistory::default()
            },
            ..RoomRule::default()
        }];
    });
    assert_eq!(world.broadcast("kept/1", "1", Exclude::NOBODY).seq, Some(1));
    assert_eq!(world.broadcast("kept/1", "1", Exclude::NOBODY).seq, Some(2));
    assert_eq!(world.broadcast("lost", "1", Exclude::NOBODY).seq, None);
    let long = format!("kept/{}", "x".repeat(200));
    assert_eq!(world.broadcast(&long, "1", Exclude::NOBODY).seq, None);
    let stats = world.stats();
    assert_eq!((stats.active_rooms, stats.history.rooms), (0, 1));
    world.advance(secs(600));
    assert_eq!(world.stats().history.rooms, 0);
    assert_eq!(world.board.next_deadline(), None);
}

#[test]
fn a_room_without_members_counts_for_no_limit_on_rooms() {
    let mut world = keeping_with(5, |config| config.limits.rooms = 1);
    world.broadcast("a", "1", Exclude::NOBODY);
    world.broadcast("b", "1", Exclude::NOBODY);
    let ann = world.connect("ann", "a");
    // To enter one is like creating it.
    let joined = world.board.join(world.now, world.id(ann), "b");
    assert_eq!(joined, Err(JoinError::NoMoreRooms));
    world.says(ann, json!({"type": "unsubscribe", "channel": "a"}));
    world.board.join(world.now, world.id(ann), "b").unwrap();
    world.flush();
    assert_eq!(world.stats().active_rooms, 1);
}

#[test]
fn of_too_many_rooms_without_members_the_one_that_would_end_first_goes() {
    let mut world = keeping_with(5, |config| config.history.rooms = 2);
    for room in ["a", "b", "c"] {
        world.broadcast(room, "1", Exclude::NOBODY);
        world.advance(secs(1));
    }
    assert_eq!(world.stats().history.rooms, 2);
    let ann = world.connect("ann", "");
    let seq = |world: &mut World, room: &str| {
        world.says(ann, json!({"type": "subscribe", "channel": room}));
        world.messages_of(ann, "subscribed")[0]["seq"].clone()
    };
    assert_eq!(seq(&mut world, "c"), 1);
    assert_eq!(seq(&mut world, "b"), 1);
    assert_eq!(seq(&mut world, "a"), 0, "it begins anew");
}

#[test]
fn who_ends_as_the_last_member_of_several_rooms_leaves_as_many_as_may_be() {
    let mut world = keeping_with(5, |config| config.history.rooms = 1);
    for end in [Event::Eof, Event::Reset, Event::Close(None)] {
        let ann = world.connect("ann", "a");
        for room in ["b", "c"] {
            world.says(ann, json!({"type": "subscribe", "channel": room}));
        }
        assert_eq!(kept(&world).0, 3, "a room with members does not count");
        world.happens(ann, end);
        assert_eq!(kept(&world).0, 1);
        assert_eq!(world.board.audit(), Ok(()));
    }
}

#[test]
fn presence_ends_with_the_last_member_and_begins_anew() {
    let mut world = keeping_with(5, |config| config.presence.leave_grace = secs(3));
    let ann = world.connect("ann", "lobby");
    world.happens(ann, Event::Eof);
    assert_eq!(world.board.room_users("lobby").len(), 0);
    let bob = world.connect("bob", "lobby");
    world.advance(secs(5));
    let lists = world.messages_of(bob, "presence");
    assert_eq!(lists.last().unwrap()["users"], json!(["bob"]));
    assert_eq!(world.stats().users, 1);
}

#[test]
fn over_the_bound_of_all_histories_the_oldest_messages_go() {
    let mut world = keeping_with(100, |config| config.history.bytes = 2_000);
    for n in 0..50 {
        world.broadcast(if n % 2 == 0 { "a" } else { "b" }, "1", Exclude::NOBODY);
        world.advance(millis(1));
        assert!(kept(&world).2 <= 2_000);
    }
    assert!(kept(&world).2 > 1_700);
}

#[test]
fn a_slow_member_of_a_room_that_catches_up_loses_only_what_has_left_the_history() {
    let mut world = keeping_with(6, |config| {
        config.slow = SlowPolicy::CatchUp;
        config.limits.queue_messages = 2;
    });
    let ann = world.connect("ann", "lobby");
    world.advance(millis(300));
    world.forget();
    world.stops_reading_after(ann, 0);
    let mut lost = 0;
    for n in 1..=6 {
        lost += world
            .broadcast("lobby", "0", Exclude::NOBODY)
            .dropped_oldest;
        assert_eq!(world.stats().lagging, usize::from(n > 2));
    }
    assert_eq!(lost, 0);
    for _ in 7..=9 {
        lost += world
            .broadcast("lobby", "0", Exclude::NOBODY)
            .dropped_oldest;
    }
    assert_eq!(lost, 3);
    world.reads_all(ann);
    let seqs: Vec<_> = world.messages_of(ann, "message");
    let seqs: Vec<_> = seqs.iter().map(|it| it["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, [4, 5, 6, 7, 8, 9]);
    assert_eq!(world.stats().lagging, 0);
}

#[test]
fn the_application_reads_the_position_and_the_messages_of_a_room() {
    let mut world = keeping(3);
    assert_eq!(world.board.position("lobby"), None);
    assert_eq!(world.board.history(world.now, "lobby", ..), None);
    let ann = world.connect("ann", "lobby");
    let epoch = world.messages_of(ann, "subscribed")[0]["epoch"].clone();
    for n in 1..=5 {
        world.broadcast("lobby", &n.to_string(), Exclude::NOBODY);
    }
    let position = world.board.position("lobby").unwrap();
    assert_eq!((Some(&*position.epoch), position.seq), (epoch.as_str(), 5));
    let now = world.now;
    let mut seqs = |range: (Bound<u64>, Bound<u64>)| {
        let excerpt = world.board.history(now, "lobby", range).unwrap();
        assert_eq!((&excerpt.position, excerpt.first), (&position, 3));
        let messages = excerpt.messages.iter();
        let seqs: Vec<u64> = messages.map(|message| message.seq).collect();
        seqs
    };
    assert_eq!(seqs((Unbounded, Unbounded)), [3, 4, 5]);
    assert_eq!(seqs((Included(4), Unbounded)), [4, 5]);
    assert_eq!(seqs((Excluded(3), Excluded(5))), [4]);
    assert_eq!(seqs((Unbounded, Excluded(0))), [0; 0]);
    assert_eq!(seqs((Excluded(u64::MAX), Included(0))), [0; 0]);
    let excerpt = world.board.history(now, "lobby", 5..).unwrap();
    let json = excerpt.messages[0].as_json();
    let last = world.last(ann);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(json).unwrap(),
        last
    );
}
