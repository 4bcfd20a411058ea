//! What is counted.

/// What happened so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    /// Numbers of rooms that were lost.
    pub(super) gaps: u64,
    /// Logs that were read because something was missing.
    pub(super) repairs: u64,
    /// Rooms whose epoch changed.
    pub(super) epochs: u64,
    /// Payloads that did not parse.
    pub(super) bad_pushes: u64,
    /// Connections to the broker.
    pub(super) connects: u64,
}
