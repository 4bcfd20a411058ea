//! Questions to the broker that await their answers.

use std::sync::Arc;

use super::claims::Key;
use super::output::{Question, RecallTicket};

/// What an answer is about.
#[derive(Debug)]
pub(super) enum Asked {
    Ping,
    Beat {
        registration: Arc<str>,
        forget: Vec<Arc<str>>,
    },
    Sync {
        room: Arc<str>,
        stay: u64,
    },
    Append {
        room: Arc<str>,
    },
    Presence {
        room: Arc<str>,
        registration: Arc<str>,
    },
    Occupants {
        room: Arc<str>,
    },
    Seats {
        room: Arc<str>,
        registration: Arc<str>,
    },
    Claim {
        key: Key,
        registration: Arc<str>,
    },
    Lookup,
    Question(Question),
    Notify,
    Recall(RecallTicket),
    Retire,
    Probe {
        room: Arc<str>,
        stay: u64,
    },
}

impl Asked {
    /// Returns a copy of requests that are recorded only here, and that have to be sent again without
    /// an answer. Rooms, claims and the lease record their own pending requests.
    pub(super) fn remembered_here(&self) -> Option<Self> {
        match self {
            Self::Question(question) => Some(Self::Question(*question)),
            Self::Recall(ticket) => Some(Self::Recall(*ticket)),
            _ => None,
        }
    }

    pub(super) fn room(&self) -> Option<&Arc<str>> {
        match self {
            Self::Ping
            | Self::Beat { .. }
            | Self::Claim { .. }
            | Self::Lookup
            | Self::Question(_)
            | Self::Notify
            | Self::Recall(_)
            | Self::Retire => None,
            Self::Sync { room, .. }
            | Self::Append { room }
            | Self::Presence { room, .. }
            | Self::Occupants { room }
            | Self::Seats { room, .. }
            | Self::Probe { room, .. } => Some(room),
        }
    }
}
