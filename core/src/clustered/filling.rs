//! Rooms whose messages are read from the broker's log before their members on this node enter or
//! continue.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::Position;
use crate::cluster::{Output, RecallTicket};

/// A room that is about to be opened or continued.
#[derive(Debug)]
pub(super) struct Filling {
    ticket: RecallTicket,
    /// The number after which messages are read.
    after: u64,
    /// Where its members begin.
    pub(super) at: Position,
    /// Outputs of the cluster about it since then.
    pub(super) later: VecDeque<Output>,
}

#[derive(Debug, Default)]
pub(super) struct Fillings(BTreeMap<Arc<str>, Filling>);

impl Fillings {
    pub(super) fn begin(&mut self, room: Arc<str>, at: Position, after: u64, ticket: RecallTicket) {
        let filling = Filling {
            ticket,
            after,
            at,
            later: VecDeque::new(),
        };
        self.0.insert(room, filling);
    }

    /// Returns where the members of a room begin, and the number after which messages are read.
    pub(super) fn reads(&self, room: &str) -> Option<(&Position, u64)> {
        let filling = self.0.get(room)?;
        Some((&filling.at, filling.after))
    }

    /// More is read than was asked for.
    pub(super) fn begin_again(&mut self, room: &str, after: u64, ticket: RecallTicket) {
        if let Some(filling) = self.0.get_mut(room) {
            (filling.after, filling.ticket) = (after, ticket);
        }
    }

    /// Returns whether a room waits for the request with this ticket.
    pub(super) fn waits_for(&self, room: &str, ticket: RecallTicket) -> bool {
        self.0.get(room).is_some_and(|it| it.ticket == ticket)
    }

    /// Keeps an output for later that concerns a room which is being filled. Returns it if it does not.
    pub(super) fn put_off(&mut self, output: Output) -> Option<Output> {
        let (Output::Deliver { room, .. }
        | Output::Skip { room, .. }
        | Output::CaughtUp { room, .. }
        | Output::Volatile { room, .. }) = &output
        else {
            return Some(output);
        };
        match self.0.get_mut(room) {
            Some(filling) => {
                filling.later.push_back(output);
                None
            }
            None => Some(output),
        }
    }

    pub(super) fn end(&mut self, room: &str) -> Option<Filling> {
        self.0.remove(room)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
