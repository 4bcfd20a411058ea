//! Messages that wait, and requests that await an answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::config::MachineConfig;
use super::queue::{Item, Queue};
use crate::Time;

#[derive(Debug)]
pub(super) struct Messages {
    /// Those that wait, and those of earlier connections whose outcome is unknown.
    pub(super) held: Queue,
    /// The latest ones without an answer that may be sent again, within the same limits.
    pub(super) flight: Queue,
    age: Duration,
    /// The timeout for an answer.
    timeout: Duration,
    /// No answer counts as late before this time, after a stall of the client.
    grace: Time,
    /// The unanswered requests of this connection, by id.
    requests: BTreeMap<u64, Request>,
    /// The ids of those whose outcome was not reported yet, by turn.
    waiting: BTreeMap<u64, u64>,
    /// The ids of those whose outcome was reported, by turn.
    told: BTreeMap<u64, u64>,
    /// The number of requests sent so far.
    pub(super) turns: u64,
}

/// A `subscribe`, `message`, `direct` or `call`.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) channel: Option<Arc<str>>,
    /// The number of requests sent before it. Ids are not in this order, since queued messages are
    /// sent later.
    turn: u64,
    sent: Time,
    /// Whether its outcome was reported. Only the number of a later answer counts.
    pub(super) told: bool,
    /// Set if it was taken for the unread request among those before this turn. If it is answered
    /// after all, the unread one was another.
    pub(super) over: Option<u64>,
    /// Whether the server sends the message back.
    pub(super) echo: bool,
    /// Whether it is a call, whose answer is a `result`.
    pub(super) call: bool,
    /// Whether it was sent on an earlier connection too, where its outcome is unknown.
    pub(super) again: bool,
}

impl Request {
    pub(super) fn new(channel: Option<Arc<str>>, sent: Time) -> Self {
        Self {
            channel,
            turn: 0,
            sent,
            told: false,
            over: None,
            echo: false,
            call: false,
            again: false,
        }
    }
}

impl Messages {
    pub(super) fn new(config: &MachineConfig) -> Self {
        Self {
            held: Queue::new(config.count, config.bytes),
            flight: Queue::new(config.count, config.bytes),
            age: config.age,
            timeout: config.request,
            grace: Time::ZERO,
            requests: BTreeMap::new(),
            waiting: BTreeMap::new(),
            told: BTreeMap::new(),
            turns: 0,
        }
    }

    /// Records a request that is being sent.
    pub(super) fn ask(&mut self, id: u64, request: Request) {
        let turn = self.turns;
        self.turns += 1;
        self.waiting.insert(turn, id);
        self.requests.insert(id, Request { turn, ..request });
    }

    pub(super) fn request(&self, id: u64) -> Option<&Request> {
        self.requests.get(&id)
    }

    /// Removes a request that is answered or will not be.
    pub(super) fn answered(&mut self, id: u64) -> Option<Request> {
        let request = self.requests.remove(&id)?;
        self.waiting.remove(&request.turn);
        self.told.remove(&request.turn);
        self.flight.remove(id);
        Some(request)
    }

    /// Marks the outcome of a request as reported.
    pub(super) fn tell(&mut self, id: u64) -> Option<&mut Request> {
        let request = self.requests.get_mut(&id)?;
        request.told = true;
        self.waiting.remove(&request.turn);
        self.told.insert(request.turn, id);
        self.flight.remove(id);
        Some(request)
    }

    /// Returns the oldest unanswered request before this turn that was not already taken for an
    /// unread one. Requests that timed out are older than all others.
    pub(super) fn oldest(&self, before: u64) -> Option<u64> {
        let all = self.told.iter().chain(&self.waiting);
        let mut earlier = all.take_while(|(turn, _)| **turn < before);
        let oldest = earlier.find(|(_, id)| self.requests[id].over.is_none())?;
        Some(*oldest.1)
    }

    /// Takes a request for the unread one. Returns it, and whether its outcome was reported before.
    pub(super) fn was_not_read(&mut self, id: u64, before: u64) -> Option<(&Request, bool)> {
        let told = self.requests.get(&id)?.told;
        let request = self.tell(id)?;
        request.over = Some(before);
        Some((request, told))
    }

    /// Returns the oldest request whose outcome was not reported yet.
    pub(super) fn oldest_waiting(&self) -> Option<u64> {
        self.waiting.first_key_value().map(|(_, &id)| id)
    }

    /// Returns the requests whose outcome was reported, the oldest first.
    pub(super) fn reported(&self) -> impl ExactSizeIterator<Item = u64> {
        self.told.values().copied()
    }

    /// Takes the requests whose outcome was not reported yet, the oldest first.
    pub(super) fn take_waiting(&mut self) -> impl Iterator<Item = u64> + use<> {
        std::mem::take(&mut self.waiting).into_values()
    }

    /// Forgets the requests of an ended connection.
    pub(super) fn forget_requests(&mut self) {
        self.requests.clear();
        self.told.clear();
    }

    /// Takes the queued messages that have waited for too long.
    pub(super) fn take_expired(&mut self, now: Time) -> Vec<Item> {
        let age = self.age;
        if self.held.oldest().is_none_or(|at| at + age > now) {
            return Vec::new();
        }
        self.held.take(|item| item.at + age <= now)
    }

    /// Counts no answer as late before this time.
    pub(super) fn grant(&mut self, until: Time) {
        self.grace = until;
    }

    /// Returns when the oldest request without an outcome is late.
    pub(super) fn answer_by(&self) -> Option<Time> {
        let (_, oldest) = self.waiting.first_key_value()?;
        let by = self.requests[oldest].sent + self.timeout;
        Some(by.max(self.grace))
    }

    /// Returns when the oldest queued message expires or an answer is late.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        let held = self.held.oldest().map(|at| at + self.age);
        held.into_iter().chain(self.answer_by()).min()
    }

    pub(super) fn unanswered(&self) -> usize {
        self.held.len() + self.waiting.len()
    }
}
