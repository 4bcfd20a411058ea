//! How a node takes part in a cluster.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::seconds;
use crate::cluster::{Order, WhenDown};

/// How a node takes part in a cluster (docs/cluster.md). The nodes of a cluster have the same
/// settings, except for their names.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Clustering {
    /// The broker (`redis://127.0.0.1:6379`).
    pub url: String,
    /// What the names of keys and channels begin with (`sb1`). Clusters that share a broker need
    /// different ones.
    pub prefix: String,
    /// The node's name (`node`). A random part is added to it, so two nodes of one name both work.
    pub node: String,
    /// In which order the members of a room get its messages (total).
    pub order: Order,
    /// What happens in a room while the broker is away for longer than `hold` (alone).
    pub when_down: WhenDown,
    /// How long a node that is not heard of counts as present (3 s). At least three times `beat`.
    #[serde(with = "seconds")]
    pub lease: Duration,
    /// How often a node says that it lives (1 s).
    #[serde(with = "seconds")]
    pub beat: Duration,
    /// How long the broker may be unavailable before rooms continue alone, or refuse messages (2 s).
    /// Shorter than `lease`.
    #[serde(with = "seconds")]
    pub hold: Duration,
    /// How long the broker may take to answer (1 s). Shorter than `hold`.
    #[serde(with = "seconds")]
    pub answer: Duration,
    /// How long connecting to the broker may take (2 s).
    #[serde(with = "seconds")]
    pub connect: Duration,
    /// Messages that may wait for the broker (8192). An eighth of them may be of one room.
    pub outbox_messages: usize,
    /// Their bytes (16 MiB).
    pub outbox_bytes: usize,
    /// Whether clients are notified when the broker becomes unavailable and available (yes).
    pub tell_clients: bool,
    /// Whether a node without its broker says that it is not ready (no).
    pub ready_needs_broker: bool,
}

impl Default for Clustering {
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379".into(),
            prefix: "sb1".into(),
            node: "node".into(),
            order: Order::default(),
            when_down: WhenDown::default(),
            lease: Duration::from_secs(3),
            beat: Duration::from_secs(1),
            hold: Duration::from_secs(2),
            answer: Duration::from_secs(1),
            connect: Duration::from_secs(2),
            outbox_messages: 8192,
            outbox_bytes: 16 << 20,
            tell_clients: true,
            ready_needs_broker: false,
        }
    }
}

/// Omits the URL, which may contain a password.
impl fmt::Debug for Clustering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clustering")
            .field("prefix", &self.prefix)
            .field("node", &self.node)
            .field("order", &self.order)
            .field("when_down", &self.when_down)
            .finish_non_exhaustive()
    }
}
