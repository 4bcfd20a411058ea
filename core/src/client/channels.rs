//! The subscribed channels, which are joined again on every connection.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use serde_json::Value;

use super::config::LOBBIES;
use super::frame::ServerText;
use super::place::Place;
use super::presence::Presence;
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
    lobby_of_url: LobbyOfUrl,
    /// The presence of the channels that the connection is in.
    presence: BTreeMap<Box<str>, Presence>,
}

/// The lobby of the URL.
#[derive(Debug, Default)]
struct LobbyOfUrl {
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
    /// How many of the latest messages to request while no position is known.
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

    pub(super) fn insert(&mut self, name: &str, since: Option<&Since<'_>>, last: Option<u64>) {
        if self.places.contains_key(name) {
            return;
        }
        let lobby = self
            .lobby_of_url
            .place
            .as_ref()
            .filter(|_| self.is_lobby_of_url(name));
        let lobby = lobby.and_then(Place::position);
        let place = since.or(lobby.as_ref()).map(Place::at).unwrap_or_default();
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

    pub(super) fn remove(&mut self, name: &str) -> Option<Channel> {
        self.presence.remove(name);
        let place = self.places.remove(name)?;
        self.by_place.remove(&place)
    }

    /// Returns the presence of a channel, if the connection is in it and has received its list.
    pub(super) fn presence(&self, name: &str) -> Option<&Presence> {
        self.presence.get(name)
    }

    /// Applies a `presence`, if the connection is in the channel.
    pub(super) fn see_presence(&mut self, name: &str, frame: &ServerText) {
        if self.place(name).is_some() {
            let presence = self.presence.entry(name.into()).or_default();
            presence.apply(frame);
        }
    }

    /// Forgets the presence of a channel that the connection has left, or enters again.
    pub(super) fn forget_presence(&mut self, name: &str) {
        self.presence.remove(name);
    }

    /// Records that the connection is in a channel that was not subscribed.
    pub(super) fn remember_lobby(&mut self, name: &str, subscribed: &ServerText) {
        let known = self.lobbies.remove(name);
        if self.lobbies.len() < LOBBIES || known.is_some() {
            // Only the position in the lobby of the URL outlives the connection.
            let kept = if self.is_lobby_of_url(name) {
                known.or_else(|| self.lobby_of_url.place.take())
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
            if self.is_lobby_of_url(name) {
                self.lobby_of_url.place = Some(place);
            }
            true
        })
    }

    pub(super) fn take_lobby(&mut self, name: &str) -> Option<Place> {
        self.lobbies.remove(name)
    }

    /// Returns the channels for which `subscribe` is outstanding on this connection.
    pub(super) fn unasked(&mut self) -> impl Iterator<Item = &mut Channel> {
        let all = self.by_place.values_mut();
        all.filter(|channel| !channel.active && channel.entry == Entry::Unasked)
    }

    fn is_lobby_of_url(&self, name: &str) -> bool {
        self.lobby_of_url.name.as_deref() == Some(name)
    }

    /// Records that the connection is in a channel without having asked. The first such channel of
    /// a connection is the lobby of its URL.
    pub(super) fn announced(&mut self, name: &str) {
        if self.lobby_of_url.announced || self.get(name).is_some_and(|it| it.active) {
            return;
        }
        self.lobby_of_url.announced = true;
        if !self.is_lobby_of_url(name) {
            self.lobby_of_url.place = None;
            self.lobby_of_url.name = Some(name.into());
        }
    }

    /// Forgets the position that was kept of the lobby of the URL, if this is its name.
    pub(super) fn forget_lobby_of_url(&mut self, name: &str) {
        if self.is_lobby_of_url(name) {
            self.lobby_of_url.place = None;
        }
    }

    pub(super) fn forget_announcement(&mut self) {
        self.lobby_of_url.announced = false;
    }

    /// Returns the position in the lobby of the URL, as its parameter `since` has it.
    pub(super) fn lobby_position(&self) -> Option<String> {
        let subscribed = self
            .lobby_of_url
            .name
            .as_deref()
            .and_then(|name| self.get(name));
        let place = subscribed.map(|channel| &channel.place);
        let since = place.or(self.lobby_of_url.place.as_ref())?.position()?;
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
        if let Some(lobby) = self.lobby_of_url.name.as_deref()
            && let Some(place) = self.lobbies.remove(lobby)
        {
            self.lobby_of_url.place = Some(place);
        }
        self.lobbies.clear();
        self.presence.clear();
        for channel in self.by_place.values_mut() {
            channel.active = false;
            channel.entry = Entry::Unasked;
        }
    }
}

impl Channel {
    /// Encodes the `subscribe`.
    pub(super) fn subscribe(&self, id: u64) -> String {
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
