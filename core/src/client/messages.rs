//! Outgoing messages: the queue, and requests awaiting an answer.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::channels::{Channel, Entry};
use super::config::{LATE, PROBE, STALL};
use super::{Action, Config, Event, Failure, Machine, Notice, Phase};
use crate::Time;
use crate::protocol::Content;

#[derive(Debug)]
pub(super) struct Messages {
    held: VecDeque<Item>,
    /// The size of all queued messages.
    bytes: usize,
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
}

/// A message.
#[derive(Debug)]
pub(super) struct Item {
    id: u64,
    channel: Option<Arc<str>>,
    /// The text without the id and the closing brace.
    text: String,
    bytes: usize,
    /// Whether it stays queued when the connection ends.
    pub(super) queue: bool,
    at: Time,
}

impl Item {
    pub(super) fn is_for(&self, channel: &str) -> bool {
        self.channel.as_deref() == Some(channel)
    }
}

impl Messages {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            held: VecDeque::new(),
            bytes: 0,
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
    pub(super) fn ask(&mut self, id: u64, channel: Option<Arc<str>>, now: Time) {
        let request = Request {
            channel,
            turn: self.turns,
            sent: now,
            told: false,
            over: None,
        };
        self.waiting.insert(self.turns, id);
        self.turns += 1;
        self.requests.insert(id, request);
    }

    pub(super) fn request(&self, id: u64) -> Option<&Request> {
        self.requests.get(&id)
    }

    /// Removes a request that is answered or will not be.
    pub(super) fn answered(&mut self, id: u64) -> Option<Request> {
        let request = self.requests.remove(&id)?;
        self.waiting.remove(&request.turn);
        self.told.remove(&request.turn);
        Some(request)
    }

    /// Marks the outcome of a request as reported.
    fn tell(&mut self, id: u64) -> Option<&mut Request> {
        let request = self.requests.get_mut(&id)?;
        request.told = true;
        self.waiting.remove(&request.turn);
        self.told.insert(request.turn, id);
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
        let held = self.held.front().map(|item| item.at + self.age);
        held.into_iter().chain(self.answer_by()).min()
    }

    pub(super) fn unanswered(&self) -> usize {
        self.held.len() + self.waiting.len()
    }

    fn take_held(&mut self, which: impl Fn(&Item) -> bool) -> Vec<Item> {
        let (taken, left) = self.held.drain(..).partition(which);
        self.held = left;
        let taken: Vec<Item> = VecDeque::into(taken);
        self.bytes -= taken.iter().map(|item| item.bytes).sum::<usize>();
        taken
    }

    fn pop(&mut self) -> Option<Item> {
        let item = self.held.pop_front()?;
        self.bytes -= item.bytes;
        Some(item)
    }
}

impl Event<'_> {
    /// Creates a `Publish` with the computed size.
    pub fn publish<'a>(channel: &'a str, content: Content<'a>) -> Event<'a> {
        let name = Value::from(channel).to_string();
        Event::Publish {
            channel,
            content,
            bytes: name.len() + content.as_json().len() + ENVELOPE,
            echo: None,
            queue: None,
        }
    }

    /// Creates a `Direct` with the computed size.
    pub fn direct<'a>(to: &'a str, content: Content<'a>) -> Event<'a> {
        let name = Value::from(to).to_string();
        Event::Direct {
            to,
            content,
            bytes: name.len() + content.as_json().len() + ENVELOPE,
            queue: None,
        }
    }
}

/// The size of a message without its content and its channel.
const ENVELOPE: usize =
    r#"{"type":"message","channel":,"content":,"echo":false,"id":9007199254740991}"#.len();

impl Machine {
    /// Handles a `Publish` or a `Direct`.
    pub(super) fn post(&mut self, event: Event<'_>) {
        let (channel, text, bytes, queue) = match event {
            Event::Publish {
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
                (Some(channel), text, bytes, queue)
            }
            Event::Direct {
                to,
                content,
                bytes,
                queue,
            } => {
                let (to, content) = (Value::from(to), content.as_json());
                let text = format!(r#"{{"type":"direct","to":{to},"content":{content}"#);
                (None, text, bytes, queue)
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
            at: self.now,
        };
        match self.phase {
            Phase::Ready(_) if pending => self.hold(item),
            Phase::Ready(_) => self.transmit(item),
            Phase::Stopped => self.fail(id, Failure::Stopped),
            _ if item.queue => self.hold(item),
            _ => self.fail(id, Failure::NotConnected),
        }
    }

    fn hold(&mut self, item: Item) {
        let Config { count, bytes, .. } = self.config;
        if item.bytes > bytes || count == 0 {
            return self.fail(item.id, Failure::QueueFull);
        }
        self.messages.bytes += item.bytes;
        self.messages.held.push_back(item);
        while self.messages.held.len() > count || self.messages.bytes > bytes {
            let Some(oldest) = self.messages.pop() else {
                return;
            };
            self.fail(oldest.id, Failure::QueueFull);
        }
    }

    fn transmit(&mut self, item: Item) {
        let Phase::Ready(ready) = &self.phase else {
            return;
        };
        let Item {
            id,
            channel,
            mut text,
            bytes,
            ..
        } = item;
        if bytes as u64 > ready.max_bytes {
            return self.fail(id, Failure::TooLarge);
        }
        let _ = write!(text, r#","id":{id}}}"#);
        self.messages.ask(id, channel, self.now);
        self.act(Action::Send(text));
    }

    /// Sends the matching queued messages, oldest first.
    pub(super) fn send_held(&mut self, which: impl Fn(&Item) -> bool) {
        for item in self.messages.take_held(which) {
            self.transmit(item);
        }
    }

    /// Sends queued messages that need no subscribed channel.
    pub(super) fn send_free(&mut self) {
        let channels = &self.channels;
        let free = |item: &Item| {
            let channel = item.channel.as_deref();
            channel.is_none_or(|name| channels.get(name).is_none())
        };
        for item in self.messages.take_held(free) {
            self.transmit(item);
        }
    }

    /// Fails the matching queued messages.
    pub(super) fn drop_held(&mut self, which: impl Fn(&Item) -> bool, failure: &Failure) {
        for item in self.messages.take_held(which) {
            self.fail(item.id, failure.clone());
        }
    }

    pub(super) fn drop_expired(&mut self) {
        let (now, age) = (self.now, self.messages.age);
        let oldest = self.messages.held.front();
        if oldest.is_some_and(|item| item.at + age <= now) {
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
                    self.notify(Notice::Unanswered { channel });
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

    /// Fails the unanswered requests of an ended connection.
    pub(super) fn fail_unconfirmed(&mut self) {
        let waiting = std::mem::take(&mut self.messages.waiting);
        for id in waiting.into_values() {
            if self.entry_of(id).is_none() {
                self.fail(id, Failure::Unconfirmed);
            }
        }
        self.messages.requests.clear();
        self.messages.told.clear();
    }
}
