//! What follows from a call: actions for the driver, and connections to end.
//!
//! No sub-machine ends a connection. It records the connection and the reason here, and the call
//! that it is part of ends it once no list of members is being walked.

use std::collections::VecDeque;

use super::action::{Action, Notice};
use crate::{CloseReason, ConnectionId};

/// The number of actions for which the list keeps its memory.
const KEPT: usize = 1 << 10;

/// Actions and ends that were recorded and not taken yet, each in the order of recording.
#[derive(Debug, Default)]
pub(super) struct Effects {
    actions: VecDeque<Action>,
    ends: VecDeque<(ConnectionId, CloseReason)>,
}

impl Effects {
    /// Records an action.
    #[inline]
    pub(super) fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    /// Records a notice.
    #[inline]
    pub(super) fn notify(&mut self, notice: Notice) {
        self.act(Action::Notify(notice));
    }

    /// Records that a connection is to be ended.
    #[inline]
    pub(super) fn end(&mut self, id: ConnectionId, reason: CloseReason) {
        self.ends.push_back((id, reason));
    }

    /// Returns whether no action waits.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// Returns whether everything that was recorded for connections has been carried out.
    #[inline]
    pub(super) fn is_settled(&self) -> bool {
        self.ends.is_empty()
    }

    /// Takes the oldest action. Frees the memory of a burst with the last one.
    #[inline]
    pub(super) fn next_action(&mut self) -> Option<Action> {
        let action = self.actions.pop_front();
        if action.is_none() && self.actions.capacity() > KEPT {
            self.actions = VecDeque::new();
        }
        action
    }

    /// Takes the connection that was recorded first. Frees the memory with the last one.
    #[inline]
    pub(super) fn next_end(&mut self) -> Option<(ConnectionId, CloseReason)> {
        take(&mut self.ends)
    }
}

/// Takes the first entry of a list that is mostly empty.
#[inline]
fn take<T>(list: &mut VecDeque<T>) -> Option<T> {
    let first = list.pop_front();
    if first.is_none() && list.capacity() > 0 {
        *list = VecDeque::new();
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn id(slot: u32) -> ConnectionId {
        ConnectionId {
            slot,
            generation: 0,
        }
    }

    #[test]
    fn actions_and_ends_are_taken_in_the_order_of_recording() {
        let mut effects = Effects::default();
        effects.end(id(2), CloseReason::SlowConsumer);
        effects.act(Action::ReadMode(id(1)));
        effects.end(id(1), CloseReason::Policy);
        effects.act(Action::ShutdownWrite(id(1)));
        assert!(!effects.is_empty() && !effects.is_settled());
        assert_eq!(effects.next_action(), Some(Action::ReadMode(id(1))));
        assert_eq!(effects.next_action(), Some(Action::ShutdownWrite(id(1))));
        assert_eq!(effects.next_action(), None);
        assert!(effects.is_empty());
        assert_eq!(effects.next_end(), Some((id(2), CloseReason::SlowConsumer)));
        assert_eq!(effects.next_end(), Some((id(1), CloseReason::Policy)));
        assert_eq!(effects.next_end(), None);
        assert!(effects.is_settled());
    }

    #[test]
    fn the_memory_of_a_burst_is_freed() {
        let mut effects = Effects::default();
        for slot in 0..2_000 {
            effects.act(Action::ReadMode(id(slot)));
            effects.end(id(slot), CloseReason::SlowConsumer);
        }
        while effects.next_action().is_some() {}
        while effects.next_end().is_some() {}
        assert_eq!(effects.actions.capacity(), 0);
        assert_eq!(effects.ends.capacity(), 0);
    }
}
