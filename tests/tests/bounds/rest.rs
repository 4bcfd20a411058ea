//! After all connections have ended, nothing of them is left.

use std::time::Duration;

use switchboard_core::{ConnectionId, Event};

use crate::heap::Heap;
use crate::world::{World, config};

const CLIENTS: u32 = 10_000;

/// Bytes that may be retained as capacity, per connection at the peak.
const RETAINED: i64 = 1_024;

/// Ten thousand users join a lobby and a room each, send and receive, and leave in every possible
/// way.
fn storm(world: &mut World, from: u32) {
    let mut ids: Vec<ConnectionId> = Vec::with_capacity(CLIENTS as usize);
    for number in from..from + CLIENTS {
        let id = world.enter_alone(number, Some("lobby"));
        world.say(
            id,
            &format!(r#"{{"type":"subscribe","channel":"room-{number}"}}"#),
        );
        world.say(
            id,
            &format!(r#"{{"type":"message","channel":"room-{number}","content":1,"id":1}}"#),
        );
        world.happens(
            id,
            Event::Partial {
                in_message: true,
                bytes: 7,
            },
        );
        ids.push(id);
        world.flush();
    }
    world.broadcast("lobby", "\"to all\"");
    let _ = world
        .board
        .ping_user(world.now, "user-1", Duration::from_secs(1));
    world.pass(Duration::from_secs(1));
    for (number, id) in ids.into_iter().enumerate() {
        match number % 4 {
            0 => world.happens(id, Event::Reset),
            1 => world.happens(id, Event::Eof),
            2 => world.happens(id, Event::Close(None)),
            _ => {
                let user = world.board.user_of(id).expect("a live connection");
                let reason = switchboard_core::CloseReason::Kicked;
                world.board.disconnect_user(world.now, &user, reason);
                world.forget();
            }
        }
    }
    world.flush();
    // Waits for grace periods, addresses' buckets, and peers that did not answer the Close.
    world.pass(Duration::from_secs(120));
    assert_eq!(world.board.stats(world.now).total_connections, 0);
    assert_eq!(world.board.audit(), Ok(()));
}

/// Invariant 26; socket.io#1736, L6, L8, RUSTSEC-2023-0063.
#[test]
fn after_a_storm_of_ten_thousand_what_is_left_is_room_for_the_next_and_does_not_grow() {
    let mut heap = Heap::default();
    let mut world = World::new(config());
    heap.during(|| storm(&mut world, 0));
    let after_one = (heap.held(), heap.live());
    println!("{after_one:?}");
    let most = RETAINED * i64::from(CLIENTS);
    assert!(
        (0..=most).contains(&after_one.0),
        "{} bytes are kept",
        after_one.0
    );
    // The logs of 256 rooms are kept for reuse.
    assert!(after_one.1 <= 64 + 256, "{} blocks are kept", after_one.1);
    heap.during(|| storm(&mut world, CLIENTS));
    let after_two = (heap.held(), heap.live());
    // A list may end anywhere within its capacity, which differs by a few entries.
    let slack = 4_096;
    assert!(
        after_two.0 <= after_one.0 + slack && after_two.1 <= 64 + 256,
        "bytes and blocks: {after_one:?} after one storm, {after_two:?} after two"
    );
}

/// The same for connections that are never admitted.
#[test]
fn connects_that_come_to_nothing_leave_nothing() {
    let mut world = World::new(config());
    let mut heap = Heap::default();
    let mut most = (0, 0);
    for round in 0..6 {
        heap.during(|| {
            for number in 0..CLIENTS {
                let id = world.connect(round * CLIENTS + number);
                match number % 3 {
                    0 => world.happens(id, Event::Reset),
                    1 => {
                        let bad = switchboard_core::BadRequest::NotFound;
                        world
                            .board
                            .malformed(world.now, id, bad)
                            .expect("a live connection");
                    }
                    _ => {}
                }
                world.flush();
            }
            world.pass(Duration::from_secs(60));
        });
        let kept = (heap.held(), heap.live());
        let allowed = (RETAINED * i64::from(CLIENTS), 64);
        assert!(kept.0 <= allowed.0 && kept.1 <= allowed.1, "{kept:?}");
        println!("{kept:?}");
        // Lists shrink by halving, so a single round is random; the maximum of three is used.
        if round < 3 {
            most = (kept.0.max(most.0), kept.1.max(most.1));
        } else {
            assert!(
                kept.0 <= most.0 && kept.1 <= most.1,
                "{most:?}, then {kept:?}"
            );
        }
    }
}
