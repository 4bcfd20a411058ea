//! Connections that are ending: what waits for them goes out first, or is discarded.

use super::Log;
use super::class::Class;
use super::connection::{List, Membership, Writer};
use super::item::{Item, Priority, Provenance};
use super::recovery::{Markers, NoMarkers, place};
use super::turn::Turn;
use crate::http::event_stream;
use crate::switchboard::arena::NONE;
use crate::{ConnectionId, Frame};

/// What a connection that is ending is still due from a room.
struct Due {
    place: u64,
    stamp: u64,
    frame: Frame,
    provenance: Provenance,
    /// Whether it is a mark, not a message.
    mark: bool,
}

impl Log {
    /// Removes a connection from its rooms, but lets it have what was published there so far. Where
    /// it recovers, the numbers that are not for it are told.
    ///
    /// Costs as much as it lags behind, which the limits of its rooms bound.
    pub(in crate::switchboard) fn close_flush(
        &mut self,
        id: ConnectionId,
        markers: &mut dyn Markers,
    ) {
        if self.connection(id).is_none() {
            return;
        }
        let mut due = Vec::new();
        for found in &self.connections[id.slot as usize].rooms {
            self.gather_due(id.slot, found, &mut due, markers);
        }
        self.flush(id.slot, due);
        // Of rooms that it left before.
        let adrift = self.connections[id.slot as usize].adrift;
        self.leave_all(id);
        self.connections[id.slot as usize].adrift = adrift;
        self.order_flushed(id.slot, &[]);
    }

    /// Removes a connection from a room, but lets it have what was published there so far, if that fits
    /// among its own frames: nobody gets slow by leaving. Returns the number of messages that it does not
    /// get, as [`leave`](Self::leave) does. Costs as much as it lags behind.
    pub(in crate::switchboard) fn leave_flush(
        &mut self,
        id: ConnectionId,
        key: u32,
        markers: &mut dyn Markers,
    ) -> Option<u64> {
        let found = self.connection(id)?;
        let membership = found.membership(key)?;
        let mut due = Vec::new();
        self.gather_due(id.slot, &found.rooms[membership], &mut due, markers);
        let bytes: usize = due.iter().map(|it| it.frame.len()).sum();
        if !self.fits_half(found, bytes, due.len()) {
            return Some(self.leave_at(id.slot, membership));
        }
        self.flush(id.slot, due);
        let taken = self.connections[id.slot as usize].rooms[membership].taken;
        self.leave_at(id.slot, membership);
        self.connections[id.slot as usize].adrift -= taken;
        self.order_flushed(id.slot, &[]);
        Some(0)
    }

    /// Copies what a connection is due to its own frames. They are still to be put
    /// [in order](Self::order_flushed).
    fn flush(&mut self, slot: u32, mut due: Vec<Due>) {
        due.sort_by_key(|it| (it.place, it.stamp));
        // What it recovers has its place after what was published; what ends it comes later still.
        let last = due.last().map_or(0, |it| it.place);
        self.published = self.published.max(last);
        for it in due {
            let shared = if it.mark {
                self.share(it.frame, Some(it.stamp))
            } else {
                let window = self.connections[slot as usize].window.by_itself();
                self.share_message(it.frame.form(window).clone(), it.stamp)
            };
            self.append_shared(slot, shared, it.place, it.provenance);
            self.unshare(shared);
        }
        self.connections[slot as usize].flushed = true;
    }

