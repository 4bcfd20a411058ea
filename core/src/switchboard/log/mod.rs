//! Delivery: a room is a log, a member is a cursor.
//!
//! ```text
//!   publish ─▶ ring of a room [ e  e  e3  e  e2 ] end: 12 members      one entry, whatever the members
//!                                     ▲      ▲
//!                               member A     member B                 a cursor in each room
//!
//!   pending: rooms, each walked in a circle ─┐
//!   dirty: connections ──────────────────────┴─▶ take ─▶ Turn ─▶ written ─▶ report
//!   own frames of a connection ──────────────┘
//! ```
//! This is a machine of its own: it knows connections and rooms by number, frames as bytes, and time
//! as an argument. It closes nobody, encodes nothing and has no names; its owner does.
//!
//! # Structure
//! | file | |
//! |---|---|
//! | `ring` | a queue that grows in segments, so that no call copies a long one |
//! | `entry`, `room` | a message; a room's log and the counts of its members' positions |
//! | `connection`, `item`, `class` | the state of a writer; a connection's own frame, and what it is |
//! | `queues` | the queues of connections with own frames |
//! | `own`, `shared`, `pongs` | a connection's own frames are queued, alone or for many, and go |
//! | `audit` | a recount of it all |
//! | `membership`, `publish` | connections come and go, enter and leave; a message is appended |
//! | `take`, `serve`, `turn` | a writer's turn: the circle, one connection in order |
//! | `report`, `plain` | the result of a turn; that of jobs which are like each other |
//! | `contexts` | messages that are compressed one after another |
//! | `slow`, `sparse`, `lagging` | lag over the limit |
//! | `blocked`, `bound`, `weight` | who takes no bytes, who holds back the most |
//! | `history`, `recovery` | what is kept, and who begins in it |
//! | `removed` | what is left of rooms that were removed |
//! | `latest`, `keys`, `sweep` | what is kept by key; publishing by key; what was overwritten goes |
//! | `ending`, `limits` | what waits goes out first, or is discarded; rules and limits |
//!
//! The data of a room, a connection and a history stand apart from what the log does with them: a file of
//! data imports neither [`Log`] nor a file that does, and what extends it by the log is its submodule.
//!
//! # Order
//! Each message of a room gets a stamp, the node's count of published messages. A connection's own
//! frame carries the stamp of the latest one: it goes out after all messages of its rooms up to that
//! stamp, and before all later ones. An urgent frame goes before everything but the rest of a frame
//! that was cut, and an HTTP response.
//!
//! # Invariants
//! `tests/check.rs` checks these after every call, the model the rest.
//! - L1: an entry counts the members whose cursor stands at it (at the front, if their place has
//!   gone); the front of a log has some, or is history.
//! - L2: whoever is behind and can be written to is in the circle of a listed room, or dirty. When in
//!   doubt, a connection is made dirty: a visit too many costs a comparison.
//! - L3: `held` is the sum of all frames, each once.
//! - L4: a member and its membership name each other.
//! - L5: a member is in a group of the blocked of its position exactly while its connection is
//!   blocked. A group whose members are over the limit, and are not spared, is condemned.
//! - L6: an entry counts the members at it that are in a turn that is not reported.
//! - L7: a member gets, in order and once, what was published while it was in the room, without what
//!   excludes it and what is counted as lost.
//! - L8: once everybody can be written to, turns come to an end.
//! - L9: a connection gets a frame compressed exactly if there is that form, and its window takes it. One
//!   that keeps its window gets compressed what it can inflate after what it has got compressed.
//! - H1: the history is a contiguous suffix of the numbers, within its bounds whenever it is read.
//! - H2: who recovers gets every later number once, as message, skipped or in a gap.
//! - K1: where values are kept by key, a member that has read to the end has got the latest one or
//!   the removal of each key, unless that excludes it, or was removed before it came.
//! - K2: the memory of such a room is bounded by its keys and its limit of lag.

