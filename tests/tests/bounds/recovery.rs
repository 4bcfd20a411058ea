//! What those hold who come back, or do not read: positions, never copies.

use switchboard_core::{ConnectionId, Event, SlowPolicy};

use crate::heap::Heap;
use crate::world::{World, config};

const MEMBERS: u32 = 1_000;
/// Heap bytes for a member that is behind: its place among the blocked ones, and the rest of a frame.
const PER_MEMBER: i64 = 256;

fn without_presence(change: impl FnOnce(&mut switchboard_core::Config)) -> World {
    let mut config = config();
    config.presence.enabled = false;
    change(&mut config);
    World::new(config)
}

#[test]
fn a_message_of_64_kib_to_a_thousand_members_is_held_once_whoever_reads() {
    let content = format!("{:?}", "x".repeat(64_000));
    for taken in [0, 100, usize::MAX] {
        let mut world = without_presence(|_| {});
        for number in 0..MEMBERS {
            world.enter_alone(number, Some("room"));
        }
        world.flush();
        let mut heap = Heap::default();
        heap.during(|| world.broadcast("room", &content));
        let once = content.len() as i64 + 4_096;
        assert!(heap.held() <= once, "{} bytes before a turn", heap.held());
        let held = world.board.stats(world.now).queued_bytes;
        assert!(held <= content.len() + 128, "{held} bytes are counted");
        heap.during(|| world.write(|_, bytes| bytes.len().min(taken)));
        let most = once + i64::from(MEMBERS) * PER_MEMBER;
        assert!(heap.peak() <= most, "{} bytes at once", heap.peak());
        let held = world.board.stats(world.now).queued_bytes;
        assert!(held <= content.len() + 128, "{held} bytes are counted");
    }
}

/// Clients that have left come back at once, name their position, and do not read.
#[test]
fn clients_that_come_back_at_once_hold_positions_and_at_most_half_of_the_bound() {
    let bound = 1 << 20;
    let mut world = without_presence(|config| {
        config.slow = SlowPolicy::CatchUp;
        config.history.messages = 100;
        config.history.room_bytes = 16 << 20;
        config.limits.queued_bytes = bound;
    });
    let content = format!("{:?}", "x".repeat(2_000));
    for _ in 0..100 {
        world.broadcast("room", &content);
    }
    let position = world.board.position("room").expect("it is kept");
    let epoch = position.epoch;
    let ids: Vec<ConnectionId> = (0..5 * MEMBERS)
        .map(|number| world.enter_alone(number, None))
        .collect();
    world.flush();
    let mut heap = Heap::default();
    heap.during(|| {
        for &id in &ids {
            let since = format!(r#"{{"epoch":"{epoch}","seq":0}}"#);
            world.say(
                id,
                &format!(r#"{{"type":"subscribe","channel":"room","since":{since}}}"#),
            );
        }
        world.write(|_, bytes| bytes.len().min(1_000));
        // The room goes on, faster than any of them.
        for _ in 0..1_000 {
            world.broadcast("room", &content);
            world.write(|_, _| 0);
        }
    });
    let each = heap.held() / i64::from(5 * MEMBERS);
    assert!(each <= 2 * PER_MEMBER, "{each} bytes for each");
    let stats = world.board.stats(world.now);
    assert_eq!((stats.recoveries.ok, stats.lagging), (5_000, 5_000));
    assert!(
        stats.queued_bytes <= bound / 2,
        "{} bytes are counted",
        stats.queued_bytes
    );
    assert_eq!(stats.total_connections, ids.len(), "nobody is closed");
    for &id in &ids {
        world.happens(id, Event::Writable);
    }
    world.flush();
    assert_eq!(world.board.stats(world.now).lagging, 0);
    world.audit();
}
