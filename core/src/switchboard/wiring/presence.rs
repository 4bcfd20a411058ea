//! What members are told about presence: a user who joins gets the list at once, the other members
//! get collected changes.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::switchboard::Switchboard;
use crate::protocol::{Content, ServerMessage};
use crate::switchboard::action::Notice;
use crate::switchboard::encoding::encode;
use crate::switchboard::log::{Kind, Origin};
use crate::switchboard::rooms::{CHANGES, Part, Presence, Update};
use crate::switchboard::users::Users;
use crate::{ConnectionId, Frame, Wire};

/// As how many changes an update counts in addition to those that it tells.
const UPDATE: usize = 4;

/// The number of names in a list that cost as much as one change.
const NAMES: usize = 8;

impl Switchboard {
    /// Sends the list of users to a connection that has entered a room, if it still is a member.
    pub(super) fn send_presence_list(&mut self, id: ConnectionId, key: u32) {
        let there = self.is_member(id, key) && self.rooms.at(key).presence.is_some();
        if there && self.config.wire == Wire::Json {
            let list = self.list_frame(key);
            self.send_lists(&[id], key, &list);
            self.enforce_queue_budget();
        }
    }

    pub(super) fn tick_presence(&mut self) {
        let now = self.clock.now();
        let update_at = |room: &str| now + self.config.room_presence(room).interval;
        if !self.rooms.tick(&mut self.users, now, update_at) {
            // An update that is due counts those who have gone by now.
            return;
        }
        let mut share = CHANGES;
        while share > 0
            && let Some(key) = self.rooms.pop_due(now)
        {
            share = share.saturating_sub(UPDATE);
            if self.log.is_full(self.rooms.at(key).log, Kind::Presence) {
                // Its members have not had a turn to read.
                let update_at = self.presence_update_at(key);
                self.rooms.schedule_update(key, update_at);
            } else if let Some(update) = self.rooms.take_update(&self.users, key, now) {
                share = share.saturating_sub(update.size());
                let names = self.send_presence_changes(key, update);
                share = share.saturating_sub(names / NAMES);
            }
        }
    }

    /// Sends the list to members that missed a change.
    pub(super) fn inform_members(&mut self) {
        while let Some((log, id)) = self.log.next_uninformed() {
            let rooms = self.connections.get(id).map(|found| &*found.rooms);
            let mut rooms = rooms.unwrap_or_default().iter();
            let room = rooms.find(|found| self.rooms.at(found.room).log == log);
            if let Some(key) = room.map(|found| found.room) {
                self.send_presence_list(id, key);
            }
        }
    }

    /// Sends the members what changed since the last update. Returns how many names it listed for that.
    fn send_presence_changes(&mut self, key: u32, mut update: Update) -> usize {
        let news = update.is_news();
        // Of an update in parts, members are told once, after the last one.
        let changed = match update.part {
            Part::All => news,
            Part::Some => false,
            Part::Last => true,
        };
        let (mut frame, mut names) = (None, 0);
        if self.config.wire == Wire::Json && (changed || !update.uninformed.is_empty()) {
            let (told, list) = match self.delta_frame(key, &update) {
                Some(told) if update.uninformed.is_empty() => (told, None),
                told => {
                    let list = self.list_frame(key);
                    names = self.occupant_count(key).min(self.presence_in(key).full);
                    (told.unwrap_or_else(|| list.clone()), Some(list))
                }
            };
            let near = self.log.near_limit(self.rooms.at(key).log, told.len());
            let mut near: BTreeSet<_> = near.into_iter().collect();
            if !changed {
                let due: BTreeSet<_> = update.uninformed.iter().collect();
                near.retain(|id| due.contains(id));
            }
            update.uninformed.retain(|id| !near.contains(id));
            let near: Vec<_> = near.into_iter().collect();
            if let Some(list) = list {
                self.send_lists(&update.uninformed, key, &list);
            }
            self.postpone_lists(&near, key);
            update.informed.extend(near);
            frame = Some(told);
        }
        let room = self.room_name(key);
        let count = self.occupant_count(key);
        let Update {
            informed,
            uninformed,
            joined,
            left,
            ..
        } = update;
        if news && (!joined.is_empty() || !left.is_empty()) {
            self.notify(Notice::Presence {
                room,
                count,
                joined,
                left,
            });
        }
        // Last, because it may end the room.
        if let Some(frame) = frame.filter(|_| changed) {
            let apart = informed.iter().chain(&uninformed).map(|id| id.slot);
            let apart: Vec<u32> = apart.collect();
            let (log, origin) = (self.rooms.at(key).log, Origin::default());
            let kind = Kind::Presence;
            // It is not full.
            let _ = self.log.publish(log, frame, kind, &apart, origin);
        }
        self.settle();
        self.enforce_queue_budget();
        names
    }

