//! Epochs that a room has left. While there are two brokers, a node may change from one to the other
//! and back. Its members then continue at their last position, because they have the messages before
//! it.

use std::collections::VecDeque;
use std::sync::Arc;

/// How many are remembered. More would be needed only where there are more brokers at once.
const EPOCHS: usize = 4;

/// Epochs, the one that was left last at the end, and how far the members had come in each.
#[derive(Debug, Default)]
pub(super) struct Past(VecDeque<(Arc<str>, u64)>);

impl Past {
    /// The room leaves an epoch for another one, whose last number is `newest`. Returns the number up to
    /// which the members have that one.
    pub(super) fn change(&mut self, left: (Arc<str>, u64), epoch: &str, newest: u64) -> u64 {
        self.0.retain(|(known, _)| *known != left.0);
        self.0.push_back(left);
        if self.0.len() > EPOCHS {
            self.0.pop_front();
        }
        let known = self.0.iter().find(|(known, _)| **known == *epoch);
        known.map_or(0, |(_, seq)| *seq).min(newest)
    }
}
