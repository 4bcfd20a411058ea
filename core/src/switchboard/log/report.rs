//! Reporting a turn: cursors move, and what was cut stays with its connection.

use smallvec::SmallVec;

use super::Log;
use super::class::Class;
use super::connection::{Rest, Writer};
use super::item::Priority;
use super::limits::Slow;
use super::plain::Plain;
use super::turn::{Job, Outcome, Source, Step, Turn};
use crate::ConnectionId;
use crate::switchboard::arena::NONE;
use crate::wire::frame::Form;

impl Log {
    /// Reports a turn, of which each job says how much was written. Returns what came of each job
    /// whose connection is still there, unless it is [plain](super::plain).
    pub(in crate::switchboard) fn report<'a>(&mut self, turn: &'a mut Turn) -> &'a [Outcome] {
        let mut outcomes = std::mem::take(&mut turn.outcomes);
        let mut plain = Plain::default();
        if !turn.led.is_empty() {
            self.move_in_contexts(turn);
        }
        for job in &turn.jobs {
            let id = job.id();
            if self.report_plain(job, turn, &mut plain) {
                continue;
            }
            self.move_plain(&mut plain);
            if self
                .connection(id)
                .is_some_and(|it| it.writer == Writer::Writing)
            {
                outcomes.push(self.report_job(id, job, turn));
            }
        }
        self.move_plain(&mut plain);
        turn.plain = plain.written;
        if let Some(at) = self
            .turns
            .iter()
            .position(|&(number, _)| number == turn.number)
        {
            self.turns.remove(at);
        }
        if !self.held_up.is_empty() {
            self.drop_held_up();
        }
        turn.jobs.clear();
        turn.stretches.clear();
        turn.outcomes = outcomes;
        &turn.outcomes
    }

    fn report_job(&mut self, id: ConnectionId, job: &Job, turn: &Turn) -> Outcome {
        let slot = id.slot;
        let written = job.written();
        let mut outcome = Outcome {
            id,
            written,
            messages: 0,
            ping: false,
            blocked: written < job.len(),
            missed: 0,
            discarded: 0,
            failed: job.has_failed(),
        };
        let steps = &turn.steps[job.steps.start as usize..job.steps.end as usize];
        if job.uniform
            && !outcome.blocked
            && !self.connections[slot as usize].flushed
            && self.connections[slot as usize].adrift == 0
            && let Some(&Step {
                source: Source::Room { room, position, .. },
                ..
            }) = steps.last()
        {
            // No step but the last needs to be looked at.
            outcome.messages = steps.len() as u32;
            self.land(slot, room, position);
            self.after_report(slot, job, turn, &mut outcome);
            return outcome;
        }
        let mut start = 0;
        // To where the steps lead, in each room.
        let mut places = SmallVec::<[(u32, u64); 4]>::new();
        // The stamps of what has gone out, for a connection that has left its rooms meanwhile.
        let mut gone = Vec::new();
        let flushed = self.connections[slot as usize].flushed;
        let kept = if flushed {
            self.taken_and_flushed(slot)
        } else {
            Vec::new()
        };
        for step in steps {
            let end = step.end as usize;
            let done = end <= written;
            if !done && start >= written {
                break;
            }
            match step.source {
                Source::Room {
                    room,
                    position,
                    stamp,
                } => {
                    if flushed {
                        gone.push(stamp);
                    }
                    if kept.binary_search(&stamp).is_err() {
                        self.not_adrift(slot, room, step.message);
                    }
                    match places.iter_mut().find(|place| place.0 == room) {
                        Some(place) => place.1 = position,
                        None => places.push((room, position)),
                    }
                    outcome.messages += u32::from(step.message && done);
                    if !done {
                        let part = (start, written, end);
                        let rest = self.rest_of_message((turn, job), part, (room, position, stamp));
                        self.set_rest(slot, Some(rest));
                    }
                }
                source => {
                    let rest = (!done).then(|| turn.rest(job, written, end));
                    self.report_own(slot, source, job.is_lent(), rest, &mut outcome);
                }
            }
            start = end;
        }
        for (room, position) in places {
            self.land(slot, room, position);
        }
        self.after_report(slot, job, turn, &mut outcome);
        if flushed {
            gone.sort_unstable();
            self.land_flushed(slot, &gone);
        }
        outcome
    }

    /// Returns what remains of a room's message, which begins and ends in the job where `part` says, and
    /// of which the bytes before the middle number are written. It is held once for all connections
    /// that have begun it.
    fn rest_of_message(
        &mut self,
        (turn, job): (&Turn, &Job),
        (start, written, end): (usize, usize, usize),
        (room, position, stamp): (u32, u64, u64),
    ) -> Rest {
        let (mut form, mut from) = turn.rest(job, written, end);
        let mut is_shared = job.is_lent();
        if !is_shared && let Some(whole) = self.message_before(room, position, &form, end - start) {
            (form, from) = (whole, written - start);
            is_shared = true;
        }
        let shared = if is_shared {
            self.share_message(form.clone(), stamp)
        } else {
            NONE
        };
        Rest {
            form,
            from,
            message: true,
            ping: false,
            shared,
        }
    }

    /// Returns the message before a position of a room in the form that is as long, and ends like this
    /// one: what is told of numbers is another frame.
    fn message_before(&self, room: u32, position: u64, rest: &Form, len: usize) -> Option<Form> {
        let room = self.rooms.get(room)?;
        let entry = room.ring.get(room.locate(position.checked_sub(1)?))?;
        entry.frame.form_of(rest.as_bytes(), len).cloned()
    }

    /// Notes that a message that a writer had taken has gone out, or begun to. If its room was left,
    /// it is not dropped after all.
    fn not_adrift(&mut self, slot: u32, room: u32, message: bool) {
        let connection = &mut self.connections[slot as usize];
        let member = connection.membership(room);
        let flies = member.is_some_and(|at| connection.rooms[at].taken > 0);
        if message && !flies {
            connection.adrift = connection.adrift.saturating_sub(1);
        }
    }

    /// Removes an own frame that was written, or leaves the rest of it.
    fn report_own(
        &mut self,
        slot: u32,
        source: Source,
        lent: bool,
        rest: Option<(Form, usize)>,
        outcome: &mut Outcome,
    ) {
        let keeps = lent && rest.is_some();
        let queue = self.queues.of_mut(&mut self.connections[slot as usize]);
        let (message, ping, shared) = match source {
            Source::Rest => queue.rest.as_ref().map_or((false, false, NONE), |rest| {
                (rest.message, rest.ping, rest.shared)
            }),
            Source::Urgent | Source::Own => {
                let priority = if source == Source::Urgent {
                    queue.urgent_taken -= 1;
                    Priority::Urgent
                } else {
                    queue.own_taken -= 1;
                    Priority::InOrder
                };
                let shared = if keeps {
                    self.share_first(slot, priority)
                } else {
                    NONE
                };
                let class = self.pop_own(slot, priority);
                class.map_or((false, false, shared), |class| {
                    (class.is_message(), class.has(Class::PING), shared)
                })
            }
            Source::Room { .. } => (false, false, NONE),
        };
        let Some((form, from)) = rest else {
            outcome.messages += u32::from(message);
            outcome.ping |= ping;
            if source == Source::Rest {
                self.set_rest(slot, None);
            }
            return;
        };
        let shared = if keeps { shared } else { NONE };
        if source == Source::Rest && shared != NONE {
            self.retain_shared(shared);
        }
        self.set_rest(
            slot,
            Some(Rest {
                form,
                from,
                message,
                ping,
                shared,
            }),
        );
    }

    /// Moves a cursor to where the steps of a room have led.
    fn land(&mut self, slot: u32, key: u32, position: u64) {
        let connection = &self.connections[slot as usize];
        let Some(at) = connection.membership(key) else {
            return;
        };
        let index = connection.rooms[at].index;
        if self.rooms[key].members[index as usize].in_flight {
            self.advance(key, index, position);
        }
    }

    /// Moves a member's cursor, which stands there in full or not at all.
    pub(super) fn advance(&mut self, key: u32, index: u32, position: u64) {
        let room = &mut self.rooms[key];
        let member = room.members[index as usize];
        let from = room.locate(member.cursor);
        if member.in_flight {
            room.note_reported(from);
        }
        let recovery = self.recoveries.get_mut(&(member.slot, key));
        if let Some(recovery) = recovery
            && let Some(snapshot) = &mut recovery.snapshot
        {
            let next = room.position(room.locate(position));
            if next < recovery.until {
                *snapshot = next;
                room.members[index as usize].in_flight = false;
                self.connections[member.slot as usize].rooms[member.membership as usize].taken = 0;
                return;
            }
            if let Some(latest) = &mut room.latest {
                latest.settled(member.slot);
            }
            self.recoveries.remove(&(member.slot, key));
        }
        room.caught_up(member.cursor);
        let mut uninformed = member.cursor < room.lost_presence && {
            // One that has come since was told who is present then.
            let informed = self.recoveries.get(&(member.slot, key));
            informed.is_none_or(|it| it.until < room.lost_presence)
        };
        let mut to = room.landing(room.locate(position));
        let mut special = member.special;
        let mut unmoved = false;
        if room.rule.slow == Slow::DropNewest {
            let (drained, stopped) = room.drain(&member, Some(to));
            to = drained;
            uninformed = stopped.is_some_and(|stop| stop < room.lost_presence);
            unmoved = stopped.is_some_and(|stop| stop < room.lost_move);
            special |= room.stop_of(&member).is_some();
        }
        let freed = room.depart(from);
        room.arrive(to);
        let end = room.position(to);
        special &= to < room.ring.len();
        if to == room.ring.len()
            && let Some(latest) = &mut room.latest
        {
            latest.up_to_date(member.slot);
        }
        let moved = &mut room.members[index as usize];
        moved.cursor = end;
        moved.in_flight = false;
        moved.special = special;
        let slot = member.slot;
        self.held -= freed;
        self.connections[slot as usize].rooms[member.membership as usize].taken = 0;
        if let Some(recovery) = self.recovery(slot, key)
            && recovery.until <= end
        {
            self.recoveries.remove(&(slot, key));
        }
        if uninformed {
            let id = self.id(slot);
            self.uninformed.push((key, id));
        }
        if unmoved {
            let id = self.id(slot);
            self.unmoved.push((key, id));
        }
        self.settle(key);
    }

    fn after_report(&mut self, slot: u32, job: &Job, turn: &Turn, outcome: &mut Outcome) {
        // Rooms of which nothing was written.
        let rooms = if job.uniform && !outcome.blocked {
            0
        } else {
            self.connections[slot as usize].rooms.len()
        };
        for at in 0..rooms {
            self.connections[slot as usize].rooms[at].taken = 0;
            let found = self.connections[slot as usize].rooms[at];
            let room = &mut self.rooms[found.room];
            let member = &mut room.members[found.index as usize];
            if std::mem::take(&mut member.in_flight) {
                let cursor = member.cursor;
                let at = room.locate(cursor);
                room.note_reported(at);
            }
        }
        let connection = &mut self.connections[slot as usize];
        connection.writer = Writer::Idle;
        connection.stalled = false;
        if let Some(queue) = self.queues.get_mut(connection) {
            queue.urgent_taken = 0;
            queue.own_taken = 0;
        }
        let again = std::mem::take(&mut connection.again);
        outcome.discarded = u64::from(std::mem::take(&mut connection.adrift));
        if connection.discards {
            outcome.discarded += self.discard_own(slot);
        }
        if outcome.blocked {
            self.collapse_pongs(slot);
            outcome.missed = self.block(slot);
        } else if again || !job.all || self.published != turn.stamp || self.has_own(slot) {
            self.touch_if_behind(slot);
        }
        // This also frees a queue that is empty now.
        self.weigh_connection(slot);
    }
}
