//! Taking a turn: connections that need one first, then the rooms, each in a circle.

use super::Log;
use super::connection::Writer;
use super::limits::Slow;
use super::recovery::Markers;
use super::turn::{Job, Source, Step, Stretch, Turn};
use crate::ConnectionId;
use crate::wire::frame::{Place, Window};

/// Members that are looked at in one turn.
const LOOKS: usize = 256;
/// Members of a room that are looked at before the next room has its turn.
const SLICE: usize = 32;
/// Bytes taken for one connection.
pub(super) const CHUNK: usize = 64 << 10;
/// Bytes in the buffer above which no further connection is taken.
const BUFFER: usize = 256 << 10;
/// Connections of which the first words are read together, before each is served: about as many as the
/// cache misses that a processor can have under way.
const PREFETCH: usize = 16;
/// Frames of as many bytes are lent instead of being copied.
pub(super) const LENT_FROM: usize = 8 << 10;

impl Log {
    /// Returns the number of the next turn.
    pub(in crate::switchboard) const fn next_turn(&self) -> u64 {
        self.turns_taken + 1
    }

    /// Takes a turn of at most `most` connections. They have no other writer until it is reported.
    pub(in crate::switchboard) fn take(
        &mut self,
        turn: &mut Turn,
        most: usize,
        markers: &mut dyn Markers,
    ) {
        turn.clear();
        turn.stamp = self.published;
        self.turns_taken += 1;
        turn.number = self.turns_taken;
        let since = self.totals;
        // While rooms wait, a quarter of the turn is theirs.
        let share = if self.pending.is_empty() {
            most
        } else {
            most - most / 4
        };
        self.take_dirty(turn, share, markers);
        self.take_rooms(turn, most, markers);
        self.take_dirty(turn, most, markers);
        if !turn.jobs.is_empty() {
            self.turns.push_back((turn.number, since));
        }
    }

    fn take_dirty(&mut self, turn: &mut Turn, most: usize, markers: &mut dyn Markers) {
        let mut looks = LOOKS;
        let mut fetched = 0;
        while turn.jobs.len() < most
            && turn.buffer.len() < BUFFER
            && looks > 0
            && let Some((slot, _)) = self.dirty.pop_front()
        {
            looks -= 1;
            fetched = match fetched {
                0 => self.prefetch(most - turn.jobs.len()),
                more => more - 1,
            };
            #[cfg(test)]
            (self.visits += 1);
            let connection = &mut self.connections[slot as usize];
            connection.dirty = false;
            if connection.writer == Writer::Idle {
                self.serve(slot, turn, markers);
            }
        }
    }

    /// Reads what serving the next connections reads first, so that their cache misses overlap. Returns
    /// the number of connections.
    fn prefetch(&self, most: usize) -> usize {
        let mut words = 0;
        let mut count = 0;
        while count < most.min(PREFETCH)
            && let Some(&(slot, _)) = self.dirty.get(count)
        {
            count += 1;
            let Some(connection) = self.connections.get(slot as usize) else {
                continue;
            };
            words ^= u64::from(connection.generation);
            if let Some(found) = connection.rooms.first()
                && let Some(room) = self.rooms.get(found.room)
            {
                let member = room.members.get(found.index as usize);
                words ^= room.end() ^ member.map_or(0, |member| member.cursor);
            }
        }
        std::hint::black_box(words);
        count
    }

    fn take_rooms(&mut self, turn: &mut Turn, most: usize, markers: &mut dyn Markers) {
        let mut looks = LOOKS;
        while turn.jobs.len() < most
            && turn.buffer.len() < BUFFER
            && looks > 0
            && let Some((key, serial)) = self.pending.pop_front()
        {
            if self.rooms.get(key).is_none_or(|room| room.serial != serial) {
                looks -= 1;
                continue;
            }
            let slice = SLICE.min(looks);
            looks -= self.walk(key, turn, (slice, most), markers).max(1);
            let room = &mut self.rooms[key];
            if room.left > 0 {
                self.pending.push_back((key, serial));
            } else {
                room.listed = false;
                self.congested -= usize::from(std::mem::take(&mut room.congested));
            }
        }
    }

    /// Visits the next members of a room's circle; returns how many.
    fn walk(
        &mut self,
        key: u32,
        turn: &mut Turn,
        (slice, most): (usize, usize),
        markers: &mut dyn Markers,
    ) -> usize {
        let mut looks = 0;
        let first = turn.stretches.len();
        while looks < slice && turn.jobs.len() < most && turn.buffer.len() < BUFFER {
            let room = &mut self.rooms[key];
            if room.left == 0 {
                break;
            }
            looks += 1;
            #[cfg(test)]
            (self.visits += 1);
            let index = room.walk;
            let members = room.members.len() as u32;
            room.walk = if index + 1 == members { 0 } else { index + 1 };
            room.left -= 1;
            room.lap -= 1;
            if room.lap == 0 {
                room.lap = members;
                room.since = self.totals;
                self.congested -= usize::from(std::mem::take(&mut room.congested));
            }
            self.visit(key, index, turn, first, markers);
        }
        looks
    }

