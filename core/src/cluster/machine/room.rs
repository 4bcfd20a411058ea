//! One room as this node knows it: where its members are, and how holes are repaired.
//!
//! ```text
//!          enter            answer to Sync               hole, other epoch, link lost
//! Absent ────────▶ Syncing ───────────────▶ Live ───────────────────────────────▶ Syncing
//!                     │ broker away for too long                                     │
//!                     └───────────▶ Alone ◀──────────────────────────────────────────┘
//!                                     └── answer to Sync ──▶ Live
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::buffer::Buffer;
use super::outbox::{Outbox, settled};
use super::output::{Fate, Output, PositionKind, Ticket};
use crate::Time;
use crate::cluster::answer::Entry;

/// A room that somebody here is in, or that something is to be sent to.
#[derive(Debug)]
pub(super) struct Room {
    name: Arc<str>,
    pub(super) stage: Stage,
    /// Epoch and number up to which everything was delivered or skipped.
    position: Option<(Arc<str>, u64)>,
    /// The members are on their own, or are new: the next position is told to them.
    untold: bool,
    /// The highest own number of each node that was delivered. What is sent again after a loss of data
    /// has another number in the room, but not for its node.
    seen: BTreeMap<Arc<str>, u64>,
    buffer: Buffer,
    pub(super) outbox: Outbox,
    pub(super) needs_sync: bool,
    pub(super) needs_probe: bool,
    /// Its place in the queue of those that have something to ask.
    pub(super) queued: Option<u64>,
    /// When it is to be probed next.
    pub(super) probe: Option<Time>,
    /// Unique in the machine: an answer to an earlier stay says nothing about this one.
    pub(super) stay: u64,
    /// The session in which the broker was asked about this room.
    pub(super) session: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nobody here is in it.
    Absent,
    /// The log is being read; what arrives waits.
    Syncing,
    /// What arrives is delivered.
    Live,
    /// The broker is away: own epoch, last own number.
    Alone(Arc<str>, u64),
}

/// What a repair came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Repaired {
    pub(super) lost: u64,
    pub(super) new_epoch: bool,
}

/// The answer to a Sync.
pub(super) struct Read {
    pub(super) epoch: Arc<str>,
    pub(super) seq: u64,
    pub(super) own: u64,
    pub(super) entries: Vec<Entry>,
    /// There may be more entries than were read.
    pub(super) cut: bool,
}

impl Room {
    pub(super) fn new(name: Arc<str>, next_own: u64) -> Self {
        Self {
            name,
            stage: Stage::Absent,
            position: None,
            untold: true,
            seen: BTreeMap::new(),
            buffer: Buffer::default(),
            outbox: Outbox::new(next_own),
            needs_sync: true,
            needs_probe: false,
            queued: None,
            probe: None,
            stay: 0,
            session: 0,
        }
    }

    pub(super) fn is_entered(&self) -> bool {
        self.stage != Stage::Absent
    }

    /// The epoch and number after which the log is to be read.
    pub(super) fn since(&self) -> Option<(Arc<str>, u64)> {
        self.position.clone()
    }

    pub(super) fn has_something_to_ask(&self) -> bool {
        self.needs_sync || self.needs_probe || self.outbox.len() > 0
    }

    pub(super) fn enter(&mut self, stay: u64) {
        self.stage = Stage::Syncing;
        self.stay = stay;
        self.untold = true;
        self.needs_sync = true;
    }

    pub(super) fn leave(&mut self, out: &mut VecDeque<Output>) {
        self.stage = Stage::Absent;
        self.position = None;
        self.seen.clear();
        self.buffer.clear();
        settled(self.outbox.settle_all(), out);
    }

    /// The link is gone, or came back: the log has to be read before anything is delivered.
    pub(super) fn read_again(&mut self) {
        self.needs_sync = true;
        self.needs_probe = false;
        if self.stage == Stage::Live {
            self.stage = Stage::Syncing;
        }
    }

    /// The broker has been away for too long.
    pub(super) fn go_alone(
        &mut self,
        epoch: Arc<str>,
        node: &Arc<str>,
        out: &mut VecDeque<Output>,
    ) {
        self.untold = true;
        self.buffer.clear();
        out.push_back(Output::Position {
            room: Arc::clone(&self.name),
            epoch: Arc::clone(&epoch),
            seq: 0,
            kind: PositionKind::Local,
        });
        self.stage = Stage::Alone(epoch, 0);
        let waiting: Vec<_> = self.outbox.take_waiting().collect();
        for it in waiting {
            self.deliver_alone(it.ticket, it.body, node, out);
        }
        settled(self.outbox.settle_all(), out);
    }

    /// Delivers a message to the members here; it is not sent on later.
    pub(super) fn deliver_alone(
        &mut self,
        ticket: Ticket,
        body: Arc<[u8]>,
        node: &Arc<str>,
        out: &mut VecDeque<Output>,
    ) {
        let Stage::Alone(_, seq) = &mut self.stage else {
            return;
        };
        *seq += 1;
        out.push_back(Output::Deliver {
            room: Arc::clone(&self.name),
            seq: *seq,
            node: Arc::clone(node),
            body,
            ticket: Some(ticket),
        });
    }

    /// A message arrived. Returns whether the log has to be read.
    pub(super) fn arrived(
        &mut self,
        epoch: &str,
        entry: Entry,
        node: &Arc<str>,
        out: &mut VecDeque<Output>,
    ) -> bool {
        if self.stage == Stage::Absent {
            return false;
        }
        if self.stage == Stage::Live
            && let Some((known, seq)) = &self.position
            && **known == *epoch
        {
            if entry.seq <= *seq {
                return false;
            }
            if entry.seq == *seq + 1 {
                self.take(entry, node, out);
                return false;
            }
        }
        self.buffer.push(epoch, entry);
        self.read_again();
        true
    }

