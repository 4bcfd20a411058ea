//! Recounts every index from scratch, as a consistency check.

use super::switchboard::Switchboard;
use crate::switchboard::audit::{Inconsistency, same};

impl Switchboard {
    /// Recounts every index from scratch and compares. Call it when all actions have been polled.
    /// Costs a pass over all state; for tests, and for inspecting a live node.
    ///
    /// # Errors
    /// The first index that is wrong.
    pub fn audit(&self) -> Result<(), Inconsistency> {
        self.seats.audit(&self.connections, &self.config.limits)?;
        self.rooms.audit(&self.connections, &self.config.limits)?;
        self.users
            .audit(&self.connections, |user| self.rooms.graces(user))?;
        self.outbox.audit(&self.connections, &self.config.limits)?;
        self.audit_unfinished()?;
        self.deadlines.audit(&self.connections, &self.config)?;
        self.pings.audit()
    }

    fn audit_unfinished(&self) -> Result<(), Inconsistency> {
        let partial = self.connections.iter().map(|(_, found)| found.partial);
        let partial: usize = partial.sum();
        same("unfinished bytes", self.unfinished, partial)?;
        let limit = self.config.limits.unfinished_bytes;
        same("unfinished <= limit", partial <= limit, true)
    }
}
