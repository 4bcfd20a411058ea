//! What waits for members that do not read: positions, never copies.

use crate::heap::Heap;
use crate::world::{World, config};

const MEMBERS: u32 = 1_000;
/// Heap bytes for a member that is behind: its place among the blocked ones, and the rest of a frame.
const PER_MEMBER: i64 = 256;

#[test]
fn a_message_of_64_kib_to_a_thousand_members_is_held_once_whoever_reads() {
    let content = format!("{:?}", "x".repeat(64_000));
    for taken in [0, 100, usize::MAX] {
        let mut config = config();
        config.presence.enabled = false;
        let mut world = World::new(config);
        for number in 0..MEMBERS {
            world.enter_alone(number, Some("room"));
        }
        world.flush();
        let mut heap = Heap::default();
        heap.during(|| world.broadcast("room", &content));
        let once = i64::try_from(content.len()).expect("a length") + 4_096;
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
