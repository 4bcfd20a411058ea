//! What a node still has to send to a room, and whose fate is not known yet.
//!
//! ```text
//! push ─▶ waiting ── hand_over ─▶ handed ── answered ─▶ applied ── came_round, settle_until ─▶ settled
//!            │                      └────── came_round ────────────────────────────────────────▲
//!            └── take_waiting: it never left this node
//! ```

use std::collections::VecDeque;
use std::sync::Arc;

use crate::cluster::answer::Appended;
use crate::cluster::machine::context::Context;
use crate::cluster::machine::output::{Fate, Output, Ticket};
use crate::cluster::room_body::RoomBody;

/// The messages of this node to one room.
#[derive(Debug)]
pub(in crate::cluster) struct Outbox {
    /// The own number of the next message that is handed over.
    next: u64,
    /// Given to a connection, in the order of their numbers, which have no hole.
    handed: VecDeque<Handed>,
    /// Not given to any connection yet.
    waiting: VecDeque<Waiting>,
    /// In the log, but not received from it yet.
    applied: VecDeque<Applied>,
    bytes: usize,
}

#[derive(Debug)]
struct Handed {
    own: u64,
    ticket: Ticket,
    body: RoomBody,
    /// It came round in the log before its answer did.
    settled: bool,
}

/// A message that no connection has been given.
#[derive(Debug)]
pub(in crate::cluster) struct Waiting {
    pub(in crate::cluster) ticket: Ticket,
    pub(in crate::cluster) body: RoomBody,
}

/// A message that is in the log.
#[derive(Debug)]
pub(in crate::cluster) struct Applied {
    own: u64,
    pub(in crate::cluster) ticket: Ticket,
    /// Its epoch and number, where the answer was not lost.
    pub(in crate::cluster) place: Option<(Arc<str>, u64)>,
}

impl Outbox {
    /// Creates an outbox whose messages get own numbers from `next` on.
    pub(in crate::cluster) fn new(next: u64) -> Self {
        Self {
            next,
            handed: VecDeque::new(),
            waiting: VecDeque::new(),
            applied: VecDeque::new(),
            bytes: 0,
        }
    }

    pub(in crate::cluster) fn next(&self) -> u64 {
        self.next
    }

    /// The own number up to which nothing is sent again.
    pub(in crate::cluster) fn done(&self) -> u64 {
        self.handed.front().map_or(self.next, |first| first.own) - 1
    }

    /// Messages that are not known to be in the log.
    pub(in crate::cluster) fn len(&self) -> usize {
        self.handed.len() + self.waiting.len()
    }

    pub(in crate::cluster) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Nothing is left to send, and nothing to settle.
    pub(in crate::cluster) fn is_done(&self) -> bool {
        self.len() == 0 && self.applied.is_empty()
    }

    pub(in crate::cluster) fn push(&mut self, ticket: Ticket, body: RoomBody) {
        self.bytes += body.len();
        self.waiting.push_back(Waiting { ticket, body });
    }

    /// Takes what has not been given to a connection: it may be delivered otherwise.
    pub(in crate::cluster) fn take_waiting(&mut self) -> impl Iterator<Item = Waiting> {
        let waiting = std::mem::take(&mut self.waiting);
        self.bytes -= waiting.iter().map(|it| it.body.len()).sum::<usize>();
        waiting.into_iter()
    }

    /// Returns the own number of the first message to send and the messages, at most so many and
    /// about so many bytes; what an earlier connection was given goes again.
    pub(in crate::cluster) fn hand_over(
        &mut self,
        most: usize,
        bytes: usize,
    ) -> Option<(u64, Vec<Arc<[u8]>>)> {
        while self.handed.len() < most
            && let Some(Waiting { ticket, body }) = self.waiting.pop_front()
        {
            self.handed.push_back(Handed {
                own: self.next,
                ticket,
                body,
                settled: false,
            });
            self.next += 1;
        }
        let first = self.handed.front()?.own;
        let (mut bodies, mut size) = (Vec::new(), 0);
        for handed in self.handed.iter().take(most) {
            size += handed.body.len();
            if !bodies.is_empty() && size > bytes {
                break;
            }
            bodies.push(Arc::clone(handed.body.bytes()));
        }
        Some((first, bodies))
    }

    /// The first messages have been dealt with in this epoch. Returns those that are not kept, and so are
    /// not in the log.
    pub(in crate::cluster) fn answered(
        &mut self,
        epoch: &Arc<str>,
        fates: &[Appended],
    ) -> Vec<Ticket> {
        let mut not_kept = Vec::new();
        for fate in fates {
            match fate {
                Appended::Numbered(number) => self.leave(Some((Arc::clone(epoch), *number))),
                Appended::Before => self.leave(None),
                Appended::NotKept => {
                    if let Some(handed) = self.handed.pop_front() {
                        self.bytes -= handed.body.len();
                        not_kept.push(handed.ticket);
                    }
                }
            }
        }
        not_kept
    }

    /// The broker has the messages up to this one.
    pub(in crate::cluster) fn known(&mut self, own: u64) {
        while self.handed.front().is_some_and(|first| first.own <= own) {
            self.leave(None);
        }
        if self.handed.is_empty() {
            self.next = self.next.max(own.saturating_add(1));
        }
    }

    /// The first message handed over is in the log.
    fn leave(&mut self, place: Option<(Arc<str>, u64)>) {
        let Some(Handed {
            own,
            ticket,
            body,
            settled,
        }) = self.handed.pop_front()
        else {
            return;
        };
        self.bytes -= body.len();
        if !settled {
            self.applied.push_back(Applied { own, ticket, place });
        }
    }

    /// A message of this node was received from the log: returns its ticket, once.
    pub(in crate::cluster) fn came_round(&mut self, own: u64) -> Option<Ticket> {
        if let Ok(at) = self.applied.binary_search_by_key(&own, |it| it.own) {
            return self.applied.remove(at).map(|it| it.ticket);
        }
        let at = self.handed.binary_search_by_key(&own, |it| it.own).ok()?;
        let handed = &mut self.handed[at];
        let first = !std::mem::replace(&mut handed.settled, true);
        first.then_some(handed.ticket)
    }

    /// Takes what will not come round any more once the log has been read up to here in this epoch.
    pub(in crate::cluster) fn settle_until(&mut self, epoch: &str, seq: u64) -> Vec<Applied> {
        self.settle(|applied| match &applied.place {
            Some((own_epoch, number)) => **own_epoch != *epoch || *number <= seq,
            None => true,
        })
    }

    /// Takes all that is in the log, where nobody reads it.
    pub(in crate::cluster) fn settle_all(&mut self) -> Vec<Applied> {
        self.settle(|_| true)
    }

    fn settle(&mut self, is_over: impl Fn(&Applied) -> bool) -> Vec<Applied> {
        if self.applied.is_empty() {
            return Vec::new();
        }
        let all = std::mem::take(&mut self.applied);
        let (over, left): (Vec<_>, Vec<_>) = all.into_iter().partition(is_over);
        self.applied = left.into();
        over
    }
}

/// Tells the fate of messages that are in the log and will not come round.
pub(super) fn settle(applied: Vec<Applied>, cx: &mut Context<'_>) {
    for Applied { ticket, place, .. } in applied {
        let fate = match place {
            Some((epoch, number)) => Fate::Numbered(epoch, number),
            None => Fate::Applied,
        };
        cx.tell(Output::Published { ticket, fate });
    }
}
