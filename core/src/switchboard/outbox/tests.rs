use std::net::IpAddr;

use super::budget::Relief;
use super::*;
use crate::IpKey;
use crate::switchboard::phase::Phase;

const NOW: Time = Time::from_millis(1_000);

struct World {
    outbox: Outbox,
    connections: Table,
    effects: Effects,
    limits: Limits,
}

impl World {
    /// Returns `number` open connections whose queues hold 100 bytes each.
    fn new(number: usize) -> (Self, Vec<ConnectionId>) {
        let mut connections = Table::default();
        let ip = IpKey::of(IpAddr::from([127, 0, 0, 1]));
        let ids = (0..number).map(|_| {
            let mut connection = ConnectionState::new(ip, Time::ZERO, Time::MAX);
            connection.phase = Phase::Open;
            connections.insert(connection)
        });
        let ids = ids.collect();
        let world = Self {
            outbox: Outbox::default(),
            connections,
            effects: Effects::default(),
            limits: Limits {
                queue_bytes: 100,
                ..Limits::default()
            },
        };
        (world, ids)
    }

    fn send(&mut self, ids: &[ConnectionId], bytes: usize, policy: SlowPolicy) -> Receipt {
        let message = Message {
            frame: self.outbox.publish(Frame::raw(vec![b'x'; bytes])),
            room: 1,
            policy,
        };
        let terms = Terms {
            limits: &self.limits,
            now: NOW,
        };
        let slots = ids.iter().map(|id| id.slot);
        let (connections, effects) = (&mut self.connections, &mut self.effects);
        let everyone = Excluded::Nobody;
        let sent = self
            .outbox
            .fan_out(connections, effects, slots, message, &everyone, terms);
        self.audit();
        sent.0
    }

    /// Lets the next connection write this many bytes; returns which it was and what it took.
    fn write(&mut self, written: usize) -> Option<(ConnectionId, usize)> {
        let id = self.outbox.poll(&mut self.connections)?;
        let connection = self.connections.get_mut(id).unwrap();
        let mut out = Vec::new();
        let chunk = self.outbox.take(connection, &mut out, 1 << 10);
        assert!(matches!(chunk, Chunk::Copied(_)), "{chunk:?}");
        self.outbox.wrote(connection, id, written, NOW).unwrap();
        self.audit();
        Some((id, out.len()))
    }

    fn audit(&self) {
        self.outbox.audit(&self.connections, &self.limits).unwrap();
    }
}

#[test]
fn a_message_waits_for_each_recipient_and_is_held_once() {
    let (mut world, ids) = World::new(3);
    let receipt = world.send(&ids[..2], 40, SlowPolicy::Disconnect);
    assert_eq!(receipt.queued, 2);
    assert_eq!(world.outbox.held(), 40);
    assert_eq!(world.write(40), Some((ids[0], 40)));
    assert_eq!(world.outbox.held(), 40);
    assert_eq!(world.write(40), Some((ids[1], 40)));
    assert_eq!(world.outbox.held(), 0);
    assert_eq!(world.write(0), None);
}

#[test]
fn a_slow_recipient_is_recorded_and_not_ended() {
    let (mut world, ids) = World::new(2);
    world.send(&ids[..1], 80, SlowPolicy::Disconnect);
    let receipt = world.send(&ids, 80, SlowPolicy::Disconnect);
    assert_eq!((receipt.queued, receipt.closed), (1, 1));
    let end = world.effects.next_end();
    assert_eq!(end, Some((ids[0], CloseReason::SlowConsumer)));
    assert!(world.connections.get(ids[0]).unwrap().is_open());
}

#[test]
fn the_policy_says_which_message_is_dropped() {
    let (mut world, ids) = World::new(2);
    world.send(&ids, 80, SlowPolicy::DropOldest);
    let receipt = world.send(&ids, 60, SlowPolicy::DropOldest);
    assert_eq!((receipt.queued, receipt.dropped_oldest), (2, 2));
    let receipt = world.send(&ids, 60, SlowPolicy::DropNewest);
    assert_eq!((receipt.queued, receipt.dropped_newest), (0, 2));
    assert_eq!(world.write(60), Some((ids[0], 60)));
}

#[test]
fn reading_resumes_when_older_messages_are_dropped() {
    let (mut world, ids) = World::new(1);
    world.limits.pause_reading = Some(70);
    world.send(&ids, 80, SlowPolicy::DropOldest);
    assert_eq!(world.effects.next_resumed(), None);
    world.send(&ids, 60, SlowPolicy::DropOldest);
    assert_eq!(world.effects.next_resumed(), Some(ids[0]));
}

#[test]
fn a_blocked_socket_gets_a_writer_when_it_is_writable_again() {
    let (mut world, ids) = World::new(1);
    world.send(&ids, 50, SlowPolicy::Disconnect);
    assert_eq!(world.write(20), Some((ids[0], 50)));
    world.send(&ids, 10, SlowPolicy::Disconnect);
    assert!(!world.outbox.wants_write());
    let connection = world.connections.get_mut(ids[0]).unwrap();
    world.outbox.writable(connection, ids[0]);
    assert_eq!(world.write(40), Some((ids[0], 40)));
    assert_eq!(world.outbox.held(), 0);
}

#[test]
fn only_blocked_connections_go_for_the_bound_the_longest_queue_first() {
    let (mut world, ids) = World::new(3);
    world.send(&ids, 10, SlowPolicy::Disconnect);
    world.send(&ids[1..2], 50, SlowPolicy::Disconnect);
    for _ in 0..2 {
        world.write(0);
    }
    let (outbox, connections) = (&world.outbox, &world.connections);
    assert!(Relief::new(outbox, connections, 60).is_none());
    let mut relief = Relief::new(outbox, connections, 20).unwrap();
    let victim = relief.next(outbox, connections, None).unwrap();
    assert_eq!((victim.id, victim.is_open), (ids[1], true));
    assert_eq!(relief.next(outbox, connections, None).unwrap().id, ids[0]);
    assert_eq!(relief.next(outbox, connections, None), None);
}

#[test]
fn none_goes_for_the_bound_if_that_cannot_keep_it() {
    let (mut world, ids) = World::new(2);
    world.send(&ids[..1], 10, SlowPolicy::Disconnect);
    world.write(0);
    world.send(&ids[1..], 90, SlowPolicy::Disconnect);
    assert!(Relief::new(&world.outbox, &world.connections, 50).is_none());
}

#[test]
fn writers_that_are_far_behind_hold_input_back() {
    let (mut world, ids) = World::new(1);
    world.limits.queue_messages = 8;
    for _ in 0..3 {
        world.send(&ids, 2, SlowPolicy::Disconnect);
        assert!(!world.outbox.is_congested(&world.connections, &world.limits));
    }
    world.send(&ids, 2, SlowPolicy::Disconnect);
    assert!(world.outbox.is_congested(&world.connections, &world.limits));
    world.write(8);
    assert!(!world.outbox.is_congested(&world.connections, &world.limits));
}
