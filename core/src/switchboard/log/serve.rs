//! Taking all that one connection has to write, in order.

use smallvec::SmallVec;

use super::Log;
use super::class::Class;
use super::connection::Writer;
use super::limits::Slow;
use super::recovery::{Markers, Recovery, place};
use super::room::Room;
use super::take::{CHUNK, LENT_FROM};
use super::turn::{Job, Source, Step, Turn};
use crate::Frame;
use crate::http::event_stream;
use crate::switchboard::arena::NONE;
use crate::wire::frame::{Form, Place, Window};

/// A room in which the connection is behind.
#[derive(Clone, Copy, Debug)]
struct Behind {
    room: u32,
    /// The index in the list of members.
    member: u32,
    /// The cursor.
    cursor: u64,
    /// The index of the next entry.
    at: usize,
    /// The index of the first entry that it does not get for now.
    stop: usize,
    moved: bool,
    /// Messages taken.
    taken: u32,
    recovery: Option<Recovery>,
}

/// The job that is being collected.
#[derive(Debug)]
struct Gather {
    start: usize,
    steps: usize,
    lent: Option<(Form, usize)>,
    /// What the connection can inflate, and after what.
    window: Window,
    place: Place,
    /// Whether frames are written as events.
    events: bool,
    /// Whether nothing more fits.
    full: bool,
    urgent: u16,
    own: u32,
}

impl Gather {
    fn used(&self, turn: &Turn) -> usize {
        match &self.lent {
            Some((form, from)) => form.len() - from,
            None => turn.buffer.len() - self.start,
        }
    }

    /// Adds a frame as it is for the connection, if it fits; returns whether it did.
    fn add(&mut self, turn: &mut Turn, frame: &Frame, step: (bool, Source)) -> bool {
        if self.events {
            return self.add_event(turn, frame, step, None);
        }
        let (form, place) = frame.form_at(self.window, self.place);
        let added = self.add_form(turn, form, 0, step);
        if added {
            self.place = self.place.moved(place);
            turn.note_place(place);
        }
        added
    }

    /// Adds a form of a frame from a byte on, if it fits; returns whether it did.
    fn add_form(
        &mut self,
        turn: &mut Turn,
        form: &Form,
        from: usize,
        (message, source): (bool, Source),
    ) -> bool {
        let bytes = form.len() - from;
        let used = self.used(turn);
        let large = bytes >= LENT_FROM;
        if self.full || (used > 0 && (large || used + bytes > CHUNK)) {
            self.full = true;
            return false;
        }
        if large {
            self.lent = Some((form.clone(), from));
            self.full = true;
        } else {
            turn.buffer.extend_from_slice(&form.as_bytes()[from..]);
        }
        turn.steps.push(Step {
            end: (used + bytes) as u32,
            message,
            source,
        });
        true
    }

    /// Adds a frame as an event with this id, if it fits; returns whether it did.
    fn add_event(
        &mut self,
        turn: &mut Turn,
        frame: &Frame,
        (message, source): (bool, Source),
        id: Option<&str>,
    ) -> bool {
        if self.full {
            return false;
        }
        let before = turn.buffer.len();
        event_stream::write(&mut turn.buffer, frame, id);
        let used = turn.buffer.len() - self.start;
        if before > self.start && used > CHUNK {
            turn.buffer.truncate(before);
            self.full = true;
            return false;
        }
        turn.steps.push(Step {
            end: used as u32,
            message,
            source,
        });
        true
    }
}

