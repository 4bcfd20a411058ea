//! Rooms go on alone while the broker is away for too long.

use std::sync::Arc;

use super::cluster::Cluster;
use super::output::{ClusterNotice, Fate, Output};
use super::room::Stage;
use super::timers::Timer;
use crate::Time;

impl Cluster {
    pub(super) fn go_alone(&mut self, now: Time) {
        self.alone = true;
        let at = now + self.config.freeze;
        self.timers.set(&mut self.forget, Some(at), Timer::Forget);
        self.notice(ClusterNotice::Away);
        let names: Vec<_> = self.rooms.keys().cloned().collect();
        for name in names {
            self.room_goes_alone(&name);
        }
    }

    pub(super) fn room_goes_alone(&mut self, name: &Arc<str>) {
        let epoch = self.fresh_epoch();
        self.with_room(name, |room, cx| match room.stage {
            Stage::Alone(..) => {}
            Stage::Absent => {
                let waiting: Vec<_> = room.outbox.take_waiting().collect();
                for it in waiting {
                    let (ticket, fate) = (it.ticket, Fate::Local);
                    cx.tell(Output::Published { ticket, fate });
                }
            }
            Stage::Syncing | Stage::Live => room.go_alone(epoch, cx),
        });
    }
}
