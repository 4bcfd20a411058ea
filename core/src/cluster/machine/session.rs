//! What the broker does: it can be reached or not, and answers.

use std::sync::Arc;

use super::asked::Asked;
use super::cluster::Cluster;
use super::output::{ClusterNotice, Output};
use super::timers::Timer;
use crate::Time;
use crate::cluster::answer::{Done, Failure};
use crate::cluster::command::Channel;

/// Channels of one SUBSCRIBE.
const CHANNELS: usize = 512;

impl Cluster {
    /// The broker is connected, has the scripts, and its data are of this incarnation.
    pub fn connected(&mut self, now: Time, incarnation: &str) {
        if !self.link.is_connecting() {
            return;
        }
        self.link.connected(now);
        self.session += 1;
        self.figures.connects += 1;
        if *self.incarnation != *incarnation {
            self.incarnation = incarnation.into();
            self.peers.doubt(now, &self.config.node);
        }
        self.check_lease(now);
        self.lease.connected();
        self.peers.connected(now);
        self.claims.connected();
        let inbox = Channel::Inbox(Arc::clone(&self.config.node));
        let (mut channels, mut names) = (vec![Channel::Everyone, inbox], Vec::new());
        for (name, room) in &mut self.rooms {
            if room.is_entered() {
                channels.push(Channel::Room(Arc::clone(name)));
            }
            room.read_again();
            names.push(Arc::clone(name));
        }
        for some in channels.chunks(CHANNELS) {
            self.outputs.push_back(Output::Subscribe(some.to_vec()));
        }
        for name in names {
            self.wants_to_ask(&name);
        }
        self.send(now);
    }

    /// The connection or the attempt has ended.
    pub fn lost(&mut self, now: Time) {
        if self.link.is_down() {
            return;
        }
        self.link.lost(now, &mut self.rng);
        for asked in std::mem::take(&mut self.asked) {
            match asked {
                Asked::Question(question) => self.questions.lost(question),
                Asked::Recall(ticket) => self.recalls.ask_again(ticket),
                _ => {}
            }
        }
        self.questions.drop_notices();
        self.lease.lost();
        self.claims.lost();
        self.with_each_room(|room, _| {
            room.asks.lost();
            room.read_again();
            room.occupants.lost();
            room.seats.confirm();
        });
    }

    pub(super) fn hang_up(&mut self, now: Time) {
        self.outputs.push_back(Output::Hangup);
        self.lost(now);
    }

    /// The pipeline was answered, one answer for each command.
    pub fn answered(&mut self, now: Time, answers: Vec<Done>) {
        self.check_lease(now);
        if self.asked.len() != answers.len() || !self.link.is_up() {
            self.hang_up(now);
            return;
        }
        let asked = std::mem::take(&mut self.asked);
        // What stands behind a failure in the pipeline was carried out all the same.
        let mut failed = false;
        for (asked, answer) in asked.into_iter().zip(answers) {
            let unanswered = asked.remembered_here();
            let has_failed = match answer {
                Ok(answer) => self.answer(now, asked, answer).is_err(),
                Err(failure) => {
                    self.failed_with(failure);
                    true
                }
            };
            if has_failed {
                self.asked.extend(unanswered);
            }
            failed |= has_failed;
        }
        if failed {
            self.hang_up(now);
        }
        if self.link.is_down() {
            return;
        }
        self.link.answered(now);
        self.failure = None;
        if std::mem::take(&mut self.alone) {
            self.timers.set(&mut self.forget, None, Timer::Forget);
            self.notice(ClusterNotice::Back);
        }
        self.send(now);
    }

    /// Says what the broker refuses, once until it answers again.
    fn failed_with(&mut self, failure: Failure) {
        if self.failure != Some(failure) {
            self.failure = Some(failure);
            self.notice(ClusterNotice::Failed(failure));
        }
    }
}
