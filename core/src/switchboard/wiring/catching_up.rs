//! Clients that know more of a shared room than this node may: what they want waits until the node has
//! caught up with the broker.

use std::sync::Arc;

use super::switchboard::Switchboard;
use crate::cluster::Order;
use crate::switchboard::action::Action;
use crate::switchboard::relay::{
    CaughtUp, ClusterRequest, ClusterSeat, Joining, Older, SharedRoom,
};
use crate::{ConnectionId, JoinFrom};

impl SharedRoom {
    /// Returns whether a position is one that this node has not come to, or of another epoch than it
    /// knows: a later one perhaps.
    fn is_behind(&self, from: &JoinFrom) -> bool {
        let (JoinFrom::Since(since), Some(here)) = (from, &self.position) else {
            return false;
        };
        !self.alone && (here.epoch != since.epoch || here.seq < since.seq)
    }

    /// Returns whether a client waits for messages from the broker, or may enter soon.
    pub(super) fn is_awaited(&self) -> bool {
        let mut waiting = self.waiting.iter();
        self.looks > 0
            || waiting.any(|joining| {
                matches!(joining.caught_up, CaughtUp::Asked(_))
                    || matches!(joining.older, Older::Asked(_))
            })
    }
}

impl Joining {
    /// Returns whether it waits for nothing but the room.
    pub(super) fn is_ready(&self) -> bool {
        !matches!(self.seat, ClusterSeat::Asked(_))
            && !matches!(self.caught_up, CaughtUp::Asked(_))
            && !matches!(self.older, Older::Asked(_))
    }
}

impl Switchboard {
    /// Returns whether the broker has a log of a room, which may be ahead of that of this node.
    pub(super) fn has_log_elsewhere(&self, room: &str) -> bool {
        self.shared_settings(room).is_some_and(|settings| {
            let is_kept = settings.history.messages > 0 && settings.has_log();
            is_kept && settings.terms().order == Order::Total
        })
    }

    /// Returns whether a client that resumes from this position has to wait until this node has caught
    /// up.
    pub(super) fn is_ahead(&self, room: &str, from: &JoinFrom) -> bool {
        let known = self.relay.as_ref().and_then(|it| it.rooms.get(room));
        known.is_some_and(|known| known.is_behind(from)) && self.has_log_elsewhere(room)
    }

    /// Makes clients wait that resume from a position which this node has not reached, among the first `most`
    /// of those that want to enter.
    pub(super) fn wait_for_those_ahead(&mut self, name: &Arc<str>, most: usize) {
        if !self.has_log_elsewhere(name) {
            return;
        }
        let Some(relay) = &mut self.relay else {
            return;
        };
        let number = relay.number();
        let room = relay.room(name);
        let (mut waiting, mut asks) = (std::mem::take(&mut room.waiting), false);
        for joining in waiting.iter_mut().take(most) {
            if joining.caught_up == CaughtUp::Unknown && joining.is_ready() {
                let is_ahead = room.is_behind(&joining.from);
                asks |= is_ahead;
                joining.caught_up = if is_ahead {
                    CaughtUp::Asked(number)
                } else {
                    CaughtUp::Yes
                };
            }
        }
        room.waiting = waiting;
        if asks {
            let room = name.clone();
            self.ask_cluster(ClusterRequest::CatchUp { room, number });
        }
    }

    /// The client's next messages wait.
    pub(super) fn waits(&mut self, id: ConnectionId) {
        if let Ok(connection) = self.connections.get_mut(id) {
            connection.waits += 1;
        }
    }

    /// What the client has waited for is decided.
    pub(super) fn waits_no_more(&mut self, id: ConnectionId) {
        if let Ok(connection) = self.connections.get_mut(id)
            && connection.waits > 0
        {
            connection.waits -= 1;
            if connection.waits == 0 {
                self.effects.act(Action::ReadMode(id));
            }
        }
    }
}
