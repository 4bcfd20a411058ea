//! Messages that are compressed after others, for connections that keep what they have inflated.
//!
//! ```text
//!   a room         1.0  1.1  1.2  …  1.63 │ 2.0  2.1  …        contexts, and places in them
//!   in step         ●    ●    ●        ●     ●    ●
//!   came later                ○        ○     ●    ●            ● in context   ○ plain
//! ```
//! Every compressed message moves the window of who inflates it, a plain one does not. So a connection is
//! known by the last compressed message that it got: it can inflate the next one of that context, and the
//! first one of any other.

use std::sync::Arc;

use super::Frame;
use super::form::{Form, Forms, More, Window};
use super::header::{FIN, Opcode, RSV1};

/// Messages of a context.
const MESSAGES: u64 = 1 << BITS;
const BITS: u32 = 6;

/// A place in a context: the number of the context, of which no two of a node have the same, and that of
/// the message in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(u64);

/// A message in its place.
#[derive(Clone, Debug)]
pub(super) struct InContext {
    place: Place,
    /// The beginning of the context that the room had before.
    before: Place,
    form: Form,
    /// Whether it is the form of those who keep no window, too.
    by_itself: bool,
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

    /// Returns whether who has come to a place can inflate it and is to get it: what comes next there; or
    /// the beginning of a context, unless that takes a room's place which begins them as often.
    fn follows(&self, place: Place) -> bool {
        if self.place.is_first() {
            return place.beginning() <= self.before;
        }
        place.next() == Some(self.place)
    }
}

impl Frame {
    /// Returns this text message with a form that was compressed after others, up to this place. `before` is
    /// the beginning of the context that the room had before.
    pub(crate) fn with_context(self, place: Place, before: Place, deflated: &[u8]) -> Self {
        let form = Form::encode(FIN | RSV1 | Opcode::Text as u8, [deflated]);
        self.in_context(InContext {
            place,
            before,
            form,
            by_itself: false,
        })
    }

    /// Returns this message as a context of its own, if it has a compressed form.
    pub(crate) fn into_context(self, place: Place, before: Place) -> Self {
        let Some(form) = self.0.deflated().cloned() else {
            return self;
        };
        self.in_context(InContext {
            place,
            before,
            form,
            by_itself: true,
        })
    }

    fn in_context(self, in_context: InContext) -> Self {
        Self(Forms::More(Arc::new(More {
            in_context: Some(in_context),
            ..self.0.into_more()
        })))
    }

    /// Returns the size on the wire of the form that was compressed after others, in bytes; 0 without one.
    pub(crate) fn context_len(&self) -> usize {
        match &self.0 {
            Forms::More(more) => more.in_context.as_ref().map_or(0, |it| it.form.len()),
            Forms::Plain(_) => 0,
        }
    }

    /// Returns whether it is not to be compressed.
    pub(crate) fn is_sealed(&self) -> bool {
        matches!(&self.0, Forms::More(more) if more.sealed)
    }

    /// Returns the form that is for a connection, and the place to which it leads, if it does.
    ///
    /// Nothing that is compressed but the messages of its room goes to a connection that is in a context.
    #[inline]
    pub(crate) fn form_at(&self, window: Window, place: Place) -> (&Form, Place) {
        match &self.0 {
            Forms::Plain(plain) => (plain, Place::NONE),
            Forms::More(more) if window.is_kept() => self.form_in_step(more, window, place),
            Forms::More(_) => (self.form(window), Place::NONE),
        }
    }

    fn form_in_step<'a>(
        &'a self,
        more: &'a More,
        window: Window,
        place: Place,
    ) -> (&'a Form, Place) {
        if let Some(in_context) = &more.in_context
            && in_context.follows(place)
            && window.takes(self.payload_len())
        {
            return (&in_context.form, in_context.place);
        }
        if place.is_none() {
            return (self.form(window), Place::NONE);
        }
        (&more.plain, Place::NONE)
    }
}
