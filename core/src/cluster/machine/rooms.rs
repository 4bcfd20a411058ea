//! Finding rooms and changing them, so that what hangs on them stays right.

use std::sync::Arc;

use super::cluster::Cluster;
use super::context::Context;
use super::output::Output;
use super::registrations::Registrations;
use super::room::Room;
use crate::cluster::command::Channel;

impl Cluster {
    pub(super) fn room(&mut self, name: &Arc<str>) -> &mut Room {
        let next = self.highest_own + 1;
        self.rooms
            .entry(Arc::clone(name))
            .or_insert_with_key(|name| Room::new(Arc::clone(name), next))
    }

    /// Changes a room, then keeps what hangs on it right.
    pub(super) fn with_room(
        &mut self,
        name: &Arc<str>,
        change: impl FnOnce(&mut Room, &mut Context<'_>),
    ) {
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        let (messages, bytes) = (room.outbox.len(), room.outbox.bytes());
        let registrations = Registrations {
            own: self.lease.registration(),
            peers: &self.peers,
        };
        let mut cx = Context {
            node: &self.config.node,
            registrations,
            figures: &mut self.figures,
            timers: &mut self.timers,
            outputs: &mut self.outputs,
        };
        change(room, &mut cx);
        self.waiting = self.waiting + room.outbox.len() - messages;
        self.waiting_bytes = self.waiting_bytes + room.outbox.bytes() - bytes;
        self.wants_to_ask(name);
        self.forget_if_done(name);
    }

    pub(super) fn with_each_room(&mut self, mut change: impl FnMut(&mut Room, &mut Context<'_>)) {
        let names: Vec<_> = self.rooms.keys().cloned().collect();
        for name in names {
            self.with_room(&name, &mut change);
        }
    }

    /// Nobody has come back to a room.
    pub(super) fn follow_no_more(&mut self, name: &Arc<str>) {
        self.with_room(name, Room::leave);
        if self.link.is_up() {
            let channels = vec![Channel::Room(Arc::clone(name))];
            self.outputs.push_back(Output::Unsubscribe(channels));
        }
    }

    pub(super) fn wants_to_ask(&mut self, name: &Arc<str>) {
        if let Some(room) = self.rooms.get_mut(name)
            && room.has_something_to_ask()
            && room.queued.is_none()
        {
            self.places += 1;
            room.queued = Some(self.places);
            self.queue.insert(self.places, Arc::clone(name));
        }
    }

    pub(super) fn forget_if_done(&mut self, name: &Arc<str>) {
        let own = self.lease.registration();
        if !self.rooms.get(name).is_some_and(|room| room.is_done(own)) {
            return;
        }
        if let Some(room) = self.rooms.remove(name) {
            self.highest_own = self.highest_own.max(room.outbox.next() - 1);
            if let Some(place) = room.queued {
                self.queue.remove(&place);
            }
            for (at, timer) in room.timers() {
                self.timers.clear(at, timer);
            }
        }
    }
}
