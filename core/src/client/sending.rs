//! Sends messages, or queues them, and reports those that fail.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use super::channels::{Channel, Entry};
use super::config::{LATE, PROBE, STALL};
use super::failure::Failure;
use super::input::Input;
use super::machine::Machine;
use super::messages::Request;
use super::output::{Output, Report};
use super::phase::Phase;
use super::queue::Item;

/// What a message is longer by when it is sent again.
const AGAIN: usize = r#","again":9007199254740991"#.len();

impl Machine {
    /// Handles a `Publish`, a `Direct` or a `Call`.
    pub(super) fn post(&mut self, event: Input<'_>) {
        let (channel, echo) = match event {
            Input::Publish { channel, echo, .. } => (Some(channel), echo == Some(true)),
            _ => (None, false),
        };
        let Some((text, bytes, queue)) = encode(event) else {
            return;
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
            call: matches!(event, Input::Call { .. }),
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
        let mut request = Request::new(item.channel.clone(), self.now);
        request.echo = item.echo;
        request.call = item.call;
        request.again = again.is_some();
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

    /// Fails the messages to a channel that were sent on an earlier connection, unless the server can
    /// determine in this epoch whether it has them.
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
    /// `forbidden` proves that it never arrived.
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
        for item in self.messages.take_expired(self.now) {
            self.drop_item(&item, Failure::Expired);
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
                self.messages.grant(now + PROBE);
                return;
            }
            let Some(id) = self.messages.oldest_waiting() else {
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
        while self.messages.reported().len() > LATE {
            let mut reported = self.messages.reported();
            // Pending subscriptions are kept; their number is bounded by that of the channels.
            let Some(id) = reported.find(|&id| self.entry_of(id).is_none()) else {
                return;
            };
            drop(reported);
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
        for id in self.messages.take_waiting() {
            if self.entry_of(id).is_none() && !kept.contains_key(&id) {
                self.fail(id, Failure::Unconfirmed);
            }
        }
        self.messages.forget_requests();
        kept.into_values().collect()
    }
}

/// Encodes a request without its id and the closing brace. Returns its size and whether it may wait, too.
fn encode(event: Input<'_>) -> Option<(String, usize, Option<bool>)> {
    match event {
        Input::Publish {
            channel,
            content,
            bytes,
            echo,
            volatile,
            key,
            queue,
        } => {
            let (name, content) = (Value::from(channel), content.as_json());
            let mut text = format!(r#"{{"type":"message","channel":{name},"content":{content}"#);
            if let Some(echo) = echo {
                let _ = write!(text, r#","echo":{echo}"#);
            }
            if let Some(key) = key {
                let _ = write!(text, r#","key":{}"#, Value::from(key));
            }
            if volatile {
                text.push_str(r#","volatile":true"#);
            }
            Some((text, bytes, if volatile { Some(false) } else { queue }))
        }
        Input::Direct {
            to,
            content,
            bytes,
            queue,
        } => {
            let (to, content) = (Value::from(to), content.as_json());
            let text = format!(r#"{{"type":"direct","to":{to},"content":{content}"#);
            Some((text, bytes, queue))
        }
        Input::Call {
            method,
            params,
            bytes,
            queue,
        } => {
            let (method, params) = (Value::from(method), params.as_json());
            let text = format!(r#"{{"type":"call","method":{method},"params":{params}"#);
            Some((text, bytes, queue))
        }
        _ => None,
    }
}
