//! Where the members of a shared room are, and that they go on from elsewhere.

use std::sync::Arc;

use super::relaying::Numbered;
use super::switchboard::Switchboard;
use crate::cluster::RoomBody;
use crate::http::event_stream;
use crate::protocol::ServerMessage;
use crate::switchboard::log::Kind;
use crate::switchboard::recipients::Receipt;
use crate::{ConnectionId, Position, Time, Wire};

impl Switchboard {
    /// Puts messages that are up to `at` into the log of a room, whose members begin there.
    pub(super) fn fill_room<'a>(
        &mut self,
        name: &Arc<str>,
        at: &Position,
        entries: impl Iterator<Item = (u64, &'a RoomBody)>,
    ) {
        if self.keeps_values(name) {
            return self.fill_values(name, at, entries);
        }
        let mut key = self.rooms.find(name);
        if let Some(key) = key {
            let log = self.rooms.at(key).log;
            let is_same = self.rooms.epoch(key).as_str() == &*at.epoch;
            if !is_same {
                self.log.renumber(log, at.seq);
                self.rooms.at_mut(key).began = None;
            }
            self.rooms.at_mut(key).shared = Some(at.epoch.clone());
        }
        for (seq, body) in entries {
            let Some(Numbered { frame, origin, .. }) = self.numbered(name, seq, body) else {
                continue;
            };
            let room = match key {
                Some(key) => key,
                None => match self.rooms.find_or_vacant(name) {
                    Ok(key) => key,
                    Err(vacant) => self.create_room(vacant, name),
                },
            };
            key = Some(room);
            let log = self.rooms.at(room).log;
            if self.log.next_seq(log) != seq {
                self.log.renumber(log, seq - 1);
            }
            self.log.publish_numbered(log, frame, &[], origin);
        }
        if let Some(key) = key {
            let log = self.rooms.at(key).log;
            if self.log.next_seq(log) != at.seq + 1 {
                self.log.renumber(log, at.seq);
            }
        }
        self.bound_dormant_rooms();
    }

    /// The room goes on from another position: its members are told. `entries` are messages up to it, the
    /// oldest first, for those who came back while this node was on its own.
    pub(crate) fn room_moved<'a>(
        &mut self,
        now: Time,
        name: &Arc<str>,
        (at, alone): (&Position, bool),
        entries: impl Iterator<Item = (u64, &'a RoomBody)>,
    ) {
        self.advance_clock(now);
        let Some(relay) = &mut self.relay else {
            return;
        };
        let room = relay.room(name);
        room.position = Some(at.clone());
        room.alone = alone;
        let Some(key) = self.rooms.find(name) else {
            return;
        };
        let log = self.rooms.at(key).log;
        let before = self.rooms.at_mut(key).shared.replace(at.epoch.clone());
        if before.as_ref() != Some(&at.epoch) {
            self.rooms.at_mut(key).note_new_epoch();
        }
        self.log.renumber(log, at.seq);
        let returned = self.go_on_where_they_were(key, at, entries);
        let elsewhere: Vec<ConnectionId> = returned.iter().map(|it| it.id).collect();
        let name = &self.room_name(key);
        let message = self.moved_to(key, name, at);
        self.tell_all(key, &message, Kind::Moved, &elsewhere);
        for it in returned {
            self.goes_on(key, at, it);
        }
        self.rooms.at_mut(key).began = (!alone).then(|| Box::new((at.seq, now)));
        self.settle();
    }

    /// Tells these members of a room that it goes on from there.
    pub(super) fn tell_moved(&mut self, key: u32, at: &Position, ids: &[ConnectionId]) {
        let name = &self.room_name(key);
        let message = self.moved_to(key, name, at);
        // Present values follow, of which the first may have any number.
        let by_key = self.log.keeps_latest(self.rooms.at(key).log);
        let position = (!by_key).then_some(at);
        self.tell_members(key, &message, position, ids);
    }

