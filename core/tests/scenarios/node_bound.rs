//! The node's bound on queued memory (`docs/behaviour.md`, section 4).

use serde_json::json;
use switchboard_core::{Config, Event, Exclude, Frame, Receipt, SendError, WriteTurn};

use crate::world::{Client, World, millis};

const QUEUE: usize = 10_000;

/// A node without presence, with room for `queued` bytes in all queues.
fn bounded(queued: usize) -> World {
    bounded_with(queued, |config| config.presence.enabled = false)
}

fn bounded_with(queued: usize, change: impl FnOnce(&mut Config)) -> World {
    World::with(|config| {
        config.limits.queue_bytes = QUEUE;
        config.limits.queued_bytes = queued;
        change(config);
    })
}

/// Members of `lobby`, with nothing in flight.
fn members(world: &mut World, count: usize) -> Vec<Client> {
    let members = (0..count)
        .map(|n| world.connect(&format!("u{n}"), "lobby"))
        .collect();
    world.advance(millis(300));
    world.forget();
    members
}

/// Blocks its socket, which has refused the first queued bytes.
fn block(world: &mut World, client: Client) {
    world.stops_reading_after(client, 0);
    world.send(client, "");
}

/// A frame of this many bytes on the wire.
fn frame(bytes: usize, fill: &str) -> Frame {
    let frame = Frame::text(&fill.repeat(bytes - 4));
    assert_eq!(frame.len(), bytes);
    frame
}

/// Sends a frame to the lobby without letting anybody write.
fn publish(world: &mut World, frame: Frame) -> Result<Receipt, SendError> {
    world
        .board
        .broadcast_raw(world.now, "lobby", frame, Exclude::NOBODY)
}

fn open(world: &World, clients: &[Client]) -> Vec<bool> {
    clients
        .iter()
        .map(|&client| world.is_open(client))
        .collect()
}

#[test]
fn a_frame_counts_once_however_many_it_waits_for() {
    let mut world = bounded(QUEUE);
    let clients = members(&mut world, 30);
    for &client in &clients {
        world.stops_reading_after(client, 0);
    }
    assert_eq!(publish(&mut world, frame(1_000, "x")).unwrap().accepted, 30);
    assert_eq!(world.stats().queued_bytes, 1_000);
    world.flush();
    assert_eq!(world.stats().queued_bytes, 1_000);
    assert!(open(&world, &clients).iter().all(|&open| open));
    for &client in &clients {
        world.reads_all(client);
    }
    assert_eq!(world.stats().queued_bytes, 0);
}

#[test]
fn a_list_of_who_is_there_counts_once_however_many_it_waits_for() {
    let mut world = bounded_with(100_000, |_| {});
    let clients = members(&mut world, 30);
    for &client in &clients {
        world.stops_reading_after(client, 0);
    }
    world.connect("newcomer", "lobby");
    world.advance(millis(250));
    assert!(open(&world, &clients).iter().all(|&open| open));
    let held = world.stats().queued_bytes;
    world.reads_all(clients[0]);
    let lists = world.messages(clients[0]);
    assert_eq!(lists.len(), 1);
    assert_eq!(lists[0]["count"], json!(31));
    let list = lists[0].to_string().len();
    assert!(
        (list..list + 20).contains(&held),
        "{held} for one of {list}"
    );
}

#[test]
fn the_blocked_connection_with_the_most_waiting_is_closed_first() {
    let mut world = bounded(2 * QUEUE);
    let clients: Vec<_> = (0..4)
        .map(|n| world.connect(&format!("u{n}"), ""))
        .collect();
    for (n, &client) in clients.iter().enumerate() {
        world.stops_reading_after(client, 0);
        for _ in 0..=n {
            world.send(client, &"x".repeat(1_996));
        }
    }
    assert_eq!(world.stats().queued_bytes, 20_000);
    world.send(clients[0], "one more");
    assert_eq!(open(&world, &clients), [true, true, true, false]);
    assert!(world.stats().queued_bytes <= 12_100);
    assert_eq!(world.stats().closes["slow_consumer"], 1);
}

#[test]
fn a_connection_that_reads_is_not_closed_for_what_waits_for_others() {
    let mut world = bounded(QUEUE);
    let clients = members(&mut world, 5);
    block(&mut world, clients[3]);
    // The others have more queued, but had no turn yet.
    for (n, &client) in clients[..4].iter().enumerate() {
        let id = world.id(client);
        let frame = frame(if n == 3 { 1_000 } else { 2_900 }, "x");
        assert_eq!(world.board.send(world.now, id, frame).unwrap().accepted, 1);
    }
    let receipt = publish(&mut world, frame(500, "y")).unwrap();
    assert_eq!((receipt.accepted, receipt.closed), (4, 1));
    world.flush();
    assert_eq!(open(&world, &clients), [true, true, true, false, true]);
    assert_eq!(world.stats().closes["slow_consumer"], 1);
}

