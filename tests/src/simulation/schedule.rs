//! A heap of steps by virtual time; steps at the same instant keep their order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// One step of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Step {
    /// A client acts.
    Client(u32),
    /// A stream waits to be accepted.
    Accept(u32),
    /// Bytes of a client have arrived at the node.
    Arrive(u32),
    /// Bytes of the node have arrived at the client.
    Deliver(u32),
    /// A socket takes bytes again.
    Writable(u32),
    /// The node writes queued bytes.
    Flush,
    /// A late writer reports.
    Report(u32),
    /// A hook returns.
    Hook(u32, u32),
    /// The node's timer fires.
    Tick,
    /// The application makes a call.
    Application,
    /// A fault occurs.
    Trouble,
    /// The drain starts.
    Drain,
}

impl Step {
    /// Returns whether the node runs it, so that it waits during a host stall.
    pub(super) const fn is_of_node(self) -> bool {
        !matches!(self, Self::Client(_) | Self::Deliver(_) | Self::Trouble)
    }
}

#[derive(Debug, Default)]
pub(super) struct Schedule {
    heap: BinaryHeap<Reverse<(u64, u64, Step)>>,
    order: u64,
}

impl Schedule {
    pub(super) fn push(&mut self, at: u64, step: Step) {
        self.order += 1;
        self.heap.push(Reverse((at, self.order, step)));
    }

    pub(super) fn pop_until(&mut self, end: u64) -> Option<(u64, Step)> {
        let &Reverse((at, ..)) = self.heap.peek()?;
        if at > end {
            return None;
        }
        self.heap.pop().map(|Reverse((at, _, step))| (at, step))
    }
}
