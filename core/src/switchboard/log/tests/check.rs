//! What must hold of a log after every call.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Log;
use super::super::connection::Writer;
use super::super::limits::Slow;
use super::super::turn::Turn;
use crate::switchboard::arena::NONE;

impl Log {
    /// Panics unless the counts, lists and sums are what a recount finds. `turns` are those that are
    /// not reported.
    pub(super) fn check(&self, turns: &[Turn]) {
        for (key, _) in self.rooms.iter() {
            self.check_counts(key);
            self.check_blocked(key);
            self.rooms[key].check_sparse();
            self.check_latest(key);
            self.rooms[key].check_swept();
        }
        self.check_lists();
        self.check_held();
        self.check_in_flight(turns);
        self.check_histories();
        self.check_kept();
        self.check_weights();
        self.check_spared();
    }

    /// Members over the limit of a room that spares them are counted, unless they recover.
    fn check_spared(&self) {
        let rooms = self
            .rooms
            .iter()
            .filter(|(_, room)| room.rule.slow == Slow::CatchUp);
        let spared = rooms.map(|(key, room)| {
            let members = room.members.iter().enumerate();
            let spared = members.filter(|&(index, member)| {
                self.connections[member.slot as usize].writer == Writer::Blocked
                    && self.recovery(member.slot, key).is_none()
                    && room.is_over(room.index_of(index as u32), 1)
            });
            spared.count()
        });
        assert_eq!(self.spared, spared.sum::<usize>(), "who is spared");
        let linked: usize = self
            .connections
            .iter()
            .flat_map(|it| &it.rooms)
            .filter(|found| found.lag != NONE)
            .count();
        assert_eq!(self.lags.len(), linked, "L5: a membership is left behind");
        for &group in &self.condemned_groups {
            let found = self
                .groups
                .get(group)
                .expect("L5: a group that is condemned");
            assert!(found.over);
        }
    }

    /// H1 and H7: the sums over all histories, and the rooms that are to be looked at.
    fn check_histories(&self) {
        let (mut messages, mut bytes, mut dormant) = (0, 0, 0);
        for (key, room) in self.rooms.iter() {
            let armed = room
                .armed
                .is_some_and(|at| self.expiries.contains(&(at, key)));
            assert_eq!(room.armed.is_some(), armed, "H7: room {key}");
            let lingers = self.dormant.iter().any(|&(_, listed)| listed == key);
            let lasts = room.linger().is_some() && room.members.is_empty();
            assert_eq!(lasts, lingers, "H7: room {key}");
            dormant += usize::from(lingers);
            let Some(history) = &room.history else {
                continue;
            };
            let kept = (history.first()..room.ring.len()).filter_map(|at| room.ring[at].seq());
            let kept: Vec<u64> = kept.collect();
            assert_eq!(kept.len(), history.messages(), "H1: room {key}");
            assert!(
                kept.windows(2).all(|pair| pair[0] + 1 == pair[1]),
                "H1: a hole"
            );
            assert!(
                kept.last().is_none_or(|&last| last == room.seq),
                "H1: the end"
            );
            assert!(history.messages() <= history.keep.messages, "H1");
            assert!(history.bytes() <= history.keep.bytes, "H1");
            assert!(kept.is_empty() || armed, "H7: it would never expire");
            messages += history.messages();
            bytes += history.bytes();
        }
        assert_eq!(self.kept(), (messages, bytes), "H1: the sums");
        assert_eq!(self.dormant.len(), dormant, "H7: rooms without members");
        for &(slot, key) in self.recoveries.keys() {
            let found = self.connections[slot as usize].membership(key);
            assert!(found.is_some(), "H4: {slot} recovers where it is not");
        }
    }

    /// Members that hold back memory are listed under the power of two of how much.
    fn check_weights(&self) {
        let (mut listed, mut held_back) = (0, 0);
        for (key, room) in self.rooms.iter() {
            let bytes = if room.blocked > 0 {
                room.lag(room.passed).1
            } else {
                0
            };
            assert_eq!(room.weight, bytes, "the weight of room {key}");
            listed += usize::from(bytes > 0);
            held_back += bytes;
        }
        for (slot, connection) in self.connections.iter().enumerate() {
            let blocked = connection.writer == Writer::Blocked;
            let queue = self.queues.of(connection);
            let bytes = if blocked { queue.bytes } else { 0 } as u64;
            assert_eq!(queue.weight, bytes, "the weight of connection {slot}");
            listed += usize::from(bytes > 0);
            held_back += bytes;
        }
        assert_eq!(self.held_back, held_back, "the sum of the weights");
        assert_eq!(self.weights.len(), listed, "weights");
    }

