//! The cost of one client, idle and hostile.

use std::time::Duration;

use switchboard_core::{CloseReason, ConnectionId, Event, Rate, UserPolicy};

use crate::heap::Heap;
use crate::world::{World, config};

/// Heap bytes for an admitted connection with its user and room, once its welcome is written. Most of
/// it is for tables that are there for the first one already.
const PER_CONNECTION: i64 = 2_048;

/// Heap bytes for one of many members at rest of rooms of ten, at an address of its own, and for the
/// message that each has sent, beside its frame.
const AT_REST: i64 = 660;
const PER_MESSAGE: i64 = 112;

/// Returns a client among `count` others.
fn one_of(count: u32) -> (World, ConnectionId) {
    let mut world = World::new(config());
    let id = world.enter_alone(0, Some("lobby"));
    for number in 1..count {
        world.enter_alone(number, Some(&format!("room-{}", number % 100)));
        world.flush();
    }
    world.pass(Duration::from_secs(2));
    (world, id)
}

#[test]
fn a_connection_costs_its_constant_and_no_more() {
    for count in [100, 10_000_u32] {
        let mut world = World::new(config());
        let mut heap = Heap::default();
        heap.during(|| {
            for number in 0..count {
                world.enter_alone(number, Some(&format!("room-{}", number / 10)));
                world.flush();
            }
            world.pass(Duration::from_secs(2));
        });
        let each = heap.held() / i64::from(count);
        assert!(each <= PER_CONNECTION, "{each} bytes for each of {count}");
    }
}

