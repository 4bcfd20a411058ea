//! Which registrations count.

use std::sync::Arc;

use super::peers::Peers;

/// Tells whose users are on other nodes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registrations<'a> {
    /// The present one of this node.
    pub(super) own: &'a Arc<str>,
    pub(super) peers: &'a Peers,
}

impl Registrations<'_> {
    /// Whether the users of a registration are on another node, which is there.
    pub(super) fn is_elsewhere(&self, registration: &Arc<str>) -> bool {
        registration != self.own && self.peers.counts(registration)
    }
}
