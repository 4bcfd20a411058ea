//! Where those begin who come back to a room, and what a history knows of who sent and got what.

use super::draft::Draft;
use super::older::FromBefore;
use super::switchboard::Switchboard;
use crate::protocol::RequestId;
use crate::switchboard::connection::ConnectionState;
use crate::switchboard::errors::SendError;
use crate::switchboard::log::{Excluded, Identity, Joined, Origin, Resent, StartAt};
use crate::switchboard::recipients::{Exclude, Receipt};
use crate::{ConnectionId, JoinFrom, Position, Reach, RoomMessage};

/// Where a new member of a room that keeps messages begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beginning {
    pub(super) from: StartAt,
    /// Whether it gets all that it missed, if it said what that is.
    pub(super) recovered: Option<bool>,
    /// Numbers that it missed and may not have, told before those that it gets.
    pub(super) hidden: Option<(u64, u64)>,
}

impl Beginning {
    /// A room without history, or nothing of it.
    pub(super) const END: Self = Self {
        from: StartAt::End,
        recovered: None,
        hidden: None,
    };

    const NOT_RECOVERED: Self = Self {
        recovered: Some(false),
        ..Self::END
    };

    /// Returns the number of the last message before those that the member gets; `None` where it gets
    /// values by key, of which the first may have any number.
    pub(super) fn position(&self, joined: &Joined) -> Option<u64> {
        match self.from {
            StartAt::End => Some(joined.seq),
            StartAt::Present(_) => None,
            StartAt::Last(most) => {
                Some(joined.seq.saturating_sub(most as u64).max(joined.first - 1))
            }
            StartAt::After(after) => Some(after),
        }
    }

    /// Returns what this is where values are kept by key, in a room that has come to the number `seq`,
    /// of which the member may have what comes from `reach` on: unless it recovers, it gets the values
    /// that are present.
    fn by_key(self, seq: u64, reach: u64) -> Self {
        let from = match self.from {
            StartAt::After(after) => StartAt::After(after),
            _ if reach > seq => StartAt::End,
            _ => StartAt::Present(reach),
        };
        Self {
            from,
            // Numbers tell nothing about what is missing there.
            hidden: None,
            ..self
        }
    }
}

impl Switchboard {
    /// Returns where a new member begins that wants the messages of a room `from` somewhere on, and
    /// may have those within `reach`. Counts the outcome.
    pub(super) fn begin(&mut self, key: u32, from: &JoinFrom, reach: Reach) -> Beginning {
        let room = self.rooms.at(key);
        if !room.keeps {
            return Beginning::END;
        }
        let (first, seq) = self.log.range(room.log);
        // The first number that it may have.
        let reach = match reach {
            Reach::All => 0,
            Reach::Now => seq + 1,
            Reach::From(number) => number.min(seq + 1),
        };
        let by_key = self.log.keeps_latest(room.log);
        let wanted = match from {
            JoinFrom::Since(since) => {
                let beginning = self.come_back(key, since, (first, seq), reach);
                return if by_key {
                    beginning.by_key(seq, reach)
                } else {
                    beginning
                };
            }
            _ if by_key => return Beginning::END.by_key(seq, reach),
            JoinFrom::Rule | JoinFrom::Last(_) => {
                let history = self.config.room(&self.rooms.at(key).name).history;
                history.newest(from)
            }
        };
        let allowed = usize::try_from(seq + 1 - reach.max(1)).unwrap_or(usize::MAX);
        let last = wanted.min(allowed);
        Beginning {
            from: if last > 0 {
                StartAt::Last(last)
            } else {
                StartAt::End
            },
            ..Beginning::END
        }
    }

    /// Returns where a member begins that has everything up to a position, in a room that keeps the
    /// numbers from `first` to `seq`. It may have those from `reach` on.
    fn come_back(
        &mut self,
        key: u32,
        since: &Position,
        (first, seq): (u64, u64),
        reach: u64,
    ) -> Beginning {
        let recoveries = &mut self.counters.recoveries;
        if self.rooms.epoch(key).as_str() != &*since.epoch {
            recoveries.epoch += 1;
            return Beginning::NOT_RECOVERED;
        }
        if since.seq > seq {
            recoveries.ahead += 1;
            return Beginning::NOT_RECOVERED;
        }
        let next = since.seq + 1;
        let begins = next.max(reach);
        let nothing = begins > seq && next <= seq;
        if first > begins || nothing {
            recoveries.gone += 1;
            return Beginning::NOT_RECOVERED;
        }
        recoveries.ok += 1;
        Beginning {
            from: StartAt::After(begins - 1),
            recovered: Some(true),
            hidden: (next < begins).then_some((next, begins - 1)),
        }
    }

    /// Returns where a new member begins that gets what is older than what the room has here, and then
    /// all that it has. Counts the outcome.
    pub(super) fn begin_before(&mut self, older: &FromBefore) -> Beginning {
        let from = StartAt::After(older.upto);
        let Some(since) = older.since else {
            return Beginning {
                from,
                ..Beginning::END
            };
        };
        self.counters.recoveries.ok += 1;
        let next = since + 1;
        Beginning {
            from,
            recovered: Some(true),
            hidden: (next <= older.after).then_some((next, older.after)),
        }
    }

