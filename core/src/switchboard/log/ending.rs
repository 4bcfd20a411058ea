//! Connections that are ending: what waits for them goes out first, or is discarded.

use super::Log;
use super::arena::NONE;
use super::connection::{List, Writer};
use super::own::Item;
use super::recovery::place;
use crate::ConnectionId;
use crate::switchboard::queue::Class;

impl Log {
    /// Removes a connection from its rooms, but lets it have what was published there so far.
    ///
    /// Costs as much as it lags behind, which the limits of its rooms bound.
    pub(in crate::switchboard) fn close_flush(&mut self, id: ConnectionId) {
        if self.connection(id).is_none() {
            return;
        }
        let mut due = Vec::new();
        for found in &self.connections[id.slot as usize].rooms {
            let room = &self.rooms[found.room];
            let member = room.members[found.index as usize];
            let cursor = member.cursor;
            let recovery = self.recovery(id.slot, found.room);
            for at in room.index_of(found.index)..room.stop_index(&member) {
                if room.is_for(at, cursor, id.slot, recovery.as_ref()) {
                    let entry = &room.ring[at];
                    let place = place(entry.stamp, recovery.as_ref());
                    due.push((place, entry.stamp, entry.frame.clone(), member.flying));
                }
            }
        }
        due.sort_unstable_by_key(|&(place, stamp, ..)| (place, stamp));
        for (place, stamp, frame, taken) in due {
            let shared = if let Some(&shared) = self.flushed.get(&stamp) {
                self.retain_shared(shared);
                shared
            } else {
                let shared = self.share(frame, Some(stamp));
                self.flushed.insert(stamp, shared);
                shared
            };
            self.append_shared(id.slot, shared, place, taken);
            self.unshare(shared);
        }
        self.leave_all(id);
        self.connections[id.slot as usize].flushed = true;
        self.order_flushed(id.slot, &[]);
    }

    /// Removes a connection from its rooms, and discards what it has not written, but not a frame
    /// that is cut, nor those of its end. Returns the number of messages among that.
    pub(in crate::switchboard) fn discard(&mut self, id: ConnectionId) -> u64 {
        if self.connection(id).is_none() {
            return 0;
        }
        self.connections[id.slot as usize].discards = true;
        let dropped = self.leave_all(id) + self.discard_own(id.slot);
        self.weigh_connection(id.slot);
        dropped
    }

    /// Returns whether the next frame may be another than the one that waits first: nothing is cut,
    /// and no HTTP response waits.
    pub(in crate::switchboard) fn may_be_overtaken(&self, id: ConnectionId) -> bool {
        self.connection(id).is_none_or(|found| {
            let http = |item: &Item| item.class == Class::HTTP;
            found.rest.is_none()
                && found.writer != Writer::Writing
                && !self.items.get(found.own.head).is_some_and(http)
        })
    }

    /// Puts what waits for a connection that was flushed in order, without the messages that had
    /// been taken from its rooms before, and have gone out. `gone` has their stamps, in order.
    pub(super) fn order_flushed(&mut self, slot: u32, gone: &[u64]) {
        let connection = &self.connections[slot as usize];
        let taken = connection.own_taken as usize;
        let mut at = connection.own.head;
        let mut waiting = Vec::new();
        while at != NONE {
            let item = &self.items[at];
            let origin = self.origin(item);
            let next = item.next;
            if waiting.len() >= taken
                && item.taken
                && origin.is_some_and(|stamp| gone.binary_search(&stamp).is_ok())
            {
                self.free(slot, at);
            } else {
                waiting.push((item.stamp, origin.is_none(), at));
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
        self.connections[slot as usize].own = list;
        self.weigh_connection(slot);
    }
}
