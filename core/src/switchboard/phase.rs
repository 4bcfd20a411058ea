//! The phases of a connection.
//!
//! ```text
//!            ┌──────────▶ Page ─────────────┐
//!  Arrived ──┼─▶ Authenticating ─▶ Open ─▶ Closing ─▶ gone
//!            │         │  ▲         ▲                  ▲
//!            │         ▼  │         │                  │
//!            │       AwaitingAuth ──┘                  │
//!            └─▶ Refused ──────────────────────────────┘   (from each state before Open)
//! ```
//! A connection holds a handshake seat in every state before `Open` and in `Refused`, but from
//! `Page` on a seat for pages instead, even if the page fails.

use super::pending::Pending;
use crate::CloseReason;

/// The phase of a connection.
#[derive(Debug)]
pub(super) enum Phase {
    /// Its request is being read.
    Arrived,
    /// The application is making the page that was requested.
    Page,
    /// The application is authenticating it.
    Authenticating(Box<Pending>),
    /// Upgraded, and waiting for an `auth` message.
    AwaitingAuth(Box<Pending>),
    /// Refused; the client has time to read the answer.
    Refused(Ending),
    /// Admitted.
    Open,
    /// Was open; in no index any more, and about to be gone.
    Closing(Ending),
}

/// The kind of seat that a phase takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    Page,
    Handshake,
    Refused,
    Open,
    Closing,
}

impl Seat {
    /// Returns whether it is held before admission, or without it.
    pub(super) const fn is_entering(self) -> bool {
        matches!(self, Self::Page | Self::Handshake | Self::Refused)
    }
}

impl Phase {
    pub(super) const fn is_ending(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Closing(_))
    }

    pub(super) fn seat(&self) -> Seat {
        match self {
            Self::Page => Seat::Page,
            Self::Arrived | Self::Authenticating(_) | Self::AwaitingAuth(_) => Seat::Handshake,
            Self::Refused(ending) if ending.page != Page::None => Seat::Page,
            Self::Refused(_) => Seat::Refused,
            Self::Open => Seat::Open,
            Self::Closing(_) => Seat::Closing,
        }
    }
}

/// The state of a connection that is ending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ending {
    /// Bytes read and discarded.
    pub(super) discarded: u32,
    /// Whether queued data is discarded.
    pub(super) now: bool,
    /// Whether the write side has been shut down.
    pub(super) shut: bool,
    /// Whether the peer's side has ended.
    pub(super) eof: bool,
    pub(super) page: Page,
    /// The reason, for counting what is discarded later.
    pub(super) reason: Option<CloseReason>,
}

/// What the response has to do with a page. A connection keeps its seat while this changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Page {
    /// The response is no page, and none was being made.
    #[default]
    None,
    /// The response is a page of which part is unsent.
    Unsent,
    /// The response is a page that has been sent.
    Sent,
    /// The response is a refusal, because the page could not be made.
    Failed,
}

/// Whether a connection was within the connect rate of its client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConnectRate {
    /// Not charged yet: the peer is a trusted proxy, and the client's address is not known.
    Unchecked,
    Within,
    Exceeded,
}
