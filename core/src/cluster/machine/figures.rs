//! What happened so far, in numbers.

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Numbers of rooms that were lost.
    pub lost: u64,
    /// Logs that were read because something was missing.
    pub repairs: u64,
    /// Rooms whose epoch changed.
    pub epochs: u64,
    /// Payloads that did not parse.
    pub bad_pushes: u64,
    /// Connections to the broker.
    pub sessions: u64,
    /// Messages that wait for the broker.
    pub outbox: usize,
}
