//! Members come to contexts and leave them, and messages are put in.

use smallvec::SmallVec;

use super::RoomContext;
use crate::Frame;
use crate::switchboard::arena::NONE;
use crate::switchboard::counters::Ratio;
use crate::switchboard::log::Log;
use crate::switchboard::log::connection::{Connection, Writer};
use crate::switchboard::log::turn::Turn;
use crate::wire::deflate::CONTEXT_MESSAGE;
use crate::wire::frame::Place;

impl Log {
    /// Returns the number of rooms that have a compressor, and what was compressed in contexts.
    pub(in crate::switchboard) fn contexts(&self) -> (usize, Ratio) {
        let compressors = self.contexts.compressors.iter();
        let rooms = compressors.filter(|it| it.room != NONE).count();
        (rooms, self.contexts.totals)
    }

    /// Returns the place of the last message in a context that a connection got.
    #[inline]
    pub(in crate::switchboard::log) fn place(&self, slot: u32) -> Place {
        let place = self.places.get(slot as usize);
        place.copied().unwrap_or(Place::NONE)
    }

    /// Notes where the connections of a turn have come to.
    pub(in crate::switchboard::log) fn move_in_contexts(&mut self, turn: &Turn) {
        for job in &turn.jobs {
            let is_writing = |it: &Connection| it.writer == Writer::Writing;
            if self.connection(job.id()).is_some_and(is_writing)
                && let Some(place) = turn.place_of(job)
            {
                self.set_place(job.id().slot, place);
            }
        }
    }

    pub(in crate::switchboard::log) fn set_place(&mut self, slot: u32, place: Place) {
        while self.places.len() <= slot as usize {
            self.places.push(Place::NONE);
        }
        self.places[slot as usize] = place;
    }

    /// Notes that a member of a room keeps its window from now on.
    pub(in crate::switchboard::log) fn follow(&mut self, key: u32, slot: u32) {
        let room = &mut self.rooms[key];
        if room.has_contexts {
            let context = room.context.get_or_insert_with(Box::default);
            context.followers += 1;
            context.note_outside(slot);
        }
    }

    /// Notes that such a member has left, or keeps it no more.
    pub(in crate::switchboard::log) fn unfollow(&mut self, key: u32, slot: u32) {
        let Some(context) = &mut self.rooms[key].context else {
            return;
        };
        context.followers -= 1;
        context.outside.remove(&slot);
        if context.followers == 0 {
            self.contexts.release(context.compressor);
            self.rooms[key].context = None;
        }
    }

    /// Compresses a message that is about to be appended to a room after those before it, if one that is in
    /// step gets it. One that is compressed already becomes a context of its own: no message is compressed
    /// twice.
    pub(in crate::switchboard::log) fn put_in_context(
        &mut self,
        key: u32,
        frame: Frame,
        excluded: &[u32],
    ) -> Frame {
        let is_compressed = frame.deflated_len().is_some();
        if frame.is_sealed() || !(is_compressed || frame.payload_len() <= CONTEXT_MESSAGE) {
            return frame;
        }
        let kept = |slot: &u32| self.connections[*slot as usize].window.is_kept();
        let excluded: SmallVec<[u32; 4]> = excluded.iter().copied().filter(kept).collect();
        let followers = self.rooms[key]
            .context
            .as_ref()
            .map_or(0, |it| it.followers);
        if followers as usize == excluded.len() {
            return frame;
        }
        self.find_compressor(key);
        let contexts = &mut self.contexts;
        let Some(context) = &mut self.rooms[key].context else {
            return frame;
        };
        let Some(compressor) = contexts.compressors.get_mut(context.compressor as usize) else {
            return frame;
        };
        compressor.used = self.published;
        let before = context.place.beginning();
        let Some(place) = context.advance(&excluded, is_compressed, contexts) else {
            return frame;
        };
        if is_compressed {
            context.begins = true;
            return frame.into_context(place, before);
        }
        let deflater = &mut contexts.compressors[context.compressor as usize].deflater;
        if place.is_first() {
            deflater.begin();
        }
        let Some(payload) = deflater.message(frame.payload()) else {
            context.begins = true;
            return frame;
        };
        let frame = frame.with_context(place, before, payload);
        contexts.totals.add(frame.len(), frame.context_len());
        frame
    }

    /// Sees to it that a room has a compressor, if there is one for it.
    fn find_compressor(&mut self, key: u32) {
        let wants = |context: &RoomContext| context.compressor == NONE;
        if !self.rooms[key].context.as_deref().is_some_and(wants) {
            return;
        }
        let Some((compressor, loser)) = self.contexts.find(key, self.published) else {
            return;
        };
        let loser = self
            .rooms
            .get_mut(loser)
            .and_then(|room| room.context.as_mut());
        if let Some(loser) = loser {
            loser.compressor = NONE;
        }
        if let Some(context) = &mut self.rooms[key].context {
            context.compressor = compressor;
            context.begins = true;
        }
    }
}
