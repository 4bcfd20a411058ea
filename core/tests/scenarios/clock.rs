//! Host stalls (`docs/behaviour.md`, section 6) and irregular clocks.

use switchboard_core::{Event, Exclude, Notice, Time};
use switchboard_kit::Received;

use crate::world::{Client, World, millis, secs};

fn stalls(world: &World) -> Vec<std::time::Duration> {
    let notices = world.notices.iter();
    notices
        .filter_map(|notice| match notice {
            Notice::HostStalled { by } => Some(*by),
            _ => None,
        })
        .collect()
}

/// A client that was pinged and has not answered yet.
fn just_pinged() -> (World, Client) {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    world.peer_mut(ann).answers = false;
    world.forget();
    while world
        .frames(ann)
        .iter()
        .all(|frame| !matches!(frame, Received::Ping(_)))
    {
        world.advance(millis(10));
    }
    (world, ann)
}

#[test]
fn a_stall_of_the_host_is_not_a_stall_of_its_clients() {
    let (mut world, ann) = just_pinged();
    let bob = world.connect("bob", "");
    world.falls_silent(bob);
    world.advance(secs(5));
    world.freeze(secs(60));
    // Input waiting in the sockets is handled before timers.
    world.happens(ann, Event::Heard);
    world.tick();
    assert_eq!(stalls(&world).len(), 1);
    assert!(stalls(&world)[0] > secs(50), "{:?}", stalls(&world));
    assert!(world.is_open(ann) && world.is_open(bob));
}

#[test]
fn a_connection_that_is_silent_after_the_stall_too_is_evicted() {
    let (mut world, ann) = just_pinged();
    world.freeze(secs(60));
    world.happens(ann, Event::Writable);
    world.tick();
    world.advance(secs(10));
    assert!(!world.is_open(ann));
}

#[test]
fn being_late_by_the_threshold_or_less_is_no_stall() {
    let (mut world, _) = just_pinged();
    let due = world.board.next_deadline().unwrap();
    world.now = due + secs(1);
    world.tick();
    assert_eq!(stalls(&world), []);
}

#[test]
fn a_long_sleep_until_the_promised_deadline_is_no_stall() {
    let mut world = World::with(|config| config.health.ping_interval = secs(1_000));
    world.connect("ann", "");
    world.forget();
    world.advance(secs(5_000));
    assert_eq!(stalls(&world), []);
    let mut world = World::new();
    world.freeze(secs(5_000));
    world.connect("ann", "");
    assert_eq!(stalls(&world), [], "without a deadline nothing is late");
}

#[test]
fn a_stall_is_noticed_once_by_whatever_call_comes_first() {
    let (mut world, ann) = just_pinged();
    world.freeze(secs(60));
    world.happens(ann, Event::Heard);
    world.happens(ann, Event::Heard);
    world.broadcast("lobby", "0", Exclude::NOBODY);
    world.tick();
    assert_eq!(stalls(&world).len(), 1);
}

#[test]
fn handshake_auth_write_stall_and_close_deadlines_move_with_a_stall() {
    let mut world = World::new();
    let arrived = world.arrives(world.new_address()).unwrap();
    let waiting = world.connect_to_log_in("");
    let slow = world.connect("slow", "");
    let kicked = world.connect("kicked", "");
    world.falls_silent(kicked);
    world.stops_reading_after(slow, 0);
    world.send(slow, "x");
    let reason = switchboard_core::CloseReason::Kicked;
    world
        .board
        .close(world.now, world.id(kicked), reason)
        .unwrap();
    world.advance(secs(4));
    let mut before = world.board.next_deadline().unwrap();
    world.now = before.max(world.now);
    world.freeze(secs(3_600));
    world.tick();
    assert_eq!(stalls(&world).len(), 1);
    // The first deadline may be due now; the others keep their distance.
    before = world.now;
    assert_eq!(world.peer(arrived).status, None);
    assert!(world.is_open(slow));
    world.advance(millis(4_000));
    assert!(world.is_gone(kicked) && world.close(waiting).is_some());
    assert_eq!(world.peer(arrived).status, None);
    world.advance(millis(2_000));
    assert_eq!(world.peer(arrived).status, Some(408));
    assert!(world.now > before);
}

