//! How a node takes part in a cluster.

use std::sync::Arc;
use std::time::Duration;

use super::lease::LeaseTimes;
use super::link::LinkTimes;
use crate::cluster::command::{Keep, Retention};

/// How a node takes part in a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterConfig {
    /// The node: its configured name and a random part.
    pub node: Arc<str>,
    /// The link's deadlines.
    pub times: LinkTimes,
    /// The node's heartbeats.
    pub lease: LeaseTimes,
    /// How long users outlive the last heartbeat of their node; at least as long as its lease.
    pub leave_grace: Duration,
    /// How long changes of who is here are gathered, before others are told.
    pub presence_interval: Duration,
    /// How long users on other nodes are taken to be there while the broker is away.
    pub freeze: Duration,
    /// How many connections a user may have.
    pub logins: LoginTerms,
    /// How long somebody may wait for an answer of the broker, before this node decides alone.
    pub wait: Duration,
    /// After which time the seats of a room are confirmed. They are free after three times that.
    pub confirm: Duration,
    /// After which time a claim is made again, at most, so that it does not expire.
    pub touch: Duration,
    /// How long the table of a user outlives the last claim.
    pub rest: Duration,
    /// How long nodes that are gone are remembered, and claims outlive their last use.
    pub memory: Duration,
    /// What the broker keeps of each room.
    pub retention: Retention,
    /// How often the position of each room is compared with the broker's.
    pub probe: Duration,
    /// Messages that may wait for the broker.
    pub outbox_messages: usize,
    /// Their bytes.
    pub outbox_bytes: usize,
    /// Seeds what is random, such as the pauses between attempts.
    pub seed: u64,
}

/// What holds in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomTerms {
    /// Whether nodes tell each other who is in it.
    pub presence: bool,
}

impl Default for RoomTerms {
    fn default() -> Self {
        Self { presence: true }
    }
}

/// How many connections a user may have, over all nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginTerms {
    /// So many; 0 is no limit.
    pub most: u32,
    /// Which stay.
    pub keep: Keep,
    /// Why the others are closed, as a word.
    pub reason: Arc<str>,
}

impl Default for LoginTerms {
    fn default() -> Self {
        Self {
            most: 1,
            keep: Keep::Newest,
            reason: "replaced".into(),
        }
    }
}

impl ClusterConfig {
    /// The defaults for a node of this name.
    pub fn new(node: &str) -> Self {
        Self {
            node: node.into(),
            times: LinkTimes::default(),
            lease: LeaseTimes::default(),
            leave_grace: Duration::from_secs(3),
            presence_interval: Duration::from_millis(250),
            freeze: Duration::from_secs(60),
            logins: LoginTerms::default(),
            wait: Duration::from_secs(1),
            confirm: Duration::from_secs(10),
            touch: Duration::from_secs(10 * 60),
            rest: Duration::from_secs(60),
            memory: Duration::from_secs(30 * 60),
            retention: Retention {
                messages: 100,
                log: Duration::from_secs(300),
                numbers: Duration::from_secs(600),
            },
            probe: Duration::from_secs(30),
            outbox_messages: 8192,
            outbox_bytes: 16 << 20,
            seed: 0,
        }
    }
}