#[test]
fn while_nobody_is_to_blame_nobody_is_closed_and_publishers_wait() {
    let mut world = bounded(QUEUE);
    let clients = members(&mut world, 5);
    let number = |n: usize| frame(2_500, &n.to_string());
    for (n, &client) in clients[..2].iter().enumerate() {
        let id = world.id(client);
        world.board.send(world.now, id, number(n)).unwrap();
    }
    assert!(!world.board.is_congested(), "half of the bound is in use");
    let mut taken = 2;
    let refused = loop {
        let id = world.id(clients[taken % 5]);
        match world.board.send(world.now, id, number(taken)) {
            Ok(receipt) => assert_eq!(receipt.accepted, 1),
            Err(refused) => break refused,
        }
        taken += 1;
        assert!(world.board.is_congested(), "{taken} frames wait");
    };
    assert_eq!((refused, taken), (SendError::Busy, 5));
    assert_eq!(publish(&mut world, frame(200, "x")), Err(SendError::Busy));
    let everybody = world
        .board
        .broadcast_all(world.now, frame(200, "x"), Exclude::NOBODY);
    assert_eq!(everybody, Err(SendError::Busy));
    let devices = world.board.send_to_user(world.now, "u0", frame(200, "x"));
    assert_eq!(devices, Err(SendError::Busy));
    world.flush();
    assert!(!world.board.is_congested());
    assert!(open(&world, &clients).iter().all(|&open| open));
    for &client in &clients {
        assert_eq!(world.frames(client).len(), 1, "and nothing is lost");
    }
    assert_eq!(publish(&mut world, frame(200, "x")).unwrap().accepted, 5);
}

#[test]
fn a_connection_that_holds_back_little_is_not_closed_where_that_would_not_help() {
    let mut world = bounded(QUEUE);
    let clients = members(&mut world, 3);
    block(&mut world, clients[0]);
    for &client in &clients {
        let id = world.id(client);
        let bytes = if client == clients[0] { 200 } else { 6_000 };
        let sent = world.board.send(world.now, id, frame(bytes, "x"));
        assert_eq!(sent.map(|receipt| receipt.closed), Ok(0));
    }
    let receipt = publish(&mut world, frame(5_000, "y"));
    assert_eq!(receipt, Err(SendError::Busy));
    world.flush();
    assert!(open(&world, &clients).iter().all(|&open| open));
}

#[test]
fn publishers_wait_for_writers_while_more_than_half_of_the_bound_is_in_use() {
    let mut world = bounded(QUEUE);
    let clients = members(&mut world, 2);
    block(&mut world, clients[0]);
    let id = world.id(clients[0]);
    world.board.send(world.now, id, frame(6_000, "x")).unwrap();
    assert!(!world.board.is_congested(), "no writer has anything to do");
    let other = world.id(clients[1]);
    world.board.send(world.now, other, frame(200, "x")).unwrap();
    assert!(world.board.is_congested());
    let mut turn = WriteTurn::default();
    world.board.take_turn(&mut turn, 32);
    let (id, bytes) = turn.job(0).expect("a job");
    assert_eq!((id, bytes.len(), turn.len()), (other, 200, 1));
    assert!(world.board.is_congested(), "it is being written");
    turn.wrote(0, 200);
    world.board.report(world.now, &mut turn);
    assert!(!world.board.is_congested());
}

#[test]
fn a_broadcast_that_is_refused_as_busy_spends_no_number() {
    let mut world = bounded(QUEUE);
    let clients = members(&mut world, 2);
    let id = world.id(clients[0]);
    world.board.send(world.now, id, frame(QUEUE, "x")).unwrap();
    let other = world.id(clients[1]);
    world.board.send(world.now, other, frame(200, "x")).unwrap();
    let content = switchboard_core::protocol::Content::parse("1").unwrap();
    let refused = world
        .board
        .broadcast(world.now, "lobby", content, None, Exclude::NOBODY);
    assert_eq!(refused, Err(SendError::Busy));
    world.flush();
    assert_eq!(world.broadcast("lobby", "1", Exclude::NOBODY).seq, Some(1));
}

