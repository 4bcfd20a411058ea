//! A connection's own frame, and one that others wait for too.

use super::class::Class;
use crate::Frame;
use crate::switchboard::arena::NONE;
use crate::wire::frame::Window;

/// A frame of a connection.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) frame: Frame,
    pub(super) stamp: u64,
    pub(super) next: u32,
    pub(super) class: Class,
    pub(super) provenance: Provenance,
    /// The [`Shared`] frame, if others wait for it too.
    pub(super) shared: u32,
}

/// Where a frame of a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provenance {
    Own,
    /// A room that was left to end.
    Room,
    /// The same, while a writer had some of what waited there. It may have this too.
    InFlight,
    /// The same, and a writer has it.
    Taken,
}

impl Provenance {
    /// Returns whether a writer may have taken it from its room before.
    pub(super) const fn may_be_taken(self) -> bool {
        matches!(self, Self::InFlight | Self::Taken)
    }
}

/// Which of a connection's two lists of frames of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Priority {
    /// Goes ahead of all data, as pings and pongs do.
    Urgent,
    InOrder,
}

impl Item {
    pub(super) fn is_shared(&self) -> bool {
        self.shared != NONE
    }
}

/// A frame that counts once, whatever the number of connections that wait for it.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) frame: Frame,
    pub(super) references: u32,
    /// The stamp of the message of a room, if that is what it is, or a mark that goes with it.
    pub(super) origin: Option<u64>,
}

impl Shared {
    pub(super) fn bytes(&self) -> usize {
        self.frame.footprint()
    }

    /// Returns whether it is the compressed form of a message of a room.
    pub(super) fn is_deflated(&self) -> bool {
        self.frame.form(Window::NONE).is_deflated()
    }
}
