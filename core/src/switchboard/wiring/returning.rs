//! Members who came back to a room while this node was on its own. They were told an epoch of the node;
//! once it is back, they go on where they had been before, not where the node was.
//!
//! ```text
//!                    the node was here
//!   epoch  1 2 3 4 5 6 7 8 9            behind: gets 4, 5, 6, then what everybody gets
//!            behind ▲     ▲ ahead       ahead: does not get 7, 8, 9 again
//! ```

use std::sync::Arc;

use super::relaying::Numbered;
use super::switchboard::Switchboard;
use crate::cluster::RoomBody;
use crate::http::event_stream;
use crate::protocol::ServerMessage;
use crate::switchboard::relay::{ClusterRequest, Missed};
use crate::{ConnectionId, JoinFrom, Position};

/// A member that goes on elsewhere than the others.
pub(super) struct Returned {
    pub(super) id: ConnectionId,
    /// Where it was.
    seq: u64,
    /// What it missed up to where the others go on.
    missed: Vec<Missed>,
}

impl Switchboard {
    /// Notes where a connection had been that comes into a room.
    pub(super) fn note_returned(&mut self, id: ConnectionId, name: &Arc<str>, from: &JoinFrom) {
        let (JoinFrom::Since(since), true) = (from, self.has_log_elsewhere(name)) else {
            return;
        };
        let room = self.relay.as_mut().and_then(|it| it.rooms.get_mut(name));
        if let Some(room) = room
            && room.alone
            && room
                .position
                .as_ref()
                .is_some_and(|here| here.epoch != since.epoch)
        {
            room.returned.insert(id, since.clone());
        }
    }

    /// Returns the number after which messages have to be read from the cluster's log, before the members
    /// of a room go on from `at`.
    pub(crate) fn is_missing_to_returned(&self, name: &str, at: &Position) -> Option<u64> {
        let room = self.relay.as_ref()?.rooms.get(name)?;
        let kept = self.config.room(name).history.messages as u64;
        let returned = room.returned.values().filter(|it| it.epoch == at.epoch);
        let behind = returned.filter(|it| it.seq < at.seq && it.seq + kept >= at.seq);
        behind.map(|it| it.seq).min()
    }

    /// Returns the members of a room who do not go on from `at` as the others do. `entries` are messages
    /// up to there.
    pub(super) fn go_on_where_they_were<'a>(
        &mut self,
        key: u32,
        at: &Position,
        entries: impl Iterator<Item = (u64, &'a RoomBody)>,
    ) -> Vec<Returned> {
        let name = self.room_name(key);
        let Some(room) = self.relay.as_mut().and_then(|it| it.rooms.get_mut(&name)) else {
            return Vec::new();
        };
        if room.alone || room.returned.is_empty() {
            return Vec::new();
        }
        let returned = std::mem::take(&mut room.returned).into_iter();
        let returned = returned.filter(|(_, since)| since.epoch == at.epoch && since.seq != at.seq);
        let returned: Vec<(ConnectionId, Position)> = returned.collect();
        let entries = self.missed(&name, entries);
        let mut elsewhere = Vec::new();
        for (id, since) in returned {
            let seq = since.seq;
            let missed = if seq > at.seq {
                self.is_ahead_of(&name, id, since);
                Vec::new()
            } else if let Some(missed) = self.missed_after(id, &entries, (seq, at.seq)) {
                missed
            } else {
                // That it begins anew was told when it came.
                continue;
            };
            elsewhere.push(Returned { id, seq, missed });
        }
        elsewhere
    }

    /// A member is ahead of a room, until that has come to where the member is.
    fn is_ahead_of(&mut self, name: &Arc<str>, id: ConnectionId, since: Position) {
        let Some(relay) = &mut self.relay else {
            return;
        };
        let number = relay.number();
        let room = relay.room(name);
        if room.returned.is_empty() {
            room.overtaken = number;
            let room = name.clone();
            relay
                .requests
                .push_back(ClusterRequest::CatchUp { room, number });
        }
        relay.room(name).returned.insert(id, since);
    }

