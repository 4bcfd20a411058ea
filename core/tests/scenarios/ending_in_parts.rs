//! One call ends only some of many connections, whatever the cause; the ticks that are due at once
//! end the others (`docs/architecture.md`).

use switchboard_core::{CloseReason, Config, Exclude, Frame, SendError, UserPolicy};

use crate::world::{Client, World, millis, secs, verdict};

/// Connections that one call ends.
const SOME: usize = 48;
const MANY: usize = 300;

fn many(lobby: &str, user: impl Fn(usize) -> String, change: impl FnOnce(&mut Config)) -> Node {
    let mut world = World::with(|config| {
        config.presence.enabled = false;
        config.limits.closing = MANY;
        change(config);
    });
    let connect = |at| world.connect(&user(at), lobby);
    let clients = (0..MANY).map(connect).collect();
    world.advance(millis(300));
    world.forget();
    Node { world, clients }
}

fn each_its_own(at: usize) -> String {
    format!("u{at}")
}

struct Node {
    world: World,
    clients: Vec<Client>,
}

impl Node {
    fn open(&self) -> usize {
        let clients = self.clients.iter();
        clients.filter(|&&it| self.world.is_open(it)).count()
    }

    fn all_stop_reading(&mut self) {
        for &client in &self.clients {
            self.world.stops_reading_after(client, 0);
        }
    }

    /// Makes a call that begins to end all clients, and the ticks that are due at once after it.
    fn ends<T>(&mut self, call: impl FnOnce(&mut World) -> T) -> T {
        let answer = call(&mut self.world);
        let mut before = MANY;
        loop {
            let left = self.open();
            assert!(left < before, "{left} are left");
            assert!(before - left <= SOME, "{before} to {left} in one call");
            before = left;
            if left == 0 {
                break;
            }
            self.tick_at_once();
        }
        self.world.flush();
        let later = self.world.now + millis(1);
        let next = self.world.board.next_deadline();
        assert!(next.is_none_or(|at| at > later), "no more is due at once");
        answer
    }

    fn tick_at_once(&mut self) {
        let next = self.world.board.next_deadline().expect("more is due");
        assert!(next <= self.world.now + millis(1), "not at once: {next:?}");
        self.world.now = self.world.now.max(next);
        self.world.board.tick(self.world.now);
    }
}

#[test]
fn connections_of_one_user_are_closed_some_at_a_time() {
    let allow = |config: &mut Config| config.users = UserPolicy::Allow(MANY);
    let mut node = many("lobby", |_| "ann".to_owned(), allow);
    let reason = CloseReason::Kicked;
    let closed = node.ends(|world| world.board.disconnect_user(world.now, "ann", reason));
    assert_eq!(closed, MANY);
    assert_eq!(node.world.stats().closes["kicked"], MANY as u64);
}

#[test]
fn members_that_a_message_finds_too_slow_are_closed_some_at_a_time() {
    let mut node = many("lobby", each_its_own, |config| {
        config.limits.queue_messages = 4;
    });
    node.all_stop_reading();
    for _ in 0..4 {
        node.world.broadcast("lobby", "0", Exclude::NOBODY);
    }
    assert_eq!(node.open(), MANY);
    let receipt = node.ends(|world| {
        let frame = Frame::text("one too many");
        let now = world.now;
        world
            .board
            .broadcast_raw(now, "lobby", frame, Exclude::NOBODY)
    });
    let receipt = receipt.expect("the node is not busy");
    assert_eq!((receipt.accepted, receipt.closed), (0, MANY));
    assert_eq!(node.world.stats().closes["slow_consumer"], MANY as u64);
}

#[test]
fn connections_that_are_full_for_a_frame_to_all_are_closed_some_at_a_time() {
    let mut node = many("", each_its_own, |config| {
        config.limits.queue_messages = 4;
    });
    node.all_stop_reading();
    for _ in 0..4 {
        for &client in &node.clients.clone() {
            node.world.send(client, "x");
        }
    }
    let now = node.world.now;
    let mut all = switchboard_core::ToAll::new(Frame::text("one too many"));
    let receipt = loop {
        let before = node.open();
        let board = &mut node.world.board;
        let part = board.broadcast_all_part(now, &mut all, Exclude::NOBODY);
        assert!(before - node.open() <= SOME, "{before} to {}", node.open());
        if let Some(receipt) = part.expect("it fits") {
            break receipt;
        }
    };
    assert_eq!((receipt.accepted, receipt.closed), (0, MANY));
    while node.open() > 0 {
        let before = node.open();
        node.tick_at_once();
        assert!(before - node.open() <= SOME, "{before} to {}", node.open());
    }
}

