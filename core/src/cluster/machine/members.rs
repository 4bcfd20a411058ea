//! What the node's members do: they come to a room, leave it, publish to it.

use std::sync::Arc;
use std::time::Duration;

use super::cluster::Cluster;
use super::config::{Order, RoomTerms, WhenDown};
use super::output::{Fate, Output, PublishError, Ticket};
use super::room::Stage;
use crate::Time;
use crate::cluster::command::Channel;
use crate::cluster::push::Push;
use crate::cluster::room_body::RoomBody;

/// A room may have so much of what may wait on the node: one part of these.
const ROOMS: usize = 8;

impl Cluster {
    /// Enters a room for its first member here. [`Output::Position`] reports where members begin.
    pub fn enter(&mut self, now: Time, name: &Arc<str>, terms: RoomTerms) {
        if self.room(name).has_members {
            return;
        }
        let was_followed = self.room(name).is_entered();
        self.stays += 1;
        let (stay, epoch) = (self.stays, self.fresh_epoch());
        self.with_room(name, |room, cx| room.enter(stay, terms, epoch, cx));
        if was_followed {
            return;
        }
        if self.link.is_up() {
            let channels = vec![Channel::Room(Arc::clone(name))];
            self.outputs.push_back(Output::Subscribe(channels));
        }
        if self.alone {
            self.room_goes_alone(name);
        }
        let phase = self.config.probe.mul_f64(self.rng.f64());
        self.probe_at(name, now + phase);
        self.send(now);
    }

    /// Leaves a room after its last member. For [`ClusterConfig::linger`](super::ClusterConfig::linger)
    /// the node still follows the room and reports its messages, for members who return.
    pub fn leave(&mut self, now: Time, name: &Arc<str>) {
        let Some(room) = self.rooms.get(name) else {
            return;
        };
        match room.stage {
            _ if !room.has_members => {}
            Stage::Syncing | Stage::Live | Stage::Local(_)
                if self.config.linger > Duration::ZERO =>
            {
                let until = now + self.config.linger;
                self.with_room(name, |room, cx| room.linger(until, cx));
            }
            _ => self.follow_no_more(name),
        }
    }

    /// Reads the log of a room up to its current end, because pushes may be delayed.
    /// [`Output::CaughtUp`] reports completion for all requests up to that time, whose numbers ascend.
    /// While the broker is unavailable, [`Output::Unavailable`] may come instead. Requests made while
    /// the log is being read share the next read.
    pub fn catch_up(&mut self, now: Time, name: &Arc<str>, number: u64) {
        if !self.follows(name) {
            let (room, upto) = (Arc::clone(name), number);
            self.outputs.push_back(Output::CaughtUp { room, upto });
            return;
        }
        self.with_room(name, |room, cx| room.catch_up_for(number, cx));
        if self.alone {
            self.room_goes_alone(name);
        }
        self.send(now);
    }

    /// Returns whether the node follows a room: it has members here, or had until recently.
    pub fn follows(&self, name: &str) -> bool {
        self.rooms
            .get(name)
            .is_some_and(super::room::Room::is_entered)
    }

    /// Returns whether the outbox is so full that publishers should wait.
    pub fn is_congested(&self) -> bool {
        self.waiting > self.config.outbox_messages / 2
            || self.waiting_bytes > self.config.outbox_bytes / 2
    }

    /// Publishes a message to a room. Its outcome is reported once, with the ticket: together with the
    /// message if it is delivered here, otherwise by [`Output::Published`]. `terms` apply if the room
    /// has no members here.
    ///
    /// # Errors
    ///
    /// The outbox is full, or the broker is unavailable and the room's terms are to refuse. An
    /// unavailable broker fills the outbox only until the rooms continue alone.
    pub fn publish(
        &mut self,
        now: Time,
        name: &Arc<str>,
        terms: RoomTerms,
        body: RoomBody,
    ) -> Result<Ticket, PublishError> {
        let ticket = Ticket(self.tickets);
        let room = self.rooms.get(name);
        let entered = room.filter(|room| room.is_entered());
        let terms = entered.map_or(terms, |room| room.terms);
        if terms.order == Order::Local {
            self.publish_locally(now, name, ticket, &body);
        } else if entered.is_some_and(|room| matches!(room.stage, Stage::Alone(..))) {
            self.with_room(name, |room, cx| room.deliver_alone(ticket, body, cx));
        } else if self.alone && terms.when_down == WhenDown::Refuse {
            return Err(PublishError::Unavailable);
        } else if self.alone && entered.is_none() {
            let fate = Fate::Local;
            self.outputs.push_back(Output::Published { ticket, fate });
        } else {
            self.put_into_outbox(name, terms, ticket, body)?;
            self.send(now);
        }
        self.tickets += 1;
        Ok(ticket)
    }