    fn occupant_count(&self, key: u32) -> usize {
        let presence = self.rooms.at(key).presence.as_ref();
        presence.map_or(0, |presence| presence.count())
    }

    /// Encodes the list of users, cut to the configured length.
    fn list_frame(&mut self, key: u32) -> Frame {
        let count = self.occupant_count(key) as u64;
        let settings = self.presence_in(key);
        let room = self.rooms.at(key);
        let presence = room.presence.as_ref();
        let most = settings.full;
        let users = presence.map(|presence| presence.names(&self.users, most));
        let mut users = users.unwrap_or_default();
        let others = presence.map(|presence| presence.others(&self.users));
        let others = others.into_iter().flatten();
        users.extend(others.take(most - users.len()).map(|name| &**name));
        let info: Vec<_> = users
            .iter()
            .filter(|_| settings.info)
            .filter_map(|&name| info_of(presence?, &self.users, name, None))
            .collect();
        let message = ServerMessage::Presence {
            channel: &room.name,
            count,
            users: &users,
            info: &info,
        };
        let names: usize = users.iter().map(|name| name.len() + 3).sum();
        self.encoder.encode(&message, names + bytes_of(&info))
    }

    /// Encodes the changes, unless users have come or gone and a complete list is short enough.
    fn delta_frame(&self, key: u32, update: &Update) -> Option<Frame> {
        let settings = self.presence_in(key);
        let most = settings.full;
        let presence = self.rooms.at(key).presence.as_ref()?;
        let count = presence.count();
        if count <= most && update.is_change() {
            return None;
        }
        let (joined, left) = (&update.joined, &update.left);
        let count_of_names = joined.len() + left.len() + update.updated.len();
        let names = update.part == Part::All && count_of_names <= most;
        let list = |from: &[Arc<str>]| -> Vec<String> {
            from.iter()
                .filter(|_| names)
                .map(ToString::to_string)
                .collect()
        };
        let (joined, left) = (list(joined), list(left));
        let joined: Vec<&str> = joined.iter().map(String::as_str).collect();
        let left: Vec<&str> = left.iter().map(String::as_str).collect();
        let new = joined
            .iter()
            .filter(|_| settings.info)
            .filter_map(|name| info_of(presence, &self.users, name, None));
        let updated = update.updated.iter().filter(|_| names);
        let updated =
            updated.filter_map(|name| info_of(presence, &self.users, name, Some(Content::NULL)));
        let info: Vec<_> = new.chain(updated).collect();
        let message = ServerMessage::PresenceChange {
            channel: &self.rooms.at(key).name,
            count: count as u64,
            joined: &joined,
            left: &left,
            info: &info,
        };
        let names = 64 * (joined.len() + left.len());
        Some(encode(&message, names + bytes_of(&info)))
    }

    /// Queues the list for members. Those for which it does not fit get it next time.
    fn send_lists(&mut self, ids: &[ConnectionId], key: u32, list: &Frame) {
        let full = self.log.push_within_limits(ids.iter().copied(), list);
        for &id in ids {
            self.rooms.note_seen(id, key, true);
            self.note_queue(id);
        }
        self.postpone_lists(&full, key);
    }

    /// Notes that the list is due to members for which it does not fit now.
    fn postpone_lists(&mut self, ids: &[ConnectionId], key: u32) {
        for &id in ids {
            self.rooms.note_seen(id, key, false);
        }
        if !ids.is_empty() {
            let update_at = self.presence_update_at(key);
            self.rooms.schedule_update(key, update_at);
        }
    }
}

/// Returns what is told of a user; `otherwise` if there is nothing.
fn info_of<'a>(
    presence: &'a Presence,
    users: &'a Users,
    name: &'a str,
    otherwise: Option<Content<'a>>,
) -> Option<(&'a str, Content<'a>)> {
    let info = presence.info(users, name);
    let info = info.map(|info| info.json().as_content()).or(otherwise)?;
    Some((name, info))
}

/// Returns about how many bytes this takes in a message.
fn bytes_of(info: &[(&str, Content<'_>)]) -> usize {
    let each = info
        .iter()
        .map(|(name, info)| name.len() + info.as_json().len() + 4);
    each.sum()
}
