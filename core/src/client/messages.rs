//! Messages of ours: those that wait, and those without an answer.

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
    /// Of all that are held.
    bytes: usize,
    age: Duration,
    /// How long an answer may take.
    timeout: Duration,
    /// We slept: no answer is late before.
    grace: Time,
    /// Without an answer on this connection, by id.
    requests: BTreeMap<u64, Request>,
    /// The ids of those whose end was not told, by turn.
    waiting: BTreeMap<u64, u64>,
    /// The ids of the others, by turn.
    told: BTreeMap<u64, u64>,
    /// How many requests were sent so far.
    pub(super) turns: u64,
}

/// A `subscribe`, `message` or `direct`.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) channel: Option<Arc<str>>,
    /// How many were sent before it. A message that waited has a smaller id than others sent before it.
    turn: u64,
    sent: Time,
    /// Its end was told. Should there be an answer after all, its number counts, and nothing else.
    pub(super) told: bool,
    /// It passed for the one that was not read, of those before this turn. Should there be an answer
    /// after all, that was another.
    pub(super) over: Option<u64>,
}

/// A message.
#[derive(Debug)]
pub(super) struct Item {
    id: u64,
    channel: Option<Arc<str>>,
    /// Its text but for the id and the brace at the end.
    text: String,
    bytes: usize,
    /// Whether it survives the end of the connection.
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

    /// A request is sent.
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

    /// A request has an answer, or will have none.
    pub(super) fn answered(&mut self, id: u64) -> Option<Request> {
        let request = self.requests.remove(&id)?;
        self.waiting.remove(&request.turn);
        self.told.remove(&request.turn);
        Some(request)
    }

    /// The end of a request is told, whatever its answer will be.
    fn tell(&mut self, id: u64) -> Option<&mut Request> {
        let request = self.requests.get_mut(&id)?;
        request.told = true;
        self.waiting.remove(&request.turn);
        self.told.insert(request.turn, id);
        Some(request)
    }

    /// The oldest request before this turn that has no answer and did not pass for one that was not
    /// read. What has timed out is older than what has not.
    pub(super) fn oldest(&self, before: u64) -> Option<u64> {
        let all = self.told.iter().chain(&self.waiting);
        let mut earlier = all.take_while(|(turn, _)| **turn < before);
        let oldest = earlier.find(|(_, id)| self.requests[id].over.is_none())?;
        Some(*oldest.1)
    }

    /// It passes for the one that was not read. Gives it, and whether its end was told before.
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

    /// When the oldest that waits is too old, or an answer late.
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
    /// A message to a channel that is as large as it is.
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

    /// A message to a user that is as large as it is.
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

/// What a message has besides its content and its channel.
const ENVELOPE: usize =
    r#"{"type":"message","channel":,"content":,"echo":false,"id":9007199254740991}"#.len();

impl Machine {
    /// Takes a `Publish` or a `Direct`.
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

    /// Sends what waits, the oldest first.
    pub(super) fn send_held(&mut self, which: impl Fn(&Item) -> bool) {
        for item in self.messages.take_held(which) {
            self.transmit(item);
        }
    }

    /// What needs no channel, or one that is not subscribed.
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

    /// What waits is not sent after all.
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

    /// The channel that waits for the answer to this `subscribe`, if it is one.
    pub(super) fn entry_of(&self, id: u64) -> Option<&Channel> {
        let name = self.messages.request(id)?.channel.as_deref()?;
        let channel = self.channels.get(name)?;
        (channel.entry == Entry::Asked(id)).then_some(channel)
    }

    /// Tells the end of what has waited for its answer for too long.
    pub(super) fn drop_unanswered(&mut self) {
        let now = self.now;
        while let Some(by) = self.messages.answer_by().filter(|&by| by <= now) {
            if now.since(by) > STALL {
                // It was us who did not run: the answer may be here, and not be read yet.
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

    /// Whoever never answers does not fill the memory.
    pub(super) fn forget_late(&mut self) {
        while self.messages.told.len() > LATE {
            let mut told = self.messages.told.values();
            // Of what a channel waits for there are as many as there are channels.
            let Some(&id) = told.find(|&&id| self.entry_of(id).is_none()) else {
                return;
            };
            self.messages.answered(id);
        }
    }

    pub(super) fn cancel(&mut self, id: u64) {
        self.drop_held(|item| item.id == id, &Failure::Aborted);
    }

    /// The connection has ended: what is without an answer will have none.
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
