//! Volatile messages (`docs/behaviour.md`, section 3).

use serde_json::{Value, json};
use switchboard_core::protocol::Content;
use switchboard_core::{Exclude, Receipt, SlowPolicy};

use crate::world::{World, secs};

impl World {
    fn broadcast_volatile(&mut self, room: &str, content: &str) -> Receipt {
        let content = Content::parse(content).expect("JSON");
        let to = Exclude::NOBODY;
        let sent = self
            .board
            .broadcast_volatile(self.now, room, content, None, to);
        self.flush();
        sent.expect("it is not refused")
    }
}

/// Returns the outcome for the members: accepted, and dropped.
fn outcome(receipt: Receipt) -> (usize, usize) {
    assert_eq!((receipt.seq, receipt.closed), (None, 0));
    (receipt.accepted, receipt.dropped_volatile)
}

#[test]
fn it_has_no_number_is_not_kept_and_is_acknowledged_without_one() {
    let mut world = World::with(|config| {
        config.history.messages = 10;
        config.history.on_join = 10;
    });
    let (ann, bob) = (world.connect("ann", "lobby"), world.connect("bob", "lobby"));
    world.forget();
    world.says(
        ann,
        json!({"type":"message","content":"…","volatile":true,"id":1}),
    );
    assert_eq!(world.messages(ann), [json!({"type":"ack","id":1})]);
    let told = json!({"type":"message","channel":"lobby","content":"…","sender":"ann"});
    assert_eq!(world.messages(bob), [told]);
    world.says(
        ann,
        json!({"type":"message","content":1,"volatile":true,"echo":true}),
    );
    let told = json!({"type":"message","channel":"lobby","content":1,"sender":"ann"});
    assert_eq!(world.messages(ann), [told]);
    assert_eq!(outcome(world.broadcast_volatile("lobby", "2")), (2, 0));
    let receipt = world.broadcast("lobby", "3", Exclude::NOBODY);
    assert_eq!(receipt.seq, Some(1));
    let cat = world.connect("cat", "lobby");
    assert_eq!(world.messages_of(cat, "message").len(), 1);
    assert_eq!(world.stats().history.messages, 1);
    assert_eq!(outcome(world.broadcast_volatile("nowhere", "2")), (0, 0));
}

#[test]
fn who_has_something_waiting_in_the_room_misses_it_and_that_is_counted() {
    let mut world = World::new();
    let (ann, bob) = (world.connect("ann", "lobby"), world.connect("bob", "lobby"));
    world.says(bob, json!({"type":"subscribe","channel":"other"}));
    world.forget();
    world.stops_reading_after(bob, 0);
    world.broadcast("lobby", "1", Exclude::NOBODY);
    assert_eq!(outcome(world.broadcast_volatile("lobby", "2")), (1, 1));
    assert_eq!(world.messages_of(ann, "message").len(), 2);
    // Nothing waits for it in the other room, but its socket takes no bytes.
    assert_eq!(outcome(world.broadcast_volatile("other", "3")), (1, 0));
    world.reads_all(bob);
    let messages = world.messages_of(bob, "message");
    let contents: Vec<&Value> = messages.iter().map(|it| &it["content"]).collect();
    assert_eq!(contents[0], &json!(1));
    assert!(!contents.contains(&&json!(2)));
    assert_eq!(world.stats().dropped.get("volatile"), Some(&1));
}

#[test]
fn who_is_found_blocked_by_it_loses_it_and_nothing_else_for_it() {
    for slow in [
        SlowPolicy::Disconnect,
        SlowPolicy::DropOldest,
        SlowPolicy::DropNewest,
    ] {
        let mut world = World::with(|config| {
            config.slow = slow;
            config.limits.queue_messages = 10;
            config.presence.enabled = false;
        });
        let (ann, bob) = (world.connect("ann", "lobby"), world.connect("bob", "lobby"));
        world.forget();
        world.stops_reading_after(bob, 0);
        assert_eq!(outcome(world.broadcast_volatile("lobby", "0")), (2, 0));
        assert_eq!(world.stats().dropped.get("volatile"), Some(&1));
        assert_eq!(world.stats().queued_bytes, 0);
        world.broadcast("lobby", "1", Exclude::NOBODY);
        for _ in 0..100 {
            assert_eq!(outcome(world.broadcast_volatile("lobby", "2")), (1, 1));
        }
        assert_eq!(world.stats().dropped.get("volatile"), Some(&101));
        assert!(world.is_open(bob));
        world.reads_all(bob);
        let messages = world.messages(bob);
        assert_eq!((messages.len(), &messages[0]["content"]), (1, &json!(1)));
        assert_eq!(world.messages_of(ann, "message").len(), 102);
    }
}

#[test]
fn where_other_messages_are_refused_it_is_dropped() {
    let mut world = World::with(|config| {
        config.limits.queue_bytes = 2_000;
        config.limits.queued_bytes = 2_000;
        config.timeouts.write_stall = secs(3_600);
    });
    let ann = world.connect("ann", "lobby");
    let large = format!("{:?}", "x".repeat(1_500));
    let content = Content::parse(&large).expect("JSON");
    for _ in 0..2 {
        // Nobody has a turn to write between these.
        let to = Exclude::NOBODY;
        let _ = world.board.broadcast(world.now, "lobby", content, None, to);
    }
    let refused = world
        .board
        .broadcast(world.now, "lobby", content, None, Exclude::NOBODY);
    assert!(refused.is_err());
    let content = Content::parse("1").expect("JSON");
    let to = Exclude::NOBODY;
    let sent = world
        .board
        .broadcast_volatile(world.now, "lobby", content, None, to);
    assert_eq!(outcome(sent.expect("it is not refused")), (0, 1));
    world.flush();
    assert!(world.is_open(ann));
}
