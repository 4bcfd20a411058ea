//! Frames that several connections wait for. Each counts once.

use super::Log;
use super::class::Class;
use super::connection::Connection;
use super::item::{Item, Priority, Provenance, Shared};
use super::own::own_limits;
use crate::switchboard::arena::NONE;
use crate::wire::frame::Form;
use crate::{ConnectionId, Frame};

impl Log {
    /// Queues one message for several connections; it is counted once. Returns those for which it
    /// was not queued because their limit is reached.
    pub(in crate::switchboard) fn push_shared(
        &mut self,
        ids: impl IntoIterator<Item = ConnectionId>,
        frame: &Frame,
    ) -> Vec<ConnectionId> {
        self.push_part(ids, frame, &mut None)
    }

    /// Queues one message for several connections, like [`push_shared`](Self::push_shared), but only
    /// where it makes nobody slow, whose socket may take no bytes next.
    pub(in crate::switchboard) fn push_within_limits(
        &mut self,
        ids: impl IntoIterator<Item = ConnectionId>,
        frame: &Frame,
    ) -> Vec<ConnectionId> {
        self.push_each(ids, frame, &mut None, |_| 1)
    }

    /// Queues one message for some of the connections that are to get it. `counted` is kept by the
    /// caller between the parts, so that the message is counted once.
    pub(in crate::switchboard) fn push_part(
        &mut self,
        ids: impl IntoIterator<Item = ConnectionId>,
        frame: &Frame,
        counted: &mut Option<u32>,
    ) -> Vec<ConnectionId> {
        self.push_each(ids, frame, counted, own_limits)
    }

    /// Queues one message for those connections whose own frames stay within `times` the limits.
    fn push_each(
        &mut self,
        ids: impl IntoIterator<Item = ConnectionId>,
        frame: &Frame,
        counted: &mut Option<u32>,
        times: impl Fn(&Connection) -> usize,
    ) -> Vec<ConnectionId> {
        if counted.is_none() {
            self.count(frame.len());
        }
        // It is gone if all who got it so far have read it.
        let found = counted.filter(|&key| self.is_shared(key, frame));
        let shared = match found {
            Some(key) => {
                self.retain_shared(key);
                key
            }
            None => self.share(frame.clone(), None),
        };
        *counted = Some(shared);
        let mut full = Vec::new();
        for id in ids {
            let Some(connection) = self.connection(id) else {
                continue;
            };
            if !self.fits(connection, frame.len(), times(connection)) {
                full.push(id);
                continue;
            }
            self.shared[shared].references += 1;
            self.append(
                id.slot,
                Priority::InOrder,
                frame.clone(),
                Class::MESSAGE,
                shared,
            );
        }
        self.unshare(shared);
        full
    }

    /// Counts a frame for several connections. The caller holds the first reference.
    pub(super) fn share(&mut self, frame: Frame, origin: Option<u64>) -> u32 {
        self.held += frame.footprint();
        self.shared.insert(Shared {
            frame,
            references: 1,
            origin,
        })
    }

    fn is_shared(&self, key: u32, frame: &Frame) -> bool {
        let shared = self.shared.get(key);
        shared.is_some_and(|shared| shared.frame.is_same(frame))
    }

    pub(super) fn retain_shared(&mut self, key: u32) {
        self.shared[key].references += 1;
    }

    /// Returns the stamp of the message of a room that an item is, or goes with.
    pub(super) fn origin(&self, item: &Item) -> Option<u64> {
        self.shared.get(item.shared)?.origin
    }

    pub(super) fn unshare(&mut self, key: u32) {
        let shared = &mut self.shared[key];
        shared.references -= 1;
        if shared.references == 0 {
            self.held -= shared.bytes();
            let flushed = shared.origin.map(|origin| (origin, shared.is_deflated()));
            if let Some(flushed) = flushed
                && self.flushed.get(&flushed) == Some(&key)
            {
                self.flushed.remove(&flushed);
            }
            self.shared.remove(key);
        }
    }

    pub(super) fn append_shared(
        &mut self,
        slot: u32,
        key: u32,
        stamp: u64,
        provenance: Provenance,
    ) {
        let frame = self.shared[key].frame.clone();
        self.shared[key].references += 1;
        let item = self.append(slot, Priority::InOrder, frame, Class::MESSAGE, key);
        self.items[item].stamp = stamp;
        self.items[item].provenance = provenance;
    }

    /// Counts a form of a message of a room for several connections, once for all. The caller holds a
    /// reference.
    pub(super) fn share_message(&mut self, form: Form, stamp: u64) -> u32 {
        let key = (stamp, form.is_deflated());
        if let Some(&shared) = self.flushed.get(&key) {
            self.retain_shared(shared);
            return shared;
        }
        let shared = self.share(form.into(), Some(stamp));
        self.flushed.insert(key, shared);
        shared
    }

    /// Takes a reference to the shared frame that comes first at this priority; [`NONE`] if it is not
    /// shared.
    pub(super) fn share_first(&mut self, slot: u32, priority: Priority) -> u32 {
        let list = self
            .queues
            .of(&self.connections[slot as usize])
            .list(priority);
        let shared = self.items.get(list.head).map_or(NONE, |item| item.shared);
        if shared != NONE {
            self.retain_shared(shared);
        }
        shared
    }
}

#[cfg(test)]
impl Log {
    pub(super) fn shared_bytes(&self) -> usize {
        self.shared.iter().map(|(_, shared)| shared.bytes()).sum()
    }
}
