//! What happens next: a heap by virtual time; what falls on one instant keeps its order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// One step of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Step {
    /// A client does what it does next.
    Client(u32),
    /// A stream waits to be accepted.
    Accept(u32),
    /// Bytes of a client have arrived at the node.
    Arrive(u32),
    /// Bytes of the node have arrived at the client.
    Deliver(u32),
    /// A socket takes bytes again.
    Writable(u32),
    /// The node writes what waits.
    Flush,
    /// A writer that took its time reports.
    Report(u32),
    /// A hook has its answer.
    Hook(u32, u32),
    /// The node's timer.
    Tick,
    /// The application does something by itself.
    Application,
    /// Something goes wrong.
    Trouble,
    /// The node is to end.
    Drain,
}

impl Step {
    /// Whether the node does it: not while its host stands still.
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
