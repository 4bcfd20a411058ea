//! What must always hold.

use std::collections::BTreeSet;

use super::cluster::Cluster;
use super::logins::timers;
use super::timers::Timer;
use crate::Time;

impl Cluster {
    /// Checks what must always hold; costs time linear in all there is.
    ///
    /// # Errors
    ///
    /// What does not hold.
    pub fn audit(&self) -> Result<(), String> {
        let (mut messages, mut bytes) = (0, 0);
        for (name, room) in &self.rooms {
            room.audit()?;
            messages += room.outbox.len();
            bytes += room.outbox.bytes();
            if room.is_done(self.lease.registration()) {
                return Err(format!("room {name} is kept for nothing"));
            }
            let is_asked = self.asked.iter().any(|asked| asked.room() == Some(name));
            if room.has_something_to_ask()
                && room.queued.is_none()
                && !is_asked
                && self.link.is_up()
            {
                return Err(format!(
                    "room {name} has something to ask and is not in the queue"
                ));
            }
        }
        let queued = self.rooms.values().filter(|room| room.queued.is_some());
        if queued.count() != self.queue.len() {
            return Err("the queue has a room twice, or one that is gone".to_owned());
        }
        self.claims.audit()?;
        self.audit_timers()?;
        if (messages, bytes) != (self.waiting, self.waiting_bytes) {
            return Err(format!("{messages} messages wait, not {}", self.waiting));
        }
        if self.asked.is_empty() == self.link.is_up() && !self.link.is_idle() {
            return Err("the link waits for an answer to nothing".to_owned());
        }
        Ok(())
    }

    /// Each timer is set where its owner says so, and no other.
    fn audit_timers(&self) -> Result<(), String> {
        let mut expected = BTreeSet::new();
        let mut expect = |(at, timer): (Option<Time>, Timer)| {
            expected.extend(at.map(|at| (at, timer)));
        };
        for room in self.rooms.values() {
            if room.is_entered() != room.probe.is_some() {
                return Err(format!("room {} is probed without need, or not", room.name));
            }
            room.timers().into_iter().for_each(&mut expect);
        }
        for (key, claim) in self.claims.iter() {
            timers(key, claim).into_iter().for_each(&mut expect);
        }
        for (question, pending) in self.questions.iter() {
            expect((pending.due, Timer::Question(*question)));
        }
        for (ticket, recall) in self.recalls.iter() {
            expect((recall.due, Timer::Recall(*ticket)));
        }
        expect((self.retire_by, Timer::Retire));
        expect((self.forget, Timer::Forget));
        if self.timers.all() != &expected {
            return Err(format!("{:?} are set, not {expected:?}", self.timers));
        }
        Ok(())
    }
}
