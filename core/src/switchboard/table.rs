//! The table of all connections.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::arena::Arena;
use super::chunks::Chunks;
use super::connection::ConnectionState;
use crate::{ConnectionId, StaleId};

/// The generation of slots that are not reused.
const RETIRED: u32 = u32::MAX;

/// Slots by the number of an audit.
type Touched = BTreeMap<u64, BTreeSet<u32>>;

/// All connections by slot. A generation per slot distinguishes its successive connections.
#[derive(Debug, Default)]
pub(super) struct Table {
    slots: Arena<ConnectionState>,
    /// The generation of the next connection in each slot.
    generations: Chunks<u32>,
    retired: usize,
    /// The slots of connections that may have changed, by the number of each audit that counts them.
    touched: Touched,
    /// The number of audits so far.
    audits: u64,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.retired
    }

    pub(super) fn insert(&mut self, mut connection: ConnectionState) -> ConnectionId {
        let slot = self.slots.insert_with(|slot| {
            if slot as usize == self.generations.len() {
                self.generations.push(0);
            }
            connection.generation = self.generations[slot as usize];
            connection
        });
        touch(&mut self.touched, slot);
        self.id_at(slot)
    }

    pub(super) fn remove(&mut self, id: ConnectionId) {
        let slot = id.slot;
        touch(&mut self.touched, slot);
        let generation = &mut self.generations[slot as usize];
        *generation += 1;
        if *generation == RETIRED {
            // The generations of this slot are used up.
            self.slots[slot].generation = RETIRED;
            self.retired += 1;
        } else {
            self.slots.remove(slot);
        }
    }

    #[inline]
    pub(super) fn get(&self, id: ConnectionId) -> Result<&ConnectionState, StaleId> {
        match self.slots.get(id.slot) {
            Some(found) if found.generation == id.generation => Ok(found),
            _ => Err(StaleId(id)),
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Result<&mut ConnectionState, StaleId> {
        match self.slots.get_mut(id.slot) {
            Some(found) if found.generation == id.generation => {
                touch(&mut self.touched, id.slot);
                Ok(found)
            }
            _ => Err(StaleId(id)),
        }
    }

    /// Begins to note which connections may have changed, for an audit. Returns its number.
    pub(super) fn begin_audit(&mut self) -> u64 {
        self.audits += 1;
        self.touched.insert(self.audits, BTreeSet::new());
        self.audits
    }

    /// Takes the slot of a connection that may have changed since an audit looked at it.
    pub(super) fn pop_touched(&mut self, audit: u64) -> Option<u32> {
        self.touched.get_mut(&audit)?.pop_first()
    }

    /// Ends an audit.
    pub(super) fn end_audit(&mut self, audit: u64) {
        self.touched.remove(&audit);
    }

    /// Returns the connection in a slot that is known to be occupied, because an index names it.
    #[inline]
    pub(super) fn at(&self, slot: u32) -> &ConnectionState {
        &self.slots[slot]
    }

    #[inline]
    pub(super) fn id_at(&self, slot: u32) -> ConnectionId {
        ConnectionId {
            slot,
            generation: self.slots[slot].generation,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ConnectionId, &ConnectionState)> + Clone {
        self.slots.iter().filter_map(live)
    }

    /// Returns the number of slots that have been used. All connections are in the slots before it.
    pub(super) fn slots(&self) -> usize {
        self.generations.len()
    }

    /// Returns the connection in a slot, if there is one.
    pub(super) fn in_slot(&self, slot: u32) -> Option<(ConnectionId, &ConnectionState)> {
        live((slot, self.slots.get(slot)?))
    }

    /// Returns the connections in these slots.
    pub(super) fn in_slots(
        &self,
        slots: Range<usize>,
    ) -> impl Iterator<Item = (ConnectionId, &ConnectionState)> {
        self.slots.range(slots).filter_map(live)
    }
}

/// Notes for each audit that a connection may have changed.
#[inline]
fn touch(audits: &mut Touched, slot: u32) {
    // There is mostly none.
    if !audits.is_empty() {
        for touched in audits.values_mut() {
            touched.insert(slot);
        }
    }
}

fn live((slot, found): (u32, &ConnectionState)) -> Option<(ConnectionId, &ConnectionState)> {
    let id = ConnectionId {
        slot,
        generation: found.generation,
    };
    (found.generation != RETIRED).then_some((id, found))
}
