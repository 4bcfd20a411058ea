//! Seats of a room that count over all nodes.
//!
//! The node reports how many seats it uses, as an absolute number, and the broker answers how many are
//! granted. Repeats therefore have no effect, and numbers that the broker lost are reported again.

use std::collections::VecDeque;

use crate::Time;
use crate::cluster::machine::output::SeatTicket;

/// The seats of a room that this node uses, and the clients that wait for one.
#[derive(Debug, Default)]
pub(in crate::cluster) struct Seats {
    /// Seats over all nodes.
    total: u32,
    held: u32,
    waiting: VecDeque<Waiting>,
    /// How many the broker counts for this node, as far as known.
    granted: u32,
    /// The broker's number has to be set or confirmed.
    is_dirty: bool,
    /// A question is on its way, which includes those who wait up to this one.
    asked: Option<SeatTicket>,
    /// When the number has to be confirmed, so that the seats do not become free.
    confirm: Option<Time>,
    /// When something is due: one of these, or that somebody has waited for long enough.
    pub(in crate::cluster) due: Option<Time>,
}

#[derive(Debug)]
struct Waiting {
    ticket: SeatTicket,
    until: Time,
}

/// How many seats are held, and how many are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cluster) struct Wanted {
    pub(in crate::cluster) held: u32,
    pub(in crate::cluster) most: u32,
    pub(in crate::cluster) total: u32,
}

/// Whether somebody gets a seat.
pub(in crate::cluster) type Decision = (SeatTicket, bool);

impl Seats {
    /// Somebody wants a seat, and waits for it.
    pub(in crate::cluster) fn take(&mut self, ticket: SeatTicket, total: u32, until: Time) {
        self.total = total;
        self.waiting.push_back(Waiting { ticket, until });
    }

    /// A seat is free again.
    pub(in crate::cluster) fn give(&mut self) {
        self.held = self.held.saturating_sub(1);
        self.is_dirty = true;
    }

    pub(in crate::cluster) fn is_done(&self) -> bool {
        self.held == 0 && self.waiting.is_empty() && !self.is_dirty && self.asked.is_none()
    }

    pub(in crate::cluster) fn has_something_to_ask(&self) -> bool {
        self.asked.is_none() && (self.is_dirty || !self.waiting.is_empty())
    }

    /// Returns what is to be asked now, and notes that it is on its way.
    pub(in crate::cluster) fn ask(&mut self) -> Option<Wanted> {
        if !self.has_something_to_ask() {
            return None;
        }
        self.is_dirty = false;
        let last = self.waiting.back().map(|it| it.ticket);
        self.asked = Some(last.unwrap_or(SeatTicket(0)));
        Some(Wanted {
            held: self.held,
            most: self.held.saturating_add(self.waiting.len() as u32),
            total: self.total,
        })
    }

    /// The broker counts so many seats for this node; the number has to be confirmed then.
    pub(in crate::cluster) fn answered(&mut self, granted: u32, confirm: Time) -> Vec<Decision> {
        self.granted = granted;
        self.confirm = Some(confirm);
        let last = self.asked.take();
        let mut decisions = Vec::new();
        while self
            .waiting
            .front()
            .is_some_and(|it| Some(it.ticket) <= last)
            && let Some(Waiting { ticket, .. }) = self.waiting.pop_front()
        {
            let is_free = self.held < granted;
            self.held += u32::from(is_free);
            decisions.push((ticket, is_free));
        }
        self.is_dirty |= self.held != granted;
        decisions
    }

    /// What is due: who has waited for long enough gets a seat of this node's share.
    pub(in crate::cluster) fn is_due(&mut self, now: Time, share: u32) -> Vec<Decision> {
        if self.confirm.is_some_and(|at| at <= now) {
            self.confirm = None;
            self.is_dirty |= self.held > 0;
        }
        let mut decisions = Vec::new();
        while self.waiting.front().is_some_and(|it| it.until <= now)
            && let Some(Waiting { ticket, .. }) = self.waiting.pop_front()
        {
            let is_free = self.held < share;
            self.held += u32::from(is_free);
            self.is_dirty = true;
            decisions.push((ticket, is_free));
        }
        decisions
    }

    /// When something is due next.
    pub(in crate::cluster) fn next_due(&self) -> Option<Time> {
        let waiting = self.waiting.front().map(|it| it.until);
        waiting.into_iter().chain(self.confirm).min()
    }

    pub(in crate::cluster) fn total(&self) -> u32 {
        self.total
    }

    /// Another connection to the broker, or what was on its way may not have arrived.
    pub(in crate::cluster) fn confirm(&mut self) {
        let was_asked = self.asked.take().is_some();
        self.is_dirty |= was_asked || self.held > 0 || self.granted > 0;
    }

    /// The node has another registration, which has no seats.
    pub(in crate::cluster) fn registered_anew(&mut self) {
        self.asked = None;
        self.granted = 0;
        self.is_dirty = self.held > 0;
    }
}
