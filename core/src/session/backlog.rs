//! Input and other state that a session keeps only while a call runs or a login is under way.

use std::collections::VecDeque;

use super::call::Ended;
use super::room_changes::{RoomChange, RoomChanges};
use crate::{ProtocolError, Request, Time};

/// Input that waits for earlier calls.
#[derive(Debug)]
pub(super) enum Item {
    Text(String),
    Binary(Vec<u8>),
    Close(Option<(u16, String)>),
    Violation(ProtocolError),
    /// A violation of the protocol, after all earlier answers were written.
    FlushedViolation(ProtocolError),
    Eof,
}

impl Item {
    /// Whether nothing counts after it.
    pub(super) const fn is_last(&self) -> bool {
        matches!(self, Self::Close(_) | Self::Violation(_))
    }

    /// Returns the bytes of memory that the item takes.
    pub(super) fn bytes(&self) -> usize {
        let content = match self {
            Self::Text(text) => text.capacity(),
            Self::Binary(bytes) => bytes.capacity(),
            Self::Close(close) => close.as_ref().map_or(0, |(_, reason)| reason.capacity()),
            Self::Violation(_) | Self::FlushedViolation(_) | Self::Eof => 0,
        };
        size_of::<Self>() + content
    }
}

/// State that exists only at times. One pointer, and no heap memory while empty.
#[derive(Debug, Default)]
pub(super) struct Waiting(Option<Box<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    items: VecDeque<Item>,
    bytes: usize,
    /// The request of a connection that has yet to send its token in a first message.
    request: Option<Request>,
    ended: Option<Ended>,
    /// Rooms that the application has to be notified of.
    rooms: RoomChanges,
    /// When the time of the pending hook is over. Whether that ends it is decided by the node, which
    /// allows for stalls of the host, or by the session once the connection has ended.
    hook_due: Option<Time>,
    /// When the waiting Close is processed, even if items before it are not.
    close_by: Option<Time>,
}

impl Waiting {
    /// Returns the number of items.
    pub(super) fn items(&self) -> usize {
        self.0.as_ref().map_or(0, |kept| kept.items.len())
    }

    /// Returns the bytes of memory that the items take.
    pub(super) fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |kept| kept.bytes)
    }

    pub(super) fn push(&mut self, item: Item) {
        let kept = self.kept();
        kept.bytes += item.bytes();
        kept.items.push_back(item);
    }

    pub(super) fn push_front(&mut self, item: Item) {
        let kept = self.kept();
        kept.bytes += item.bytes();
        kept.items.push_front(item);
    }

    pub(super) fn pop(&mut self) -> Option<Item> {
        let kept = self.0.as_mut()?;
        let item = kept.items.pop_front()?;
        kept.bytes -= item.bytes();
        if item.is_last() {
            kept.close_by = None;
        }
        self.shrink();
        Some(item)
    }

    pub(super) fn take_items(&mut self) -> VecDeque<Item> {
        let Some(kept) = &mut self.0 else {
            return VecDeque::new();
        };
        (kept.bytes, kept.close_by) = (0, None);
        let items = std::mem::take(&mut kept.items);
        self.shrink();
        items
    }

    pub(super) fn close_by(&self) -> Option<Time> {
        self.0.as_ref()?.close_by
    }

    /// Bounds the wait of a Close, which is the latest item.
    pub(super) fn set_close_by(&mut self, at: Time) {
        self.kept().close_by = Some(at);
    }

    pub(super) fn request(&self) -> Option<&Request> {
        self.0.as_ref()?.request.as_ref()
    }

    pub(super) fn set_request(&mut self, request: Option<Request>) {
        if request.is_some() || self.request().is_some() {
            self.kept().request = request;
            self.shrink();
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.0.as_ref().is_some_and(|kept| kept.ended.is_some())
    }

    pub(super) fn set_ended(&mut self, ended: Ended) {
        self.kept().ended = Some(ended);
    }

    pub(super) fn take_ended(&mut self) -> Option<Ended> {
        let ended = self.0.as_mut()?.ended.take()?;
        self.shrink();
        Some(ended)
    }

    pub(super) fn has_room_changes(&self) -> bool {
        self.0.as_ref().is_some_and(|kept| !kept.rooms.is_empty())
    }

    pub(super) fn add_room_changes(&mut self, later: RoomChanges) {
        if !later.is_empty() {
            self.kept().rooms.append(later);
            self.shrink();
        }
    }

    pub(super) fn pop_room_change(&mut self) -> Option<RoomChange> {
        let change = self.0.as_mut()?.rooms.pop()?;
        self.shrink();
        Some(change)
    }

    pub(super) fn hook_due(&self) -> Option<Time> {
        self.0.as_ref()?.hook_due
    }

    pub(super) fn set_hook_due(&mut self, at: Option<Time>) {
        if at.is_some() || self.hook_due().is_some() {
            self.kept().hook_due = at;
            self.shrink();
        }
    }

    fn kept(&mut self) -> &mut Kept {
        self.0.get_or_insert_default()
    }

    /// Frees the memory when nothing is left.
    fn shrink(&mut self) {
        let empty = self.0.as_ref().is_some_and(|kept| {
            kept.items.is_empty()
                && kept.request.is_none()
                && kept.ended.is_none()
                && kept.rooms.is_empty()
                && kept.hook_due.is_none()
                && kept.close_by.is_none()
        });
        if empty {
            self.0 = None;
        }
    }
}
