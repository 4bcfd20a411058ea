//! Compares the positions of rooms with the broker's from time to time.

use std::sync::Arc;

use super::cluster::Cluster;
use super::room::Stage;
use super::timers::Timer;
use crate::Time;

impl Cluster {
    pub(super) fn probe_is_due(&mut self, now: Time, name: &Arc<str>) {
        if let Some(room) = self.rooms.get_mut(name) {
            room.probe = None;
            room.needs_probe = match room.stage {
                Stage::Live => true,
                Stage::Local(_) => room.terms.presence,
                _ => false,
            };
        }
        self.probe_at(name, now + self.config.probe);
        self.wants_to_ask(name);
    }

    pub(super) fn probe_at(&mut self, name: &Arc<str>, at: Time) {
        if let Some(room) = self.rooms.get_mut(name) {
            let timer = Timer::Probe(Arc::clone(name));
            self.timers.set(&mut room.probe, Some(at), timer);
        }
    }
}
