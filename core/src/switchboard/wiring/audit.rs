//! Recounts every index from scratch, as a consistency check.

use super::switchboard::Switchboard;
use crate::switchboard::audit::Inconsistency;

impl Switchboard {
    /// Recounts every index from scratch and compares. Call it when all actions have been polled.
    /// Costs a pass over all state; for tests, and for inspecting a live node.
    ///
    /// # Errors
    /// The first index that is wrong.
    pub fn audit(&self) -> Result<(), Inconsistency> {
        self.seats.audit(&self.connections, &self.config.limits)?;
        self.held_seats.audit()?;
        self.rooms
            .audit(&self.connections, &self.config.limits, |room| {
                self.seats_in(room, None)
            })?;
        self.users
            .audit(&self.connections, |user| self.rooms.graces(user))?;
        let rooms = self.connections.iter().map(|(_, found)| found.rooms.len());
        self.log.audit(self.connections.len(), rooms.sum())?;
        self.partials
            .audit(&self.connections, self.config.limits.unfinished_bytes)?;
        self.deadlines.audit(&self.connections, &self.config)?;
        self.posts.audit(&self.connections)?;
        self.pings.audit()
    }
}
