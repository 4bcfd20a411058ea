//! The epoch of a room, as clients see it.

use std::sync::Arc;

use crate::base::id::HexPair;

/// What identifies a life of a room.
pub(in crate::switchboard) enum Epoch {
    /// Of this node.
    Own(HexPair),
    /// Of the cluster.
    Shared(Arc<str>),
}

impl Epoch {
    pub(in crate::switchboard) fn as_str(&self) -> &str {
        match self {
            Self::Own(pair) => pair.as_str(),
            Self::Shared(epoch) => epoch,
        }
    }
}
