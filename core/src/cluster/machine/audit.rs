//! What must always hold.

use super::cluster::Cluster;

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
            if !room.is_entered() && room.outbox.is_done() {
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
        let probed = self.rooms.values().filter(|room| room.probe.is_some());
        let entered = self.rooms.values().filter(|room| room.is_entered());
        if probed.count() != self.timers.len() || entered.count() != self.timers.len() {
            return Err("a room is probed twice, or never".to_owned());
        }
        if (messages, bytes) != (self.waiting, self.waiting_bytes) {
            return Err(format!("{messages} messages wait, not {}", self.waiting));
        }
        if self.asked.is_empty() == self.link.is_up() && !self.link.is_idle() {
            return Err("the link waits for an answer to nothing".to_owned());
        }
        Ok(())
    }
}
