//! Draws the arguments of commands.

use std::sync::Arc;
use std::time::Duration;

use switchboard_core::cluster::{Retention, Writer};

use super::{CONNECTIONS, Commands, HOUR, NODES, ROOMS, USERS};

impl Commands {
    pub(super) fn writer(&mut self) -> Writer {
        let node = self.rng.usize(0..NODES.len());
        let newest = self.sessions[node];
        Writer {
            node: NODES[node].into(),
            session: if self.rng.u32(0..12) == 0 {
                newest.saturating_sub(1)
            } else {
                newest
            },
            incarnation: self.incarnation(),
        }
    }

    pub(super) fn incarnation(&mut self) -> Arc<str> {
        let old = u64::from(self.rng.u32(0..100) == 0);
        format!("life-{}", self.incarnation - old).into()
    }

    pub(super) fn fresh(&mut self) -> Arc<str> {
        self.epochs += 1;
        format!("e{}", self.epochs).into()
    }

    pub(super) fn retention(&mut self) -> Retention {
        Retention {
            messages: self.rng.u32(5..45),
            log: self.live(),
            numbers: self.live(),
        }
    }

    /// Lives that none of a test's keys survives, and that differ by more than a test takes.
    pub(super) fn live(&mut self) -> Duration {
        Duration::from_secs(HOUR * self.rng.u64(1..5))
    }

    pub(super) fn dead(&mut self) -> Vec<Arc<str>> {
        if self.rng.u32(0..5) == 0 {
            vec![self.registration()]
        } else {
            Vec::new()
        }
    }

    pub(super) fn body(&mut self) -> Arc<[u8]> {
        let len = self.rng.usize(0..20);
        (0..len).map(|_| self.rng.u8(..)).collect()
    }

    pub(super) fn registration(&mut self) -> Arc<str> {
        let node = self.node();
        self.registration_of(&node)
    }

    pub(super) fn registration_of(&mut self, node: &str) -> Arc<str> {
        format!("{node}.{}", self.rng.u32(1..3)).into()
    }

    pub(super) fn room(&mut self) -> Arc<str> {
        ROOMS[self.rng.usize(0..ROOMS.len())].into()
    }

    pub(super) fn user(&mut self) -> Arc<str> {
        USERS[self.rng.usize(0..USERS.len())].into()
    }

    pub(super) fn node(&mut self) -> Arc<str> {
        NODES[self.rng.usize(0..NODES.len())].into()
    }

    pub(super) fn connection(&mut self) -> Arc<str> {
        CONNECTIONS[self.rng.usize(0..CONNECTIONS.len())].into()
    }
}
