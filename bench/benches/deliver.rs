//! Instructions per delivery, under callgrind: `cargo bench -p switchboard-bench --bench deliver
//! WORKLOAD [recorded]`.
//!
//! Prints the number of deliveries and nanoseconds for each; with the word `recorded`, under a flight recorder,
//! also what it holds. To count instructions, run the built
//! benchmark under `valgrind --tool=callgrind --toggle-collect='*deliver::deliver*'`.
#![allow(missing_docs)]

mod world;

use std::time::Instant;

use self::world::{World, client_frame, config, decoder};

/// Name, connections, members of a room, messages in flight.
const WORKLOADS: [(&str, usize, usize, usize); 4] = [
    ("one-room", 1_000, 1_000, 1),
    ("one-room-16", 1_000, 1_000, 16),
    ("rooms-100", 1_000, 10, 1),
    ("rooms-100-16", 1_000, 10, 16),
];

/// Deliveries that are measured, at least.
const DELIVERIES: usize = 100_000;

/// The memory of the flight recorder, if there is one.
const RECORDER_BYTES: usize = 16 << 20;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let named = |name: &str| wanted.iter().any(|it| it == name);
    let mut config = config();
    if named("recorded") {
        config.recorder.bytes = RECORDER_BYTES;
    }
    let all = !WORKLOADS.iter().any(|it| named(it.0));
    for (name, connections, members, in_flight) in WORKLOADS {
        if all || named(name) {
            let mut world = World::new(config.clone(), connections, members);
            let rooms = connections / members;
            let rounds = DELIVERIES / connections / in_flight;
            let frames: Vec<_> = (0..rooms).map(client_frame).collect();
            publish(&mut world, &frames, in_flight);
            let start = Instant::now();
            deliver(&mut world, &frames, in_flight, rounds);
            let deliveries = rounds * connections * in_flight;
            let each = start.elapsed().as_nanos() as f64 / deliveries as f64;
            println!("{name:16}{deliveries:>12} deliveries{each:>12.1} ns");
            if let Some(dump) = world.switchboard.dump(world.now) {
                let text = dump.to_string();
                let (bytes, lines) = (text.len(), text.lines().count());
                println!("{:16}{lines:>12} lines recorded, {bytes} bytes", "");
            }
        }
    }
}

#[inline(never)]
fn deliver(world: &mut World, frames: &[Vec<u8>], in_flight: usize, rounds: usize) {
    for _ in 0..rounds {
        publish(world, frames, in_flight);
    }
}

/// A member of each room sends a frame, and gets its own message.
fn publish(world: &mut World, frames: &[Vec<u8>], in_flight: usize) {
    let mut decoder = decoder();
    let members = world.ids.len() / frames.len();
    for (room, frame) in frames.iter().enumerate() {
        for at in 0..in_flight {
            let id = world.ids[room * members + at % members];
            world.receive(id, &mut decoder, &mut frame.clone());
        }
        world.flush();
    }
}
