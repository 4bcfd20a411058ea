//! Publishers, and their messages that have not arrived everywhere.

use std::collections::VecDeque;

use crate::wire::To;

/// A publisher that numbers its messages.
#[derive(Debug)]
pub(crate) struct Publisher {
    /// Its connection.
    pub(crate) connection: usize,
    pub(crate) to: To,
    /// The index of its number in its listeners' lists.
    pub(crate) place: usize,
    /// The number of its listeners.
    pub(crate) audience: u32,
    next: u32,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    since: u64,
    left: u32,
}

/// The meaning of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrived {
    /// One of several deliveries of a message published at this time.
    Part(u64),
    /// The last delivery of a message published at this time.
    All(u64),
    /// No such message is in flight.
    Unknown,
}

impl Publisher {
    pub(crate) fn new(connection: usize, to: To, place: usize, audience: u32) -> Self {
        Self {
            connection,
            to,
            place,
            audience,
            next: 0,
            waiting: VecDeque::new(),
        }
    }

    /// Publishes a message and returns its number.
    pub(crate) fn publish(&mut self, since: u64) -> u32 {
        self.waiting.push_back(Waiting {
            since,
            left: self.audience,
        });
        self.next += 1;
        self.next - 1
    }

    /// Records a delivery of the message with this number.
    pub(crate) fn arrived(&mut self, number: u32) -> Arrived {
        let first = self.next - self.waiting.len() as u32;
        let at = number.wrapping_sub(first) as usize;
        let Some(waiting) = self.waiting.get_mut(at).filter(|waiting| waiting.left > 0) else {
            return Arrived::Unknown;
        };
        waiting.left -= 1;
        let (since, left) = (waiting.since, waiting.left);
        while self.waiting.front().is_some_and(|first| first.left == 0) {
            self.waiting.pop_front();
        }
        if left == 0 {
            Arrived::All(since)
        } else {
            Arrived::Part(since)
        }
    }

    /// Returns the number of missing deliveries.
    pub(crate) fn missing(&self) -> u64 {
        self.waiting
            .iter()
            .map(|waiting| u64::from(waiting.left))
            .sum()
    }

    pub(crate) fn is_done(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_done_when_all_have_it() {
        let mut publisher = Publisher::new(0, To::Room(0), 0, 2);
        assert_eq!((publisher.publish(10), publisher.publish(20)), (0, 1));
        assert_eq!(publisher.arrived(0), Arrived::Part(10));
        assert_eq!(publisher.arrived(1), Arrived::Part(20));
        assert_eq!(publisher.missing(), 2);
        assert_eq!(publisher.arrived(0), Arrived::All(10));
        assert_eq!(publisher.arrived(0), Arrived::Unknown);
        assert_eq!(publisher.arrived(1), Arrived::All(20));
        assert_eq!(publisher.arrived(2), Arrived::Unknown);
        assert!(publisher.is_done());
    }
}
