//! The phases between idle and an established connection.

use super::ready::Ready;
use super::state::{Stage, WaitReason};
use crate::Time;

#[derive(Debug)]
pub(super) enum Phase {
    Idle,
    Stopped,
    Waiting {
        /// `None` to wait until an event ends the wait.
        until: Option<Time>,
        why: WaitReason,
    },
    Token,
    Dialing {
        until: Time,
    },
    Opened {
        until: Time,
    },
    Ready(Ready),
}

impl Phase {
    /// Returns the stage of the socket, if there is one.
    pub(super) fn stage(&self) -> Option<Stage> {
        match self {
            Self::Idle | Self::Stopped | Self::Waiting { .. } | Self::Token => None,
            Self::Dialing { .. } => Some(Stage::Dialing),
            Self::Opened { .. } => Some(Stage::Opened),
            Self::Ready(_) => Some(Stage::Welcomed),
        }
    }

    /// Returns when the phase times out.
    pub(super) fn ends_at(&self) -> Option<Time> {
        match *self {
            Self::Waiting { until, .. } => until,
            Self::Dialing { until } | Self::Opened { until } => Some(until),
            Self::Idle | Self::Stopped | Self::Token | Self::Ready(_) => None,
        }
    }

    /// Returns whether the application wants no connection.
    pub(super) fn is_off(&self) -> bool {
        matches!(self, Self::Idle | Self::Stopped)
    }

    /// Returns whether messages may be sent and received.
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Opened { .. } | Self::Ready(_))
    }
}
