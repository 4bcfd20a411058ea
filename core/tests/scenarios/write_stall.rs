//! From when a socket that takes no bytes counts as stalled.

use switchboard_core::Event;

use crate::world::{World, millis, secs};

#[test]
fn a_ping_to_an_idle_connection_starts_its_write_stall_anew() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    world.advance(secs(1));
    world.falls_silent(ann);
    world.stops_reading_after(ann, 0);
    // The first ping comes at a random time.
    let mut waited = 0;
    while world.board.stats(world.now).queued_bytes == 0 {
        world.advance(millis(100));
        waited += 1;
        assert!(waited < 300, "no ping within 30 s");
    }
    world.advance(millis(29_800));
    assert!(world.is_open(ann));
    world.advance(secs(1));
    assert!(!world.is_open(ann));
}

#[test]
fn a_pong_to_an_idle_connection_starts_its_write_stall_anew() {
    let mut world = World::with(|config| {
        config.health.ping_interval = secs(500);
    });
    let ann = world.connect("ann", "lobby");
    world.advance(secs(100));
    world.stops_reading_after(ann, 0);
    world.happens(ann, Event::Ping(b"x"));
    world.advance(secs(29));
    assert!(world.is_open(ann));
    world.advance(secs(1));
    assert!(!world.is_open(ann));
}
