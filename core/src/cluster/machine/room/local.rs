//! A room with local order: each node numbers messages in the order of their arrival.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Where the members of such a room are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cluster) struct Local {
    /// The epoch of this node, in which it numbers for its members.
    pub(in crate::cluster) epoch: Arc<str>,
    /// What this node's own numbers count in.
    pub(in crate::cluster) stay: u64,
    seq: u64,
    own: u64,
    /// The stay and the last own number of each other node.
    seen: BTreeMap<Arc<str>, (u64, u64)>,
}

/// The numbers of a message that is published here.
#[derive(Clone, Copy, Debug)]
pub(in crate::cluster) struct Numbers {
    pub(in crate::cluster) seq: u64,
    pub(in crate::cluster) own: u64,
}

/// The numbers of a message that arrived.
#[derive(Clone, Copy, Debug)]
pub(in crate::cluster) struct Arrived {
    pub(in crate::cluster) seq: u64,
    /// So many numbers before it are of messages that did not arrive.
    pub(in crate::cluster) missing: u64,
}

impl Local {
    pub(in crate::cluster) fn new(epoch: Arc<str>, stay: u64) -> Self {
        Self {
            epoch,
            stay,
            seq: 0,
            own: 0,
            seen: BTreeMap::new(),
        }
    }

    pub(in crate::cluster) fn seq(&self) -> u64 {
        self.seq
    }

    pub(in crate::cluster) fn publish(&mut self) -> Numbers {
        self.seq += 1;
        self.own += 1;
        Numbers {
            seq: self.seq,
            own: self.own,
        }
    }

    /// A message of another node arrived; `None` where it is late or a repeat. Nothing is missing before
    /// the first one of a node, or of a stay.
    pub(in crate::cluster) fn arrived(
        &mut self,
        node: &str,
        stay: u64,
        own: u64,
    ) -> Option<Arrived> {
        let missing = match self.seen.get(node) {
            Some(last) if (stay, own) <= *last => return None,
            Some((last_stay, last)) if *last_stay == stay => own - last - 1,
            _ => 0,
        };
        self.seen.insert(node.into(), (stay, own));
        self.seq = self.seq.saturating_add(missing).saturating_add(1);
        Some(Arrived {
            seq: self.seq,
            missing,
        })
    }
}