#[test]
fn a_member_at_rest_and_a_message_that_is_kept_take_their_constants_and_no_more() {
    const COUNT: u32 = 10_000;
    let mut config = config();
    config.history.messages = 100;
    let mut world = World::new(config);
    let mut heap = Heap::default();
    let mut ids = Vec::with_capacity(COUNT as usize);
    heap.during(|| {
        for number in 0..COUNT {
            ids.push(world.enter_alone(number, Some(&format!("room-{}", number / 10))));
            world.flush();
        }
        world.pass(Duration::from_secs(2));
    });
    let at_rest = heap.held() / i64::from(COUNT);
    heap.during(|| {
        for (number, &id) in ids.iter().enumerate() {
            let room = number / 10;
            let text = format!(r#"{{"type":"message","channel":"room-{room}","content":1}}"#);
            world.say(id, &text);
            world.flush();
        }
    });
    let frame =
        r#"{"type":"message","channel":"room-123","content":1,"sender":"user-1234","seq":1}"#;
    let message = heap.held() / i64::from(COUNT) - at_rest - i64::try_from(frame.len()).unwrap();
    println!("{at_rest} bytes at rest, {message} for a message");
    assert!(at_rest <= AT_REST, "{at_rest} bytes for each");
    assert!(message <= PER_MESSAGE, "{message} bytes beside a frame");
}

/// L1, CVE-2019-9512: of pings that wait for a writer only a few are answered, including the
/// latest.
#[test]
fn a_flood_of_pings_from_a_peer_that_does_not_read_holds_a_few_answers() {
    for blocked in [false, true] {
        let (mut world, id) = one_of(2);
        if blocked {
            world.happens(id, Event::Ping(b"one"));
            let turn = world.take(id);
            world.wrote(turn, 0);
        }
        let mut heap = Heap::default();
        heap.during(|| {
            for _ in 0..100_000 {
                world.happens(id, Event::Ping(&[7; 125]));
            }
        });
        assert!(heap.held() <= 8_192, "{} bytes", heap.held());
    }
}

/// RUSTSEC-2020-0043 (S1): answers to a client that does not read end with its queue.
#[test]
fn a_flood_of_requests_from_a_peer_that_does_not_read_holds_its_queue_and_then_nothing() {
    let (mut world, id) = one_of(2);
    world.happens(id, Event::Ping(b"one"));
    let turn = world.take(id);
    world.wrote(turn, 0);
    // At most 1 024 messages are queued (the default), each of less than 512 bytes.
    let most = 1_024 * 512;
    let mut heap = Heap::default();
    for _ in 0..20_000 {
        heap.during(|| world.say(id, r#"{"type":"ping","id":"0123456789"}"#));
        assert!(heap.held() <= most, "{} bytes", heap.held());
    }
    assert!(!world.board.is_connected("user-0"), "it is still in");
}

/// L7, L8, CVE-2020-36406: rooms of one client, and short-lived rooms.
#[test]
fn a_client_that_enters_a_hundred_thousand_rooms_holds_a_hundred() {
    let (mut world, id) = one_of(2);
    let mut heap = Heap::default();
    heap.during(|| {
        for number in 0..100_000 {
            world.say(
                id,
                &format!(r#"{{"type":"subscribe","channel":"many-{number}"}}"#),
            );
            world.flush();
        }
    });
    assert!(heap.held() <= 100 * 2_048, "{} bytes", heap.held());
    let mut heap = Heap::default();
    let (mut world, id) = one_of(2);
    for round in 0..2 {
        let before = heap.held();
        heap.during(|| {
            for number in 0..20_000 {
                world.say(
                    id,
                    &format!(r#"{{"type":"subscribe","channel":"many-{number}"}}"#),
                );
                world.say(
                    id,
                    &format!(r#"{{"type":"unsubscribe","channel":"many-{number}"}}"#),
                );
                world.flush();
            }
            world.pass(Duration::from_secs(5));
        });
        let grown = heap.held() - before;
        assert!(
            round == 0 || grown <= 0,
            "{grown} bytes more for rooms that are gone"
        );
    }
}

/// L5: addresses are forgotten when their buckets are full again.
#[test]
fn addresses_that_connect_once_are_forgotten() {
    let mut limited = config();
    limited.rates.connects = Some(Rate {
        per_second: 50,
        burst: 1_000,
    });
    let mut world = World::new(limited);
    let mut heap = Heap::default();
    for number in 0..100_000 {
        heap.during(|| {
            let id = world.enter_alone(number, None);
            world.happens(id, Event::Reset);
            world.pass(Duration::from_millis(1));
        });
        // Twenty at a time have a bucket that is not full.
        assert!(
            heap.held() <= 64 << 10,
            "{} bytes after {number}",
            heap.held()
        );
    }
}

type Call = fn(&mut World, ConnectionId);

/// The allocations of a call do not depend on the number of other connections. Three calls of each
/// kind are measured, after some that grow the buffers.
#[test]
fn allocations_of_a_call_do_not_grow_with_the_number_of_connections() {
    let calls: [(&str, Call); 6] = [
        ("subscribe", |world, id| {
            world.say(id, r#"{"type":"subscribe","channel":"a-new-one"}"#);
            world.say(id, r#"{"type":"unsubscribe","channel":"a-new-one"}"#);
        }),
        ("message", |world, id| {
            world.say(
                id,
                r#"{"type":"message","channel":"lobby","content":[1,2,3],"id":1}"#,
            );
        }),
        ("direct", |world, id| {
            world.say(
                id,
                r#"{"type":"direct","to":"user-1","content":[1,2,3],"id":1}"#,
            );
        }),
        ("ping", |world, id| world.happens(id, Event::Ping(b"ping"))),
        ("partial", |world, id| {
            world.happens(
                id,
                Event::Partial {
                    in_message: true,
                    bytes: 100,
                },
            );
            world.happens(
                id,
                Event::Partial {
                    in_message: false,
                    bytes: 0,
                },
            );
        }),
        ("tick", |world, _| {
            world.now = world.now + Duration::from_nanos(1);
            world.board.tick(world.now);
        }),
    ];
    let blocks = |count: u32| {
        let (mut world, id) = one_of(count);
        calls.map(|(name, call)| {
            for _ in 0..40 {
                call(&mut world, id);
                world.flush();
            }
            let mut heap = Heap::default();
            for _ in 0..3 {
                heap.during(|| call(&mut world, id));
                world.flush();
            }
            (name, heap.blocks(), heap.bytes())
        })
    };
    assert_eq!(blocks(10), blocks(10_000));
}

/// What is recorded of the connections of a user that are to end does not depend on their number.
#[test]
fn a_kick_allocates_nothing_per_connection_of_its_user() {
    let cost = |devices: u32| {
        let mut config = config();
        config.users = UserPolicy::Allow(devices as usize);
        config.presence.enabled = false;
        let mut world = World::new(config);
        for _ in 0..devices {
            world.enter("ann", None);
            world.flush();
        }
        let mut heap = Heap::default();
        let now = world.now;
        heap.during(|| {
            let ended = world.board.disconnect_user(now, "ann", CloseReason::Kicked);
            assert_eq!(ended, devices as usize);
        });
        heap.bytes()
    };
    let (some, many) = (cost(1_000), cost(10_000));
    assert!(many <= some + 1_024, "{some} and {many} bytes");
}

/// What is recorded of the members that a message finds too slow does not depend on their number.
#[test]
fn a_message_that_finds_members_too_slow_allocates_nothing_for_each() {
    let cost = |members: u32| {
        let mut config = config();
        config.presence.enabled = false;
        config.limits.queue_messages = 4;
        let mut world = World::new(config);
        for number in 0..members {
            world.enter_alone(number, Some("room"));
        }
        world.flush();
        world.broadcast("room", "0");
        world.write(|_, _| 0);
        for _ in 0..3 {
            world.broadcast("room", "0");
        }
        let mut heap = Heap::default();
        let receipt = heap.during(|| world.broadcast("room", "0"));
        assert_eq!((receipt.accepted, receipt.closed), (0, members as usize));
        heap.bytes()
    };
    let (some, many) = (cost(1_000), cost(10_000));
    assert!(many <= some + 1_024, "{some} and {many} bytes");
}
