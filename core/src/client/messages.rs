//! Outgoing messages: the queue, and requests awaiting an answer.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::channels::{Channel, Entry};
use super::config::{LATE, PROBE, STALL};
use super::queue::{Item, Queue};
use super::size::AGAIN;
use super::{Failure, Input, Machine, MachineConfig, Output, Phase, Report};
use crate::Time;

#[derive(Debug)]
pub(super) struct Messages {
    /// Those that wait, and those of earlier connections whose outcome is unknown.
    held: Queue,
    /// The latest ones without an answer that may be sent again, within the same limits.
    flight: Queue,
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

/// A `subscribe`, `message` or `direct`.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) channel: Option<Arc<str>>,
    /// The number of requests sent before it. Ids are not in this order, since queued messages are
    /// sent later.
    turn: u64,
    sent: Time,
    /// Whether its outcome was reported. Of a later answer only the number counts.
    pub(super) told: bool,
    /// Set if it was taken for the unread request among those before this turn. If it is answered
    /// after all, the unread one was another.
    pub(super) over: Option<u64>,
    /// Whether the server sends the message back.
    pub(super) echo: bool,
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
    fn tell(&mut self, id: u64) -> Option<&mut Request> {
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

    fn answer_by(&self) -> Option<Time> {
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

impl Machine {
    /// Handles a `Publish` or a `Direct`.
    pub(super) fn post(&mut self, event: Input<'_>) {
        let (channel, text, bytes, echo, queue) = match event {
            Input::Publish {
                channel,
                content,
                bytes,
                echo,
                queue,
            } => {
                let (name, content) = (Value::from(channel), content.as_json());
                let mut text =
                    format!(r#"{{"type":"message","channel":{name},"content":{content}"#);
                if let Some(echo) = echo {
                    let _ = write!(text, r#","echo":{echo}"#);
                }
                (Some(channel), text, bytes, echo == Some(true), queue)
            }
            Input::Direct {
                to,
                content,
                bytes,
                queue,
            } => {
                let (to, content) = (Value::from(to), content.as_json());
                let text = format!(r#"{{"type":"direct","to":{to},"content":{content}"#);
                (None, text, bytes, false, queue)
            }
            _ => return,
        };
        let id = self.take_id();
        let known = channel.and_then(|name| self.channels.get(name));
        let pending = known.is_some_and(|it| !it.active && it.entry != Entry::Refused);
        let item = Item {
            id,
            channel: channel.map(|name| known.map_or_else(|| name.into(), |it| it.name.clone())),
            text,
            bytes,
            queue: queue.unwrap_or(self.config.queue),
            echo,
            at: self.now,
            since: None,
        };
        match self.phase {
            Phase::Ready(_) if pending => self.hold(item),
            Phase::Ready(_) => self.transmit(item),
            Phase::Stopped => self.fail(id, Failure::Stopped),
            _ if item.queue => self.hold(item),
            _ => self.fail(id, Failure::NotConnected),
        }
    }

    pub(super) fn hold(&mut self, item: Item) {
        for item in self.messages.held.add(item) {
            self.drop_item(&item, Failure::QueueFull);
        }
    }

    fn transmit(&mut self, mut item: Item) {
        let Phase::Ready(ready) = &self.phase else {
            return;
        };
        let again = item.since.as_ref().map(|&(_, seq)| seq);
        let more = again.map_or(0, |_| AGAIN);
        if (item.bytes + more) as u64 > ready.max_bytes {
            return self.drop_item(&item, Failure::TooLarge);
        }
        let request = Request {
            echo: item.echo,
            again: again.is_some(),
            ..Request::new(item.channel.clone(), self.now)
        };
        self.messages.ask(item.id, request);
        let channel = item.channel.as_deref();
        let channel = channel.and_then(|name| self.channels.get(name));
        let place = channel.filter(|it| it.active && item.queue);
        if item.since.is_none() {
            let since = place.and_then(|it| it.place.position());
            item.since = since.map(|it| (it.epoch.into_owned(), it.seq));
        }
        let kept = place.is_some() && item.since.is_some();
        let mut text = if kept {
            item.text.clone()
        } else {
            std::mem::take(&mut item.text)
        };
        if let Some(again) = again {
            let _ = write!(text, r#","again":{again}"#);
        }
        let _ = write!(text, r#","id":{}}}"#, item.id);
        self.act(Output::Send(text));
        if kept {
            // Those that exceed the limits cannot be sent again.
            self.messages.flight.add(item);
        }
    }

    /// Sends the matching queued messages, oldest first.
    pub(super) fn send_held(&mut self, which: impl Fn(&Item) -> bool) {
        for item in self.messages.held.take(which) {
            self.transmit(item);
        }
    }

    /// Fails the messages to a channel that were sent on an earlier connection, unless the server
    /// can tell in this epoch whether it has them.
    pub(super) fn drop_unknown(&mut self, name: &str, epoch: Option<&str>) {
        let unknown = |item: &Item| {
            let since = item.since.as_ref().filter(|_| item.is_for(name));
            since.is_some_and(|(sent_in, _)| Some(&**sent_in) != epoch)
        };
        self.drop_held(unknown, &Failure::Unconfirmed);
    }

    /// Sends queued messages that need no subscribed channel.
    pub(super) fn send_free(&mut self) {
        let channels = &self.channels;
        let free = |item: &Item| {
            let channel = item.channel.as_deref();
            channel.is_none_or(|name| channels.get(name).is_none())
        };
        for item in self.messages.held.take(free) {
            self.transmit(item);
        }
    }

    /// Fails the matching queued messages.
    pub(super) fn drop_held(&mut self, which: impl Fn(&Item) -> bool, failure: &Failure) {
        for item in self.messages.held.take(which) {
            self.drop_item(&item, failure.clone());
        }
    }

    /// Fails a message that waits. If it was sent before, its outcome is unknown.
    fn drop_item(&mut self, item: &Item, failure: Failure) {
        let unknown = item.since.as_ref().map(|_| Failure::Unconfirmed);
        self.fail(item.id, unknown.unwrap_or(failure));
    }

    /// Fails a message because of an error. If it was sent on an earlier connection too, only
    /// `forbidden` tells that it never arrived.
    pub(super) fn refuse(&mut self, id: u64, again: bool, failure: Failure) {
        let unknown = again && failure.code() != "forbidden";
        self.fail(
            id,
            if unknown {
                Failure::Unconfirmed
            } else {
                failure
            },
        );
    }

    pub(super) fn drop_expired(&mut self) {
        let (now, age) = (self.now, self.messages.age);
        let oldest = self.messages.held.oldest();
        if oldest.is_some_and(|at| at + age <= now) {
            self.drop_held(|item| item.at + age <= now, &Failure::Expired);
        }
    }

    /// Returns the channel that awaits the answer to this `subscribe`, if it is one.
    pub(super) fn entry_of(&self, id: u64) -> Option<&Channel> {
        let name = self.messages.request(id)?.channel.as_deref()?;
        let channel = self.channels.get(name)?;
        (channel.entry == Entry::Asked(id)).then_some(channel)
    }

    /// Reports the requests that were not answered in time.
    pub(super) fn drop_unanswered(&mut self) {
        let now = self.now;
        while let Some(by) = self.messages.answer_by().filter(|&by| by <= now) {
            if now.since(by) > STALL {
                // The client was stalled, so the answer may have arrived without being read yet.
                self.messages.grace = now + PROBE;
                return;
            }
            let Some((_, &id)) = self.messages.waiting.first_key_value() else {
                return;
            };
            self.messages.tell(id);
            match self.entry_of(id) {
                Some(channel) => {
                    let channel = channel.name.clone();
                    self.notify(Report::Unanswered { channel });
                }
                None => self.fail(id, Failure::TimedOut),
            }
        }
        self.forget_late();
    }

    /// Bounds the memory for requests that are never answered.
    pub(super) fn forget_late(&mut self) {
        while self.messages.told.len() > LATE {
            let mut told = self.messages.told.values();
            // Pending subscriptions are kept; their number is bounded by that of the channels.
            let Some(&id) = told.find(|&&id| self.entry_of(id).is_none()) else {
                return;
            };
            self.messages.answered(id);
        }
    }

    pub(super) fn cancel(&mut self, id: u64) {
        self.drop_held(|item| item.id == id, &Failure::Aborted);
    }

    /// Fails the unanswered requests of an ended connection. Returns those that may be sent again.
    pub(super) fn end_requests(&mut self) -> Vec<Item> {
        let flight = self.messages.flight.take(|_| true).into_iter();
        let subscribed = |item: &Item| {
            let name = item.channel.as_deref();
            name.is_some_and(|name| self.channels.get(name).is_some())
        };
        let kept: BTreeMap<u64, Item> = flight
            .filter(subscribed)
            .map(|item| (item.id, item))
            .collect();
        let waiting = std::mem::take(&mut self.messages.waiting);
        for id in waiting.into_values() {
            if self.entry_of(id).is_none() && !kept.contains_key(&id) {
                self.fail(id, Failure::Unconfirmed);
            }
        }
        self.messages.requests.clear();
        self.messages.told.clear();
        kept.into_values().collect()
    }
}
