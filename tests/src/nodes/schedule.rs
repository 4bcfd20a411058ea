//! A heap of steps by virtual time; steps at the same instant keep their order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// One step of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// A client acts.
    Client(u32),
    /// What a client sent arrives at its node.
    Up(u32),
    /// What a node sent arrives at its client.
    Down(u32),
    /// A hook of a connection returns.
    Hook(u32),
    /// A socket takes bytes again.
    Writable(u32),
    /// A node may read on.
    Read(u32),
    /// What a node sent arrives at the broker.
    WireUp(u32),
    /// What the broker sent arrives at its node.
    WireDown(u32),
    /// The timer of a node's process fires.
    Tick(u32, u32),
    /// The process of a node that stood still runs again.
    Resume(u32),
    /// The process of a node begins.
    Start(u32),
    /// The application of a node makes a call.
    Application,
    /// Something goes wrong.
    Trouble,
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
