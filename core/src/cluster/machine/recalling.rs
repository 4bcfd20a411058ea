//! Reading messages again that the node does not have: of a room that it has not been in for long.

use std::sync::Arc;

use super::asked::Asked;
use super::cluster::Cluster;
use super::output::{Output, RecallTicket};
use super::pipeline::{ENTRIES, Pipeline};
use super::timers::Timer;
use crate::Time;
use crate::cluster::answer::Entry;
use crate::cluster::command::{Command, Range};

impl Cluster {
    /// Reads the messages of a room above `after` and below `before`, its numbers in this epoch.
    /// [`Output::Recalled`] brings them within [`ClusterConfig::wait`](super::ClusterConfig::wait).
    /// Who asks for what is being read already gets the same ticket: the log is read once, however many
    /// ask.
    pub fn recall(
        &mut self,
        now: Time,
        room: &Arc<str>,
        epoch: &Arc<str>,
        after: u64,
        before: u64,
    ) -> RecallTicket {
        if let Some(ticket) = self.recalls.find(room, epoch, after, before) {
            return ticket;
        }
        let ticket = self.recalls.begin(room, epoch, after, before);
        let is_empty = before <= after.saturating_add(1);
        if self.alone || is_empty {
            self.recall_ends(ticket);
            return ticket;
        }
        if let Some(recall) = self.recalls.get_mut(ticket) {
            let at = Some(now + self.config.wait);
            self.timers.set(&mut recall.due, at, Timer::Recall(ticket));
        }
        self.send(now);
        ticket
    }

    pub(super) fn ask_for_recalls(&mut self, pipeline: &mut Pipeline) {
        while !pipeline.is_full()
            && let Some((ticket, recall)) = self.recalls.next()
        {
            let range = Range {
                room: Arc::clone(&recall.room),
                incarnation: Arc::clone(&self.incarnation),
                epoch: Arc::clone(&recall.epoch),
                after: recall.at(),
                most: recall.left().min(u64::from(ENTRIES)) as u32,
            };
            pipeline.push(Command::Range(range), Asked::Recall(ticket));
        }
    }

    pub(super) fn recall_answered(&mut self, ticket: RecallTicket, entries: Option<Vec<Entry>>) {
        let bytes = self.config.recall_bytes;
        let Some(recall) = self.recalls.get_mut(ticket) else {
            return;
        };
        let before = recall.at();
        recall.add(entries.unwrap_or_default(), bytes);
        if recall.left() == 0 || recall.at() == before {
            self.recall_ends(ticket);
        } else {
            self.recalls.ask_again(ticket);
        }
    }

    pub(super) fn recall_is_due(&mut self, ticket: RecallTicket) {
        if let Some(recall) = self.recalls.get_mut(ticket) {
            recall.due = None;
        }
        self.recall_ends(ticket);
    }

    fn recall_ends(&mut self, ticket: RecallTicket) {
        if let Some(recall) = self.recalls.finish(ticket) {
            self.timers.clear(recall.due, Timer::Recall(ticket));
            self.outputs.push_back(Output::Recalled {
                ticket,
                room: Arc::clone(&recall.room),
                epoch: Arc::clone(&recall.epoch),
                entries: recall.into_entries(),
            });
        }
    }
}
