//! The events of a client, and the bounded buffer that they wait in.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use switchboard_core::client::{Gap, Report, ServerText, State};

use super::options::Options;

/// An event of a client.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The state of the connection has changed.
    State(State),
    /// A message in a channel.
    Message(ServerText),
    /// A direct message.
    Direct(ServerText),
    /// The users in a channel, or a change of them.
    Presence(ServerText),
    /// A channel was entered, on each connection. [`ServerText::recovered`] tells whether all messages
    /// since the old position follow, [`ServerText::seq`] the last number used.
    Subscribed(ServerText),
    /// Messages of a channel that were not delivered to this client.
    Gap(Gap),
    /// A channel began a new epoch, so the number of missed messages is unknown.
    Epoch {
        /// The channel.
        channel: Arc<str>,
        /// The previous epoch.
        from: String,
        /// The current epoch.
        to: String,
    },
    /// The server refused a subscription. The client asks again on the next connection.
    Refused {
        /// The channel.
        channel: Arc<str>,
        /// The server's `error` message.
        frame: ServerText,
    },
    /// The connection was in the channel already, perhaps as its lobby. No `subscribed` follows.
    Entered {
        /// The channel.
        channel: Arc<str>,
    },
    /// The server has not answered a subscription in time. It may still do so.
    Unanswered {
        /// The channel.
        channel: Arc<str>,
    },
    /// The round-trip time of a `ping`.
    RoundTrip(Duration),
    /// Any other message of the server: `unsubscribed`, `bye`, or an `error` that answers
    /// no pending request.
    Other(ServerText),
    /// The number of events that were dropped at this point because the buffer was full.
    Lagged(u64),
}

impl Event {
    pub(super) fn of(notice: Report) -> Self {
        match notice {
            Report::State(state) => Self::State(state),
            Report::Deliver(frame) => match frame.kind() {
                "message" => Self::Message(frame),
                "direct" => Self::Direct(frame),
                "presence" => Self::Presence(frame),
                "subscribed" => Self::Subscribed(frame),
                _ => Self::Other(frame),
            },
            Report::Refused { channel, frame } => Self::Refused { channel, frame },
            Report::Entered { channel } => Self::Entered { channel },
            Report::Unanswered { channel } => Self::Unanswered { channel },
            Report::Gap(gap) => Self::Gap(gap),
            Report::Epoch { channel, from, to } => Self::Epoch { channel, from, to },
            Report::RoundTrip(time) => Self::RoundTrip(time),
        }
    }

    /// Returns the channel, if the event is about one.
    #[must_use]
    pub fn channel(&self) -> Option<&str> {
        match self {
            Self::Message(frame)
            | Self::Presence(frame)
            | Self::Subscribed(frame)
            | Self::Other(frame) => frame.channel(),
            Self::Gap(gap) => Some(&gap.channel),
            Self::Epoch { channel, .. }
            | Self::Refused { channel, .. }
            | Self::Entered { channel }
            | Self::Unanswered { channel } => Some(channel),
            Self::State(_) | Self::Direct(_) | Self::RoundTrip(_) | Self::Lagged(_) => None,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Message(frame)
            | Self::Direct(frame)
            | Self::Presence(frame)
            | Self::Subscribed(frame)
            | Self::Refused { frame, .. }
            | Self::Other(frame) => frame.as_json().len(),
            Self::Epoch { from, to, .. } => from.len() + to.len(),
            Self::State(State::Connected { welcome, .. }) => welcome.as_json().len(),
            Self::State(_)
            | Self::Gap(_)
            | Self::Entered { .. }
            | Self::Unanswered { .. }
            | Self::RoundTrip(_)
            | Self::Lagged(_) => 0,
        }
    }
}

/// How many events a stream keeps that have not been taken yet, and how many bytes of these.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    events: usize,
    bytes: usize,
}

impl Bounds {
    pub(super) fn of(events: usize, bytes: usize) -> Self {
        Self {
            events: events.max(1),
            bytes,
        }
    }
}

impl From<&Options> for Bounds {
    fn from(options: &Options) -> Self {
        Self::of(options.max_events, options.max_event_bytes)
    }
}

/// Events that have not been taken yet.
pub(super) struct Backlog {
    events: VecDeque<Event>,
    bytes: usize,
    bounds: Bounds,
    /// Number of events dropped since the last one in the buffer.
    lagged: u64,
    waker: Option<Waker>,
}

impl Backlog {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            events: VecDeque::new(),
            bytes: 0,
            bounds,
            lagged: 0,
            waker: None,
        }
    }

    pub(super) fn push(&mut self, event: Event) {
        let bytes = event.bytes();
        let room = self.events.len() < self.bounds.events
            && (self.bytes + bytes <= self.bounds.bytes || self.events.is_empty());
        if !room {
            self.lagged += 1;
            return;
        }
        if self.lagged > 0 {
            self.events
                .push_back(Event::Lagged(std::mem::take(&mut self.lagged)));
        }
        self.bytes += bytes;
        self.events.push_back(event);
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        if let Some(event) = &event {
            self.bytes -= event.bytes();
        } else if self.lagged > 0 {
            return Some(Event::Lagged(std::mem::take(&mut self.lagged)));
        }
        event
    }

    /// Registers the task that waits for an event. Returns the waker of the one that waited before, to be
    /// dropped without the lock.
    #[must_use]
    pub(super) fn register(&mut self, context: &Context<'_>) -> Option<Waker> {
        self.waker.replace(context.waker().clone())
    }

    /// Takes the waker of the task that waits for an event.
    pub(super) fn take_waker(&mut self) -> Option<Waker> {
        self.waker.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backlog(max_events: usize, max_event_bytes: usize) -> Backlog {
        Backlog::new(Bounds::of(max_events, max_event_bytes))
    }

    #[test]
    fn what_is_dropped_is_counted_in_its_place() {
        let event = |n| Event::RoundTrip(Duration::from_millis(n));
        let mut backlog = backlog(2, 100);
        (1..=4).for_each(|n| backlog.push(event(n)));
        assert_eq!(backlog.pop(), Some(event(1)));
        backlog.push(event(5));
        let rest: Vec<Event> = std::iter::from_fn(|| backlog.pop()).collect();
        assert_eq!(rest, [event(2), Event::Lagged(2), event(5)]);
    }

    #[test]
    fn bytes_are_bounded_but_for_one_event() {
        let event = || Event::Epoch {
            channel: "a".into(),
            from: "x".repeat(80),
            to: String::new(),
        };
        let mut backlog = backlog(9, 100);
        (0..3).for_each(|_| backlog.push(event()));
        let all: Vec<Event> = std::iter::from_fn(|| backlog.pop()).collect();
        assert_eq!(all, [event(), Event::Lagged(2)]);
        backlog.bounds.bytes = 10;
        backlog.push(event());
        assert_eq!(backlog.pop(), Some(event()));
    }
}
