//! What stands between an adapter and the machine that it serves.

use std::task::{Context, Poll};

use switchboard_core::cluster::{Channel, Command, Done};

use super::problem::Problem;

/// The state machine of a node, from the view of its adapter, behind whatever lock it has.
///
/// The implementation counts the attempts to connect. An event of any attempt but the last one is late,
/// and must be ignored.
pub trait Link: Send + Sync + 'static {
    /// Takes the next order, or registers to be woken for one. `None` ends the adapter.
    fn poll_order(&self, context: &mut Context<'_>) -> Poll<Option<Order>>;

    /// Tells what happened in an attempt, or on the connection that came of it. Must not block.
    fn tell(&self, attempt: u64, event: Event);
}

/// What a machine wants of its adapter. Orders that need a connection have no effect without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Connect, as this attempt: [`Event::Connected`] or [`Event::Lost`] follows.
    Connect(u64),
    /// Drop the connection or the attempt. Nothing more is reported about it.
    Hangup,
    /// Subscribe to channels.
    Subscribe(Vec<Channel>),
    /// Unsubscribe from channels.
    Unsubscribe(Vec<Channel>),
    /// Send commands in one pipeline: [`Event::Answered`] follows. There is no second one before that.
    Send(Vec<Command>),
    /// Send a command with a long answer through a second connection, so that the answer does not delay
    /// messages: [`Event::Read`] follows, unless the connection of messages is gone before. It must only
    /// read, and there are at most a few at a time.
    Read(u64, Command),
}

/// An event that an adapter reports to its state machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The connection is there, the scripts are loaded.
    Connected {
        /// The incarnation of the data.
        incarnation: String,
    },
    /// The attempt failed, or the connection ended.
    Lost(Problem),
    /// What became of each command of a pipeline.
    Answered(Vec<Done>),
    /// What arrived through channels, in order.
    Pushed {
        /// Channels and payloads.
        pushes: Vec<(Channel, Vec<u8>)>,
        /// How many more were too large, of no known channel, or no messages.
        dropped: u64,
    },
    /// What became of a command that only reads; `None` where the second connection could not be had, or
    /// was too slow.
    Read(u64, Option<Done>),
}
