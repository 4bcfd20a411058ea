//! A broadcast allocates its frame once.

use crate::heap::Heap;
use crate::world::{World, config};

/// Returns the blocks and bytes that a broadcast to `members` costs after a first one, writing
/// included. All members take it at once.
fn costs(members: u32, content: &str) -> (u64, u64) {
    let mut config = config();
    config.presence.enabled = false;
    let mut world = World::new(config);
    for number in 0..members {
        world.enter_alone(number, Some("room"));
    }
    world.flush();
    for _ in 0..2 {
        world.broadcast("room", content);
        world.flush();
    }
    let mut heap = Heap::default();
    let receipt = heap.during(|| {
        let receipt = world.broadcast("room", content);
        world.flush();
        receipt
    });
    assert_eq!(receipt.accepted, members as usize);
    (heap.blocks(), heap.bytes())
}

/// RUSTSEC-2020-0043, L11: the payload is shared, and each member costs one link of a list.
#[test]
fn a_broadcast_allocates_nothing_per_member() {
    let small = format!("\"{}\"", "x".repeat(100));
    let large = format!("\"{}\"", "x".repeat(60_000));
    for content in [small, large] {
        let few = costs(10, &content);
        let many = costs(1_000, &content);
        assert_eq!(few, many, "blocks and bytes of ten and of a thousand");
        let (blocks, bytes) = many;
        assert!(blocks <= 4, "{blocks} blocks");
        assert!(bytes <= 2 * content.len() as u64 + 1_024, "{bytes} bytes");
        // The space for the links is freed once all is written, and grows by doubling again.
        let (blocks, _) = costs(10_000, &content);
        assert!(blocks <= 4 + 14, "{blocks} blocks");
    }
}