mod audit;
mod blocked;
mod bound;
mod class;
mod connection;
mod contexts;
mod ending;
mod entry;
mod history;
mod item;
mod keys;
mod lagging;
mod latest;
mod limits;
mod membership;
mod own;
mod plain;
mod pongs;
mod publish;
mod queues;
mod recovery;
mod removed;
mod report;
mod ring;
mod room;
mod serve;
mod shared;
mod slow;
mod sparse;
mod sweep;
mod take;
#[cfg(test)]
mod tests;
mod turn;
mod weight;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub(super) use self::class::Class;
pub(super) use self::entry::{Busy, Kind, Published};
pub(super) use self::history::{Excluded, Origin};
pub(super) use self::latest::NotKept;
pub(super) use self::limits::{Limits, Rule};
pub(super) use self::recovery::{Identity, Joined, Markers, Resent, StartAt};
pub(super) use self::turn::Outcome;
pub use self::turn::Turn;

use self::connection::{Connection, Group, Lag, Writer};
use self::contexts::Contexts;
use self::entry::Entry;
use self::item::{Item, Shared};
use self::queues::Queues;
use self::recovery::Recovery;
use self::ring::Ring;
use self::room::Room;
use self::turn::Mark;
use self::weight::Weight;
use super::arena::Arena;
use super::chunks::Chunks;
use crate::wire::frame::Place;
use crate::{ConnectionId, Time};

/// What all connections of a node have to write.
#[derive(Debug)]
pub(super) struct Log {
    limits: Limits,
    rooms: Arena<Room>,
    serials: u64,
    connections: Chunks<Connection>,
    queues: Queues,
    items: Arena<Item>,
    shared: Arena<Shared>,
    /// Messages of rooms among `shared`, by their stamps, and whether it is the compressed form.
    flushed: BTreeMap<(u64, bool), u32>,
    lags: Arena<Lag>,
    groups: Arena<Group>,
    /// Messages published so far.
    published: u64,
    /// What was published and sent so far.
    totals: Mark,
    /// Bytes of all frames that are held, and of those that are only history.
    held: usize,
    idle: usize,
    /// Connections that can inflate messages.
    inflating: usize,
    contexts: Contexts,
    /// The place of the last message in a context that each connection got, up to the last one that keeps
    /// its window.
    places: Chunks<Place>,
    /// Rooms with something to write, each with its serial, in the order of their turns.
    pending: Ring<(u32, u64)>,
    /// Connections that have something to write and that no circle is sure to come to.
    dirty: Ring<(u32, Mark)>,
    /// Rooms in which members who can be written to are far behind.
    congested: usize,
    /// Turns that are not reported, the oldest first, each with what had been published.
    turns: VecDeque<(u64, Mark)>,
    turns_taken: u64,
    /// Connections that are over a limit, for the caller to close.
    condemned: VecDeque<ConnectionId>,
    /// Groups of members that a message found to be over the limit, for the caller to close.
    condemned_groups: VecDeque<u32>,
    /// Blocked members over the limit of a room whose rule spares them, without those that recover.
    spared: usize,
    /// Members that missed a change of presence: room, connection.
    uninformed: Vec<(u32, ConnectionId)>,
    /// Members that missed where a room goes on, in another epoch: room, connection.
    unmoved: Vec<(u32, ConnectionId)>,
    /// Rooms of which more is to be dropped than a writer allowed that was at it.
    held_up: Vec<u32>,
    /// Messages that were dropped when such a writer had reported.
    late_drops: usize,
    weights: BTreeSet<Weight>,
    /// Bytes of all that is listed there.
    held_back: u64,
    /// Members that recover, by slot and room.
    recoveries: BTreeMap<(u32, u32), Recovery>,
    /// Messages and bytes in the histories of all rooms.
    kept: (usize, usize),
    /// Values and removals that are kept by their keys, and the bytes that they take.
    latest: (usize, usize),
    /// Rooms without members that keep messages, by when they end.
    dormant: BTreeSet<(Time, u32)>,
    /// When a room's history is to be looked at.
    expiries: BTreeSet<(Time, u32)>,
    /// What is left of rooms that were removed.
    removed: Vec<Room>,
    /// The memory of rings that have become empty.
    spares: Vec<VecDeque<Entry>>,
    now: Time,
    /// Members and connections that writers have looked at.
    #[cfg(test)]
    visits: usize,
    /// Volatile messages that were dropped as a socket took no more: slot, room, position.
    #[cfg(test)]
    missed: Vec<(u32, u32, u64)>,
}