    /// Collects what a connection is due from a room.
    fn gather_due(
        &self,
        slot: u32,
        found: &Membership,
        due: &mut Vec<Due>,
        markers: &mut dyn Markers,
    ) {
        let room = &self.rooms[found.room];
        let member = room.members[found.index as usize];
        let provenance = if member.in_flight {
            Provenance::InFlight
        } else {
            Provenance::Room
        };
        let taken_to = room.latest.as_ref().filter(|_| member.in_flight);
        let taken_to = taken_to.map(|latest| room.locate(latest.taken_to(found.index)));
        let mut taken = found.taken;
        let recovery = self.recovery(slot, found.room);
        let stop = room.stop_index(&member);
        let mut at = room.next_of(&member, recovery.as_ref());
        if at < stop
            && room.misses_move(member.cursor)
            && let Some(frame) = markers.moved(found.room, room.popped)
        {
            let place = place(room.ring[at].stamp, recovery.as_ref());
            let is_told = self.connections[slot as usize].events;
            let told = is_told.then(|| markers.position(slot, found.room, room.popped));
            let line = told.flatten().map(|told| event_stream::id_line(&told));
            due.extend(line.into_iter().chain([frame]).map(|frame| Due {
                place,
                // As a writer reports it.
                stamp: 0,
                frame,
                provenance,
                mark: true,
            }));
        }
        while at < stop {
            let entry = &room.ring[at];
            let place = place(entry.stamp, recovery.as_ref());
            let mut next = at + 1;
            let (mut told, mut last) = (None, room.position_after(at));
            let is_for = room.is_for(at, member.cursor, slot, recovery.as_ref());
            if !is_for && let Some(recovery) = &recovery {
                let (after, numbers) = room.skipped(at, recovery);
                next = after;
                last = numbers.map(|(_, to)| to);
                told = numbers.and_then(|(from, to)| markers.skip(found.room, from, to));
            }
            let mark = told.is_some();
            // A writer that tells numbers reports the last of them.
            let stamp = room.ring[next - 1].stamp;
            // The position goes before the message, as a part of the same event.
            if self.connections[slot as usize].events
                && (is_for || mark)
                && let Some(seq) = last
                && let Some(position) = markers.position(slot, found.room, seq)
            {
                due.push(Due {
                    place,
                    stamp: entry.stamp,
                    frame: event_stream::id_line(&position),
                    provenance,
                    mark: true,
                });
            }
            if let Some(frame) = told.or_else(|| is_for.then(|| entry.frame.clone())) {
                // What a writer has taken may have been overwritten since.
                let is_taken = taken_to.map_or(taken > 0, |to| at < to);
                taken = taken.saturating_sub(u32::from(!mark));
                let provenance = if is_taken {
                    Provenance::Taken
                } else {
                    provenance
                };
                due.push(Due {
                    place,
                    stamp,
                    frame,
                    provenance,
                    mark,
                });
            }
            at = next;
        }
    }

    /// Removes a connection from its rooms, and discards what it has not written, but not a frame
    /// that is cut, nor those of its end. Returns the number of messages among that.
    pub(in crate::switchboard) fn discard(&mut self, id: ConnectionId) -> u64 {
        if self.connection(id).is_none() {
            return 0;
        }
        self.connections[id.slot as usize].discards = true;
        self.set_adrift(id.slot);
        let dropped = self.leave_all(id) + self.discard_own(id.slot);
        self.weigh_connection(id.slot);
        dropped
    }

    /// Takes all that waits for a connection in no room, for a single attempt to write it, and the
    /// number of messages in it. Returns `None` if there is nothing, or more than `most` bytes, if
    /// the socket takes no bytes, or if a writer has taken some.
    pub(in crate::switchboard) fn last_words(
        &mut self,
        id: ConnectionId,
        most: usize,
    ) -> Option<(Frame, u32)> {
        let connection = self.connection(id)?;
        let waiting = self.queues.of(connection).bytes;
        if connection.writer != Writer::Idle || !(1..=most).contains(&waiting) {
            return None;
        }
        let mut bytes = Vec::with_capacity(waiting);
        let (mut turn, mut messages) = (Turn::default(), 0);
        while self.has_own(id.slot) {
            self.serve(id.slot, &mut turn, &mut NoMarkers);
            let (_, taken) = turn.job(0)?;
            bytes.extend_from_slice(taken);
            let all = taken.len();
            turn.wrote(0, all);
            let outcomes = self.report(&mut turn);
            messages += outcomes.iter().map(|it| it.messages).sum::<u32>();
            turn.clear();
        }
        Some((Frame::raw(bytes), messages))
    }

