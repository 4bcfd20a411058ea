//! Measures whether the cost of an event grows with the number of connections: `cargo bench -p
//! switchboard-bench --bench growth`.
//!
//! Prints nanoseconds per event from 10³ to 10⁶ connections, and the slope of their logarithms: 0
//! is constant, 1 is linear. Rooms have ten members each.
#![allow(missing_docs)]

mod world;

use std::time::{Duration, Instant};

use self::world::{World, client_frame, config, decoder};

const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
const EVENTS: usize = 20_000;
const TRIES: usize = 7;

type Event = fn(&mut World, usize);

const KINDS: [(&str, Event); 5] = [
    ("broadcast to ten, written", broadcast),
    ("join and leave, with answers", join_and_leave),
    ("connect and disconnect", connect_and_disconnect),
    ("receive and route to nine, written", receive),
    ("ping and pong", heartbeat),
];

fn main() {
    println!(
        "{:36}{:>10}{:>10}{:>10}{:>10}{:>8}",
        "ns per event", "10^3", "10^4", "10^5", "10^6", "slope"
    );
    for (name, event) in KINDS {
        print!("{name:36}");
        let points: Vec<(f64, f64)> = SIZES
            .iter()
            .map(|&size| {
                let nanos = cost(size, event);
                print!("{nanos:>10.1}");
                ((size as f64).ln(), nanos.ln())
            })
            .collect();
        println!("{:>8.3}", slope(&points));
    }
}

/// The minimum of several tries, because other load can only add.
fn cost(size: usize, event: Event) -> f64 {
    let mut world = World::new(config(), size, 10);
    // The first pings have random phases in their interval.
    (0..26).for_each(|_| _ = world.heartbeats());
    event(&mut world, EVENTS / 10);
    let tries = (0..TRIES).map(|_| {
        world.settle();
        let start = Instant::now();
        event(&mut world, EVENTS);
        start.elapsed().as_nanos() as f64 / EVENTS as f64
    });
    tries.fold(f64::INFINITY, f64::min)
}

fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let over: f64 = points
        .iter()
        .map(|point| (point.0 - x) * (point.1 - y))
        .sum();
    let under: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    over / under
}

/// Returns positions in an order that caches cannot predict.
fn somewhere(at: usize, among: usize) -> usize {
    at.wrapping_mul(0x9E37_79B9_7F4A_7C15) % among
}

fn broadcast(world: &mut World, count: usize) {
    let rooms = world.ids.len() / 10;
    for at in 0..count {
        world.broadcast(&format!("r{}", somewhere(at, rooms)));
        world.flush();
    }
}

fn join_and_leave(world: &mut World, count: usize) {
    let all = world.ids.len();
    for at in 0..count {
        let (id, room) = (world.ids[somewhere(at, all)], format!("x{at}"));
        world
            .switchboard
            .join(world.now, id, &room)
            .expect("space in the queue");
        let left = world.switchboard.leave(world.now, id, &room);
        assert_eq!(left, Ok(true));
        world.flush();
    }
}

fn connect_and_disconnect(world: &mut World, count: usize) {
    for _ in 0..count {
        let id = world.connect(None);
        world.flush();
        world.disconnect(id);
        world.pass(Duration::from_micros(10));
    }
}

fn receive(world: &mut World, count: usize) {
    let (all, mut decoder) = (world.ids.len(), decoder());
    for at in 0..count {
        let number = somewhere(at, all);
        world.receive(
            world.ids[number],
            &mut decoder,
            &mut client_frame(number / 10),
        );
        world.flush();
    }
}

/// Runs this many pings, however long that takes in virtual time.
fn heartbeat(world: &mut World, count: usize) {
    let mut pings = 0;
    while pings < count {
        world.pass(Duration::from_millis(1));
        pings += world.flush();
    }
}
