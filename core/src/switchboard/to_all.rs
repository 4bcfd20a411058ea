//! A frame on its way to all connections.

use std::sync::Arc;

use super::recipients::Receipt;
use crate::Frame;

/// A frame on its way to all connections; see
/// [`broadcast_all_part`](crate::Switchboard::broadcast_all_part).
#[derive(Debug)]
pub struct ToAll {
    pub(super) frame: Frame,
    /// The slot from which on connections are still to get it.
    pub(super) next: usize,
    /// Its key among the frames that several connections share.
    pub(super) counted: Option<u32>,
    pub(super) receipt: Receipt,
    /// Its number in a recording; 0 before it has one.
    recorded: u64,
}

impl ToAll {
    /// Begins to send a frame.
    pub fn new(frame: Frame) -> Self {
        Self {
            frame,
            next: 0,
            counted: None,
            receipt: Receipt::default(),
            recorded: 0,
        }
    }

    /// Returns its number in a recording, which at first is the next one.
    pub(super) fn number(&mut self, next: impl FnOnce() -> u64) -> u64 {
        if self.recorded == 0 {
            self.recorded = next();
        }
        self.recorded
    }
}

/// A frame of the cluster that is being sent to all connections of this node, and the excluded users.
#[derive(Debug)]
pub(super) struct FromCluster {
    pub(super) all: ToAll,
    pub(super) excluded: Vec<Arc<str>>,
}