impl Log {
    /// Takes what a connection has to write: the rest of a frame, urgent frames, then its own
    /// frames and those of its rooms in the order of publishing.
    pub(super) fn serve(&mut self, slot: u32, turn: &mut Turn, markers: &mut dyn Markers) {
        let mut gather = Gather {
            start: turn.buffer.len(),
            steps: turn.steps.len(),
            lent: None,
            window: self.connections[slot as usize].window,
            place: self.place(slot),
            events: self.connections[slot as usize].events,
            full: false,
            urgent: 0,
            own: 0,
        };
        let mut behind = self.behind(slot);
        self.gather_own_first(slot, turn, &mut gather);
        self.gather_in_order(slot, turn, &mut gather, (&mut behind, markers));
        let id = self.id(slot);
        let steps = gather.steps as u32..turn.steps.len() as u32;
        if gather.used(turn) == 0 {
            // What is not for the connection is passed at once.
            turn.steps.truncate(gather.steps);
            for passed in behind.iter().filter(|it| it.moved) {
                let position = self.rooms[passed.room].position(passed.at);
                self.advance(passed.room, passed.member, position);
                self.settle(passed.room);
            }
            return;
        }
        let all = behind
            .iter()
            .all(|it| it.at == self.rooms[it.room].ring.len());
        let job = match gather.lent {
            Some((form, from)) => Job::lent(id, form, from, steps, all),
            None => Job::copied(id, gather.start..turn.buffer.len(), steps, all),
        };
        turn.jobs.push(job);
        let connection = &mut self.connections[slot as usize];
        connection.writer = Writer::Writing;
        connection.again = false;
        if let Some(queue) = self.queues.get_mut(connection) {
            queue.urgent_taken = gather.urgent;
            queue.own_taken = gather.own;
        }
        for flown in behind.iter().filter(|it| it.moved) {
            let room = &mut self.rooms[flown.room];
            let member = &mut room.members[flown.member as usize];
            member.in_flight = true;
            let rooms = &mut self.connections[slot as usize].rooms;
            rooms[member.membership as usize].taken = flown.taken;
            if let Some(latest) = &mut room.latest {
                let to = room.sparse.as_ref().map_or(0, |it| it.position(flown.at));
                latest.take_to(flown.member, to);
            }
            let at = room.locate(flown.cursor);
            room.note_taken(at);
        }
    }

    /// Returns the rooms in which a connection has not got everything.
    fn behind(&mut self, slot: u32) -> SmallVec<[Behind; 4]> {
        let mut behind = SmallVec::new();
        for found in &self.connections[slot as usize].rooms {
            let room = &self.rooms[found.room];
            let member = room.members[found.index as usize];
            if member.cursor >= room.end() && !member.special {
                continue;
            }
            let recovery = self.recovery(slot, found.room);
            behind.push(Behind {
                room: found.room,
                member: found.index,
                cursor: member.cursor,
                at: room.next_of(&member, recovery.as_ref()),
                stop: room.stop_index(&member),
                moved: false,
                taken: 0,
                recovery,
            });
        }
        behind
    }

    /// Takes what goes before everything else.
    fn gather_own_first(&mut self, slot: u32, turn: &mut Turn, gather: &mut Gather) {
        let queue = self.queues.of(&self.connections[slot as usize]);
        if let Some(rest) = &queue.rest {
            gather.add_form(turn, &rest.form, rest.from, (rest.message, Source::Rest));
        }
        // An HTTP response is never overtaken.
        let mut own = queue.own.head;
        while let Some(item) = self.items.get(own)
            && item.class == Class::HTTP
            && gather.add(turn, &item.frame, (false, Source::Own))
        {
            gather.own += 1;
            own = item.next;
        }
        let mut urgent = queue.urgent.head;
        while let Some(item) = self.items.get(urgent)
            && gather.urgent < u16::MAX
            && gather.add(turn, &item.frame, (item.class.is_message(), Source::Urgent))
        {
            gather.urgent += 1;
            urgent = item.next;
        }
    }

    /// Takes own frames and those of rooms, each in its place.
    fn gather_in_order(
        &mut self,
        slot: u32,
        turn: &mut Turn,
        gather: &mut Gather,
        (behind, markers): (&mut [Behind], &mut dyn Markers),
    ) {
        let mut own = self.queues.of(&self.connections[slot as usize]).own.head;
        for _ in 0..gather.own {
            own = self.items[own].next;
        }
        while own != NONE && !gather.full {
            let stamp = self.items[own].stamp;
            for room in &mut *behind {
                self.gather_room(slot, turn, gather, (room, stamp), markers);
            }
            let item = &self.items[own];
            if gather.full || !gather.add(turn, &item.frame, (item.class.is_message(), Source::Own))
            {
                return;
            }
            gather.own += 1;
            own = item.next;
        }
        for room in &mut *behind {
            self.gather_room(slot, turn, gather, (room, u64::MAX), markers);
        }
    }

