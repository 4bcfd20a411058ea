//! What may wait, and for how long it is kept.

use std::time::Duration;

use crate::config::settings::RoomSettings;
use crate::{Config, SlowPolicy};

/// What happens to members that lag too far behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::switchboard) enum Slow {
    /// Those whose sockets take no bytes are to be closed.
    Disconnect,
    /// They lose the oldest messages.
    DropOldest,
    /// They lose the newest messages.
    DropNewest,
    /// They lose only what the history no longer has.
    CatchUp,
}

/// How far a member of a room may lag behind, and what happens beyond that.
#[derive(Clone, Copy, Debug)]
pub(in crate::switchboard) struct LagRule {
    pub(in crate::switchboard) slow: Slow,
    /// Messages that a member may lag behind.
    pub(in crate::switchboard) messages: u64,
    /// Bytes that a member may lag behind.
    pub(in crate::switchboard) bytes: u64,
}

/// The rule of a room.
#[derive(Clone, Copy, Debug)]
pub(in crate::switchboard) struct Rule {
    pub(in crate::switchboard) lag: LagRule,
    /// What is kept beyond what members have to get.
    pub(in crate::switchboard) history: Option<Keep>,
    /// Whether the latest value of each key is kept, in place of a history.
    pub(in crate::switchboard) latest: Option<KeepLatest>,
    /// Whether messages may be compressed one after another.
    pub(in crate::switchboard) contexts: bool,
}

/// The bounds of a room's history.
#[derive(Clone, Copy, Debug)]
pub(in crate::switchboard) struct Keep {
    pub(in crate::switchboard) messages: usize,
    pub(in crate::switchboard) bytes: usize,
    pub(in crate::switchboard) age: Duration,
    /// How long it is kept without members.
    pub(in crate::switchboard) linger: Duration,
}

/// The bounds of a room that keeps the latest value of each key.
#[derive(Clone, Copy, Debug)]
pub(in crate::switchboard) struct KeepLatest {
    /// Keys that have a value. As many removals are kept for those who come back.
    pub(in crate::switchboard) keys: usize,
    /// How long they are kept without members.
    pub(in crate::switchboard) linger: Duration,
}

impl Rule {
    /// Returns the rule of a room with these settings.
    pub(in crate::switchboard) fn new(settings: &RoomSettings, limits: &crate::Limits) -> Self {
        let history = settings.history;
        Self {
            lag: LagRule {
                slow: match settings.slow {
                    SlowPolicy::Disconnect => Slow::Disconnect,
                    SlowPolicy::DropOldest => Slow::DropOldest,
                    SlowPolicy::DropNewest => Slow::DropNewest,
                    SlowPolicy::CatchUp => Slow::CatchUp,
                },
                messages: limits.queue_messages as u64,
                bytes: limits.queue_bytes as u64,
            },
            history: (history.messages > 0).then_some(Keep {
                messages: history.messages,
                bytes: history.room_bytes,
                age: history.age,
                linger: history.linger,
            }),
            latest: match settings.keep {
                crate::Keep::Latest { keys } => Some(KeepLatest {
                    keys,
                    linger: history.linger,
                }),
                crate::Keep::History => None,
            },
            contexts: settings.compress,
        }
    }
}

/// The limits of the node.
#[derive(Clone, Copy, Debug)]
pub(in crate::switchboard) struct Limits {
    /// Bytes of a connection's own frames.
    pub(in crate::switchboard) own_bytes: usize,
    /// Messages among them.
    pub(in crate::switchboard) own_messages: usize,
    /// Bytes of everything that is held.
    pub(in crate::switchboard) held: usize,
    /// Bytes of all histories, and of all that is kept by key.
    pub(in crate::switchboard) history_bytes: usize,
    /// Rooms without members.
    pub(in crate::switchboard) dormant_rooms: usize,
    /// Rooms whose messages are compressed one after another.
    pub(in crate::switchboard) contexts: usize,
}

impl Limits {
    /// Returns the limits of a node with this configuration.
    pub(in crate::switchboard) const fn of(config: &Config) -> Self {
        let limits = &config.limits;
        // Members that recover or catch up hold what is kept, so this leaves the rest of the bound to others.
        let half = limits.queued_bytes / 2;
        let histories = config.history.bytes;
        Self {
            own_bytes: limits.queue_bytes,
            own_messages: limits.queue_messages,
            held: limits.queued_bytes,
            history_bytes: if histories < half { histories } else { half },
            dormant_rooms: config.history.rooms,
            contexts: match config.compression {
                Some(compression) => compression.room_contexts,
                None => 0,
            },
        }
    }
}
