//! The contexts in which messages of rooms are compressed one after another.
//!
//! A limited number of rooms at a time have a compressor. A room starts a new context when the last one
//! is full, when its compressor was used by another room in between, and when so many members are not
//! in step that they have cost more than a restart.

mod following;

use std::collections::BTreeSet;

use crate::switchboard::arena::NONE;
use crate::switchboard::counters::Ratio;
use crate::wire::deflate::ContextDeflater;
use crate::wire::frame::Place;

/// Messages of a node for which a compressor is left to a room that publishes nothing.
const IDLE: u64 = 4_096;
/// The cost of a beginning: messages that go plain, for each follower.
const BEGINNING: u64 = 2;
/// Followers that are listed as not in step.
const LISTED: usize = 1_024;

/// The compressors of a node.
#[derive(Debug)]
pub(super) struct Contexts {
    /// How many there may be.
    most: usize,
    compressors: Vec<Compressor>,
    /// The number of the latest context.
    number: u64,
    /// What was compressed.
    totals: Ratio,
}

#[derive(Debug)]
struct Compressor {
    deflater: ContextDeflater,
    /// The room that has it, or [`NONE`].
    room: u32,
    /// The count of published messages when it was used last.
    used: u64,
}

/// What a room whose members can be in step has.
#[derive(Debug)]
pub(super) struct RoomContext {
    /// Members that keep their windows.
    pub(super) followers: u32,
    /// The place of the latest message.
    place: Place,
    /// Its compressor, or [`NONE`].
    compressor: u32,
    /// Whether the next message is the first of a context.
    begins: bool,
    /// The slots of followers that are not in step: they have come since the context began, or have not got
    /// one of its messages.
    outside: BTreeSet<u32>,
    /// How many more there may be, which are not listed.
    unlisted: u64,
    /// Messages of this context that such ones got, each counted for each of them.
    plain: u64,
}

impl Contexts {
    pub(super) const fn new(most: usize) -> Self {
        Self {
            most,
            compressors: Vec::new(),
            number: 0,
            totals: Ratio::new(),
        }
    }

    /// Returns the place at the beginning of a new context.
    const fn begin(&mut self) -> Place {
        self.number += 1;
        Place::first(self.number)
    }

    /// Finds a compressor for a room: a free one, a new one, or that of a room which has not used it for
    /// long. Returns it with the room that loses it.
    fn find(&mut self, key: u32, now: u64) -> Option<(u32, u32)> {
        let mut found = self.compressors.iter().position(|it| it.room == NONE);
        if found.is_none() && self.compressors.len() < self.most {
            found = Some(self.compressors.len());
            self.compressors.push(Compressor {
                deflater: ContextDeflater::new(),
                room: NONE,
                used: now,
            });
        }
        let oldest = || {
            let all = self.compressors.iter().enumerate();
            let (at, oldest) = all.min_by_key(|(_, it)| it.used)?;
            (oldest.used + IDLE <= now).then_some(at)
        };
        let at = found.or_else(oldest)?;
        let loser = std::mem::replace(&mut self.compressors[at].room, key);
        Some((at as u32, loser))
    }

    fn release(&mut self, compressor: u32) {
        if let Some(compressor) = self.compressors.get_mut(compressor as usize) {
            compressor.room = NONE;
        }
    }
}

impl Default for RoomContext {
    fn default() -> Self {
        Self {
            followers: 0,
            place: Place::NONE,
            compressor: NONE,
            begins: true,
            outside: BTreeSet::new(),
            unlisted: 0,
            plain: 0,
        }
    }
}

impl RoomContext {
    /// Moves on to the next message, which these followers do not get. Returns its place, which is the
    /// first of a new context where none is left in this one, or `begin` says so.
    ///
    /// Returns `None` if none of those in step gets it. Then they stay in step, as it is not compressed.
    fn advance(&mut self, excluded: &[u32], begin: bool, contexts: &mut Contexts) -> Option<Place> {
        let spared = excluded.iter().filter(|slot| self.outside.contains(slot));
        let outside = self.unlisted + (self.outside.len() - spared.count()) as u64;
        self.plain += outside;
        let followers = u64::from(self.followers);
        let begins = begin || self.begins || self.plain > BEGINNING * followers;
        let next = self.place.next().filter(|_| !begins);
        if next.is_some() && outside + excluded.len() as u64 >= followers {
            return None;
        }
        self.place = next.unwrap_or_else(|| {
            self.outside.clear();
            (self.unlisted, self.plain) = (0, 0);
            contexts.begin()
        });
        self.begins = false;
        for &slot in excluded {
            self.note_outside(slot);
        }
        Some(self.place)
    }

    /// Notes that a follower is not in step. The list is short, so that forgetting it takes no time.
    fn note_outside(&mut self, slot: u32) {
        if self.outside.len() < LISTED {
            self.outside.insert(slot);
        } else {
            self.unlisted += 1;
        }
    }
}