    /// L1: each entry counts the members that stand at it, and the front has some, or is history.
    fn check_counts(&self, key: u32) {
        let room = &self.rooms[key];
        let mut stand: BTreeMap<usize, u32> = BTreeMap::new();
        for (index, member) in room.members.iter().enumerate() {
            assert!(member.cursor <= room.end(), "a cursor is past the end");
            *stand.entry(room.index_of(index as u32)).or_default() += 1;
            // L4
            let connection = &self.connections[member.slot as usize];
            let found = connection.rooms[member.membership as usize];
            assert_eq!((found.room, found.index), (key, index as u32), "L4");
        }
        let mut bytes = 0;
        for (at, entry) in room.ring.iter().enumerate() {
            let count = stand.get(&at).copied().unwrap_or(0);
            assert_eq!(entry.cursors, count, "L1: at {at} of room {key}");
            let counts = !entry.is_volatile();
            bytes += if counts { entry.frame.len() as u64 } else { 0 };
        }
        let at_end = stand.get(&room.ring.len()).copied().unwrap_or(0);
        assert_eq!(room.at_end, at_end, "L1: at the end of room {key}");
        assert!(room.ring.iter().take(room.passed).all(|it| it.cursors == 0));
        let live = room.ring.get(room.passed);
        assert!(live.is_none_or(|entry| entry.cursors > 0), "L1: the front");
        if room.history.is_none() && room.latest.is_none() {
            assert_eq!(room.passed, 0, "L1: what all have passed is gone");
        }
        assert!(bytes <= room.bytes);
        let jumped = room
            .members
            .iter()
            .filter(|it| room.is_before_front(it.cursor));
        assert_eq!(room.jumped as usize, jumped.count(), "jumped");
        let volatile = room.ring.iter().filter(|entry| entry.is_volatile());
        assert_eq!(room.volatiles as usize, volatile.count(), "volatiles");
    }

    /// L5: a member is in a group of its position exactly while its connection is blocked.
    fn check_blocked(&self, key: u32) {
        let room = &self.rooms[key];
        let spares = room.rule.slow == Slow::CatchUp;
        let mut found: BTreeSet<(usize, u32)> = BTreeSet::new();
        let heads = room.ring.iter().map(|entry| entry.blocked);
        for (at, head) in heads.chain([room.end_blocked]).enumerate() {
            let (mut group, before) = (head, found.len());
            while group != NONE {
                let (of, before) = (self.groups[group], found.len());
                let (mut lag, mut recovering) = (of.first, 0);
                loop {
                    let Lag {
                        slot,
                        next,
                        group: own,
                        ..
                    } = self.lags[lag];
                    assert_eq!(own, group, "L5: a membership of another group");
                    assert!(found.insert((at, slot)), "L5: a circle is tangled");
                    recovering += u32::from(self.recovery(slot, key).is_some());
                    lag = next;
                    if lag == of.first {
                        break;
                    }
                }
                let counted = (of.count as usize, of.recovering);
                assert_eq!(counted, (found.len() - before, recovering), "L5: a group");
                let condemned = self.condemned_groups.contains(&group);
                assert_eq!(condemned, of.over && !spares, "L5: who is condemned");
                assert!(
                    !spares || of.over == room.is_beyond(at),
                    "L5: who is spared"
                );
                group = if of.next == head { NONE } else { of.next };
            }
            let counted = self.groups.get(head).map_or(0, |head| head.all);
            assert_eq!(
                found.len() - before,
                counted as usize,
                "L5: a position's count"
            );
        }
        let mut expected = BTreeSet::new();
        for (index, member) in room.members.iter().enumerate() {
            if self.connections[member.slot as usize].writer == Writer::Blocked {
                expected.insert((room.index_of(index as u32), member.slot));
            }
        }
        assert_eq!(found, expected, "L5: room {key}");
        assert_eq!(room.blocked as usize, expected.len(), "L5: room {key}");
    }