    /// Tells those where their room goes on to whom it was told, but not before they were behind too far.
    pub(super) fn tell_missed_moves(&mut self) {
        while let Some((log, id)) = self.log.next_unmoved() {
            let rooms = self.connections.get(id).map(|found| &*found.rooms);
            let mut rooms = rooms.unwrap_or_default().iter();
            let room = rooms.find(|found| self.rooms.at(found.room).log == log);
            if let Some(key) = room.map(|found| found.room) {
                let at = Position {
                    epoch: self.rooms.epoch(key).as_str().into(),
                    seq: self.log.next_seq(log) - 1,
                };
                self.tell_moved(key, &at, &[id]);
            }
        }
    }

    fn moved_to<'a>(&self, key: u32, channel: &'a str, at: &'a Position) -> ServerMessage<'a> {
        let room = self.rooms.at(key);
        let by_key = self.log.keeps_latest(room.log);
        ServerMessage::Subscribed {
            channel,
            seq: at.seq,
            epoch: &at.epoch,
            first: room.keeps.then_some(at.seq + 1),
            recovered: None,
            keep: by_key.then_some("latest"),
            id: None,
        }
    }

    /// Numbers of a room for which there is no message.
    pub(crate) fn numbers_skipped(
        &mut self,
        now: Time,
        name: &Arc<str>,
        numbers: (u64, u64),
        lost: bool,
    ) {
        self.advance_clock(now);
        let Some(relay) = &mut self.relay else {
            return;
        };
        if let Some(room) = relay.rooms.get_mut(name)
            && let Some(position) = &mut room.position
        {
            position.seq = numbers.1;
        }
        if let Some(key) = self.rooms.find(name) {
            self.numbers_lost(key, numbers, lost);
        }
    }

    pub(super) fn numbers_lost(&mut self, key: u32, (from, to): (u64, u64), lost: bool) {
        let (log, name) = (self.rooms.at(key).log, self.room_name(key));
        self.log.renumber(log, to);
        if self.log.keeps_latest(log) {
            // Numbers tell nothing about what is missing there.
            if lost {
                self.log.forget_values_until(log, to);
            }
            return;
        }
        let channel = &name;
        let message = |from| {
            if lost {
                ServerMessage::Gap { channel, from, to }
            } else {
                ServerMessage::Skip { channel, from, to }
            }
        };
        let after = Some(&Position {
            epoch: self.rooms.epoch(key).as_str().into(),
            seq: to,
        });
        let ahead = self.those_ahead(&name, from, to);
        let except: Vec<ConnectionId> = ahead.iter().map(|&(id, _)| id).collect();
        self.tell_all(key, &message(from), Kind::Spent, &except);
        for (id, seq) in ahead {
            if seq < to {
                self.tell_members(key, &message(seq + 1), after, &[id]);
            }
        }
    }

    /// Tells the members of a room something by one entry of its log, whatever their number: all but these.
    fn tell_all(
        &mut self,
        key: u32,
        message: &ServerMessage<'_>,
        kind: Kind,
        except: &[ConnectionId],
    ) {
        if self.config.wire != Wire::Json {
            return;
        }
        let frame = self.encoder.encode(message, 0);
        let except = except.iter().filter(|&&id| self.is_member(id, key));
        let except: Vec<u32> = except.map(|id| id.slot).collect();
        let log = self.rooms.at(key).log;
        let told = self.log.publish_told(log, frame, kind, &except);
        let receipt = Receipt {
            dropped_oldest: told.dropped_oldest,
            closed: told.closed,
            ..Receipt::default()
        };
        self.settle_sent(receipt, |_, _| false);
    }

    /// Tells some members of a room something, behind what was sent there before, and event streams the
    /// position after it.
    pub(super) fn tell_members(
        &mut self,
        key: u32,
        message: &ServerMessage<'_>,
        position: Option<&Position>,
        ids: &[ConnectionId],
    ) {
        if self.config.wire == Wire::Json {
            let frame = self.encoder.encode(message, 0);
            let members = ids.iter().copied().filter(|&id| self.is_member(id, key));
            let (streams, others): (Vec<ConnectionId>, Vec<ConnectionId>) =
                members.partition(|&id| position.is_some() && self.tells_positions(id, key));
            self.log.come_after_recoveries();
            if !streams.is_empty() {
                self.send_to_ids(&streams, event_stream::event(&frame, position));
            }
            self.send_to_ids(&others, frame);
        }
    }
}
