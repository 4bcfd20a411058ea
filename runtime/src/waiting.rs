//! What a connection keeps while its application is asked, or before that: nothing at rest.

use std::collections::VecDeque;

use switchboard_core::{ProtocolError, Request};

use crate::backlog::Held;
use crate::socket::Ended;
use crate::sync::Arc;
use crate::waiters::{Place, Waiters};

/// What came in and waits for its turn.
pub(crate) enum Item {
    Text(String),
    Binary(Vec<u8>),
    Close(Option<(u16, String)>),
    Violation(ProtocolError),
    Eof,
}

impl Item {
    /// Bytes of memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        let content = match self {
            Self::Text(text) => text.capacity(),
            Self::Binary(bytes) => bytes.capacity(),
            Self::Close(close) => close.as_ref().map_or(0, |(_, reason)| reason.capacity()),
            Self::Violation(_) | Self::Eof => 0,
        };
        size_of::<Self>() + content
    }
}

/// All that waits; `T` is a timer. It is one pointer where nothing does.
pub(crate) struct Waiting<T>(Option<Box<Kept<T>>>);

struct Kept<T> {
    backlog: VecDeque<(Item, Held)>,
    /// Where it is told that others have less to wait for.
    place: Option<Place<Arc<Waiters>>>,
    /// The request of a connection whose first message has yet to say who it is.
    request: Option<Request>,
    ended: Option<Box<Ended>>,
    /// How long a hook of a connection that has ended may still take.
    patience: Option<T>,
    /// How long the Close among the items may still wait.
    farewell: Option<T>,
}

impl<T> Waiting<T> {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// Items that wait.
    pub(crate) fn items(&self) -> usize {
        self.0.as_ref().map_or(0, |kept| kept.backlog.len())
    }

    pub(crate) fn push(&mut self, item: Item, held: Held) {
        self.kept().backlog.push_back((item, held));
    }

    /// The latest item is a Close; this timer bounds its wait.
    pub(crate) fn set_farewell(&mut self, timer: T) {
        self.kept().farewell = Some(timer);
    }

    pub(crate) fn pop(&mut self) -> Option<Item> {
        let kept = self.0.as_mut()?;
        let (item, _) = kept.backlog.pop_front()?;
        if matches!(item, Item::Close(_)) {
            kept.farewell = None;
        }
        self.settle();
        Some(item)
    }

    pub(crate) fn take_items(&mut self) -> Vec<Item> {
        let items = self.0.as_mut().map(|kept| {
            kept.farewell = None;
            std::mem::take(&mut kept.backlog)
        });
        self.settle();
        let items = items.into_iter().flatten();
        items.map(|(item, _)| item).collect()
    }

    /// The place of the task among those that wait for others.
    pub(crate) fn place(&mut self) -> &mut Option<Place<Arc<Waiters>>> {
        &mut self.kept().place
    }

    pub(crate) fn forget_place(&mut self) {
        if let Some(kept) = &mut self.0 {
            kept.place = None;
            self.settle();
        }
    }

    /// The timer of the Close that waits, if one does.
    pub(crate) fn farewell(&mut self) -> Option<&mut T> {
        self.0.as_mut()?.farewell.as_mut()
    }

    pub(crate) fn request(&self) -> Option<&Request> {
        self.0.as_ref()?.request.as_ref()
    }

    pub(crate) fn set_request(&mut self, request: Option<Request>) {
        if request.is_some() || self.request().is_some() {
            self.kept().request = request;
            self.settle();
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.0.as_ref().is_some_and(|kept| kept.ended.is_some())
    }

    pub(crate) fn set_ended(&mut self, ended: Box<Ended>) {
        self.kept().ended = Some(ended);
    }

    pub(crate) fn take_ended(&mut self) -> Option<Box<Ended>> {
        let ended = self.0.as_mut()?.ended.take()?;
        self.settle();
        Some(ended)
    }

    /// The timer, made if there is none.
    pub(crate) fn patience(&mut self, make: impl FnOnce() -> T) -> &mut T {
        self.kept().patience.get_or_insert_with(make)
    }

    pub(crate) fn forget_patience(&mut self) {
        if let Some(kept) = &mut self.0 {
            kept.patience = None;
            self.settle();
        }
    }

    fn kept(&mut self) -> &mut Kept<T> {
        self.0.get_or_insert_with(|| {
            Box::new(Kept {
                backlog: VecDeque::new(),
                place: None,
                request: None,
                ended: None,
                patience: None,
                farewell: None,
            })
        })
    }

    fn settle(&mut self) {
        let empty = self.0.as_ref().is_some_and(|kept| {
            kept.backlog.is_empty()
                && kept.place.is_none()
                && kept.request.is_none()
                && kept.ended.is_none()
                && kept.patience.is_none()
                && kept.farewell.is_none()
        });
        if empty {
            self.0 = None;
        }
    }
}