    /// Returns who a connection is in the eyes of histories.
    pub(super) fn history_identity(&self, connection: &ConnectionState) -> Identity {
        let user = &self.users.at(connection.user).name;
        Identity {
            session: connection.session,
            user: self.fingerprints.user(user),
        }
    }

    /// Returns what the history of a room is to know of a message of the application.
    pub(super) fn origin_of_broadcast(
        &self,
        key: u32,
        exclude: Exclude<'_>,
        request: u64,
    ) -> Origin {
        if !self.rooms.at(key).keeps {
            return Origin::default();
        }
        let connections = exclude.connections.iter();
        let sessions = connections.filter_map(|&id| Some(self.connections.get(id).ok()?.session));
        let users = exclude.users.iter();
        let users = users.map(|name| self.fingerprints.user(name));
        let not_for: Excluded = sessions.filter(|&hash| hash != 0).chain(users).collect();
        Origin {
            not_for: (!not_for.is_empty()).then(|| Box::new(not_for)),
            request,
            ..Origin::default()
        }
    }

    /// Returns what the history of a room is to know of a message of a client.
    pub(super) fn origin_of_message(
        &self,
        key: u32,
        sender: ConnectionId,
        echo: bool,
        request: Option<&RequestId<'_>>,
    ) -> Origin {
        let Ok(connection) = self.connections.get(sender) else {
            return Origin::default();
        };
        if !self.rooms.at(key).keeps || connection.session == 0 {
            return Origin::default();
        }
        Origin {
            session: if echo { 0 } else { connection.session },
            request: request.map_or(0, |request| self.request_hash(connection, request)),
            not_for: None,
        }
    }

    /// Returns what a message is that a client sends again, given the number that the room had come to
    /// when it was first sent.
    pub(super) fn find_resent(
        &mut self,
        key: u32,
        sender: ConnectionId,
        request: &RequestId<'_>,
        again: u64,
    ) -> Resent {
        let connection = self.connections.get(sender);
        let hash = connection.map_or(0, |found| self.request_hash(found, request));
        if hash == 0 {
            return Resent::Unrecoverable;
        }
        let log = self.rooms.at(key).log;
        if !self.has_moved_with(key, sender, hash) {
            return self.log.find_request(log, hash, again);
        }
        // Nobody knows which number of the present epoch that is.
        let first = self.log.range(log).0;
        match self.log.find_request(log, hash, first.saturating_sub(1)) {
            Resent::New => Resent::Unrecoverable,
            found => found,
        }
    }

    /// Returns whether a room has moved to another epoch since a member came, and the request is not on its
    /// way to the broker.
    fn has_moved_with(&mut self, key: u32, member: ConnectionId, request: u64) -> bool {
        let room = self.rooms.at(key);
        let Some(relay) = &mut self.relay else {
            return false;
        };
        let connection = self.connections.get(member);
        let found = connection.ok().and_then(|found| found.membership(key));
        found.is_some_and(|found| room.has_moved_since(found.moved))
            && relay.find_request(&room.name, request).is_none()
    }

    /// Returns a message of the application as it is published, with the hash by which the history knows it.
    pub(super) fn draft_of<'a>(&self, message: &'a RoomMessage<'_>) -> Draft<'a> {
        let request = message.request();
        Draft {
            request: request.map_or(0, |(id, _)| self.fingerprints.of_application(id)),
            ..Draft::from(message)
        }
    }

    /// Looks for a message that the application sends again. Returns `None` if it is to be published.
    pub(super) fn find_published(
        &mut self,
        message: &RoomMessage<'_>,
    ) -> Result<Option<Receipt>, SendError> {
        let Some((id, Some(again))) = message.request() else {
            return Ok(None);
        };
        let (room, request) = (message.room(), self.fingerprints.of_application(id));
        let relay = self.relay.as_mut();
        if relay.is_some_and(|relay| relay.find_request(room, request).is_some()) {
            // The first one is still on its way.
            return Ok(Some(Receipt {
                forwarded: true,
                ..Receipt::default()
            }));
        }
        let key = self.rooms.find(room).ok_or(SendError::Unrecoverable)?;
        let epoch = message.epoch();
        if epoch.is_some_and(|epoch| epoch != self.rooms.epoch(key).as_str()) {
            return Err(SendError::Unrecoverable);
        }
        let log = self.rooms.at(key).log;
        match self.log.find_request(log, request, again) {
            Resent::Duplicate(seq) => Ok(Some(Receipt {
                seq: Some(seq),
                duplicate: true,
                ..Receipt::default()
            })),
            // Another node may have sent it to the broker.
            Resent::New if self.is_relayed(key) => Err(SendError::Unrecoverable),
            Resent::New => Ok(None),
            Resent::Unrecoverable => Err(SendError::Unrecoverable),
        }
    }

    /// Returns the hash of a request of a session; 0 without a session, and for anonymous clients,
    /// of which it is not known who comes back.
    fn request_hash(&self, connection: &ConnectionState, request: &RequestId<'_>) -> u64 {
        let anonymous = self.users.at(connection.user).anonymous;
        if connection.session == 0 || anonymous {
            return 0;
        }
        self.fingerprints
            .request(connection.session, request.as_json())
    }
}
