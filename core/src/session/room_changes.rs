//! Rooms that a connection has entered or left, until the application is notified.

use std::collections::VecDeque;
use std::sync::Arc;

/// Rooms that a connection has entered or left, in the order of these events, until the application is
/// notified.
///
/// A room that is left before the application was notified of the entry is not reported at all. There
/// are therefore at most two entries for each room that the connection may be in.
#[derive(Debug, Default)]
pub struct RoomChanges(VecDeque<RoomChange>);

/// A room that a connection has entered or left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RoomChange {
    Joined(Arc<str>),
    Left(Arc<str>),
}

impl RoomChanges {
    /// Notes that the connection has entered a room
    /// ([`Notice::Joined`](crate::Notice::Joined)).
    pub fn joined(&mut self, room: Arc<str>) {
        self.0.push_back(RoomChange::Joined(room));
    }

    /// Notes that the connection has left a room ([`Notice::Left`](crate::Notice::Left)).
    pub fn left(&mut self, room: Arc<str>) {
        let entered =
            |change: &RoomChange| matches!(change, RoomChange::Joined(name) if *name == room);
        match self.0.iter().rposition(entered) {
            Some(at) => drop(self.0.remove(at)),
            None => self.0.push_back(RoomChange::Left(room)),
        }
    }

    /// Returns whether there are no changes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the oldest change.
    pub(super) fn pop(&mut self) -> Option<RoomChange> {
        self.0.pop_front()
    }

    /// Adds later changes.
    pub(super) fn append(&mut self, later: Self) {
        if self.is_empty() {
            *self = later;
            return;
        }
        for change in later.0 {
            match change {
                RoomChange::Joined(room) => self.joined(room),
                RoomChange::Left(room) => self.left(room),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(steps: &[&str]) -> Vec<String> {
        let mut changes = RoomChanges::default();
        for step in steps {
            let (sign, room) = step.split_at(1);
            match sign {
                "+" => changes.joined(room.into()),
                _ => changes.left(room.into()),
            }
        }
        let told = std::iter::from_fn(|| changes.pop());
        told.map(|change| match change {
            RoomChange::Joined(room) => format!("+{room}"),
            RoomChange::Left(room) => format!("-{room}"),
        })
        .collect()
    }

    #[test]
    fn a_room_that_is_left_before_it_was_told_is_not_told() {
        assert_eq!(told(&["+a", "+b", "-a"]), ["+b"]);
        assert_eq!(told(&["-a", "+a", "-a", "+a"]), ["-a", "+a"]);
        assert_eq!(told(&["-a", "+a", "-a"]), ["-a"]);
    }

    #[test]
    fn a_room_that_is_left_and_entered_again_is_told_in_this_order() {
        assert_eq!(told(&["-a", "+a", "+b"]), ["-a", "+a", "+b"]);
    }
}
