//! What rooms keep of their messages, and who begins in it.

use switchboard_core::{ConnectionId, SlowPolicy, check_name};

use super::queue::Item;
use super::{Model, Nanos, Room, nanos};

/// Bytes that a message counts for beside its frame.
const BESIDE: usize = 112;

/// From where on a client wants the messages of a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Wish {
    /// From where the room's rule says.
    #[default]
    Rule,
    /// After this number of an epoch.
    Since(String, u64),
}

/// What was published to a room.
#[derive(Clone, Debug)]
struct Kept {
    /// Its number, if it has one.
    seq: Option<u64>,
    item: Item,
    at: Nanos,
    /// The users to whom it is not given later either.
    not_for: Vec<String>,
}

/// What a room keeps: from its oldest message on, also what has no number.
#[derive(Clone, Debug, Default)]
pub struct History {
    entries: Vec<Kept>,
    /// Without members: when the room ends.
    ends: Nanos,
}

impl History {
    fn numbered(&self) -> impl Iterator<Item = &Kept> {
        self.entries.iter().filter(|kept| kept.seq.is_some())
    }

    /// Returns the number of messages, and the bytes that they count for.
    fn size(&self) -> (usize, usize) {
        let bytes = self.numbered().map(|kept| kept.item.len + BESIDE).sum();
        (self.numbered().count(), bytes)
    }

    /// Returns the messages and bytes from the oldest on, with those that have no number.
    fn lag(&self) -> (usize, usize) {
        let bytes = self.entries.iter().map(|kept| kept.item.len).sum();
        (self.entries.len(), bytes)
    }

    /// Gives up the oldest message.
    fn give_up(&mut self) {
        let mut numbered = (0..self.entries.len()).filter(|&at| self.entries[at].seq.is_some());
        let next = (numbered.next(), numbered.next());
        let from = next.1.unwrap_or(self.entries.len());
        self.entries.drain(..from);
    }

    /// Gives up what is older than allowed.
    fn age(&mut self, now: Nanos, age: Nanos) {
        while self
            .entries
            .first()
            .is_some_and(|kept| kept.at + age <= now)
        {
            self.give_up();
        }
    }
}

/// Where a new member begins.
#[derive(Debug)]
pub(super) struct Beginning {
    /// The oldest number kept.
    pub(super) first: u64,
    /// Whether it gets all that it missed, if it said what that is.
    pub(super) recovered: Option<bool>,
    /// What it gets of what was published before.
    pub(super) items: Vec<Item>,
}

impl Model {
    /// Returns whether rooms keep histories.
    pub fn keeps(&self) -> bool {
        self.config.history.messages > 0
    }

    /// Returns a room, with members or without.
    pub(super) fn any_room(&mut self, name: &str) -> Option<&mut Room> {
        match self.rooms.get_mut(name) {
            Some(room) => Some(room),
            None => self.dormant.get_mut(name),
        }
    }

    /// Returns whether a room exists, with members or without; creates it if what is published to it is
    /// kept.
    pub(super) fn exists_to_publish(&mut self, name: &str) -> bool {
        if self.any_room(name).is_some() {
            return true;
        }
        let legal = check_name(name, self.config.limits.name_bytes).is_ok();
        if !(self.keeps() && legal) {
            return false;
        }
        self.lives += 1;
        let room = Room::new(self.lives);
        self.dormant.insert(name.to_owned(), room);
        self.put_off_end(name);
        true
    }

    /// Notes that a room has no members from now on, or had none and was published to.
    pub(super) fn put_off_end(&mut self, name: &str) {
        let ends = self.now + nanos(self.config.history.linger);
        if let Some(room) = self.dormant.get_mut(name) {
            room.history.ends = ends;
        }
    }

    /// Keeps what was published to a room, within the bounds.
    pub(super) fn keep(&mut self, name: &str, seq: Option<u64>, item: &Item, not_for: &[String]) {
        if !self.keeps() {
            return;
        }
        let (bounds, limits) = (self.config.history, self.config.limits);
        let catches_up = self.policy(name) == SlowPolicy::CatchUp;
        let (at, published) = (self.now, self.stamp);
        let Some(room) = self.any_room(name) else {
            return;
        };
        let history = &mut room.history;
        // What has no number is kept only between those that have one.
        if seq.is_some() || !history.entries.is_empty() {
            history.entries.push(Kept {
                seq,
                item: item.published_at(published),
                at,
                not_for: not_for.to_vec(),
            });
        }
        while {
            let (messages, bytes) = history.size();
            messages > bounds.messages || bytes > bounds.room_bytes
        } {
            history.give_up();
        }
        // It reaches back no further than a member may lag.
        while {
            let (messages, bytes) = history.lag();
            !catches_up && (messages > limits.queue_messages || bytes > limits.queue_bytes)
        } {
            history.give_up();
        }
        if seq.is_some() {
            self.put_off_end(name);
        }
    }