#[test]
fn token_expiry_drain_grace_and_rate_limits_do_not_move_with_a_stall() {
    let mut world = World::with(|config| config.rates.strikes = 1_000);
    let ann = world.connect("ann:60", "lobby");
    let [bob, cem] = [world.connect("bob", "lobby"), world.connect("cem", "lobby")];
    for _ in 0..250 {
        world.says(bob, serde_json::json!({"type": "ping"}));
    }
    world.happens(cem, Event::Eof);
    world.forget();
    world.freeze(secs(61));
    world.happens(bob, Event::Heard);
    world.tick();
    assert_eq!(stalls(&world).len(), 1);
    assert_eq!(world.close(ann), Some((4202, "token_expired".into())));
    world.advance(millis(250));
    assert_eq!(world.last(bob)["count"], 1, "cem's grace is over");
    world.forget();
    for _ in 0..200 {
        world.says(bob, serde_json::json!({"type": "ping"}));
    }
    assert_eq!(
        world.messages_of(bob, "pong").len(),
        200,
        "the bucket is full again"
    );
    world.board.drain(world.now, secs(10), secs(10));
    world.freeze(secs(100));
    world.tick();
    assert!(!world.is_open(bob));
}

#[test]
fn a_clock_that_goes_backward_or_stands_still_does_nothing() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    let now = world.now;
    world.forget();
    world.board.tick(Time::ZERO);
    world.board.tick(now.before(secs(1)));
    for _ in 0..10 {
        world.board.tick(now);
        world
            .board
            .handle(Time::ZERO, world.id(ann), Event::Heard)
            .unwrap();
    }
    assert_eq!(world.frames(ann), []);
    assert_eq!(world.notices, []);
    assert!(world.board.next_deadline().unwrap() > now);
    world.advance(secs(100));
    assert!(world.is_open(ann));
}

#[test]
fn a_huge_jump_fires_each_timer_once_and_evicts_nobody_who_answers() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    world.advance(secs(1));
    world.forget();
    world.freeze(secs(1 << 30));
    world.tick();
    let pings = world.frames(ann);
    assert!(pings.len() <= 1, "{pings:?}");
    world.advance(secs(100));
    assert!(world.is_open(ann));
}

#[test]
fn at_the_end_of_time_nothing_hangs_or_panics() {
    for left in [0, 1, 1_000_000_000, 20_000_000_000] {
        let start = Time::from_nanos(u64::MAX - left);
        let mut world = World::at(start, |_| {});
        let ann = world.connect("ann:5", "lobby");
        let bob = world.connect("bob", "lobby");
        world.happens(bob, Event::Paused);
        world.connect_to_log_in("lobby");
        world.arrives(world.new_address()).unwrap();
        world.stops_reading_after(ann, 0);
        world.broadcast("lobby", "0", Exclude::NOBODY);
        world.board.ping_user(world.now, "ann", secs(2));
        for now in [start, Time::MAX, Time::MAX, Time::ZERO] {
            world.board.tick(now);
            world.now = now.max(world.now);
            world.flush();
        }
        world.board.drain(Time::MAX, secs(10), secs(10));
        world.board.tick(Time::MAX);
        world.flush();
    }
}

#[test]
fn at_the_beginning_of_time_nothing_panics() {
    let mut world = World::at(Time::ZERO, |_| {});
    let ann = world.connect("ann", "lobby");
    world.advance(secs(100));
    assert!(world.is_open(ann));
}

#[test]
fn the_next_deadline_is_never_late() {
    let mut world = World::new();
    let ann = world.connect("ann:40", "lobby");
    world.peer_mut(ann).answers = false;
    // Everything happens in a tick at a promised deadline, since `advance` makes no other calls.
    world.advance(secs(35));
    assert!(!world.is_open(ann));
    world.advance(secs(60));
    assert_eq!(
        world.board.next_deadline(),
        None,
        "nobody is left, so nothing is due"
    );
}
