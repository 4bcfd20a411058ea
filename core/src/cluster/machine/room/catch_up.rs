//! How a room follows its log: combines pushes and reads, and delivers them in order.

use std::sync::Arc;

use super::outbox::settle;
use super::state::{Room, Stage};
use crate::cluster::answer::Entry;
use crate::cluster::machine::context::Context;
use crate::cluster::machine::output::{Fate, Output, PositionKind};

/// The answer to a Sync.
#[derive(Debug)]
pub(in crate::cluster) struct Read {
    pub(in crate::cluster) epoch: Arc<str>,
    pub(in crate::cluster) seq: u64,
    pub(in crate::cluster) own: u64,
    pub(in crate::cluster) entries: Vec<Entry>,
    /// There may be more entries than were read.
    pub(in crate::cluster) cut: bool,
}

impl Read {
    /// Returns whether it has all messages from a position on, up to where it was cut.
    fn is_all_from(&self, epoch: &Arc<str>, seq: u64) -> bool {
        let first = self.entries.first().map(|entry| entry.seq);
        *epoch == self.epoch && (self.seq <= seq || first == Some(seq + 1))
    }
}

impl Room {
    /// A message arrived. Returns whether the log has to be read.
    pub(in crate::cluster) fn arrived(
        &mut self,
        epoch: &str,
        entry: Entry,
        cx: &mut Context<'_>,
    ) -> bool {
        if let Stage::Absent | Stage::Local(_) = self.stage {
            return false;
        }
        if self.stage == Stage::Live
            && let Some((known, seq)) = &self.position
            && **known == *epoch
        {
            if entry.seq <= *seq {
                let known = Arc::clone(known);
                self.came_too_late(&known, &entry, cx);
                return false;
            }
            if entry.seq - *seq == 1 {
                self.take(entry, cx);
                return false;
            }
        }
        self.buffer.push(epoch, entry);
        self.read_again();
        true
    }

    /// A message arrived whose number members have had already. It may be one of this node, if what they had
    /// was of no node; the log has it all the same.
    fn came_too_late(&mut self, epoch: &Arc<str>, entry: &Entry, cx: &mut Context<'_>) {
        if entry.node == *cx.node
            && let Some(ticket) = self.outbox.came_round(entry.own)
        {
            let fate = Fate::Numbered(Arc::clone(epoch), entry.seq);
            cx.tell(Output::Published { ticket, fate });
        }
    }

    /// The answer to a probe. Returns whether the log has to be read: what was published before it was
    /// asked would have arrived.
    pub(in crate::cluster) fn probed(&mut self, position: Option<(&str, u64)>) -> bool {
        let is_behind = match (&self.position, position) {
            (Some((known, seq)), Some((epoch, last))) => **known != *epoch || last > *seq,
            _ => true,
        };
        if self.stage != Stage::Live || !is_behind {
            return false;
        }
        self.read_again();
        true
    }

    /// The log was read up to a point.
    pub(in crate::cluster) fn read(&mut self, read: Read, cx: &mut Context<'_>) {
        self.needs_sync = false;
        let own = read.own;
        if !matches!(self.stage, Stage::Absent | Stage::Local(_)) {
            self.catch_up(read, cx);
        }
        // Last: what is in the log has been delivered with its ticket.
        self.outbox.known(own);
        match &self.position {
            Some((epoch, seq)) if self.stage == Stage::Live => {
                settle(self.outbox.settle_until(epoch, *seq), cx);
            }
            _ if !self.is_entered() => settle(self.outbox.settle_all(), cx),
            _ => {}
        }
    }

