//! The open streams of a client's events.

use std::collections::BTreeMap;
use std::task::Waker;

use super::events::{Backlog, Bounds, Event};

/// The key of the stream of all events, which there is from the beginning.
pub(super) const ALL: u64 = 0;

/// What each stream has not taken yet.
pub(super) struct Streams {
    open: BTreeMap<u64, Open>,
    opened: u64,
    bounds: Bounds,
}

struct Open {
    /// `None`: all events.
    channel: Option<Box<str>>,
    backlog: Backlog,
}

impl Streams {
    pub(super) fn new(bounds: Bounds) -> Self {
        let all = Open {
            channel: None,
            backlog: Backlog::new(bounds),
        };
        Self {
            open: BTreeMap::from([(ALL, all)]),
            opened: ALL,
            bounds,
        }
    }

    /// Opens a stream of the events of a channel, and returns its key.
    pub(super) fn open(&mut self, channel: &str) -> u64 {
        self.opened += 1;
        let open = Open {
            channel: Some(channel.into()),
            backlog: Backlog::new(self.bounds),
        };
        self.open.insert(self.opened, open);
        self.opened
    }

    /// Closes a stream. Returns the events that were not taken, to be dropped without the lock.
    pub(super) fn close(&mut self, key: u64) -> Option<Backlog> {
        self.open.remove(&key).map(|open| open.backlog)
    }

    /// Returns what an open stream has not taken.
    pub(super) fn backlog(&mut self, key: u64) -> Option<&mut Backlog> {
        self.open.get_mut(&key).map(|open| &mut open.backlog)
    }

    /// Appends an event to the streams that it belongs to, and takes the wakers of their tasks. The cost grows with
    /// the number of streams.
    pub(super) fn push(&mut self, event: &Event, wakers: &mut Vec<Waker>) {
        let channel = event.channel();
        for open in self.open.values_mut() {
            if open.channel.is_none() || open.channel.as_deref() == channel {
                open.backlog.push(event.clone());
                wakers.extend(open.backlog.take_waker());
            }
        }
    }

    /// Takes the wakers of all tasks that wait for an event.
    pub(super) fn take_wakers(&mut self) -> Vec<Waker> {
        let open = self.open.values_mut();
        open.filter_map(|open| open.backlog.take_waker()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn entered(channel: &str) -> Event {
        Event::Entered {
            channel: channel.into(),
        }
    }

    fn taken(streams: &mut Streams, key: u64) -> Vec<Event> {
        let backlog = streams.backlog(key).expect("an open stream");
        std::iter::from_fn(|| backlog.pop()).collect()
    }

    #[test]
    fn a_stream_of_a_channel_has_its_events_and_no_others() {
        let mut streams = Streams::new(Bounds::of(2, 100));
        let (first, second) = (streams.open("a"), streams.open("a"));
        let other = streams.open("b");
        let trip = Event::RoundTrip(Duration::ZERO);
        let mut wakers = Vec::new();
        for event in [entered("a"), entered("b"), trip] {
            streams.push(&event, &mut wakers);
        }
        assert_eq!(taken(&mut streams, first), [entered("a")]);
        assert_eq!(taken(&mut streams, second), [entered("a")]);
        assert_eq!(taken(&mut streams, other), [entered("b")]);
        let all = [entered("a"), entered("b"), Event::Lagged(1)];
        assert_eq!(taken(&mut streams, ALL), all);
    }

    #[test]
    fn a_closed_stream_keeps_nothing_and_no_key_comes_again() {
        let mut streams = Streams::new(Bounds::of(2, 100));
        let first = streams.open("a");
        assert!(streams.close(first).is_some());
        assert!(streams.backlog(first).is_none() && streams.close(first).is_none());
        assert_ne!(streams.open("a"), first);
        assert_eq!(streams.open.len(), 2);
    }
}