    /// Returns where a connection begins in a room that it enters.
    pub(super) fn begin(&mut self, id: ConnectionId, name: &str, wish: &Wish) -> Beginning {
        let (bounds, now, stamp) = (self.config.history, self.now, self.stamp);
        let (node, user) = (self.node.clone(), self.conns[&id].user.clone());
        let Some(room) = self.rooms.get_mut(name) else {
            return Beginning {
                first: 1,
                recovered: None,
                items: Vec::new(),
            };
        };
        room.history.age(now, nanos(bounds.age));
        let first = room.seq + 1 - room.history.numbered().count() as u64;
        let woken = room.members.is_empty() && room.seq > 0;
        let came = &mut self.recoveries;
        let (from, recovered) = match wish {
            Wish::Rule => {
                let last = (bounds.on_join as u64).min(room.seq);
                (first.max(room.seq + 1 - last), None)
            }
            Wish::Since(epoch, _) if *epoch != room.epoch(&node) => {
                came[2] += 1;
                (room.seq + 1, Some(false))
            }
            Wish::Since(_, since) if *since > room.seq => {
                came[3] += 1;
                (room.seq + 1, Some(false))
            }
            Wish::Since(_, since) if first > since + 1 => {
                came[1] += 1;
                (room.seq + 1, Some(false))
            }
            Wish::Since(_, since) => {
                came[0] += 1;
                (since + 1, Some(true))
            }
        };
        let entries = &room.history.entries;
        let begins = entries.iter().position(|kept| kept.seq == Some(from));
        let ahead = &entries[begins.unwrap_or(entries.len())..];
        // What is told of numbers that are not for it is not predicted.
        self.doubt |= ahead.iter().any(|kept| kept.not_for.contains(&user));
        let items = ahead.iter().map(|kept| {
            let mut item = kept.item.clone();
            (item.stamp, item.of_room, item.recovered) = (stamp + 1, true, true);
            item.excluded = kept.seq.is_none();
            item
        });
        let items: Vec<_> = items.collect();
        let outcome = match (recovered, items.is_empty()) {
            (Some(true), false) => "back to what it missed",
            (Some(true), true) => "back to nothing new",
            (Some(false), _) => "back too late",
            (None, false) => "to earlier messages",
            (None, true) => "to nothing",
        };
        *self.came.entry(outcome).or_default() += 1;
        if woken {
            *self.came.entry("to a room without members").or_default() += 1;
        }
        Beginning {
            first,
            recovered,
            items,
        }
    }

    /// Gives up what is too old, and ends rooms without members that have lingered.
    pub(super) fn tick_histories(&mut self) {
        let (now, age) = (self.now, nanos(self.config.history.age));
        for room in self.rooms.values_mut().chain(self.dormant.values_mut()) {
            room.history.age(now, age);
        }
        self.dormant.retain(|_, room| room.history.ends > now);
    }

    /// Returns when something is too old, or a room without members ends.
    pub(super) fn next_history(&self) -> Option<Nanos> {
        let age = nanos(self.config.history.age);
        let rooms = self.rooms.values().chain(self.dormant.values());
        let oldest = rooms.filter_map(|room| Some(room.history.entries.first()?.at + age));
        let ends = self.dormant.values().map(|room| room.history.ends);
        oldest.chain(ends).min()
    }

    /// Returns the rooms that keep messages, the messages, and their bytes.
    pub fn kept(&self) -> (usize, usize, usize) {
        let rooms = self.rooms.values().chain(self.dormant.values());
        rooms
            .filter(|_| self.keeps())
            .map(|room| room.history.size())
            .fold((0, 0, 0), |sum, (messages, bytes)| {
                (sum.0 + 1, sum.1 + messages, sum.2 + bytes)
            })
    }
}
