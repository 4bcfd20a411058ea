//! What arrives in a room while its log is being read.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cluster::answer::Entry;

const MESSAGES: usize = 1024;
const BYTES: usize = 1 << 20;

/// Messages that wait, with their epochs. Bounded: over the bound all are dropped, for the log has them.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    entries: Vec<(Arc<str>, Entry)>,
    bytes: usize,
}

impl Buffer {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn push(&mut self, epoch: &str, entry: Entry) {
        self.bytes += entry.body.len();
        self.entries.push((epoch.into(), entry));
        if self.entries.len() > MESSAGES || self.bytes > BYTES {
            self.clear();
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether something is of an epoch that is none of these.
    pub(super) fn has_other_than(&self, epochs: &[&Arc<str>]) -> bool {
        self.entries.iter().any(|(its, _)| !epochs.contains(&its))
    }

    /// Takes everything, and returns what is of this epoch by number.
    pub(super) fn take(&mut self, epoch: &str) -> BTreeMap<u64, Entry> {
        std::mem::take(self)
            .entries
            .into_iter()
            .filter(|(its, _)| **its == *epoch)
            .map(|(_, entry)| (entry.seq, entry))
            .collect()
    }
}
