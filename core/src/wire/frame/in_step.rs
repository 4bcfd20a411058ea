//! Messages that are compressed after others, for connections that keep their inflation window.
//!
//! ```text
//!   a room         1.0  1.1  1.2  …  1.63 │ 2.0  2.1  …        contexts, and places in them
//!   in step         ●    ●    ●        ●     ●    ●
//!   came later                ○        ○     ●    ●            ● in context   ○ plain
//! ```
//! Every compressed message moves the window of the client that inflates it, a plain one does not. The
//! state of a connection is therefore given by the last compressed message that it received: it can
//! inflate the next message of that context, and the first one of any other context.

use super::form::Form;

/// Messages of a context.
const MESSAGES: u64 = 1 << BITS;
const BITS: u32 = 6;

/// A place in a context: the number of the context, which is unique on a node, and that of the message
/// in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(u64);

/// A message in its place.
#[derive(Clone, Debug)]
pub(super) struct InContext {
    pub(super) place: Place,
    /// The beginning of the context that the room had before.
    pub(super) before: Place,
    pub(super) form: Form,
    /// Whether it is also the form for connections that keep no window.
    pub(super) by_itself: bool,
}

impl Place {
    /// In no context.
    pub(crate) const NONE: Self = Self(0);

    /// Returns the place of the first message of a context. Numbers begin at 1.
    pub(crate) const fn first(context: u64) -> Self {
        Self(context << BITS)
    }

    /// Returns the place after this one in the same context, if it has another.
    pub(crate) const fn next(self) -> Option<Self> {
        let next = Self(self.0 + 1);
        if next.is_first() { None } else { Some(next) }
    }

    #[inline]
    pub(crate) const fn is_none(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn is_first(self) -> bool {
        self.0.is_multiple_of(MESSAGES)
    }

    /// Returns the place of the first message of the same context.
    pub(crate) const fn beginning(self) -> Self {
        Self(self.0 - self.0 % MESSAGES)
    }

    /// Returns the place to which a step has led that began here.
    #[inline]
    pub(crate) const fn moved(self, to: Self) -> Self {
        if to.is_none() { self } else { to }
    }
}

impl InContext {
    /// Returns the bytes of memory that it adds to the other forms.
    pub(super) fn len(&self) -> usize {
        if self.by_itself { 0 } else { self.form.len() }
    }

    /// Returns whether a connection at a place can inflate it and should get it: it is the next message
    /// at that place, or the start of a context, unless it would displace a room whose contexts restart
    /// as often.
    pub(super) fn follows(&self, place: Place) -> bool {
        if self.place.is_first() {
            return place.beginning() <= self.before;
        }
        place.next() == Some(self.place)
    }
}
