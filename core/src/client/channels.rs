//! The subscribed channels, which are joined again on every connection.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use serde_json::Value;

use super::config::LOBBIES;
use super::frame::ServerText;
use super::messages::Request;
use super::place::{Arrival, Lost, Place};
use super::{Failure, Gap, Machine, Output, Phase, Report};
use crate::protocol::Since;

/// The subscribed channels, in the order of subscribing.
#[derive(Debug, Default)]
pub(super) struct Channels {
    places: BTreeMap<Arc<str>, u64>,
    by_place: BTreeMap<u64, Channel>,
    next_place: u64,
    /// Channels joined on this connection without a `subscribe`: by the URL, or by the server's
    /// application.
    lobbies: BTreeMap<Box<str>, Place>,
    home: Home,
}

/// The lobby of the URL.
#[derive(Debug, Default)]
struct Home {
    name: Option<Box<str>>,
    /// Its position while it is neither subscribed nor a lobby.
    place: Option<Place>,
    /// Whether it was announced on this connection.
    announced: bool,
}

#[derive(Debug)]
pub(super) struct Channel {
    pub(super) name: Arc<str>,
    pub(super) entry: Entry,
    pub(super) active: bool,
    pub(super) place: Place,
    /// How many of the latest messages to ask for, as long as no position is known.
    last: Option<u64>,
}

/// The state of a channel's `subscribe` on this connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// Not sent yet, or rate-limited by the server.
    Unasked,
    /// Sent with this id.
    Asked(u64),
    /// Refused, or removed by the server's application. Only the next
    /// [`Input::Subscribe`](super::Input::Subscribe) sends it again.
    Refused,
}

impl Channels {
    pub(super) fn get(&self, name: &str) -> Option<&Channel> {
        self.by_place.get(self.places.get(name)?)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Channel> {
        self.by_place.get_mut(self.places.get(name)?)
    }

    fn insert(&mut self, name: &str, since: Option<&Since<'_>>, last: Option<u64>) {
        if self.places.contains_key(name) {
            return;
        }
        let home = self.home.place.as_ref().filter(|_| self.is_home(name));
        let home = home.and_then(Place::position);
        let place = since.or(home.as_ref()).map(Place::at).unwrap_or_default();
        let name: Arc<str> = name.into();
        self.places.insert(name.clone(), self.next_place);
        let channel = Channel {
            name,
            entry: Entry::Unasked,
            active: false,
            place,
            last,
        };
        self.by_place.insert(self.next_place, channel);
        self.next_place += 1;
    }

    fn remove(&mut self, name: &str) -> Option<Channel> {
        let place = self.places.remove(name)?;
        self.by_place.remove(&place)
    }

    /// Records that the connection is in a channel that was not subscribed.
    pub(super) fn remember_lobby(&mut self, name: &str, subscribed: &ServerText) {
        let known = self.lobbies.remove(name);
        if self.lobbies.len() < LOBBIES || known.is_some() {
            // Only the position in the lobby of the URL outlives the connection.
            let kept = if self.is_home(name) {
                known.or_else(|| self.home.place.take())
            } else {
                None
            };
            let mut place = kept.unwrap_or_default();
            place.take(subscribed);
            self.lobbies.insert(name.into(), place);
        }
    }

    /// Forgets a lobby; returns whether there was one.
    pub(super) fn forget_lobby(&mut self, name: &str) -> bool {
        self.take_lobby(name).is_some_and(|place| {
            if self.is_home(name) {
                self.home.place = Some(place);
            }
            true
        })
    }

    fn take_lobby(&mut self, name: &str) -> Option<Place> {
        self.lobbies.remove(name)
    }

    fn is_home(&self, name: &str) -> bool {
        self.home.name.as_deref() == Some(name)
    }

    /// Records that the connection is in a channel without having asked. The first such channel of
    /// a connection is the lobby of its URL.
    pub(super) fn announced(&mut self, name: &str) {
        if self.home.announced || self.get(name).is_some_and(|it| it.active) {
            return;
        }
        self.home.announced = true;
        if !self.is_home(name) {
            self.home.place = None;
            self.home.name = Some(name.into());
        }
    }

    pub(super) fn forget_announcement(&mut self) {
        self.home.announced = false;
    }

    /// Returns the position in the lobby of the URL, as its parameter `since` has it.
    pub(super) fn home_position(&self) -> Option<String> {
        let subscribed = self.home.name.as_deref().and_then(|name| self.get(name));
        let place = subscribed.map(|channel| &channel.place);
        let since = place.or(self.home.place.as_ref())?.position()?;
        Some(format!("{}.{}", since.epoch, since.seq))
    }

    /// Returns the numbers of a channel that the connection is in.
    pub(super) fn place(&mut self, name: &str) -> Option<&mut Place> {
        // Two look-ups, since a channel that is not active may be a lobby.
        if self.get(name).is_some_and(|it| it.active) {
            return self.get_mut(name).map(|it| &mut it.place);
        }
        self.lobbies.get_mut(name)
    }

    /// What was true of the connection is true no more.
    pub(super) fn forget_connection(&mut self) {
        if let Some(home) = self.home.name.as_deref()
            && let Some(place) = self.lobbies.remove(home)
        {
            self.home.place = Some(place);
        }
        self.lobbies.clear();
        for channel in self.by_place.values_mut() {
            channel.active = false;
            channel.entry = Entry::Unasked;
        }
    }
}

impl Machine {
    pub(super) fn subscribe(&mut self, name: &str, since: Option<&Since<'_>>, last: Option<u64>) {
        self.channels.insert(name, since, last);
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
        if self.channels.is_home(name) {
            self.channels.home.place = None;
        }
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
            self.act(Output::Send(unsubscribe(name, id)));
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
            let request = Request::new(Some(channel.name.clone()), self.now);
            self.messages.ask(id, request);
            let text = channel.request(id);
            self.actions.push_back(Output::Send(text));
        }
    }

