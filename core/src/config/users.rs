//! Users: how often one may connect, and direct messages to them.

use serde::{Deserialize, Serialize};

/// What happens when a user connects again.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UserPolicy {
    /// The older connection is closed (1000 `replaced`).
    #[default]
    Replace,
    /// The newer connection is refused (4005 `already_connected`), unless the older one is dead. If
    /// nothing arrived from the older one for a second, it is pinged, and the newer one waits for a
    /// second. If nothing arrives in that time, or if its socket took no bytes for a second, the
    /// older one is closed (1000 `replaced`). An older one that is not read because of a busy hook
    /// or a long queue need not answer.
    Reject,
    /// Up to this many connections; a further one closes the oldest (1000 `replaced`), or one whose client is
    /// leaving anyway.
    Allow(usize),
}

/// Whether a client may send direct messages to a user.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direct {
    /// If the hook `authorize_direct` allows it; without that hook, never.
    #[default]
    Ask,
    /// Always.
    Open,
}