#[test]
fn the_bound_of_the_node_closes_some_connections_at_a_time() {
    const EACH: usize = 1_000;
    let mut node = many("", each_its_own, |config| {
        config.limits.queued_bytes = (MANY + 10) * EACH;
        config.limits.queue_bytes = config.limits.queued_bytes;
    });
    node.all_stop_reading();
    for &client in &node.clients.clone() {
        node.world.send(client, &"x".repeat(EACH - 4));
    }
    let reader = node.world.connect("reader", "");
    node.world.forget();
    // As much as all of them hold back.
    let large = Frame::text(&"y".repeat(MANY * EACH));
    let small = Frame::text("z");
    let id = node.world.id(reader);
    let sent = node.world.board.send(node.world.now, id, large);
    assert_eq!(sent.map(|it| it.accepted), Ok(1));
    assert_eq!(node.open(), MANY - SOME);
    let refused = node.world.board.send(node.world.now, id, small.clone());
    assert_eq!(refused, Err(SendError::Busy));
    assert_eq!(node.open(), MANY - 2 * SOME, "it closes more all the same");
    while node.world.board.send(node.world.now, id, small.clone()) == Err(SendError::Busy) {
        let before = node.open();
        node.tick_at_once();
        assert!((1..=SOME).contains(&(before - node.open())));
    }
    assert!(node.open() > 0, "no more of them than need be");
    node.world.flush();
    assert!(node.world.is_open(reader));
    assert_eq!(node.world.frames(reader).len(), 2);
}

#[test]
fn a_driver_that_stops_ends_all_connections_some_at_a_time() {
    let mut node = many("lobby", each_its_own, |_| {});
    // One that is not admitted, and one that is closing.
    node.world.arrives_to_stay();
    node.world.falls_silent(node.clients[7]);
    let closing = node.world.id(node.clients[7]);
    let now = node.world.now;
    let closed = node.world.board.close(now, closing, CloseReason::Kicked);
    assert_eq!(closed, Ok(()));
    node.world.flush();
    let (mut before, mut gone) = (0, 0);
    while node.world.board.shut_down_part(now) {
        node.world.flush();
        let peers = node.world.peers.iter();
        gone = peers.filter(|peer| peer.gone).count();
        assert!((1..=SOME).contains(&(gone - before)), "{before} to {gone}");
        before = gone;
    }
    node.world.flush();
    assert!(node.world.peers.iter().all(|peer| peer.gone));
    assert_eq!(node.world.peers.len(), MANY + 1);
    assert!(gone > MANY / 2);
    assert_eq!(node.world.stats().closes["shutdown"], MANY as u64 - 1);
}

#[test]
fn clients_that_log_in_when_a_drain_begins_are_refused_some_at_a_time() {
    let mut world = World::with(|config| config.rates.connects = None);
    let pending: Vec<_> = (0..MANY)
        .map(|at| {
            let client = world.arrives_to_stay();
            let from = world.new_address();
            world.asks_on(client, from, &format!("/ws?token=u{at}"), "");
            client
        })
        .collect();
    let refused = |world: &World| {
        let refused = world.board.stats(world.now).refused;
        refused.get("restart").copied().unwrap_or(0) as usize
    };
    world.board.drain(world.now, secs(10), secs(20));
    let mut before = 0;
    loop {
        let now = refused(&world);
        assert!((1..=SOME).contains(&(now - before)), "{before} to {now}");
        before = now;
        if now == pending.len() {
            break;
        }
        let next = world.board.next_deadline().expect("more is due");
        assert!(next <= world.now + millis(1));
        world.now = next;
        world.board.tick(next);
    }
    world.flush();
}

#[test]
fn of_those_who_lag_behind_a_drain_closes_fewer_at_a_time() {
    let mut node = many("lobby", each_its_own, |_| {});
    node.all_stop_reading();
    for _ in 0..200 {
        node.world.broadcast("lobby", "0", Exclude::NOBODY);
    }
    let now = node.world.now;
    node.world.board.drain(now, secs(1), secs(60));
    node.world.now = now + secs(1);
    let mut before = node.open();
    for _ in 0..10 {
        node.world.board.tick(node.world.now);
        let left = node.open();
        // Each is due 200 messages, which are copied to its own.
        assert!(
            (1..=SOME / 6).contains(&(before - left)),
            "{before} to {left}"
        );
        before = left;
        let next = node.world.board.next_deadline().expect("more is due");
        assert!(next <= node.world.now + millis(1));
        node.world.now = next;
    }
}

/// Rooms of each connection where all are in many.
const ROOMS: usize = 20;
/// Connections in so many rooms that one call ends.
const FEWER: usize = 5;

fn in_many_rooms(user: impl Fn(usize) -> String, change: impl FnOnce(&mut Config)) -> Node {
    let mut node = many("lobby", user, |config| {
        config.rooms = switchboard_core::Rooms::Open;
        change(config);
    });
    for (at, &client) in node.clients.clone().iter().enumerate() {
        let id = node.world.id(client);
        for room in 1..ROOMS {
            let room = format!("r{}", (at + room) % MANY);
            let joined = node.world.board.join(node.world.now, id, &room);
            joined.expect("there is room");
        }
        node.world.flush();
    }
    node
}

