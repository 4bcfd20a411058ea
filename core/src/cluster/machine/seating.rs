//! Seats of rooms, counted over all nodes.

use std::sync::Arc;

use super::asked::Asked;
use super::cluster::Cluster;
use super::context::Context;
use super::output::{Output, SeatTicket};
use super::pipeline::Pipeline;
use super::room::{Decision, Room};
use super::timers::Timer;
use crate::Time;
use crate::cluster::answer::{Answer, Failure};
use crate::cluster::command::{self, Command};

impl Cluster {
    /// Requests a seat in a room that has `total` of them over all nodes. [`Output::Seat`] reports
    /// within [`ClusterConfig::wait`](super::ClusterConfig::wait) whether it is granted.
    ///
    /// While the broker is unavailable, a node grants its share: the seats divided by the last known
    /// number of nodes.
    pub fn take_seat(&mut self, now: Time, name: &Arc<str>, total: u32) -> SeatTicket {
        self.seats += 1;
        let ticket = SeatTicket(self.seats);
        let until = if self.alone {
            now
        } else {
            now + self.config.wait
        };
        self.room(name);
        self.with_room(name, |room, _| room.seats.take(ticket, total, until));
        self.seats_are_due(now, name);
        self.send(now);
        ticket
    }

    /// A seat that was granted is free again.
    pub fn give_seat(&mut self, now: Time, name: &Arc<str>) {
        self.with_room(name, |room, _| room.seats.give());
        self.send(now);
    }

    /// Decides what waits no longer, and sets the timer of what still does.
    pub(super) fn seats_are_due(&mut self, now: Time, name: &Arc<str>) {
        let nodes = self.nodes() as u32;
        self.with_room(name, |room, cx| {
            let share = room.seats.total() / nodes;
            let decisions = room.seats.is_due(now, share);
            tell(room, decisions, cx);
        });
        self.send(now);
    }

    pub(super) fn ask_for_seats(&mut self, name: &Arc<str>, pipeline: &mut Pipeline) {
        let Some(wanted) = self.rooms.get_mut(name).and_then(|room| room.seats.ask()) else {
            return;
        };
        let registration = Arc::clone(self.lease.registration());
        let seats = command::Seats {
            room: Arc::clone(name),
            registration: Arc::clone(&registration),
            session: self.session,
            held: wanted.held,
            wanted: wanted.most,
            total: wanted.total,
            stale: self.config.confirm * 3,
            table: self.config.memory,
            dead: self.peers.dead(),
        };
        let room = Arc::clone(name);
        let asked = Asked::Seats { room, registration };
        pipeline.push(Command::Seats(seats), asked);
    }

    pub(super) fn seats_answered(
        &mut self,
        now: Time,
        name: &Arc<str>,
        registration: &Arc<str>,
        answer: &Answer,
    ) -> Result<(), Failure> {
        let Answer::Seats { granted, at, .. } = answer else {
            return Err(Failure::Malformed);
        };
        self.clock.heard(now, *at);
        if registration == self.lease.registration() {
            let confirm = now + self.config.confirm;
            self.with_room(name, |room, cx| {
                let decisions = room.seats.answered(*granted, confirm);
                tell(room, decisions, cx);
            });
        }
        Ok(())
    }
}

fn tell(room: &mut Room, decisions: Vec<Decision>, cx: &mut Context<'_>) {
    for (ticket, granted) in decisions {
        cx.tell(Output::Seat { ticket, granted });
    }
    let due = room.seats.next_due();
    let timer = Timer::Seats(Arc::clone(&room.name));
    cx.timers.set(&mut room.seats.due, due, timer);
}