    fn catch_up(&mut self, read: Read, cx: &mut Context<'_>) {
        // Answers come when their whole pipeline is answered, pushes at once: what waits may be of an
        // epoch that began after this answer.
        let mut unclear = self.buffer.has_other_than(&[&read.epoch]);
        let mut until = match read.entries.last() {
            Some(last) if read.cut => last.seq,
            _ => read.seq,
        };
        match &self.position {
            None => {
                self.position = Some((Arc::clone(&read.epoch), read.seq));
                self.tell(PositionKind::Start, cx);
            }
            // The values that were missed are read at once, rather than one after the other.
            Some((epoch, seq)) if self.keeps_values() && !read.is_all_from(epoch, *seq) => {
                if *epoch != read.epoch {
                    unclear = self.buffer.has_other_than(&[&read.epoch, epoch]);
                    cx.figures.epochs += 1;
                }
                until = read.seq;
                self.position = Some((Arc::clone(&read.epoch), read.seq));
                self.tell(PositionKind::Start, cx);
            }
            Some((epoch, _)) if *epoch == read.epoch => {
                if self.untold {
                    self.tell(PositionKind::Resumed, cx);
                }
            }
            Some((epoch, seq)) => {
                unclear = self.buffer.has_other_than(&[&read.epoch, epoch]);
                cx.figures.epochs += 1;
                let left = (Arc::clone(epoch), *seq);
                until = self.past.change(left, &read.epoch, read.seq);
                self.position = Some((Arc::clone(&read.epoch), until));
                self.tell(PositionKind::NewEpoch, cx);
            }
        }
        let newest = read.seq;
        self.replay(read, until, cx);
        self.stage = Stage::Live;
        if self.at() >= newest {
            let upto = self.asks.answered();
            self.tell_caught_up(upto, cx);
        }
        let is_behind = self.at() < newest || self.asks.need_sync();
        if unclear || is_behind || !self.buffer.is_empty() {
            self.read_again();
        }
    }

    fn tell(&mut self, kind: PositionKind, cx: &mut Context<'_>) {
        self.untold = false;
        if let Some((epoch, seq)) = &self.position {
            cx.tell(Output::Position {
                room: Arc::clone(&self.name),
                epoch: Arc::clone(epoch),
                seq: *seq,
                kind,
            });
        }
    }

    /// Delivers what was read and what has arrived, in the order of the numbers. Up to `until`, what is
    /// not there is lost.
    fn replay(&mut self, read: Read, until: u64, cx: &mut Context<'_>) {
        let mut found = self.buffer.take(&read.epoch, read.seq);
        found.extend(read.entries.into_iter().map(|entry| (entry.seq, entry)));
        let later = found.split_off(&until.saturating_add(1));
        for (seq, entry) in found {
            if seq > self.at() {
                self.skip_to(seq - 1, cx);
                self.take(entry, cx);
            }
        }
        self.skip_to(until, cx);
        for (seq, entry) in later {
            if self.at().checked_add(1) == Some(seq) {
                self.take(entry, cx);
            } else {
                self.buffer.push(&read.epoch, entry);
            }
        }
    }

    /// The number up to which the members are.
    fn at(&self) -> u64 {
        self.position.as_ref().map_or(0, |(_, seq)| *seq)
    }

    /// Gives up the numbers up to this one.
    fn skip_to(&mut self, to: u64, cx: &mut Context<'_>) {
        let Some((_, seq)) = &mut self.position else {
            return;
        };
        if to <= *seq {
            return;
        }
        let from = *seq + 1;
        *seq = to;
        cx.figures.gaps += to - (from - 1);
        cx.tell(Output::Skip {
            room: Arc::clone(&self.name),
            from,
            to,
            lost: true,
        });
    }

    /// Delivers the message whose turn it is.
    fn take(&mut self, entry: Entry, cx: &mut Context<'_>) {
        if let Some((_, seq)) = &mut self.position {
            *seq = entry.seq;
        }
        let ticket = if entry.node == *cx.node {
            self.outbox.came_round(entry.own)
        } else {
            None
        };
        let room = Arc::clone(&self.name);
        let seen = self.seen.entry(Arc::clone(&entry.node)).or_insert(0);
        if entry.own <= *seen {
            cx.tell(Output::Skip {
                room,
                from: entry.seq,
                to: entry.seq,
                lost: false,
            });
            if let (Some(ticket), Some((epoch, seq))) = (ticket, &self.position) {
                let fate = Fate::Numbered(Arc::clone(epoch), *seq);
                cx.tell(Output::Published { ticket, fate });
            }
            return;
        }
        *seen = entry.own;
        cx.tell(Output::Deliver {
            room,
            seq: entry.seq,
            node: entry.node,
            body: entry.body,
            ticket,
        });
    }
}
