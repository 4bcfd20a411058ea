//! Reading messages again that the node does not have: of a room that it has not been in for long.

use std::sync::Arc;

use super::asked::Asked;
use super::cluster::Cluster;
use super::output::{Output, RecallTicket};
use super::pipeline::{ENTRIES, Pipeline};
use super::timers::Timer;
use crate::Time;
use crate::cluster::answer::Entry;
use crate::cluster::command::{Command, Range, Values};

impl Cluster {
    /// Reads the messages of a room above `after` and below `before`, its numbers in this epoch.
    /// [`Output::Recalled`] brings them within [`ClusterConfig::wait`](super::ClusterConfig::wait).
    /// A caller that asks for what is being read already gets the same ticket: the log is read once, however many
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
        let ticket = self.recalls.begin(room, epoch, (after, before), false);
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

    /// Reads the latest value of each key of a room whose number is not above `seq`, in this epoch.
    /// [`Output::Recalled`] brings them, once the broker has answered; none if the room has another epoch.
    pub fn recall_values(
        &mut self,
        now: Time,
        room: &Arc<str>,
        epoch: &Arc<str>,
        seq: u64,
    ) -> RecallTicket {
        let numbers = (0, seq.saturating_add(1));
        let ticket = self.recalls.begin(room, epoch, numbers, true);
        if seq == 0 {
            self.values_end(ticket);
        }
        self.send(now);
        ticket
    }

    pub(super) fn values_read(&mut self, ticket: RecallTicket, values: Option<Vec<Entry>>) {
        let Some(recall) = self.recalls.get_mut(ticket) else {
            return;
        };
        if values.is_none() {
            // Another epoch has begun, or is to begin: the room finds out.
            let room = Arc::clone(&recall.room);
            self.values_end(ticket);
            self.with_room(&room, |room, _| room.read_again());
            return;
        }
        let values = values.unwrap_or_default();
        let is_last = values.len() < ENTRIES as usize;
        let has_newer = values
            .last()
            .is_some_and(|value| value.seq >= recall.before);
        recall.add_values(values);
        if is_last || has_newer || recall.left() == 0 {
            self.values_end(ticket);
        } else {
            self.recalls.ask_again(ticket);
        }
    }

    fn values_end(&mut self, ticket: RecallTicket) {
        if let Some(recall) = self.recalls.finish(ticket) {
            self.outputs.push_back(Output::Recalled {
                ticket,
                room: Arc::clone(&recall.room),
                epoch: Arc::clone(&recall.epoch),
                entries: recall.into_values(),
            });
        }
    }

    pub(super) fn ask_for_recalls(&mut self, pipeline: &mut Pipeline) {
        while !pipeline.is_full()
            && let Some((ticket, recall)) = self.recalls.next()
        {
            if recall.by_key {
                let values = Values {
                    room: Arc::clone(&recall.room),
                    incarnation: Arc::clone(&self.incarnation),
                    epoch: Arc::clone(&recall.epoch),
                    after: recall.at(),
                    most: ENTRIES,
                };
                pipeline.push(Command::Values(values), Asked::Recall(ticket));
                continue;
            }
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
