//! Messages of ours: those that wait, and those without an answer.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::channels::Entry;
use super::{Action, Config, Event, Failure, Machine, Phase};
use crate::Time;
use crate::protocol::Content;

#[derive(Debug)]
pub(super) struct Messages {
    held: VecDeque<Item>,
    /// Of all that are held.
    bytes: usize,
    age: Duration,
    /// Without an answer on this connection, by id.
    pub(super) requests: BTreeMap<u64, Request>,
    /// How many requests were sent so far.
    pub(super) turns: u64,
}

/// A `subscribe`, `message` or `direct`.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) channel: Option<Arc<str>>,
    /// How many were sent before it. A message that waited has a smaller id than others sent before it.
    pub(super) turn: u64,
    /// Its end was told, as one of those before this turn was not read. Should there be an answer after
    /// all, its number counts, and it was another.
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
            requests: BTreeMap::new(),
            turns: 0,
        }
    }

    /// A request is sent.
    pub(super) fn ask(&mut self, id: u64, channel: Option<Arc<str>>) {
        let request = Request {
            channel,
            turn: self.turns,
            over: None,
        };
        self.turns += 1;
        self.requests.insert(id, request);
    }

    /// When the oldest that waits is too old.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        Some(self.held.front()?.at + self.age)
    }

    pub(super) fn unanswered(&self) -> usize {
        self.held.len() + self.requests.len()
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
        self.messages.ask(id, channel);
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
        if self.messages.next_deadline().is_some_and(|at| at <= now) {
            self.drop_held(|item| item.at + age <= now, &Failure::Expired);
        }
    }

    pub(super) fn cancel(&mut self, id: u64) {
        self.drop_held(|item| item.id == id, &Failure::Aborted);
    }

    /// The connection has ended: what is without an answer will have none.
    pub(super) fn fail_unconfirmed(&mut self) {
        let requests = std::mem::take(&mut self.messages.requests);
        let mut requests: Vec<_> = requests.into_iter().collect();
        requests.sort_unstable_by_key(|(_, request)| request.turn);
        for (id, request) in requests {
            let name = request.channel.as_deref();
            let channel = name.and_then(|name| self.channels.get(name));
            let subscribes = channel.is_some_and(|it| it.entry == Entry::Asked(id));
            if request.over.is_none() && !subscribes {
                self.fail(id, Failure::Unconfirmed);
            }
        }
    }
}