    /// L2: whoever is behind and can be written to is going to be visited.
    fn check_lists(&self) {
        let dirty: BTreeSet<u32> = self.dirty.iter().map(|&(slot, _)| slot).collect();
        assert_eq!(dirty.len(), self.dirty.len(), "one is dirty twice");
        let mut listed = BTreeSet::new();
        for &(key, serial) in self.pending.iter() {
            if self
                .rooms
                .get(key)
                .is_some_and(|room| room.serial == serial)
            {
                assert!(listed.insert(key), "a room is listed twice");
                assert!(self.rooms[key].listed);
            }
        }
        let mut congested = 0;
        for (key, room) in self.rooms.iter() {
            assert_eq!(room.listed, listed.contains(&key));
            congested += usize::from(room.congested);
        }
        assert_eq!(self.congested, congested);
        for (slot, connection) in self.connections.iter().enumerate() {
            let slot = slot as u32;
            assert_eq!(connection.dirty, dirty.contains(&slot), "dirty {slot}");
            if connection.writer != Writer::Idle || connection.dirty {
                continue;
            }
            assert!(
                !self.queues.has_some(connection),
                "L2: own frames of {slot} are forgotten"
            );
            for found in &connection.rooms {
                let room = &self.rooms[found.room];
                let behind = room.index_of(found.index) < room.ring.len();
                let visited = room.listed && room.is_in_circle(found.index);
                assert!(!behind || visited, "L2: {slot} is forgotten");
                assert!(!room.is_newcomer(found.index), "L2: {slot} is forgotten");
            }
        }
    }

    /// L3: what is held is what a recount finds.
    fn check_held(&self) {
        let rooms = self.rooms.iter().map(|(_, room)| room);
        let rooms = rooms.chain(&self.removed).flat_map(|room| room.ring.iter());
        let mut held: usize = rooms.map(|entry| entry.frame.footprint()).sum();
        let (mut items, mut queues) = (0, 0);
        for (slot, connection) in self.connections.iter().enumerate() {
            let (mut bytes, mut messages, mut pongs) = (0, 0, 0);
            let queue = self.queues.of(connection);
            queues += usize::from(connection.queue != NONE);
            for list in [queue.urgent, queue.own] {
                let mut at = list.head;
                while let Some(item) = self.items.get(at) {
                    bytes += item.frame.len();
                    messages += u32::from(item.class.is_message());
                    pongs += u8::from(item.class == Class::PONG);
                    held += if item.is_shared() {
                        0
                    } else {
                        item.frame.footprint()
                    };
                    items += 1;
                    assert_eq!(item.next == NONE, at == list.tail);
                    at = item.next;
                }
            }
            if let Some(rest) = &queue.rest {
                bytes += rest.bytes().len();
                held += if rest.shared == NONE {
                    rest.bytes().len()
                } else {
                    0
                };
                messages += u32::from(rest.message);
            }
            let found = (queue.bytes, queue.messages, queue.pongs);
            assert_eq!(found, (bytes, messages, pongs), "connection {slot}");
        }
        held += self.shared_bytes();
        let rooms = self.rooms.iter().map(|(_, room)| room);
        let passed = rooms.flat_map(|room| room.ring.iter().take(room.passed));
        let idle: usize = passed.map(|entry| entry.frame.footprint()).sum();
        assert_eq!(self.idle, idle, "L3: what is only history");
        assert_eq!(items, self.items.len());
        assert_eq!(queues, self.queues.len(), "a queue is left behind");
        assert_eq!(self.held, held, "L3");
    }

    /// L6: who flies is in a turn that is not reported, and is counted where it stands.
    fn check_in_flight(&self, turns: &[Turn]) {
        let mut writing = BTreeSet::new();
        for turn in turns {
            for at in 0..turn.len() {
                let (id, _) = turn.job(at).expect("there is a job");
                if self.connection(id).is_some() {
                    assert!(writing.insert(id.slot), "{id} has two writers");
                }
            }
        }
        for (slot, connection) in self.connections.iter().enumerate() {
            let taken = connection.writer == Writer::Writing;
            assert_eq!(taken, writing.contains(&(slot as u32)), "L6: {slot}");
        }
        for (key, room) in self.rooms.iter() {
            let mut flight: BTreeMap<usize, u32> = BTreeMap::new();
            for (index, member) in room.members.iter().enumerate() {
                if member.in_flight {
                    assert!(writing.contains(&member.slot), "L6");
                    *flight.entry(room.index_of(index as u32)).or_default() += 1;
                }
            }
            for (at, entry) in room.ring.iter().enumerate() {
                let expected = flight.get(&at).copied().unwrap_or(0);
                assert_eq!(entry.flight, expected, "L6: room {key}");
            }
            let expected = flight.get(&room.ring.len()).copied().unwrap_or(0);
            assert_eq!(room.end_flight, expected, "L6: at the end of room {key}");
        }
    }
}

use super::super::class::Class;
use super::super::connection::Lag;
