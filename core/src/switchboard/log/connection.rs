//! What each connection has to write, and whether it can.
//!
//! ```text
//!            taken for a turn             reported, all written
//!    Idle ─────────────────────▶ Writing ───────────────────────▶ Idle
//!     ▲                             │ reported, written in part
//!     └──────── writable ──────── Blocked
//! ```

use smallvec::SmallVec;

use super::item::Priority;
use crate::switchboard::arena::NONE;
use crate::wire::frame::{Form, Window};

/// The state of a connection's writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writer {
    /// There is no connection in this slot.
    Gone,
    /// A writer may take what there is.
    Idle,
    /// A writer has taken something, and has not reported.
    Writing,
    /// The socket takes no bytes until it is writable again.
    Blocked,
}

/// A room of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Membership {
    pub(super) room: u32,
    /// The index in the room's list of members.
    pub(super) index: u32,
    /// The [`Lag`], while the connection is blocked.
    pub(super) lag: u32,
    /// Messages that a writer has taken and not reported.
    pub(super) taken: u32,
}

/// A membership of a connection whose socket takes no bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lag {
    pub(super) slot: u32,
    pub(super) previous: u32,
    pub(super) next: u32,
    /// The [`Group`] in whose circle it is.
    pub(super) group: u32,
}

/// Memberships that stand at one position of a room, of connections whose sockets take no bytes. What is
/// found out about all of them at once is noted once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    /// One of the circle of [`Lag`]s, and how many there are.
    pub(super) first: u32,
    pub(super) count: u32,
    /// How many of them recover.
    pub(super) recovering: u32,
    /// Whether they were found to be over the limit.
    pub(super) over: bool,
    /// The circle of the groups at their position.
    pub(super) previous: u32,
    pub(super) next: u32,
    /// At the head of that circle, the memberships in all its groups.
    pub(super) all: u32,
}

/// A linked list of own frames.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    pub(super) head: u32,
    pub(super) tail: u32,
}

impl List {
    pub(super) const EMPTY: Self = Self {
        head: NONE,
        tail: NONE,
    };

    pub(super) const fn is_empty(self) -> bool {
        self.head == NONE
    }
}

/// The rest of a frame that was written in part.
#[derive(Debug)]
pub(super) struct Rest {
    pub(super) form: Form,
    /// Bytes of it that are written.
    pub(super) from: usize,
    /// Whether the frame is a message.
    pub(super) message: bool,
    /// Whether it is the ping of an interval.
    pub(super) ping: bool,
    /// The [`Shared`](super::item::Shared) frame, if others may wait for it too.
    pub(super) shared: u32,
}

impl Rest {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.form.as_bytes()[self.from..]
    }
}

/// The delivery state of a connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) generation: u32,
    pub(super) writer: Writer,
    /// What it can inflate.
    pub(super) window: Window,
    /// Whether it is in the list of connections with something to write.
    pub(super) dirty: bool,
    /// Whether to look at it again when its writer reports.
    pub(super) again: bool,
    /// Whether it was reported as over a limit.
    pub(super) condemned: bool,
    /// Whether its socket took no bytes when a writer reported last, or has not been reported since
    /// it takes them again.
    pub(super) stalled: bool,
    /// Whether all that need not survive is discarded.
    pub(super) discards: bool,
    /// Whether it has left its rooms, and what waited there is among its own frames.
    pub(super) flushed: bool,
    /// Whether it is an event stream, to which frames are written as events.
    pub(super) events: bool,
    /// Messages that a writer has taken of rooms that were left since. They are dropped, unless it
    /// writes them.
    pub(super) adrift: u32,
    /// The key of its [`Queue`] among the [`Queues`](super::queues::Queues); [`NONE`] while that is
    /// empty.
    pub(super) queue: u32,
    pub(super) rooms: SmallVec<[Membership; 1]>,
}

// There is one per connection.
const _: () = assert!(size_of::<Connection>() <= 48);

/// The frames of a connection of its own.
#[derive(Debug)]
pub(super) struct Queue {
    /// Frames that go before all others, and how many of them a writer has taken.
    pub(super) urgent: List,
    pub(super) urgent_taken: u16,
    /// Pongs among them.
    pub(super) pongs: u8,
    /// Frames in the order of publishing, and how many of them a writer has taken.
    pub(super) own: List,
    pub(super) own_taken: u32,
    /// Messages among all of them, and `rest`.
    pub(super) messages: u32,
    /// Bytes of all of them, and of `rest`.
    pub(super) bytes: usize,
    /// What goes out before anything else.
    pub(super) rest: Option<Box<Rest>>,
    /// The bytes that it holds back, as it is listed.
    pub(super) weight: u64,
}

impl Queue {
    pub(super) const fn new() -> Self {
        Self {
            urgent: List::EMPTY,
            urgent_taken: 0,
            pongs: 0,
            own: List::EMPTY,
            own_taken: 0,
            messages: 0,
            bytes: 0,
            rest: None,
            weight: 0,
        }
    }

    pub(super) const fn list(&self, priority: Priority) -> List {
        match priority {
            Priority::Urgent => self.urgent,
            Priority::InOrder => self.own,
        }
    }

    pub(super) const fn list_mut(&mut self, priority: Priority) -> &mut List {
        match priority {
            Priority::Urgent => &mut self.urgent,
            Priority::InOrder => &mut self.own,
        }
    }

    /// Returns whether it says nothing.
    pub(super) const fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.own.is_empty() && self.rest.is_none() && self.weight == 0
    }
}

impl Connection {
    pub(super) fn gone() -> Self {
        Self {
            generation: 0,
            writer: Writer::Gone,
            window: Window::NONE,
            dirty: false,
            again: false,
            condemned: false,
            stalled: false,
            discards: false,
            flushed: false,
            events: false,
            adrift: 0,
            queue: NONE,
            rooms: SmallVec::new(),
        }
    }

    /// Returns the index of a room in its list.
    pub(super) fn membership(&self, room: u32) -> Option<usize> {
        self.rooms.iter().position(|found| found.room == room)
    }
}
