//! Rooms of a cluster that keep the latest value of each key: the broker's values are read again
//! wherever a room continues, and values that the broker has lost are set again.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::relaying::Numbered;
use super::switchboard::Switchboard;
use crate::cluster::{Body, RoomBody, RoomTerms};
use crate::protocol::Content;
use crate::switchboard::errors::SendError;
use crate::switchboard::recipients::{Exclude, excluded};
use crate::switchboard::relay::Stage;
use crate::{Frame, Keep, Position, Time};

/// What a message says of a value.
#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    content: &'a RawValue,
    #[serde(borrow)]
    sender: Option<Cow<'a, str>>,
}

impl Switchboard {
    /// Returns whether the nodes share a room that keeps the latest value of each key.
    pub(crate) fn keeps_values(&self, room: &str) -> bool {
        let settings = self.shared_settings(room);
        settings.is_some_and(|settings| matches!(settings.keep, Keep::Latest { .. }))
    }

    /// Checks that a key may have this value, as far as it is known here: other nodes may set another one at
    /// the same time.
    pub(super) fn check_place(
        &self,
        room: &str,
        key: &str,
        content: Content<'_>,
    ) -> Result<(), SendError> {
        match self.rooms.find(room) {
            Some(found) if !content.is_null() && self.is_relayed(found) => {
                let log = self.rooms.at(found).log;
                Ok(self.log.has_place(log, key)?)
            }
            _ => Ok(()),
        }
    }

    /// A value was not published, because too many keys have one. Returns the error for the
    /// application.
    pub(crate) fn post_not_kept(&mut self, now: Time, number: u64) -> SendError {
        let post = self.relay.as_ref().and_then(|it| it.posts.get(&number));
        let keep = post.map(|post| self.config.room(&post.room).keep);
        let limit = match keep {
            Some(Keep::Latest { keys }) => keys,
            _ => 0,
        };
        let error = SendError::TooManyKeys { limit };
        self.post_refused(now, number, error);
        error
    }

    /// Returns the values of a room that goes on in this epoch, if the broker has lost those that it had
    /// in the epoch before: each node sets what it has, where the key has no value.
    pub(crate) fn values_to_restore(&self, name: &str, epoch: &str) -> Vec<(RoomTerms, Arc<[u8]>)> {
        let room = self.relay.as_ref().and_then(|it| it.rooms.get(name));
        let room = room.filter(|room| room.stage == Stage::Open);
        let is_new = room.and_then(|room| room.values_of.as_ref());
        let key = self.rooms.find(name);
        let (Some(before), Some(key)) = (is_new, key) else {
            return Vec::new();
        };
        if **before == *epoch {
            return Vec::new();
        }
        let terms = self.config.room(name).terms();
        let values = self.log.values(self.rooms.at(key).log);
        let bodies = values.filter_map(|(_, frame, not_for)| body_of(frame, not_for));
        bodies.map(|body| (terms, body)).collect()
    }

    /// A room that is open goes on alone, with the values that are here.
    pub(crate) fn values_go_alone(&mut self, now: Time, name: &Arc<str>, at: &Position) {
        let values: Vec<(u64, RoomBody)> = match self.rooms.find(name) {
            Some(key) => {
                let values = self.log.values(self.rooms.at(key).log);
                let bodies = values.map(|(seq, frame, not_for)| (seq, body_of(frame, not_for)));
                bodies
                    .filter_map(|(seq, body)| Some((seq, body?.into())))
                    .collect()
            }
            None => Vec::new(),
        };
        let values = values.iter().map(|(seq, body)| (*seq, body));
        self.values_moved(now, name, (at, true), values);
    }

    /// A room that is open goes on from a position, with these values: its members are told, and get them.
    pub(crate) fn values_moved<'a>(
        &mut self,
        now: Time,
        name: &Arc<str>,
        (at, alone): (&Position, bool),
        entries: impl Iterator<Item = (u64, &'a RoomBody)>,
    ) {
        self.enter_to_send(now);
        if let Some(key) = self.rooms.find(name) {
            // What they have not got of it, they get with the others.
            self.log.clear_values(self.rooms.at(key).log);
        }
        self.room_moved(now, name, (at, alone), std::iter::empty());
        self.fill_values(name, at, entries);
        self.settle();
    }

    /// Makes these the values of a room, which is at this position.
    pub(super) fn fill_values<'a>(
        &mut self,
        name: &Arc<str>,
        at: &Position,
        entries: impl Iterator<Item = (u64, &'a RoomBody)>,
    ) {
        if let Some(relay) = &mut self.relay {
            let room = relay.room(name);
            if !room.alone {
                room.values_of = Some(at.epoch.clone());
            }
        }
        let mut key = self.rooms.find(name);
        if let Some(key) = key {
            self.log.clear_values(self.rooms.at(key).log);
            self.rooms.at_mut(key).shared = Some(at.epoch.clone());
        }
        for (seq, body) in entries {
            let Some(numbered @ Numbered { key: Some(_), .. }) = self.numbered(name, seq, body)
            else {
                continue;
            };
            let room = key.unwrap_or_else(|| match self.rooms.find_or_vacant(name) {
                Ok(key) => key,
                Err(vacant) => self.create_room(vacant, name),
            });
            key = Some(room);
            let exclude = Exclude {
                connections: &[],
                users: &numbered.users,
            };
            let excluded = excluded(&self.connections, &self.users, exclude);
            self.deliver_frame(room, seq, numbered, &excluded);
        }
        if let Some(key) = key {
            let log = self.rooms.at(key).log;
            self.log.renumber(log, at.seq);
            self.log.begin_values(log, at.seq);
        }
        self.bound_dormant_rooms();
    }
}

/// Returns what sets a value again on other nodes, where its key has none. Whom it is not for is known by
/// hashes only.
fn body_of(frame: &Frame, not_for: &[u64]) -> Option<Arc<[u8]>> {
    let said: Said<'_> = serde_json::from_slice(frame.payload()).ok()?;
    let not_for: Vec<String> = not_for.iter().map(|hash| format!("{hash:x}")).collect();
    let body = Body {
        sender: said.sender,
        excluded_sessions: not_for.iter().map(String::as_str).collect(),
        key: Some(&said.key),
        only_if_absent: true,
        content: said.content.get().as_bytes(),
        ..Body::default()
    };
    Some(body.to_bytes())
}
