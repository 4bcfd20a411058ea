//! Messages of logs that are read because somebody here wants them again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::output::RecallTicket;
use crate::Time;
use crate::cluster::answer::Entry;

/// What is read of a room's log.
#[derive(Debug)]
pub(super) struct Recall {
    pub(super) room: Arc<str>,
    pub(super) epoch: Arc<str>,
    /// The numbers above this one…
    pub(super) after: u64,
    /// …and below this one.
    pub(super) before: u64,
    /// Values of keys are read, whose numbers have holes.
    pub(super) by_key: bool,
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Until when it is waited for.
    pub(super) due: Option<Time>,
}

/// All that is being read.
#[derive(Debug, Default)]
pub(super) struct Recalls {
    all: BTreeMap<RecallTicket, Recall>,
    queue: VecDeque<RecallTicket>,
    last: u64,
}

impl Recalls {
    /// Finds one that reads all this.
    pub(super) fn find(
        &self,
        room: &str,
        epoch: &str,
        after: u64,
        before: u64,
    ) -> Option<RecallTicket> {
        let reads_it = |recall: &Recall| {
            !recall.by_key
                && *recall.room == *room
                && *recall.epoch == *epoch
                && recall.after <= after
                && recall.before >= before
        };
        let found = self.all.iter().find(|(_, recall)| reads_it(recall));
        found.map(|(ticket, _)| *ticket)
    }

    pub(super) fn begin(
        &mut self,
        room: &Arc<str>,
        epoch: &Arc<str>,
        (after, before): (u64, u64),
        by_key: bool,
    ) -> RecallTicket {
        self.last += 1;
        let ticket = RecallTicket(self.last);
        let recall = Recall {
            room: Arc::clone(room),
            epoch: Arc::clone(epoch),
            after,
            before,
            by_key,
            entries: VecDeque::new(),
            bytes: 0,
            due: None,
        };
        self.all.insert(ticket, recall);
        self.queue.push_back(ticket);
        ticket
    }

    pub(super) fn get_mut(&mut self, ticket: RecallTicket) -> Option<&mut Recall> {
        self.all.get_mut(&ticket)
    }

    /// Takes the next one that has something to ask.
    pub(super) fn next(&mut self) -> Option<(RecallTicket, &Recall)> {
        while let Some(ticket) = self.queue.pop_front() {
            if self.all.contains_key(&ticket) {
                return self.all.get(&ticket).map(|recall| (ticket, recall));
            }
        }
        None
    }

    /// There is more to read, or what was asked may not have arrived.
    pub(super) fn ask_again(&mut self, ticket: RecallTicket) {
        self.queue.push_back(ticket);
    }

    pub(super) fn finish(&mut self, ticket: RecallTicket) -> Option<Recall> {
        self.all.remove(&ticket)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&RecallTicket, &Recall)> {
        self.all.iter()
    }
}

impl Recall {
    /// The number after which it is read on.
    pub(super) fn at(&self) -> u64 {
        self.entries.back().map_or(self.after, |last| last.seq)
    }

    /// How many numbers are left to read.
    pub(super) fn left(&self) -> u64 {
        self.before.saturating_sub(1).saturating_sub(self.at())
    }

    /// Takes entries that were read. Over the bound, the oldest are given up.
    pub(super) fn add(&mut self, entries: Vec<Entry>, most_bytes: usize) {
        for entry in entries {
            if entry.seq <= self.at() || entry.seq >= self.before {
                continue;
            }
            if entry.seq != self.at() + 1 {
                // What is told has no hole.
                self.entries.clear();
                self.bytes = 0;
            }
            self.bytes += entry.body.len();
            self.entries.push_back(entry);
            while self.bytes > most_bytes
                && let Some(oldest) = self.entries.pop_front()
            {
                self.bytes -= oldest.body.len();
            }
        }
    }

    /// Takes values that were read.
    pub(super) fn add_values(&mut self, values: Vec<Entry>) {
        let before = self.before;
        self.entries
            .extend(values.into_iter().filter(|value| value.seq < before));
    }

    /// Returns the values that were read.
    pub(super) fn into_values(self) -> Vec<Entry> {
        self.entries.into()
    }

    /// Returns the messages, up to the last one that was wanted.
    pub(super) fn into_entries(self) -> Vec<Entry> {
        if self.left() == 0 {
            self.entries.into()
        } else {
            Vec::new()
        }
    }
}
