//! Steps of a script in which time passes.

use switchboard_core::{ConnectionId, Event, Time};

use super::{Action, Driver, Fault, ensure};
use crate::script::Family;

impl Driver {
    /// Ticks, and checks that a second tick and one in the past do nothing.
    pub(super) fn tick(&mut self) -> Result<(), Fault> {
        let promised = self.sys.next_deadline().map(Time::as_nanos);
        self.sys.tick(Time::from_nanos(self.now));
        self.gather();
        self.choose();
        if let Some(model) = &mut self.model {
            model.tick(self.now, promised);
        }
        self.settle()?;
        self.seen = self.now;
        let before = self.sys.next_deadline();
        ensure(before.is_none_or(|at| at.as_nanos() > self.now), || {
            format!(
                "after a tick at {} the next deadline is {before:?}",
                self.now
            )
        })?;
        for again in [self.now, self.now - 1] {
            self.sys.tick(Time::from_nanos(again));
            self.gather();
            ensure(self.fresh.is_empty(), || {
                format!("a second tick gave {:?}", self.fresh)
            })?;
        }
        let overdue = self.model.as_ref().and_then(crate::model::Model::overdue);
        let overdue = overdue.filter(|_| self.setup.family == Family::Health);
        ensure(overdue.is_none(), || {
            format!("{overdue:?} is silent but not evicted")
        })
    }

    /// Advances to exactly the next deadline.
    pub(super) fn next_deadline(&mut self) -> Result<(), Fault> {
        if let Some(at) = self.sys.next_deadline() {
            // Skip pings that are years away.
            if at.as_nanos() < self.now.saturating_add(60_000_000_000) {
                self.now = self.now.max(at.as_nanos());
                self.tick()?;
            }
        }
        Ok(())
    }

    /// Lets time pass, with a tick at each deadline.
    pub(super) fn wait(&mut self, nanos: u64) -> Result<(), Fault> {
        let until = self.now + nanos;
        for _ in 0..10_000 {
            match self.sys.next_deadline() {
                Some(at) if at.as_nanos() <= until => self.next_deadline()?,
                _ => break,
            }
            if self.setup.flush {
                self.flush_all()?;
            }
        }
        self.now = until;
        self.tick()
    }

    /// Makes calls with an earlier time: nothing is undone, and nothing happens twice.
    pub(super) fn back(&mut self, id: ConnectionId, nanos: u64) -> Result<(), Fault> {
        let earlier = self.seen.saturating_sub(nanos);
        self.sys.tick(Time::from_nanos(earlier));
        self.gather();
        ensure(self.fresh.is_empty(), || {
            format!("a tick back gave {:?}", self.fresh)
        })?;
        let _ = self.act_at(earlier, |sys, at| sys.handle(at, id, Event::Heard));
        if let Some(model) = &mut self.model {
            model.heard(id);
        }
        self.settle()
    }

    /// Adopts ends that the switchboard chose at random; the model checks them.
    pub(super) fn choose(&mut self) {
        let chosen = self.fresh.iter().filter_map(|action| match action {
            Action::Notify(switchboard_core::Notice::Closed { id, reason, .. }) => {
                Some((*id, reason.as_str().to_owned()))
            }
            _ => None,
        });
        if let Some(model) = &mut self.model {
            model.chosen = chosen.collect();
        }
    }
}