    /// Takes the messages of a room up to a stamp.
    fn gather_room(
        &self,
        slot: u32,
        turn: &mut Turn,
        gather: &mut Gather,
        (behind, stamp): (&mut Behind, u64),
        markers: &mut dyn Markers,
    ) {
        let room = &self.rooms[behind.room];
        let recovery = behind.recovery;
        if !behind.moved
            && !gather.full
            && recovery
                .as_ref()
                .is_some_and(|it| room.has_gone(behind.at, it))
        {
            let source = Source::Room {
                room: behind.room,
                position: room.position(behind.at),
                stamp: 0,
            };
            turn.steps.push(Step {
                end: gather.used(turn) as u32,
                message: false,
                source,
            });
            behind.moved = true;
        }
        while behind.at < behind.stop
            && let Some(entry) = room.ring.get(behind.at)
            && place(entry.stamp, recovery.as_ref()) <= stamp
        {
            if !self.gather_gap(slot, turn, gather, behind, markers) {
                return;
            }
            if room.is_for(behind.at, behind.cursor, slot, recovery.as_ref()) {
                let after = after(room, behind.room, behind.at);
                let at = (behind.room, room.position_after(behind.at));
                if !gather_at(slot, turn, gather, (&entry.frame, after), at, markers) {
                    return;
                }
                behind.at += 1;
                behind.taken += 1;
            } else if !self.gather_skipped(slot, turn, gather, behind, markers) {
                return;
            }
            behind.moved = true;
        }
    }

    /// Passes messages that are not for the connection. To one that recovers, their numbers are
    /// told. Returns whether the frame that tells them fits.
    fn gather_skipped(
        &self,
        slot: u32,
        turn: &mut Turn,
        gather: &mut Gather,
        behind: &mut Behind,
        markers: &mut dyn Markers,
    ) -> bool {
        if gather.full {
            return false;
        }
        let room = &self.rooms[behind.room];
        let recovery = behind.recovery.as_ref();
        let (at, numbers) = match recovery {
            Some(recovery) => room.skipped(behind.at, recovery),
            None => (room.after_dead(behind.at), None),
        };
        debug_assert!(!room.is_for(behind.at, behind.cursor, slot, behind.recovery.as_ref()));
        let marker = numbers.and_then(|(from, to)| markers.skip(behind.room, from, to));
        let after = after(room, behind.room, at - 1);
        match marker {
            Some(frame) => {
                let last = numbers.map(|(_, to)| to);
                if !gather_at(
                    slot,
                    turn,
                    gather,
                    (&frame, after),
                    (behind.room, last),
                    markers,
                ) {
                    return false;
                }
            }
            None => turn.steps.push(Step {
                end: gather.used(turn) as u32,
                message: false,
                source: after,
            }),
        }
        behind.at = at;
        true
    }

    /// Tells a member that has lost messages where it goes on, if that is in another epoch, or which ones it
    /// has lost, where the rule says so. Returns whether that fits.
    fn gather_gap(
        &self,
        slot: u32,
        turn: &mut Turn,
        gather: &mut Gather,
        behind: &mut Behind,
        markers: &mut dyn Markers,
    ) -> bool {
        let room = &self.rooms[behind.room];
        if behind.moved || !room.is_before_front(behind.cursor) {
            return true;
        }
        let marker = if room.misses_move(behind.cursor) {
            markers.moved(behind.room, room.popped)
        } else if room.rule.slow == Slow::CatchUp {
            let lost = self.lost_numbers(behind.room, behind.cursor);
            lost.and_then(|(from, to)| markers.gap(behind.room, from, to))
        } else {
            None
        };
        let Some(frame) = marker else {
            return true;
        };
        let front = Source::Room {
            room: behind.room,
            position: room.base,
            stamp: 0,
        };
        let at = (behind.room, Some(room.popped));
        behind.moved = gather_at(slot, turn, gather, (&frame, front), at, markers);
        behind.moved
    }
}

/// Adds a frame of a room, if it fits, for an event stream with the position after it; returns whether
/// it did.
fn gather_at(
    slot: u32,
    turn: &mut Turn,
    gather: &mut Gather,
    (frame, source): (&Frame, Source),
    (room, seq): (u32, Option<u64>),
    markers: &mut dyn Markers,
) -> bool {
    if !gather.events {
        return gather.add(turn, frame, (true, source));
    }
    let id = seq.and_then(|seq| markers.position(slot, room, seq));
    gather.add_event(turn, frame, (true, source), id.as_deref())
}

/// Returns the source of a step after which a member has passed the entry at an index.
fn after(room: &Room, key: u32, index: usize) -> Source {
    Source::Room {
        room: key,
        position: room.position(index) + 1,
        stamp: room.ring[index].stamp,
    }
}