#[test]
fn a_member_that_a_message_closes_does_not_count_as_reached_by_it() {
    let mut world = bounded(QUEUE);
    let clients = members(&mut world, 4);
    for &client in &clients[..2] {
        block(&mut world, client);
    }
    // One of the two that do not read is excluded.
    let exclude = [world.id(clients[1])];
    let exclude = Exclude {
        connections: &exclude,
        users: &[],
    };
    let first = world.id(clients[0]);
    world
        .board
        .send(world.now, first, frame(5_000, "x"))
        .unwrap();
    let second = world.id(clients[1]);
    world
        .board
        .send(world.now, second, frame(4_900, "x"))
        .unwrap();
    let receipt = world
        .board
        .broadcast_raw(world.now, "lobby", frame(5_500, "y"), exclude)
        .unwrap();
    let mut expected = Receipt::default();
    (expected.accepted, expected.excluded, expected.closed) = (2, 1, 1);
    assert_eq!(receipt, expected);
    world.flush();
    assert_eq!(open(&world, &clients), [false, false, true, true]);
}

#[test]
fn a_message_to_one_connection_tells_that_it_was_closed_for_it() {
    let mut world = bounded(2 * QUEUE);
    let clients = members(&mut world, 1);
    world.stops_reading_after(clients[0], 0);
    let id = world.id(clients[0]);
    let sent = world.board.send(world.now, id, frame(6_000, "x")).unwrap();
    assert_eq!((sent.accepted, sent.closed), (1, 0));
    world.flush();
    let sent = world.board.send(world.now, id, frame(6_000, "x")).unwrap();
    assert_eq!((sent.accepted, sent.closed), (0, 1));
    assert!(!world.is_open(clients[0]));
}

#[test]
fn a_direct_message_tells_how_many_it_reached_after_all() {
    let mut world = bounded_with(QUEUE, |config| {
        config.presence.enabled = false;
        config.direct = switchboard_core::Direct::Open;
    });
    let [ann, bob, cyd] = ["ann", "bob", "cyd"].map(|name| world.connect(name, ""));
    world.forget();
    for (client, bytes) in [(bob, 9_000), (cyd, 900)] {
        block(&mut world, client);
        let id = world.id(client);
        world.board.send(world.now, id, frame(bytes, "x")).unwrap();
    }
    let content = "y".repeat(100);
    world.says(
        ann,
        json!({"type": "direct", "to": "bob", "content": content, "id": 7}),
    );
    assert_eq!(open(&world, &[ann, bob, cyd]), [true, false, true]);
    let ack = world.messages(ann);
    assert_eq!(ack, [json!({"type": "ack", "id": 7, "delivered": 0})]);
}

#[test]
fn a_socket_that_takes_bytes_again_is_not_to_blame() {
    let mut world = bounded(QUEUE);
    let clients = members(&mut world, 2);
    block(&mut world, clients[0]);
    world.peer_mut(clients[0]).room = None;
    let id = world.id(clients[0]);
    world
        .board
        .handle(world.now, id, Event::Writable)
        .expect("it is there");
    world.board.send(world.now, id, frame(9_000, "x")).unwrap();
    assert_eq!(publish(&mut world, frame(900, "y")).unwrap().accepted, 2);
    // More is held than may be, but all of it waits for a writer.
    assert_eq!(publish(&mut world, frame(900, "z")).unwrap().accepted, 2);
    assert!(world.stats().queued_bytes > QUEUE);
    assert_eq!(publish(&mut world, frame(200, "z")), Err(SendError::Busy));
    world.flush();
    assert_eq!(open(&world, &clients), [true, true]);
}

#[test]
fn large_frames_that_are_cut_do_not_cost_everybody_the_connection() {
    let mut world = bounded_with(100_000, |config| {
        config.limits.queue_bytes = 20_000;
        config.presence.enabled = false;
    });
    let clients = members(&mut world, 20);
    for &client in &clients {
        world.stops_reading_after(client, 1);
    }
    // A partly written frame cannot be discarded, so the connections that are closed for it must be
    // evicted.
    for &client in &clients {
        world.send(client, &"x".repeat(9_000));
    }
    let open = open(&world, &clients).into_iter().filter(|&open| open);
    assert_eq!(open.count(), 11, "eleven times 9 004 fit");
    assert!(world.stats().queued_bytes <= 100_000);
}

#[test]
fn a_large_frame_that_all_have_begun_to_read_costs_nobody_the_connection() {
    let mut world = bounded_with(20_000, |config| {
        config.limits.queue_bytes = 20_000;
        config.presence.enabled = false;
    });
    let clients = members(&mut world, 20);
    for &client in &clients {
        world.stops_reading_after(client, 1);
    }
    for size in [9_000, 1_000] {
        assert_eq!(publish(&mut world, frame(size, "x")).unwrap().accepted, 20);
        world.flush();
    }
    assert!(open(&world, &clients).iter().all(|&open| open));
    assert_eq!(world.stats().queued_bytes, 10_000);
}
