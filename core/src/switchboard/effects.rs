//! The effects of a call: actions for the driver, and connections to end.
//!
//! No sub-machine ends a connection. It records the connection and the reason here. The enclosing call
//! ends the connection once it no longer iterates over a list of members. A call ends a limited number
//! of them; later calls continue.

use std::collections::VecDeque;

use super::action::{Action, Notice};
use super::users::EndOfUser;
use crate::recorder::Cause;
use crate::{CloseReason, ConnectionId};

/// Connections that one call ends, where each [counts as one](weight_of_end). More of them are due again at
/// once.
pub(super) const ENDS: usize = 48;

/// Messages of histories that one call frees.
const FREED: usize = 2_048;

/// The number of rooms that cost as much to leave as one more end.
const ROOMS: usize = 2;

/// The number of actions for which the list keeps its memory.
const KEPT: usize = 1 << 10;

/// Returns the weight of the end of a connection in this many rooms, in ends of connections in none.
pub(super) const fn weight_of_end(rooms: usize) -> usize {
    1 + rooms / ROOMS
}

/// Actions and ends that were recorded and not taken yet, each in the order of recording.
#[derive(Debug, Default)]
pub(super) struct Effects {
    actions: VecDeque<Action>,
    ends: VecDeque<End>,
    /// Users with many connections that are to end.
    users: VecDeque<EndOfUser>,
    /// How many connections this call may still end.
    share: usize,
    /// Whether earlier calls have left ends to later ones, when this one began.
    left: bool,
    /// How many messages of histories this call may still free.
    free: usize,
    /// Whether the bound of the node is exceeded, and this call may close no more for it.
    relieving: bool,
    /// Whether the next tick handles what is due before it continues with the ends that earlier calls
    /// have left.
    due_first: bool,
}

/// A connection that is to be ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) id: ConnectionId,
    pub(super) reason: CloseReason,
    /// For the recorder, if there is more to say than the reason.
    pub(super) why: Option<Box<Cause>>,
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
    pub(super) fn end(&mut self, id: ConnectionId, reason: CloseReason, why: Option<Cause>) {
        let why = why.map(Box::new);
        self.ends.push_back(End { id, reason, why });
    }

    /// Records that many connections of a user are to end.
    pub(super) fn end_user(&mut self, end: EndOfUser) {
        self.users.push_back(end);
    }

    /// Begins a call, which may end so many connections that were recorded, and free so many messages.
    #[inline]
    pub(super) fn begin_call(&mut self) {
        self.left = !self.is_settled();
        self.share = ENDS;
        self.free = FREED;
    }

    /// Returns how many messages of histories this call may still free.
    pub(super) fn free(&mut self) -> &mut usize {
        &mut self.free
    }

    /// Returns how many more connections this call may end.
    #[inline]
    pub(super) const fn share(&self) -> usize {
        self.share
    }

    /// Returns whether this call may end one more connection.
    #[inline]
    pub(super) fn may_end(&self) -> bool {
        self.share > 0
    }

    /// Notes that this call ends a connection, which counts as so many.
    pub(super) fn ends(&mut self, weight: usize) {
        self.share = self.share.saturating_sub(weight);
    }

    /// Returns whether this tick handles what is due before it continues with the ends that earlier
    /// calls have left. It does every other time, as the first one may leave nothing of the share to
    /// the second.
    pub(super) fn takes_due_first(&mut self) -> bool {
        let due_first = self.due_first;
        self.due_first = !due_first;
        due_first
    }

    /// Notes whether later calls have to close more connections to keep the bound of the node.
    pub(super) fn set_relieving(&mut self, relieving: bool) {
        self.relieving = relieving;
    }

    /// Returns whether later calls have to close more connections to keep the bound of the node.
    #[inline]
    pub(super) fn is_relieving(&self) -> bool {
        self.relieving
    }

    /// Returns whether no action waits.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// Returns whether all connections were ended that were recorded.
    #[inline]
    pub(super) fn is_settled(&self) -> bool {
        self.ends.is_empty() && self.users.is_empty()
    }

    /// Returns whether this call has carried out what it recorded, as far as it may.
    #[inline]
    pub(super) fn is_carried_out(&self) -> bool {
        self.left || self.is_settled() || !self.may_end()
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

    /// Takes the next connection of the users that were recorded, where `first_of` returns the first one of a
    /// user that has not ended. The caller ends it.
    pub(super) fn next_of_users(
        &mut self,
        first_of: impl Fn(&EndOfUser) -> Option<ConnectionId>,
    ) -> Option<(ConnectionId, CloseReason)> {
        while let Some(user) = self.users.front() {
            if let Some(id) = first_of(user) {
                return Some((id, user.reason));
            }
            take(&mut self.users);
        }
        None
    }

    /// Takes the connection that was recorded first. Frees the memory with the last one.
    #[inline]
    pub(super) fn next_end(&mut self) -> Option<End> {
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
        effects.end(id(2), CloseReason::SlowConsumer, None);
        effects.act(Action::ReadMode(id(1)));
        let why = Cause::rule("protocol");
        effects.end(id(1), CloseReason::Policy, Some(why.clone()));
        effects.act(Action::ShutdownWrite(id(1)));
        assert!(!effects.is_empty() && !effects.is_settled());
        assert_eq!(effects.next_action(), Some(Action::ReadMode(id(1))));
        assert_eq!(effects.next_action(), Some(Action::ShutdownWrite(id(1))));
        assert_eq!(effects.next_action(), None);
        assert!(effects.is_empty());
        let next = effects.next_end().unwrap();
        assert_eq!((next.id, next.reason), (id(2), CloseReason::SlowConsumer));
        assert_eq!(next.why, None);
        let next = effects.next_end().unwrap();
        assert_eq!((next.id, next.reason), (id(1), CloseReason::Policy));
        assert_eq!(next.why, Some(Box::new(why)));
        assert_eq!(effects.next_end(), None);
        assert!(effects.is_settled());
    }

    #[test]
    fn the_memory_of_a_burst_is_freed() {
        let mut effects = Effects::default();
        for slot in 0..2_000 {
            effects.act(Action::ReadMode(id(slot)));
            effects.end(id(slot), CloseReason::SlowConsumer, None);
        }
        while effects.next_action().is_some() {}
        while effects.next_end().is_some() {}
        assert_eq!(effects.actions.capacity(), 0);
        assert_eq!(effects.ends.capacity(), 0);
    }
}
