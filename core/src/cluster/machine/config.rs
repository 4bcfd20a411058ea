//! How a node takes part in a cluster.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

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
    /// How long changes of the users here are collected before they are written.
    pub presence_interval: Duration,
    /// How long users on other nodes are taken to be there while the broker is away.
    pub freeze: Duration,
    /// How long the node follows a room without members.
    pub linger: Duration,
    /// Bytes of one [`Cluster::recall`](super::Cluster::recall), at most.
    pub recall_bytes: usize,
    /// How many connections a user may have.
    pub logins: LoginTerms,
    /// How long a client may wait for an answer of the broker before this node decides alone.
    pub wait: Duration,
    /// After which time the seats of a room are confirmed. They are free after three times that.
    pub confirm: Duration,
    /// After which time a claim is made again, at most, so that it does not expire.
    pub touch: Duration,
    /// How long the table of a user outlives the last claim.
    pub rest: Duration,
    /// How long a node has been gone when rooms forget its messages' numbers.
    pub silence: Duration,
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
    /// The seed of random values, such as the pauses between attempts.
    pub seed: u64,
}

/// In which order the members of a room get its messages.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// All nodes in the same: that of the broker's log.
    #[default]
    Total,
    /// Members get the messages of their own node at once, and those of another in the order in which
    /// that one sent them. There is no log.
    Local,
}

/// What happens in a room while the broker is away for long.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenDown {
    /// The members here continue alone, in a local epoch.
    #[default]
    Alone,
    /// Messages and newcomers are refused.
    Refuse,
}

/// What holds in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomTerms {
    /// The order of its messages.
    pub order: Order,
    /// What happens while the broker is away.
    pub when_down: WhenDown,
    /// Whether nodes share its list of users.
    pub presence: bool,
    /// How many keys may have a value, where the latest one of each is kept; 0 elsewhere. Such a room has
    /// a common order.
    pub keys: u32,
}

impl Default for RoomTerms {
    fn default() -> Self {
        Self {
            order: Order::default(),
            when_down: WhenDown::default(),
            presence: true,
            keys: 0,
        }
    }
}

/// How many connections a user may have, over all nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginTerms {
    /// The number; 0 means no limit.
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
            linger: Duration::from_secs(30),
            recall_bytes: 1 << 20,
            logins: LoginTerms::default(),
            wait: Duration::from_secs(1),
            confirm: Duration::from_secs(10),
            touch: Duration::from_secs(10 * 60),
            rest: Duration::from_secs(60),
            silence: Duration::from_secs(10 * 60),
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

    /// Checks what the parts expect of each other.
    ///
    /// # Errors
    ///
    /// The first thing that cannot work.
    pub fn check(&self) -> Result<(), BadClusterConfig> {
        let (times, lease) = (&self.times, &self.lease);
        let is_name = !self.node.is_empty() && !self.node.contains(char::is_control);
        if !is_name {
            return Err(BadClusterConfig::Node);
        }
        if lease.beat * 3 > lease.lease || lease.beat.is_zero() {
            return Err(BadClusterConfig::Beat);
        }
        if times.answer >= times.hold || times.answer.is_zero() {
            return Err(BadClusterConfig::Answer);
        }
        if times.hold >= lease.lease {
            return Err(BadClusterConfig::Hold);
        }
        if self.retention.numbers <= self.retention.log {
            return Err(BadClusterConfig::Retention);
        }
        if self.touch * 2 > self.memory {
            return Err(BadClusterConfig::Touch);
        }
        Ok(())
    }
}

/// What cannot work in a [`ClusterConfig`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadClusterConfig {
    /// The node's name is empty, or has control characters.
    Node,
    /// A lease is shorter than three heartbeats, or there are none.
    Beat,
    /// An answer may take longer than rooms wait, or no time at all.
    Answer,
    /// Rooms wait for longer than a lease, so other nodes would consider this one dead before it
    /// notices.
    Hold,
    /// The numbers of a room do not outlive its log, so they could be used twice.
    Retention,
    /// Claims expire before they are made again.
    Touch,
}

impl fmt::Display for BadClusterConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Node => "the name of the node is empty or has control characters",
            Self::Beat => "a lease must last for at least three heartbeats",
            Self::Answer => "an answer must not take as long as rooms wait for the broker",
            Self::Hold => "rooms must not wait for the broker as long as a lease lasts",
            Self::Retention => "the numbers of a room must outlive its log",
            Self::Touch => "claims must be made again before they expire",
        })
    }
}

impl std::error::Error for BadClusterConfig {}