impl Node {
    /// Makes the ticks that are due at once, until all clients are ended.
    fn ends_fewer(&mut self) {
        while self.open() > 0 {
            let before = self.open();
            self.tick_at_once();
            let ended = before - self.open();
            assert!((1..=FEWER).contains(&ended), "{ended} in one call");
        }
    }
}

#[test]
fn of_those_in_many_rooms_a_driver_that_stops_ends_fewer_at_a_time() {
    let mut node = in_many_rooms(each_its_own, |_| {});
    let now = node.world.now;
    loop {
        let before = node.open();
        let more = node.world.board.shut_down_part(now);
        node.world.flush();
        let ended = before - node.open();
        assert!((1..=FEWER).contains(&ended), "{ended} in one call");
        if !more {
            break;
        }
    }
    assert_eq!(node.open(), 0);
}

#[test]
fn of_those_in_many_rooms_a_drain_closes_fewer_at_a_time() {
    let mut node = in_many_rooms(each_its_own, |_| {});
    node.world.board.drain(node.world.now, secs(1), secs(60));
    assert_eq!(node.open(), MANY);
    node.world.now = node.world.now + secs(1);
    node.world.board.tick(node.world.now);
    node.ends_fewer();
}

#[test]
fn of_those_in_many_rooms_a_kick_closes_fewer_at_a_time() {
    let allow = |config: &mut Config| config.users = UserPolicy::Allow(MANY);
    let mut node = in_many_rooms(|_| "ann".to_owned(), allow);
    let (now, reason) = (node.world.now, CloseReason::Kicked);
    assert_eq!(node.world.board.disconnect_user(now, "ann", reason), MANY);
    assert!(node.open() >= MANY - FEWER);
    node.ends_fewer();
}

#[test]
fn of_those_in_many_rooms_a_timer_closes_fewer_at_a_time() {
    let mut node = in_many_rooms(each_its_own, |_| {});
    node.all_stop_reading();
    node.world.broadcast("lobby", "0", Exclude::NOBODY);
    let stall = node.world.board.config().timeouts.write_stall;
    node.world.advance(stall.saturating_sub(millis(1)));
    assert_eq!(node.open(), MANY);
    node.world.now = node.world.now + millis(2);
    node.world.board.tick(node.world.now);
    assert!(node.open() >= MANY - FEWER);
    node.ends_fewer();
    assert_eq!(node.world.stats().closes["slow_consumer"], MANY as u64);
}

#[test]
fn a_kick_and_a_drain_share_what_one_call_ends_and_take_turns() {
    let half_anns = |at| match at % 2 {
        0 => "ann".to_owned(),
        _ => each_its_own(at),
    };
    let allow = |config: &mut Config| config.users = UserPolicy::Allow(MANY);
    let mut node = many("lobby", half_anns, allow);
    node.world.board.drain(node.world.now, secs(1), secs(60));
    assert_eq!(node.open(), MANY);
    node.world.now = node.world.now + secs(1);
    let (now, reason) = (node.world.now, CloseReason::Kicked);
    let closed = node.world.board.disconnect_user(now, "ann", reason);
    assert_eq!((closed, node.open()), (MANY / 2, MANY - SOME));
    for _ in 0..2 {
        let before = node.open();
        node.tick_at_once();
        let ended = before - node.open();
        assert!((1..=SOME).contains(&ended), "{ended} in one call");
    }
    let by_reason = node.world.stats().closes;
    assert!(
        by_reason["kicked"] > SOME as u64 && by_reason["draining"] > 0,
        "{by_reason:?}"
    );
    while node.open() > 0 {
        let before = node.open();
        node.tick_at_once();
        let ended = before - node.open();
        assert!(ended <= SOME, "{ended} in one call");
    }
}

#[test]
fn a_connection_that_comes_while_others_of_its_user_are_closed_stays() {
    let allow = |config: &mut Config| config.users = UserPolicy::Allow(2 * MANY);
    let mut node = many("lobby", |_| "ann".to_owned(), allow);
    let from = node.world.new_address();
    let newcomer = node.world.arrives(from).expect("a seat");
    node.world.asks_on(newcomer, from, "/ws?token=ann", "");
    let (now, reason) = (node.world.now, CloseReason::Kicked);
    assert_eq!(node.world.board.disconnect_user(now, "ann", reason), MANY);
    let id = node.world.id(newcomer);
    let admitted = node
        .world
        .board
        .authenticated(now, id, verdict("ann"), None);
    assert_eq!(admitted, Ok(()));
    assert!(node.world.is_open(newcomer) && node.open() > 0);
    node.world.flush();
    while node.open() > 0 {
        node.tick_at_once();
    }
    node.world.advance(millis(10));
    assert!(node.world.is_open(newcomer));
    assert_eq!(node.world.stats().closes["kicked"], MANY as u64);
    let now = node.world.now;
    assert_eq!(node.world.board.disconnect_user(now, "ann", reason), 1);
    assert!(!node.world.is_open(newcomer));
}