    /// The answer to a probe. Returns whether the log has to be read: what was published before it was
    /// asked would have arrived.
    pub(super) fn probed(&mut self, position: Option<(&str, u64)>) -> bool {
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
    pub(super) fn read(
        &mut self,
        read: Read,
        node: &Arc<str>,
        out: &mut VecDeque<Output>,
    ) -> Repaired {
        self.needs_sync = false;
        let mut repaired = Repaired::default();
        let own = read.own;
        if self.is_entered() {
            repaired = self.catch_up(read, node, out);
        }
        // Last: what is in the log has been delivered with its ticket.
        self.outbox.known(own);
        match &self.position {
            Some((epoch, seq)) if self.stage == Stage::Live => {
                settled(self.outbox.settle_until(epoch, *seq), out);
            }
            _ if !self.is_entered() => settled(self.outbox.settle_all(), out),
            _ => {}
        }
        repaired
    }

    fn catch_up(&mut self, read: Read, node: &Arc<str>, out: &mut VecDeque<Output>) -> Repaired {
        // Answers come when their whole pipeline is answered, pushes at once: what waits may be of an
        // epoch that began after this answer.
        let mut unclear = self.buffer.has_other_than(&[&read.epoch]);
        let mut until = match read.entries.last() {
            Some(last) if read.cut => last.seq,
            _ => read.seq,
        };
        let mut new_epoch = false;
        match &self.position {
            None => {
                self.position = Some((Arc::clone(&read.epoch), read.seq));
                self.tell(PositionKind::Start, out);
            }
            Some((epoch, _)) if *epoch == read.epoch => {
                if self.untold {
                    self.tell(PositionKind::Resumed, out);
                }
            }
            Some((epoch, _)) => {
                unclear = self.buffer.has_other_than(&[&read.epoch, epoch]);
                until = 0;
                new_epoch = true;
                self.position = Some((Arc::clone(&read.epoch), 0));
                self.tell(PositionKind::NewEpoch, out);
            }
        }
        let newest = read.seq;
        let lost = self.replay(read, until, node, out);
        self.stage = Stage::Live;
        if unclear || self.at() < newest || !self.buffer.is_empty() {
            self.read_again();
        }
        Repaired { lost, new_epoch }
    }

    fn tell(&mut self, kind: PositionKind, out: &mut VecDeque<Output>) {
        self.untold = false;
        if let Some((epoch, seq)) = &self.position {
            out.push_back(Output::Position {
                room: Arc::clone(&self.name),
                epoch: Arc::clone(epoch),
                seq: *seq,
                kind,
            });
        }
    }

    /// Delivers what was read and what has arrived, in the order of the numbers. Up to `until`, what is
    /// not there is lost; returns how many numbers are.
    fn replay(
        &mut self,
        read: Read,
        until: u64,
        node: &Arc<str>,
        out: &mut VecDeque<Output>,
    ) -> u64 {
        let mut found = self.buffer.take(&read.epoch);
        found.extend(read.entries.into_iter().map(|entry| (entry.seq, entry)));
        let later = found.split_off(&(until + 1));
        let mut lost = 0;
        for (seq, entry) in found {
            lost += self.skip_to(seq - 1, out);
            if self.at() + 1 == seq {
                self.take(entry, node, out);
            }
        }
        lost += self.skip_to(until, out);
        for (seq, entry) in later {
            if self.at() + 1 == seq {
                self.take(entry, node, out);
            } else {
                self.buffer.push(&read.epoch, entry);
            }
        }
        lost
    }

    /// The number up to which the members are.
    fn at(&self) -> u64 {
        self.position.as_ref().map_or(0, |(_, seq)| *seq)
    }

    /// Gives up the numbers up to this one.
    fn skip_to(&mut self, to: u64, out: &mut VecDeque<Output>) -> u64 {
        let Some((_, seq)) = &mut self.position else {
            return 0;
        };
        let from = *seq + 1;
        if to < from {
            return 0;
        }
        *seq = to;
        out.push_back(Output::Skip {
            room: Arc::clone(&self.name),
            from,
            to,
            lost: true,
        });
        to + 1 - from
    }

    /// Delivers the message whose turn it is.
    fn take(&mut self, entry: Entry, node: &Arc<str>, out: &mut VecDeque<Output>) {
        if let Some((_, seq)) = &mut self.position {
            *seq = entry.seq;
        }
        let ticket = if entry.node == *node {
            self.outbox.came_round(entry.own)
        } else {
            None
        };
        let room = Arc::clone(&self.name);
        let seen = self.seen.entry(Arc::clone(&entry.node)).or_insert(0);
        if entry.own <= *seen {
            out.push_back(Output::Skip {
                room,
                from: entry.seq,
                to: entry.seq,
                lost: false,
            });
            if let (Some(ticket), Some((epoch, seq))) = (ticket, &self.position) {
                let fate = Fate::Numbered(Arc::clone(epoch), *seq);
                out.push_back(Output::Published { ticket, fate });
            }
            return;
        }
        *seen = entry.own;
        out.push_back(Output::Deliver {
            room,
            seq: entry.seq,
            node: entry.node,
            body: entry.body,
            ticket,
        });
    }

    /// Says what is inconsistent about it, if anything.
    pub(super) fn audit(&self) -> Result<(), String> {
        let name = &self.name;
        if self.stage == Stage::Live && (self.position.is_none() || !self.buffer.is_empty()) {
            return Err(format!("room {name} is live at {:?}", self.position));
        }
        if self.stage == Stage::Syncing && !self.needs_sync {
            return Err(format!(
                "room {name} reads its log, but does not ask for it"
            ));
        }
        Ok(())
    }
}