    /// Returns messages as members get them, up to the first one that is none.
    pub(super) fn missed<'a>(
        &mut self,
        name: &Arc<str>,
        entries: impl Iterator<Item = (u64, &'a RoomBody)>,
    ) -> Vec<Missed> {
        let read = entries.map_while(|(seq, body)| {
            let Numbered { frame, origin, .. } = self.numbered(name, seq, body)?;
            Some(Missed { seq, frame, origin })
        });
        read.collect()
    }

    /// Returns what a member has missed of these messages, if they are all and fit into its queue.
    pub(super) fn missed_after(
        &self,
        id: ConnectionId,
        entries: &[Missed],
        (after, upto): (u64, u64),
    ) -> Option<Vec<Missed>> {
        let begin = entries.iter().position(|it| it.seq == after + 1)?;
        let missed = entries.get(begin..)?;
        let is_all = missed.last().is_some_and(|it| it.seq == upto);
        let bytes: usize = missed.iter().map(|it| it.frame.len()).sum();
        // What else it is to be told has its place, too.
        let limits = &self.config.limits;
        let fits = self.log.own_bytes(id) + bytes <= limits.queue_bytes / 2
            && missed.len() <= limits.queue_messages / 2;
        (is_all && fits).then(|| missed.to_vec())
    }

    /// A member goes on where it was.
    pub(super) fn goes_on(&mut self, key: u32, at: &Position, returned: Returned) {
        let Returned { id, seq, missed } = returned;
        let from = Position {
            epoch: at.epoch.clone(),
            seq,
        };
        self.tell_moved(key, &from, &[id]);
        self.send_missed(id, key, missed);
    }

    /// Sends a member of a room what it has missed, of the room's epoch, as its own frames.
    pub(super) fn send_missed(&mut self, id: ConnectionId, key: u32, missed: Vec<Missed>) {
        let Ok(connection) = self.connections.get(id) else {
            return;
        };
        let epoch: Arc<str> = self.rooms.epoch(key).as_str().into();
        let identity = self.history_identity(connection);
        let name = self.room_name(key);
        let tells = self.tells_positions(id, key);
        for Missed { seq, frame, origin } in missed {
            let epoch = epoch.clone();
            let position = tells.then_some(Position { epoch, seq });
            if origin.is_own(&identity) || origin.excludes(&identity) {
                let (channel, from, to) = (&name, seq, seq);
                let skip = ServerMessage::Skip { channel, from, to };
                self.send_positioned(id, &skip, position.as_ref());
            } else if position.is_some() {
                self.send_frame(id, event_stream::event(&frame, position.as_ref()));
            } else {
                self.send_frame(id, frame);
            }
        }
    }

    /// Returns the members of a room who have the number `from` or a later one already, and up to which.
    /// Those whom the room has overtaken once it has come to `to` go on as the others do.
    pub(super) fn those_ahead(
        &mut self,
        name: &str,
        from: u64,
        to: u64,
    ) -> Vec<(ConnectionId, u64)> {
        let room = self.relay.as_mut().and_then(|it| it.rooms.get_mut(name));
        let Some(room) = room.filter(|room| !room.alone && !room.returned.is_empty()) else {
            return Vec::new();
        };
        let ahead = room.returned.iter().filter(|(_, at)| at.seq >= from);
        let ahead = ahead.map(|(id, at)| (*id, at.seq)).collect();
        room.returned.retain(|_, at| at.seq > to);
        ahead
    }

    /// The room has caught up with the broker, for all that was asked up to this number: nobody can be
    /// ahead of it any more who told the truth.
    pub(super) fn overtakes(&mut self, name: &Arc<str>, upto: u64) {
        let room = self.relay.as_mut().and_then(|it| it.rooms.get_mut(name));
        let Some(room) = room.filter(|room| !room.alone && room.overtaken <= upto) else {
            return;
        };
        let returned = std::mem::take(&mut room.returned);
        if let (Some(at), Some(key)) = (room.position.clone(), self.rooms.find(name))
            && !returned.is_empty()
        {
            let ids: Vec<ConnectionId> = returned.into_keys().collect();
            self.tell_moved(key, &at, &ids);
        }
    }
}
