//! Two nodes over one broker.

use std::time::Duration;

use switchboard_core::{ConnectionId, WhenDown};
use switchboard_tests::broker::SimRedis;

use crate::node::{Node, broker};

/// What each of the two does in turn.
const STEP: Duration = Duration::from_millis(100);

/// Two nodes with a client each, both in the lobby.
pub(crate) struct Pair {
    pub(crate) redis: SimRedis,
    pub(crate) one: Node,
    pub(crate) other: Node,
    /// On the first node.
    pub(crate) ann: ConnectionId,
    /// On the second node.
    pub(crate) bob: ConnectionId,
}

impl Pair {
    pub(crate) fn start() -> Self {
        Self::start_after(|_, _, _| ())
    }

    /// Starts the second node after ann has come to the first one and this was done there.
    pub(crate) fn start_after(before: impl FnOnce(&mut SimRedis, &mut Node, ConnectionId)) -> Self {
        let mut redis = broker();
        let mut one = Node::start(&mut redis, "a", WhenDown::Alone);
        let ann = one.comes(&mut redis, "ann", None);
        before(&mut redis, &mut one, ann);
        let mut other = Node::start(&mut redis, "b", WhenDown::Alone);
        let bob = other.comes(&mut redis, "bob", None);
        Self {
            redis,
            one,
            other,
            ann,
            bob,
        }
    }

    /// Lets time pass on both nodes, until neither has anything to say to the other.
    pub(crate) fn passes(&mut self, time: Duration) {
        let mut left = time;
        while !left.is_zero() {
            let step = left.min(STEP);
            left -= step;
            self.one.passes(&mut self.redis, step);
            self.other.passes(&mut self.redis, step);
            self.one.runs(&mut self.redis);
        }
    }
}