    /// Activates a channel that the connection was already in, from its known position.
    pub(super) fn entered_before(&mut self, name: &Arc<str>) {
        let channel = name.clone();
        self.notify(Report::Entered { channel });
        let lobby = self.channels.take_lobby(name).unwrap_or_default();
        if let Some(channel) = self.channels.get_mut(name) {
            channel.active = true;
            let arrival = channel.place.move_to(lobby, false);
            self.arrived(name, arrival);
        }
    }

    /// Activates a channel, or moves an active one to a new position.
    pub(super) fn entered(&mut self, name: &str, subscribed: &ServerText) {
        self.channels.forget_lobby(name);
        if let Some(channel) = self.channels.get_mut(name) {
            channel.active = true;
            let name = channel.name.clone();
            let arrival = channel.place.take(subscribed);
            self.arrived(&name, arrival);
        }
    }

    /// Reports what a new position means, and sends the messages that waited for it: first those
    /// whose outcome is unknown, if the server can tell.
    fn arrived(&mut self, name: &Arc<str>, arrival: Arrival) {
        let channel = self.channels.get(name);
        let epoch = channel.map_or_else(String::new, |it| it.place.epoch().to_owned());
        self.lost(name, arrival.lost, true);
        if let Some(from) = arrival.before {
            let channel = name.clone();
            let to = epoch.clone();
            self.notify(Report::Epoch { channel, from, to });
        }
        self.drop_unknown(name, arrival.recovered.then_some(&epoch));
        self.send_held(|item| item.is_for(name));
    }

    /// Records numbers of a channel, as [`Place::advance`] does. Returns whether any is new.
    pub(super) fn see(&mut self, name: &str, start: u64, from: u64, to: u64) -> bool {
        let place = self.channels.place(name);
        let Some(lost) = place.and_then(|place| place.advance(start, from, to)) else {
            return false;
        };
        self.lost(name, lost, false);
        true
    }

    /// Records the number of an own message.
    pub(super) fn see_own(&mut self, name: &str, seq: u64, echo: bool) {
        let Some(place) = self.channels.place(name) else {
            return;
        };
        // Without history the `ack` is queued before later messages of the room, so skipped numbers
        // were not delivered. With `echo` the message itself comes too.
        let lost = if !place.has_history() {
            place.advance(seq, seq, seq).unwrap_or_default()
        } else if echo {
            return;
        } else {
            place.own(seq)
        };
        self.lost(name, lost, false);
    }

    /// Reports numbers of an active channel as not delivered.
    fn lost(&mut self, name: &str, lost: Lost, away: bool) {
        if lost.is_empty() {
            return;
        }
        let channel = self.channels.get(name).filter(|it| it.active);
        let Some(channel) = channel.map(|it| it.name.clone()) else {
            return;
        };
        for (from, to) in lost {
            let channel = channel.clone();
            let gap = Gap {
                channel,
                from,
                to,
                away,
            };
            self.notify(Report::Gap(gap));
        }
    }
}

impl Channel {
    /// Encodes the `subscribe`.
    fn request(&self, id: u64) -> String {
        let name = Value::from(&*self.name);
        let mut text = format!(r#"{{"type":"subscribe","channel":{name}"#);
        if let Some(Since { epoch, seq }) = self.place.position() {
            let epoch = Value::from(epoch);
            let _ = write!(text, r#","since":{{"epoch":{epoch},"seq":{seq}}}"#);
        } else if let Some(last) = self.last.filter(|_| self.place.epoch().is_empty()) {
            let _ = write!(text, r#","last":{last}"#);
        }
        let _ = write!(text, r#","id":{id}}}"#);
        text
    }
}

/// Encodes an `unsubscribe`.
fn unsubscribe(channel: &str, id: u64) -> String {
    let channel = Value::from(channel);
    format!(r#"{{"type":"unsubscribe","channel":{channel},"id":{id}}}"#)
}
