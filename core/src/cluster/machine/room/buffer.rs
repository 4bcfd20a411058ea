//! What arrives in a room while its log is being read.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cluster::answer::Entry;

const MESSAGES: usize = 1024;
const BYTES: usize = 1 << 20;

/// Messages that wait. Bounded: over the bound all are dropped, for the log has them.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    waiting: Vec<Waiting>,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    epoch: Arc<str>,
    entry: Entry,
    /// The log was asked for after it had arrived.
    is_asked: bool,
}

impl Buffer {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn push(&mut self, epoch: &str, entry: Entry) {
        self.bytes += entry.body.len();
        self.waiting.push(Waiting {
            epoch: epoch.into(),
            entry,
            is_asked: false,
        });
        if self.waiting.len() > MESSAGES || self.bytes > BYTES {
            self.clear();
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The log is asked for: it has what is here, unless that is not true.
    pub(super) fn is_asked(&mut self) {
        for waiting in &mut self.waiting {
            waiting.is_asked = true;
        }
    }

    /// Whether something is of an epoch that is none of these.
    pub(super) fn has_other_than(&self, epochs: &[&Arc<str>]) -> bool {
        let mut waiting = self.waiting.iter();
        waiting.any(|it| !epochs.contains(&&it.epoch))
    }

    /// Takes everything, and returns what is of this epoch by number. What the log must have had, but did
    /// not have up to `newest`, is of no node.
    pub(super) fn take(&mut self, epoch: &str, newest: u64) -> BTreeMap<u64, Entry> {
        let is_real = |it: &Waiting| *it.epoch == *epoch && !(it.is_asked && it.entry.seq > newest);
        let waiting = std::mem::take(self).waiting.into_iter();
        let real = waiting.filter(is_real);
        real.map(|it| (it.entry.seq, it.entry)).collect()
    }
}