    /// Returns whether the next frame may be another than the one that waits first: nothing is cut,
    /// and no HTTP response waits.
    pub(in crate::switchboard) fn may_be_overtaken(&self, id: ConnectionId) -> bool {
        self.connection(id).is_none_or(|found| {
            let http = |item: &Item| item.class == Class::HTTP;
            let queue = self.queues.of(found);
            queue.rest.is_none()
                && found.writer != Writer::Writing
                && !self.items.get(queue.own.head).is_some_and(http)
        })
    }

    /// Removes what was flushed from the connection's own frames where a writer has it. Whether that is
    /// dropped is known when the writer reports.
    fn set_adrift(&mut self, slot: u32) {
        let connection = &mut self.connections[slot as usize];
        if connection.writer != Writer::Writing || !connection.flushed {
            return;
        }
        let taken = self.queues.of(connection).own_taken as usize;
        let is_left = |item: &Item| item.provenance != Provenance::Taken;
        let removed = self.retain(slot, Priority::InOrder, taken, is_left);
        self.connections[slot as usize].adrift += removed as u32;
    }

    /// Returns the stamps of what was flushed while a writer may have had it, in order: it is among the
    /// connection's own frames.
    pub(super) fn taken_and_flushed(&self, slot: u32) -> Vec<u64> {
        let mut at = self.queues.of(&self.connections[slot as usize]).own.head;
        let mut stamps = Vec::new();
        while at != NONE {
            let item = &self.items[at];
            stamps.extend(self.origin(item).filter(|_| item.provenance.may_be_taken()));
            at = item.next;
        }
        stamps.sort_unstable();
        stamps
    }

    /// Puts what waits for a connection that was flushed in order when its writer has reported: it has
    /// nothing of rooms that were left any more. `gone` has the stamps of what has gone out, in order.
    pub(super) fn land_flushed(&mut self, slot: u32, gone: &[u64]) {
        self.order_flushed(slot, gone);
        let mut at = self.queues.of(&self.connections[slot as usize]).own.head;
        while at != NONE {
            let item = &mut self.items[at];
            if item.provenance.may_be_taken() {
                item.provenance = Provenance::Room;
            }
            at = item.next;
        }
        self.connections[slot as usize].flushed = false;
    }

    /// Puts what waits for a connection that was flushed in order, without the messages that had
    /// been taken from its rooms before, and have gone out. `gone` has their stamps, in order.
    fn order_flushed(&mut self, slot: u32, gone: &[u64]) {
        let queue = self.queues.of(&self.connections[slot as usize]);
        let taken = queue.own_taken as usize;
        let mut at = queue.own.head;
        let mut waiting = Vec::new();
        while at != NONE {
            let item = &self.items[at];
            let (origin, own) = (self.origin(item), item.provenance == Provenance::Own);
            let next = item.next;
            if waiting.len() >= taken
                && item.provenance.may_be_taken()
                && origin.is_some_and(|stamp| gone.binary_search(&stamp).is_ok())
            {
                self.free(slot, at);
            } else {
                waiting.push((item.stamp, own, at));
            }
            at = next;
        }
        // A writer reports on the first ones.
        waiting[taken..].sort_by_key(|&(stamp, own, _)| (stamp, own));
        let mut list = List::EMPTY;
        for &(_, _, at) in &waiting {
            self.items[at].next = NONE;
            if list.is_empty() {
                list.head = at;
            } else {
                self.items[list.tail].next = at;
            }
            list.tail = at;
        }
        if let Some(queue) = self.queues.get_mut(&self.connections[slot as usize]) {
            queue.own = list;
        }
        self.weigh_connection(slot);
    }
}
