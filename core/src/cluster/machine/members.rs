//! What the node's members do: they come to a room, leave it, publish to it.

use std::sync::Arc;

use super::cluster::Cluster;
use super::config::RoomTerms;
use super::output::{Fate, Output, PublishError, Ticket};
use super::room::{Room, Stage};
use super::timers::Timer;
use crate::Time;
use crate::cluster::command::Channel;

impl Cluster {
    /// The first member of a room is here.
    pub fn enter(&mut self, now: Time, name: &Arc<str>, terms: RoomTerms) {
        let stay = self.stays + 1;
        let room = self.room(name);
        if room.is_entered() {
            return;
        }
        room.enter(stay, terms);
        self.stays = stay;
        if self.link.is_up() {
            let channels = vec![Channel::Room(Arc::clone(name))];
            self.outputs.push_back(Output::Subscribe(channels));
        }
        if self.alone {
            self.room_goes_alone(name);
        }
        let phase = self.config.probe.mul_f64(self.rng.f64());
        self.probe_at(name, now + phase);
        self.wants_to_ask(name);
        self.send(now);
    }

    /// The last member of a room has gone.
    pub fn leave(&mut self, name: &Arc<str>) {
        if !self.rooms.get(name).is_some_and(Room::is_entered) {
            return;
        }
        self.with_room(name, |room, cx| {
            room.leave(cx);
            let timer = Timer::Probe(Arc::clone(&room.name));
            cx.timers.set(&mut room.probe, None, timer);
        });
        if self.link.is_up() {
            let channels = vec![Channel::Room(Arc::clone(name))];
            self.outputs.push_back(Output::Unsubscribe(channels));
        }
    }

    /// Publishes a message to a room. Its fate is told by the ticket, once: with the message where it
    /// is delivered here, else by [`Output::Published`].
    ///
    /// # Errors
    ///
    /// The outbox is full. A broker that is away fills it only until the rooms go on alone.
    pub fn publish(
        &mut self,
        now: Time,
        name: &Arc<str>,
        body: Arc<[u8]>,
    ) -> Result<Ticket, PublishError> {
        let ticket = Ticket(self.tickets);
        let alone = self.alone;
        let full = self.waiting >= self.config.outbox_messages
            || self.waiting_bytes + body.len() > self.config.outbox_bytes;
        match self.rooms.get(name).map(|room| &room.stage) {
            Some(Stage::Alone(..)) => {
                self.with_room(name, |room, cx| room.deliver_alone(ticket, body, cx));
            }
            None | Some(Stage::Absent) if alone => {
                let fate = Fate::Local;
                self.outputs.push_back(Output::Published { ticket, fate });
            }
            _ if full => return Err(PublishError::OutboxFull),
            _ => {
                let len = body.len();
                self.room(name).outbox.push(ticket, body);
                self.waiting += 1;
                self.waiting_bytes += len;
                self.wants_to_ask(name);
                self.send(now);
            }
        }
        self.tickets += 1;
        Ok(ticket)
    }
}
