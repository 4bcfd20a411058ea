//! What the node's members do: they come to a room, leave it, publish to it.

use std::sync::Arc;

use super::cluster::Cluster;
use super::output::{Fate, Output, Ticket};
use super::room::Stage;
use crate::Time;
use crate::cluster::command::Channel;

/// Why a message was not taken: the outbox is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxFull;

impl Cluster {
    /// The first member of a room is here.
    pub fn enter(&mut self, now: Time, name: &Arc<str>) {
        let stay = self.stays + 1;
        let room = self.room(name);
        if room.is_entered() {
            return;
        }
        room.enter(stay);
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
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        if !room.is_entered() {
            return;
        }
        room.leave(&mut self.outputs);
        if let Some(at) = room.probe.take() {
            self.probes.remove(&(at, Arc::clone(name)));
        }
        if self.link.is_up() {
            let channels = vec![Channel::Room(Arc::clone(name))];
            self.outputs.push_back(Output::Unsubscribe(channels));
        }
        self.forget_if_done(name);
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
    ) -> Result<Ticket, OutboxFull> {
        let ticket = Ticket(self.tickets);
        let alone = self.alone;
        let full = self.waiting >= self.config.outbox_messages
            || self.waiting_bytes + body.len() > self.config.outbox_bytes;
        let node = Arc::clone(&self.config.node);
        match self.rooms.get_mut(name) {
            Some(room) if matches!(room.stage, Stage::Alone(..)) => {
                room.deliver_alone(ticket, body, &node, &mut self.outputs);
            }
            room if alone && room.as_ref().is_none_or(|room| !room.is_entered()) => {
                let fate = Fate::Local;
                self.outputs.push_back(Output::Published { ticket, fate });
            }
            _ if full => return Err(OutboxFull),
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