    fn put_into_outbox(
        &mut self,
        name: &Arc<str>,
        terms: RoomTerms,
        ticket: Ticket,
        body: RoomBody,
    ) -> Result<(), PublishError> {
        let (messages, bytes) = (self.config.outbox_messages, self.config.outbox_bytes);
        let room = self.rooms.get(name).map(|room| &room.outbox);
        let (its_messages, its_bytes) = room.map_or((0, 0), |it| (it.len(), it.bytes()));
        let is_full = self.waiting >= messages
            || self.waiting_bytes + body.len() > bytes
            || its_messages >= messages.div_ceil(ROOMS)
            || its_bytes > 0 && its_bytes + body.len() > bytes / ROOMS;
        if is_full {
            return Err(PublishError::OutboxFull);
        }
        let room = self.room(name);
        if !room.is_entered() {
            room.terms = terms;
        }
        self.with_room(name, |room, _| room.outbox.push(ticket, body));
        Ok(())
    }

    /// Sends a volatile message to the members of a room on other nodes, at most once. The caller
    /// delivers it to its own members. Returns whether it was sent.
    pub fn publish_volatile(&mut self, now: Time, name: &Arc<str>, body: &[u8]) -> bool {
        self.forward(now, name, 0, 0, body)
    }

    fn publish_locally(&mut self, now: Time, name: &Arc<str>, ticket: Ticket, body: &RoomBody) {
        let mut numbers = None;
        self.with_room(name, |room, cx| {
            if let Stage::Local(local) = &mut room.stage {
                let number = local.publish();
                numbers = Some((local.stay, number.own));
                cx.tell(Output::Deliver {
                    room: Arc::clone(name),
                    seq: number.seq,
                    node: Arc::clone(cx.node),
                    body: body.clone(),
                    ticket: Some(ticket),
                });
            }
        });
        let (stay, own) = numbers.unwrap_or_else(|| {
            let fate = Fate::Forwarded;
            self.outputs.push_back(Output::Published { ticket, fate });
            self.stays += 1;
            (self.stays, 1)
        });
        self.forward(now, name, stay, own, body);
    }

    fn forward(&mut self, now: Time, name: &Arc<str>, stay: u64, own: u64, body: &[u8]) -> bool {
        let payload = Push::Local {
            node: &self.config.node,
            stay,
            own,
            body,
        }
        .to_payload();
        self.notify(now, Channel::Room(Arc::clone(name)), payload)
    }

    /// A message arrived in a room with local order, or a volatile one.
    pub(super) fn local_arrived(
        &mut self,
        name: &Arc<str>,
        node: &str,
        stay: u64,
        own: u64,
        body: RoomBody,
    ) {
        if *node == *self.config.node {
            return;
        }
        self.with_room(name, |room, cx| {
            let (room_name, node) = (Arc::clone(name), Arc::from(node));
            if own == 0 && room.has_members {
                cx.tell(Output::Volatile {
                    room: room_name,
                    node,
                    body: Arc::clone(body.bytes()),
                });
            } else if own > 0
                && let Stage::Local(local) = &mut room.stage
                && let Some(arrived) = local.arrived(&node, stay, own)
            {
                if arrived.missing > 0 {
                    cx.figures.gaps = cx.figures.gaps.saturating_add(arrived.missing);
                    cx.tell(Output::Skip {
                        room: Arc::clone(name),
                        from: arrived.seq - arrived.missing,
                        to: arrived.seq - 1,
                        lost: true,
                    });
                }
                cx.tell(Output::Deliver {
                    room: room_name,
                    seq: arrived.seq,
                    node,
                    body,
                    ticket: None,
                });
            }
        });
    }
}
