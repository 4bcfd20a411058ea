//! The cost of a connection that arrives over HTTP and joins a room of ten, with presence, limits
//! and heartbeats: `cargo bench -p switchboard-bench --bench connect`.
//!
//! Prints allocations, bytes and nanoseconds per connect and per disconnect, and the heap per
//! connection that has joined, published once and answered a ping. To count instructions, run the
//! built benchmark under `valgrind --tool=callgrind --toggle-collect='*connect::storm*'`.
#![allow(missing_docs)]

mod world;

use std::sync::Arc;
use std::time::{Duration, Instant};

use allocation_counter::{AllocationInfo, measure};
use switchboard_core::{Endpoint, Handshake, HandshakeConfig, Identity};

use self::world::{PEER, World, client_frame, config, decoder};

const CONNECTIONS: usize = 10_000;
/// The pace of connects when the kernel's cost is included.
const PACE: Duration = Duration::from_micros(40);

fn main() {
    let handshake = Arc::new(HandshakeConfig {
        endpoint: Endpoint::default(),
        pages: true,
        json: true,
        compression: false,
        room_contexts: false,
        sse: None,
        name_bytes: config().limits.name_bytes,
        tokens: switchboard_core::Tokens::default(),
    });
    let mut world = World::new(config(), 0, 0);
    let heads: Vec<String> = (0..CONNECTIONS).map(head).collect();
    world.ids.reserve(CONNECTIONS);

    let whole = measure(|| {
        let (info, time) = timed(|| storm(&mut world, &handshake, &heads));
        show("connect", &info, time);
        world.settle();
        let mut decoder = decoder();
        for at in 0..CONNECTIONS {
            let id = world.ids[at];
            world.receive(id, &mut decoder, &mut client_frame(at / 10));
            world.flush();
        }
        (0..30).for_each(|_| _ = world.heartbeats());
    });
    let held = whole.bytes_current as f64 / CONNECTIONS as f64;
    println!("{:12}{held:>12.1} bytes held each", "idle");
    let ids = world.ids.clone();
    let (info, time) = timed(|| leave(&mut world, &ids));
    show("disconnect", &info, time);
}

fn timed(work: impl FnOnce()) -> (AllocationInfo, Duration) {
    let mut time = Duration::ZERO;
    let info = measure(|| {
        let start = Instant::now();
        work();
        time = start.elapsed();
    });
    (info, time)
}

fn show(what: &str, info: &AllocationInfo, time: Duration) {
    let each = |total: u64| total as f64 / CONNECTIONS as f64;
    println!(
        "{what:12}{:>12.1} allocations{:>12.1} bytes{:>12.1} ns",
        each(info.count_total),
        each(info.bytes_total),
        each(time.as_nanos() as u64),
    );
}

/// Returns the request that the load generator sends.
fn head(number: usize) -> String {
    format!(
        "GET /ws/r{}?token=user-{number} HTTP/1.1\r\nHost: 127.0.0.1:9001\r\n\
         Upgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        number / 10
    )
}

#[inline(never)]
fn storm(world: &mut World, handshake: &Arc<HandshakeConfig>, heads: &[String]) {
    for head in heads {
        let (board, now) = (&mut world.switchboard, world.now);
        let id = board.connect(now, PEER).expect("a seat");
        let mut handshake = Handshake::new(handshake.clone());
        let request = handshake.receive(head.as_bytes()).expect("a valid request");
        let mut request = request.expect("a complete request");
        request.set_peer(board.client_address(PEER, &request));
        board.request(now, id, &request).expect("a live connection");
        let name = request.token().expect("a token").reveal();
        let user = Identity::user(name);
        board
            .authenticated(now, id, Ok(user), None)
            .expect("a live connection");
        world.ids.push(id);
        world.flush();
        world.pass(PACE);
        world.flush();
    }
}

#[inline(never)]
fn leave(world: &mut World, ids: &[switchboard_core::ConnectionId]) {
    for &id in ids {
        world.disconnect(id);
        world.pass(PACE);
        world.flush();
    }
}
