//! Costs of single operations of the core: `cargo bench -p switchboard-bench --bench core`.
//!
//! "item/s" counts members, heartbeats or joins, according to the benchmark's name.
#![allow(missing_docs)]

mod world;

use std::cell::RefCell;
use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

use self::world::{World, client_frame, config, decoder};

fn main() {
    divan::main();
}

const MEMBERS: [usize; 3] = [10, 1_000, 100_000];
const CONNECTIONS: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// Queues a message for each member.
#[divan::bench(args = MEMBERS, sample_size = 1, sample_count = 300)]
fn broadcast(bencher: Bencher<'_, '_>, members: usize) {
    let world = RefCell::new(World::new(config(), members, members));
    bencher
        .counter(ItemsCount::new(members))
        .with_inputs(|| world.borrow_mut().flush())
        .bench_local_values(|_| assert_eq!(world.borrow_mut().broadcast("r0"), members));
}

/// Takes the queued message of each member and reports it as written.
#[divan::bench(args = MEMBERS, sample_size = 1, sample_count = 300)]
fn write_broadcast(bencher: Bencher<'_, '_>, members: usize) {
    let world = RefCell::new(World::new(config(), members, members));
    bencher
        .counter(ItemsCount::new(members))
        .with_inputs(|| world.borrow_mut().broadcast("r0"))
        .bench_local_values(|_| assert_eq!(world.borrow_mut().flush(), members));
}

/// The same with 16 messages per member.
#[divan::bench(args = MEMBERS, sample_size = 1, sample_count = 100)]
fn write_16_broadcasts(bencher: Bencher<'_, '_>, members: usize) {
    let world = RefCell::new(World::new(config(), members, members));
    bencher
        .counter(ItemsCount::new(16 * members))
        .with_inputs(|| (0..16).for_each(|_| _ = world.borrow_mut().broadcast("r0")))
        .bench_local_values(|()| assert_eq!(world.borrow_mut().flush(), members));
}

/// Queues, takes and writes 16 messages per member.
#[divan::bench(args = MEMBERS, sample_size = 1, sample_count = 100)]
fn deliver_16_broadcasts(bencher: Bencher<'_, '_>, members: usize) {
    let mut world = World::new(config(), members, members);
    bencher
        .counter(ItemsCount::new(16 * members))
        .bench_local(|| {
            (0..16).for_each(|_| _ = world.broadcast("r0"));
            assert_eq!(world.flush(), members);
        });
}

/// One connection joins a room of ten and leaves it, among many; without presence.
#[divan::bench(args = CONNECTIONS, sample_size = 100, sample_count = 100)]
fn join_and_leave(bencher: Bencher<'_, '_>, connections: usize) {
    let mut config = config();
    config.presence.enabled = false;
    let world = RefCell::new(World::new(config, connections, 10));
    let (mut at, rooms) = (0, connections / 10);
    bencher
        .with_inputs(|| {
            at += 1;
            let id = world.borrow().ids[at * 7 % connections];
            (id, format!("r{}", (at * 13 + 1) % rooms))
        })
        .bench_local_refs(|(id, room)| {
            let mut world = world.borrow_mut();
            let now = world.now;
            if world.switchboard.join(now, *id, room).is_ok() {
                let _ = black_box(world.switchboard.leave(now, *id, room));
            }
            world.forget_notices();
        });
}

/// One connection connects, logs in, is welcomed and leaves, among many.
#[divan::bench(args = CONNECTIONS, sample_size = 100, sample_count = 100)]
fn connect_and_disconnect(bencher: Bencher<'_, '_>, connections: usize) {
    let mut world = World::new(config(), connections, 10);
    bencher.bench_local(|| {
        let id = world.connect(None);
        world.flush();
        world.disconnect(id);
        world.pass(Duration::from_micros(10));
    });
}

/// A message of 100 bytes is decoded, parsed and routed to the nine other members, among many
/// connections.
#[divan::bench(args = CONNECTIONS, sample_size = 50, sample_count = 100)]
fn receive(bencher: Bencher<'_, '_>, connections: usize) {
    let world = RefCell::new(World::new(config(), connections, 10));
    let (mut at, mut decoder) = (0, decoder());
    bencher
        .with_inputs(|| {
            at = (at + 7) % connections;
            world.borrow_mut().flush();
            (world.borrow().ids[at], client_frame(at / 10))
        })
        .bench_local_refs(|(id, input)| world.borrow_mut().receive(*id, &mut decoder, input));
}

/// A second in which idle connections are pinged every 25 s and answer, after the first interval,
/// whose pings have random phases.
#[divan::bench(args = CONNECTIONS, sample_size = 1, sample_count = 20)]
fn heartbeats_of_a_second(bencher: Bencher<'_, '_>, connections: usize) {
    let mut world = World::new(config(), connections, 0);
    (0..26).for_each(|_| _ = world.heartbeats());
    bencher
        .counter(ItemsCount::new(connections / 25))
        .bench_local(|| world.heartbeats());
}

/// 10 000 connections join a room at once, and all get presence.
#[divan::bench(sample_size = 1, sample_count = 10)]
fn presence_of_10_000_joins(bencher: Bencher<'_, '_>) {
    const JOINS: usize = 10_000;
    let world = RefCell::new(World::new(config(), JOINS, 0));
    bencher
        .counter(ItemsCount::new(JOINS))
        .with_inputs(|| {
            let mut world = world.borrow_mut();
            for at in 0..JOINS {
                let (id, now) = (world.ids[at], world.now);
                let _ = world.switchboard.leave(now, id, "storm");
            }
            world.settle();
        })
        .bench_local_values(|()| {
            let mut world = world.borrow_mut();
            for at in 0..JOINS {
                let (id, now) = (world.ids[at], world.now);
                world
                    .switchboard
                    .join(now, id, "storm")
                    .expect("space in the queue");
            }
            world.pass(Duration::from_millis(300));
            world.flush()
        });
}
