//! Rooms that continue alone, because the broker has been unavailable for too long.

use std::sync::Arc;

use super::cluster::Cluster;
use super::config::WhenDown;
use super::output::ClusterNotice;
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
        let mut is_followed = false;
        self.with_room(name, |room, cx| {
            let refuses = room.terms.when_down == WhenDown::Refuse;
            match room.stage {
                Stage::Alone(..) | Stage::Local(_) => {}
                Stage::Syncing | Stage::Live if room.has_members && !refuses => {
                    room.go_alone(epoch, cx);
                }
                Stage::Absent | Stage::Syncing | Stage::Live => {
                    room.give_up_waiting(cx);
                    is_followed = room.is_entered() && !room.has_members;
                }
            }
        });
        if is_followed {
            self.follow_no_more(name);
        }
    }
}
