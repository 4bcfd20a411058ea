//! The subscribed channels, which are joined again on every connection.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::config::LOBBIES;
use super::{Action, Failure, Gap, Machine, Notice, Phase};

/// The subscribed channels, in the order of subscribing.
#[derive(Debug, Default)]
pub(super) struct Channels {
    places: BTreeMap<Arc<str>, u64>,
    by_place: BTreeMap<u64, Channel>,
    next_place: u64,
    /// Channels joined on this connection without a `subscribe`: by the URL, or by the server's
    /// application.
    lobbies: BTreeMap<Box<str>, Lobby>,
}

/// The position in a channel that was not subscribed.
#[derive(Debug)]
struct Lobby {
    epoch: Box<str>,
    last: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Channel {
    pub(super) name: Arc<str>,
    pub(super) entry: Entry,
    pub(super) active: bool,
    /// The latest known epoch; empty if none.
    pub(super) epoch: String,
    /// The highest known number.
    pub(super) last: Option<u64>,
}

/// The state of a channel's `subscribe` on this connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// Not sent yet, or rate-limited by the server.
    Unasked,
    /// Sent with this id.
    Asked(u64),
    /// Refused, or removed by the server's application. Only the next
    /// [`Event::Subscribe`](super::Event::Subscribe) sends it again.
    Refused,
}

impl Channels {
    pub(super) fn get(&self, name: &str) -> Option<&Channel> {
        self.by_place.get(self.places.get(name)?)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Channel> {
        self.by_place.get_mut(self.places.get(name)?)
    }

    fn insert(&mut self, name: &str) {
        if self.places.contains_key(name) {
            return;
        }
        let name: Arc<str> = name.into();
        self.places.insert(name.clone(), self.next_place);
        let channel = Channel {
            name,
            entry: Entry::Unasked,
            active: false,
            epoch: String::new(),
            last: None,
        };
        self.by_place.insert(self.next_place, channel);
        self.next_place += 1;
    }

    fn remove(&mut self, name: &str) -> Option<Channel> {
        let place = self.places.remove(name)?;
        self.by_place.remove(&place)
    }

    /// Records that the connection is in a channel that was not subscribed.
    pub(super) fn remember_lobby(&mut self, name: &str, epoch: &str, seq: Option<u64>) {
        if self.lobbies.len() < LOBBIES || self.lobbies.contains_key(name) {
            let lobby = Lobby {
                epoch: epoch.into(),
                last: seq,
            };
            self.lobbies.insert(name.into(), lobby);
        }
    }

    /// Forgets a lobby; returns whether there was one.
    pub(super) fn forget_lobby(&mut self, name: &str) -> bool {
        self.lobbies.remove(name).is_some()
    }

    /// What was true of the connection is true no more.
    pub(super) fn forget_connection(&mut self) {
        self.lobbies.clear();
        for channel in self.by_place.values_mut() {
            channel.active = false;
            channel.entry = Entry::Unasked;
        }
    }
}

impl Machine {
    pub(super) fn subscribe(&mut self, name: &str) {
        self.channels.insert(name);
        // Subscribing again retries after a refusal.
        if let Some(channel) = self.channels.get_mut(name)
            && channel.entry == Entry::Refused
        {
            channel.entry = Entry::Unasked;
        }
        if matches!(self.phase, Phase::Ready(_)) {
            self.enter_channels();
        }
    }

    pub(super) fn unsubscribe(&mut self, name: &str) {
        let mut is_in = self.channels.forget_lobby(name);
        if let Some(channel) = self.channels.remove(name) {
            is_in |= channel.active;
            if let Entry::Asked(id) = channel.entry {
                self.messages.answered(id);
                is_in = true;
            }
            self.drop_held(|item| item.is_for(name), &Failure::Unsubscribed);
        }
        if matches!(self.phase, Phase::Ready(_)) && is_in {
            let id = self.take_id();
            self.act(Action::Send(about("unsubscribe", name, id)));
        }
    }

    /// Sends `subscribe` for all channels for which it is outstanding on this connection.
    pub(super) fn enter_channels(&mut self) {
        for channel in self.channels.by_place.values_mut() {
            if channel.active || channel.entry != Entry::Unasked {
                continue;
            }
            let id = self.next_id;
            self.next_id += 1;
            channel.entry = Entry::Asked(id);
            self.messages.ask(id, Some(channel.name.clone()), self.now);
            let text = about("subscribe", &channel.name, id);
            self.actions.push_back(Action::Send(text));
        }
    }

    /// Activates a channel that the connection was already in, from its known position.
    pub(super) fn entered_before(&mut self, name: &Arc<str>) {
        let channel = name.clone();
        self.notify(Notice::Entered { channel });
        if let Some(Lobby { epoch, last }) = self.channels.lobbies.remove(&**name) {
            return self.entered(name, &epoch, last);
        }
        if let Some(channel) = self.channels.get_mut(name) {
            channel.active = true;
            channel.epoch.clear();
            channel.last = None;
        }
        self.send_held(|item| item.is_for(name));
    }

    /// Activates a channel and sends the messages that waited for it.
    pub(super) fn entered(&mut self, name: &str, epoch: &str, seq: Option<u64>) {
        self.channels.forget_lobby(name);
        let Some(channel) = self.channels.get_mut(name).filter(|it| !it.active) else {
            return;
        };
        channel.active = true;
        let before = std::mem::replace(&mut channel.epoch, epoch.to_owned());
        let last = std::mem::replace(&mut channel.last, seq);
        let channel = channel.name.clone();
        if before.is_empty() {
        } else if before != epoch {
            self.notify(Notice::Epoch {
                channel,
                from: before,
                to: epoch.to_owned(),
            });
        } else if let (Some(last), Some(seq)) = (last, seq)
            && seq > last
        {
            self.notify(Notice::Gap(Gap {
                channel,
                from: last + 1,
                to: seq,
                away: true,
            }));
        }
        self.send_held(|item| item.is_for(name));
    }

    /// Records the number of a message or an `ack`, and reports a gap. The server queues the `ack`
    /// of a message before later messages of the room, so skipped numbers were neither delivered
    /// nor the client's own.
    pub(super) fn see(&mut self, name: Option<&str>, seq: Option<u64>) {
        let (Some(name), Some(seq)) = (name, seq) else {
            return;
        };
        let Some(channel) = self.channels.get_mut(name).filter(|it| it.active) else {
            if let Some(lobby) = self.channels.lobbies.get_mut(name) {
                lobby.last = lobby.last.max(Some(seq));
            }
            return;
        };
        let Some(last) = channel.last.filter(|&last| seq > last) else {
            return;
        };
        channel.last = Some(seq);
        if seq > last + 1 {
            let channel = channel.name.clone();
            self.notify(Notice::Gap(Gap {
                channel,
                from: last + 1,
                to: seq - 1,
                away: false,
            }));
        }
    }
}

/// Encodes a request about a channel.
fn about(kind: &str, channel: &str, id: u64) -> String {
    let channel = serde_json::Value::from(channel);
    format!(r#"{{"type":"{kind}","channel":{channel},"id":{id}}}"#)
}