/// Rings that are kept for reuse, and their largest size: together at most about 1 MiB.
const SPARES: usize = 256;
const SPARE_ENTRIES: usize = 64;

impl Log {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            rooms: Arena::default(),
            serials: 0,
            connections: Chunks::default(),
            queues: Queues::default(),
            items: Arena::default(),
            shared: Arena::default(),
            flushed: BTreeMap::new(),
            lags: Arena::default(),
            groups: Arena::default(),
            published: 0,
            totals: Mark::default(),
            held: 0,
            idle: 0,
            inflating: 0,
            contexts: Contexts::new(limits.contexts),
            places: Chunks::default(),
            pending: Ring::default(),
            dirty: Ring::default(),
            congested: 0,
            turns: VecDeque::new(),
            turns_taken: 0,
            condemned: VecDeque::new(),
            condemned_groups: VecDeque::new(),
            spared: 0,
            uninformed: Vec::new(),
            unmoved: Vec::new(),
            held_up: Vec::new(),
            late_drops: 0,
            weights: BTreeSet::new(),
            held_back: 0,
            recoveries: BTreeMap::new(),
            kept: (0, 0),
            latest: (0, 0),
            dormant: BTreeSet::new(),
            expiries: BTreeSet::new(),
            removed: Vec::new(),
            spares: Vec::new(),
            now: Time::ZERO,
            #[cfg(test)]
            visits: 0,
            #[cfg(test)]
            missed: Vec::new(),
        }
    }

    /// Creates a room without members; returns its key.
    pub(super) fn create_room(&mut self, rule: Rule) -> u32 {
        self.serials += 1;
        let key = self.rooms.insert(Room::new(rule, self.serials));
        self.linger(key);
        key
    }

    /// Removes a room without members, and its history. Frees a part of what it keeps, and has the rest
    /// [freed](Self::free_removed) later.
    pub(super) fn remove_room(&mut self, key: u32) {
        let Some(room) = self.rooms.get(key) else {
            return;
        };
        debug_assert!(room.members.is_empty(), "its members leave first");
        self.congested -= usize::from(room.congested);
        if let Some(history) = &room.history {
            self.kept.0 -= history.messages();
            self.kept.1 -= history.bytes();
        }
        if let Some(latest) = &room.latest {
            self.latest.0 -= latest.len();
            self.latest.1 -= latest.bytes();
        }
        if let Some(armed) = room.armed {
            self.expiries.remove(&(armed, key));
        }
        self.unweigh_room(key);
        self.end_lingering(key);
        if let Some(room) = self.rooms.remove(key) {
            self.free_room(room);
        }
    }

    /// Notes that a socket takes bytes again.
    pub(super) fn writable(&mut self, id: ConnectionId) {
        if self
            .connection(id)
            .is_some_and(|it| it.writer == Writer::Blocked)
        {
            self.unblock(id.slot);
            self.touch_if_behind(id.slot);
        }
    }

    /// Returns the next member that missed a change of presence, with its room, for the caller to
    /// send it the list.
    pub(super) fn next_uninformed(&mut self) -> Option<(u32, ConnectionId)> {
        while let Some((key, id)) = self.uninformed.pop() {
            if self
                .connection(id)
                .is_some_and(|it| it.membership(key).is_some())
            {
                return Some((key, id));
            }
        }
        None
    }

    /// Returns the next member that missed where a room goes on, with the room, for the caller to tell it.
    pub(super) fn next_unmoved(&mut self) -> Option<(u32, ConnectionId)> {
        self.unmoved.pop()
    }

    /// Returns the bytes of memory that all frames hold. One that waits for many members counts
    /// once.
    pub(super) const fn held(&self) -> usize {
        self.held
    }

    /// Returns the bytes of a connection's own frames, and the messages among them.
    pub(super) fn own_waiting(&self, id: ConnectionId) -> (usize, usize) {
        let found = self.connection(id);
        let queue = found.map(|found| self.queues.of(found));
        queue.map_or((0, 0), |queue| (queue.bytes, queue.messages as usize))
    }

    /// Returns whether a socket takes no bytes.
    pub(super) fn is_blocked(&self, id: ConnectionId) -> bool {
        self.connection(id)
            .is_some_and(|it| it.writer == Writer::Blocked)
    }

    /// Returns whether anything waits for a connection, in its rooms or of its own.
    pub(super) fn waits(&self, id: ConnectionId) -> bool {
        self.connection(id).is_some_and(|found| {
            let behind = |at| self.waiting(id.slot, at) > 0;
            self.has_own(id.slot) || (0..found.rooms.len()).any(behind)
        })
    }

    /// Returns whether a writer has a connection in its turn.
    pub(super) fn is_writing(&self, id: ConnectionId) -> bool {
        self.connection(id)
            .is_some_and(|it| it.writer == Writer::Writing)
    }

    /// Returns whether a turn may take something.
    pub(super) fn wants_write(&self) -> bool {
        !self.pending.is_empty() || !self.dirty.is_empty()
    }

    /// Returns whether the writers are so far behind that more input should wait. What waits for
    /// blocked sockets does not count.
    pub(super) fn is_congested(&self) -> bool {
        if self.congested > 0 {
            return true;
        }
        let turn = self.turns.front().map(|&(_, since)| since);
        let dirty = self.dirty.front().map(|&(_, since)| since);
        let waits = self.wants_write() || turn.is_some();
        let late = |since: Mark| {
            self.totals.messages - since.messages > self.limits.own_messages as u64 / 4
                || self.totals.bytes - since.bytes > self.limits.own_bytes as u64 / 4
        };
        turn.is_some_and(late)
            || dirty.is_some_and(late)
            || (waits && self.waiting_bytes() > self.limits.held / 2)
    }

    #[inline]
    fn connection(&self, id: ConnectionId) -> Option<&Connection> {
        let found = self.connections.get(id.slot as usize)?;
        (found.generation == id.generation && found.writer != Writer::Gone).then_some(found)
    }

    fn id(&self, slot: u32) -> ConnectionId {
        ConnectionId {
            slot,
            generation: self.connections[slot as usize].generation,
        }
    }

    /// Sees to it that a connection gets a turn.
    fn touch(&mut self, slot: u32) {
        let connection = &mut self.connections[slot as usize];
        match connection.writer {
            Writer::Idle if !connection.dirty => {
                connection.dirty = true;
                self.dirty.push_back((slot, self.totals));
            }
            Writer::Writing => connection.again = true,
            _ => {}
        }
    }

    /// Sees to it that a connection gets a turn if it needs one.
    fn touch_if_behind(&mut self, slot: u32) {
        let connection = &self.connections[slot as usize];
        let behind = |found: &connection::Membership| {
            let room = &self.rooms[found.room];
            room.is_newcomer(found.index)
                || (room.index_of(found.index) < room.ring.len()
                    && !(room.listed && room.is_in_circle(found.index)))
        };
        if self.has_own(slot) || connection.rooms.iter().any(behind) {
            self.touch(slot);
        }
    }

    /// Sets the time, by which histories age.
    pub(super) fn advance_clock(&mut self, now: Time) {
        self.now = now;
    }

    /// Frees what all members of a room have passed.
    fn settle(&mut self, key: u32) {
        let room = &mut self.rooms[key];
        let idle = room.idle;
        self.held -= room.settle();
        self.note_idle(key, idle);
        let room = &mut self.rooms[key];
        if room.ring.is_empty() {
            room.close_holes();
            let buffer = room.ring.take_buffer();
            let of_use = buffer.capacity() > 0 && buffer.capacity() <= SPARE_ENTRIES;
            if of_use && self.spares.len() < SPARES {
                self.spares.push(buffer);
            }
        }
        let room = &self.rooms[key];
        if room.blocked > 0 {
            self.weigh_room(key);
        }
    }
}
