//! Compares the positions of rooms with the broker's from time to time.

use std::sync::Arc;

use super::cluster::Cluster;
use super::room::Stage;
use crate::Time;

impl Cluster {
    pub(super) fn queue_probes(&mut self, now: Time) {
        while let Some((at, _)) = self.probes.first()
            && *at <= now
            && let Some((_, name)) = self.probes.pop_first()
        {
            if let Some(room) = self.rooms.get_mut(&name) {
                room.needs_probe = room.stage == Stage::Live;
            }
            self.probe_at(&name, now + self.config.probe);
            self.wants_to_ask(&name);
        }
    }

    pub(super) fn probe_at(&mut self, name: &Arc<str>, at: Time) {
        if let Some(room) = self.rooms.get_mut(name) {
            room.probe = Some(at);
            self.probes.insert((at, Arc::clone(name)));
        }
    }
}
