//! What follows when a deadline passes.

use super::cluster::Cluster;
use super::link::Due;
use super::output::Output;
use super::timers::Timer;
use crate::Time;

impl Cluster {
    /// Handles all due deadlines.
    pub fn tick(&mut self, now: Time) {
        self.check_lease(now);
        if !self.alone && self.link.alone_from().is_some_and(|at| at <= now) {
            self.go_alone(now);
        }
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::Probe(name) => self.probe_is_due(now, &name),
                Timer::Presence(name) => self.presence_is_due(now, &name),
                Timer::Fade(name) => self.list_fades(&name),
                Timer::Admission(user, connection) => self.admission_is_due(user, connection),
                Timer::Touch(user, connection) => self.touch_is_due(now, &(user, connection)),
                Timer::Seats(name) => {
                    if let Some(room) = self.rooms.get_mut(&name) {
                        room.seats.due = None;
                    }
                    self.seats_are_due(now, &name);
                }
                Timer::Question(question) => self.question_is_due(question),
                Timer::Recall(ticket) => self.recall_is_due(ticket),
                Timer::Linger(name) => {
                    if let Some(room) = self.rooms.get_mut(&name) {
                        room.linger = None;
                    }
                    self.follow_no_more(&name);
                }
                Timer::Retire => {
                    self.retire_by = None;
                    self.is_retired(now);
                }
                Timer::Forget => {
                    self.forget = None;
                    self.forget_elsewhere();
                }
            }
        }
        match self.link.due(now) {
            None => {}
            Some(Due::Connect) => self.outputs.push_back(Output::Connect),
            Some(Due::GiveUp) => self.hang_up(now),
            Some(Due::Ping) => self.ping(now),
        }
        if self.link.is_up() && self.lease.overdue() <= now {
            self.hang_up(now);
        }
        self.send(now);
    }
}
