//! What members are told about presence: a user who joins gets the list at once, the other members
//! get collected changes.

use std::sync::Arc;

use super::switchboard::Switchboard;
use crate::protocol::ServerMessage;
use crate::switchboard::action::Notice;
use crate::switchboard::encoding::encode;
use crate::switchboard::outbox::{Message, Offer, Terms};
use crate::switchboard::pool::StoredFrame;
use crate::switchboard::rooms::Update;
use crate::{ConnectionId, Frame, SlowPolicy, Wire};

impl Switchboard {
    /// Sends the list of users to a connection that has entered a room, if it still is a member.
    pub(super) fn send_presence_list(&mut self, id: ConnectionId, key: u32) {
        let there = self.is_member(id, key) && self.rooms.at(key).presence.is_some();
        if there && self.config.wire == Wire::Json {
            let list = self.list_frame(key);
            let list = self.outbox.publish(list);
            self.send_presence(id, key, list);
            self.outbox.release(list);
        }
    }

    pub(super) fn tick_presence(&mut self) {
        let (now, update_at) = (self.clock.now(), self.presence_update_at());
        self.rooms.tick(&mut self.users, now, update_at);
        while let Some((key, update)) = self.rooms.pop_update(&self.users, now) {
            self.send_presence_changes(key, update);
        }
    }

    /// Sends the members what changed since the last update.
    fn send_presence_changes(&mut self, key: u32, update: Update) {
        let news = update.is_news();
        if self.config.wire == Wire::Json {
            let list = self.list_frame(key);
            let list = self.outbox.publish(list);
            let delta = self.delta_frame(key, &update);
            let delta = delta.map(|frame| self.outbox.publish(frame));
            // Members that joined since, or missed an update, get the list.
            for (id, known) in self.rooms.behind(&mut self.connections, key, &update) {
                let frame = delta.filter(|_| known).unwrap_or(list);
                self.send_presence(id, key, frame);
            }
            for frame in delta.into_iter().chain([list]) {
                self.outbox.release(frame);
            }
        }
        if news {
            let room = self.room_name(key);
            let count = self.occupant_count(key);
            self.notify(Notice::Presence {
                room,
                count,
                joined: update.joined,
                left: update.left,
            });
        }
        // Last, because it may end the room.
        self.enforce_queue_budget();
    }

    fn occupant_count(&self, key: u32) -> usize {
        let presence = self.rooms.at(key).presence.as_ref();
        presence.map_or(0, |presence| presence.count())
    }

    /// Encodes the list of users, cut to the configured length.
    fn list_frame(&mut self, key: u32) -> Frame {
        let count = self.occupant_count(key) as u64;
        let room = self.rooms.at(key);
        let presence = room.presence.as_ref();
        let most = self.config.presence.full;
        let users = presence.map(|presence| presence.names(&self.users, most));
        let users = users.unwrap_or_default();
        let message = ServerMessage::Presence {
            channel: &room.name,
            count,
            users: &users,
        };
        let names = users.iter().map(|name| name.len() + 3).sum();
        self.encoder.encode(&message, names)
    }

    /// Encodes the changes, if there are too many users for a complete list.
    fn delta_frame(&self, key: u32, update: &Update) -> Option<Frame> {
        let most = self.config.presence.full;
        let count = self.occupant_count(key);
        if count <= most {
            return None;
        }
        let (joined, left) = (&update.joined, &update.left);
        let names = joined.len() + left.len() <= most;
        let list = |from: &[Arc<str>]| -> Vec<String> {
            from.iter()
                .filter(|_| names)
                .map(ToString::to_string)
                .collect()
        };
        let (joined, left) = (list(joined), list(left));
        let joined: Vec<&str> = joined.iter().map(String::as_str).collect();
        let left: Vec<&str> = left.iter().map(String::as_str).collect();
        let message = ServerMessage::PresenceChange {
            channel: &self.rooms.at(key).name,
            count: count as u64,
            joined: &joined,
            left: &left,
        };
        Some(encode(&message, 64 * (joined.len() + left.len())))
    }

    /// Queues a presence message. If it does not fit, the member gets a complete list next.
    fn send_presence(&mut self, id: ConnectionId, key: u32, frame: StoredFrame) {
        let message = Message {
            frame,
            room: self.rooms.at(key).tag(),
            policy: SlowPolicy::DropNewest,
        };
        let terms = Terms {
            limits: &self.config.limits,
            now: self.clock.liveness(),
        };
        let (connections, effects) = (&mut self.connections, &mut self.effects);
        let offer = self
            .outbox
            .offer(connections, effects, id.slot, message, terms);
        let fitted = matches!(offer, Offer::Queued { .. });
        if let Ok(connection) = self.connections.get_mut(id) {
            self.rooms.note_seen(connection, key, fitted);
        }
        if !fitted {
            self.rooms.schedule_update(key, self.presence_update_at());
        }
    }
}