    #[inline]
    fn visit(
        &mut self,
        key: u32,
        index: u32,
        turn: &mut Turn,
        first: usize,
        markers: &mut dyn Markers,
    ) {
        let room = &self.rooms[key];
        let member = &room.members[index as usize];
        let (slot, from) = (member.slot, member.cursor);
        if from >= room.end() {
            return;
        }
        let connection = &self.connections[slot as usize];
        if connection.writer != Writer::Idle {
            return;
        }
        // One that is dirty may be behind in a room that is not listed.
        let alone = !self.queues.has_some(connection)
            && !connection.dirty
            && !connection.events
            && !member.special
            && !room.is_before_front(from)
            && (room.rule.slow != Slow::DropNewest || from >= room.over)
            && (connection.rooms.len() == 1
                || connection
                    .rooms
                    .iter()
                    .all(|other| other.room == key || !self.rooms[other.room].listed));
        if !alone {
            return self.serve(slot, turn, markers);
        }
        let known = turn.stretches[first..]
            .iter()
            .position(|it| it.from == from && (it.window.is_none() || self.is_for(it, slot)));
        let known = known.map_or_else(|| self.stretch(key, (from, slot), turn), |at| first + at);
        let stretch = &turn.stretches[known];
        let (to, steps) = (stretch.to, stretch.steps.clone());
        let taken = steps.len() as u32;
        let connection = &mut self.connections[slot as usize];
        let generation = connection.generation;
        let id = ConnectionId { slot, generation };
        connection.writer = Writer::Writing;
        let mut job = match &stretch.lent {
            Some(form) => Job::lent(id, form.clone(), 0, steps, stretch.all),
            None => Job::copied(id, stretch.bytes.clone(), steps, stretch.all),
        };
        job.uniform = true;
        debug_assert!(job.len() > 0, "a stretch has bytes");
        turn.jobs.push(job);
        let room = &mut self.rooms[key];
        let member = &mut room.members[index as usize];
        member.in_flight = true;
        connection.rooms[member.membership as usize].taken = taken;
        if let Some(latest) = &mut room.latest {
            latest.take_to(index, to);
        }
        let at = room.locate(from);
        room.note_taken(at);
    }

    /// Returns whether a stretch is in the form that a connection gets.
    #[inline(never)]
    fn is_for(&self, stretch: &Stretch, slot: u32) -> bool {
        stretch.window == Some(self.window_and_place(slot))
    }

    /// Returns what a connection can inflate, and if it keeps that, the place to which it has come.
    fn window_and_place(&self, slot: u32) -> (Window, Place) {
        match self.connections[slot as usize].window {
            window if window.is_kept() => (window, self.place(slot)),
            window => (window, Place::NONE),
        }
    }

    /// Collects what a member gets that stands at `from` and is not special, and others like it.
    fn stretch(&self, key: u32, (from, slot): (u64, u32), turn: &mut Turn) -> usize {
        let (window, begins) = self.window_and_place(slot);
        let room = &self.rooms[key];
        let (start, steps) = (turn.buffer.len(), turn.steps.len() as u32);
        let mut at = room.locate(from);
        let mut to = from;
        let mut lent = None;
        let mut has_forms = false;
        let mut place = begins;
        while let Some(entry) = room.ring.get(at) {
            let (form, to_place) = entry.frame.form_at(window, place);
            let large = form.len() >= LENT_FROM;
            let used = turn.buffer.len() - start;
            has_forms |= entry.frame.has_forms();
            if used > 0 && (large || used + form.len() > CHUNK) {
                break;
            }
            let skipped = entry.is_dead() || (entry.is_volatile() && room.position(at) != from);
            if skipped {
                at += 1;
                continue;
            }
            if large {
                lent = Some(form.clone());
            } else {
                turn.buffer.extend_from_slice(form.as_bytes());
            }
            place = place.moved(to_place);
            at = room.landing(at + 1);
            to = room.position(at);
            turn.steps.push(Step {
                end: (used + form.len()) as u32,
                message: true,
                source: Source::Room {
                    room: key,
                    position: to,
                    stamp: entry.stamp,
                },
            });
            turn.note_place(to_place);
            if large {
                break;
            }
        }
        turn.stretches.push(Stretch {
            from,
            to,
            bytes: start..turn.buffer.len(),
            steps: steps..turn.steps.len() as u32,
            lent,
            window: has_forms.then_some((window, begins)),
            all: at == room.ring.len(),
        });
        turn.stretches.len() - 1
    }
}
