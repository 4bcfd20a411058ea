//! Rooms that the nodes of a cluster share: who enters one waits until the cluster has said where its
//! members begin.

use std::sync::Arc;

use super::elsewhere::read;
use super::rooms::Entering;
use super::switchboard::Switchboard;
use crate::cluster::{Info, RoomBody};
use crate::config::settings::RoomSettings;
use crate::protocol::{ErrorCode, RequestId, ServerMessage};
use crate::switchboard::action::Notice;
use crate::switchboard::errors::JoinError;
use crate::switchboard::relay::{CaughtUp, ClusterRequest, ClusterSeat, Joining, Older, Stage};
use crate::switchboard::rooms::Via;
use crate::{ConnectionId, Position, PresenceInfo, Refused, Time};

/// Clients that wait for a room and are looked at in one call.
const ENTERS: usize = 32;

/// After how many milliseconds a client may try again that needs the broker.
pub(super) const AWAY_MILLIS: u64 = 1_000;

impl Switchboard {
    /// Takes the next request to the cluster. Each call of the switchboard may make some.
    pub(crate) fn next_cluster_request(&mut self) -> Option<ClusterRequest> {
        self.tell_moves();
        self.relay.as_mut()?.requests.pop_front()
    }

    pub(super) fn ask_cluster(&mut self, request: ClusterRequest) {
        self.tell_moves();
        if let Some(relay) = &mut self.relay {
            relay.requests.push_back(request);
        }
    }

    /// Tells the cluster who came to shared rooms and who left them, before anything else is said.
    fn tell_moves(&mut self) {
        let Some(relay) = &mut self.relay else {
            return;
        };
        while let Some((room, user, comes)) = self.rooms.next_move() {
            relay.requests.push_back(if comes {
                let is_told = self.config.room_presence(&room).info;
                let info = self.users.info(&user).filter(|_| is_told);
                let info = info.map(PresenceInfo::to_line);
                ClusterRequest::Appeared { room, user, info }
            } else {
                ClusterRequest::Disappeared { room, user }
            });
        }
    }

    /// Returns what holds for a room, if the nodes of a cluster share it.
    pub(super) fn shared_settings(&self, room: &str) -> Option<RoomSettings> {
        self.relay.as_ref()?;
        Some(self.config.room(room)).filter(RoomSettings::is_shared)
    }

    /// Makes a connection wait to be in a room, if the cluster has to be asked first. Returns whether
    /// it does.
    pub(super) fn waits_to_enter(
        &mut self,
        id: ConnectionId,
        name: &str,
        entering: &Entering<'_>,
    ) -> bool {
        let Some(settings) = self.shared_settings(name) else {
            return false;
        };
        let is_elsewhere = self.is_ahead(name, entering.from)
            || self.is_older(name, entering.from, entering.reach);
        let is_held = self.gets_held_seat(id, name);
        let Some(relay) = &mut self.relay else {
            return false;
        };
        let is_open = relay.is_open(name);
        let has_seat = is_held || settings.members_total.is_none();
        if has_seat && is_open && !is_elsewhere {
            return false;
        }
        let name: Arc<str> = name.into();
        let seat = match settings.members_total {
            None => ClusterSeat::None,
            Some(_) if is_held => ClusterSeat::Held,
            Some(total) => {
                let seat = relay.number();
                relay.seats.insert(seat, name.clone());
                let room = name.clone();
                let request = ClusterRequest::TakeSeat { seat, room, total };
                relay.requests.push_back(request);
                ClusterSeat::Asked(seat)
            }
        };
        relay.room(&name).waiting.push_back(Joining {
            id,
            via: entering.via,
            from: entering.from.clone(),
            reach: entering.reach,
            request: entering.request.cloned().map(RequestId::into_owned),
            seat,
            caught_up: CaughtUp::Unknown,
            older: Older::Unknown,
        });
        self.waits(id);
        if is_open {
            self.wait_for_those_ahead(&name, usize::MAX);
            self.wait_for_older(&name, usize::MAX);
        } else {
            self.ask_to_enter(&name);
        }
        true
    }

    /// Asks the cluster where the members of a room begin, unless it has been asked.
    fn ask_to_enter(&mut self, name: &Arc<str>) {
        let terms = self.config.room(name).terms();
        let Some(relay) = &mut self.relay else {
            return;
        };
        let room = relay.room(name);
        if room.stage == Stage::Away {
            room.stage = Stage::Entering;
            let room = name.clone();
            self.ask_cluster(ClusterRequest::Enter { room, terms });
        }
    }

    /// Returns whether the members of a room have been told where they begin.
    pub(crate) fn is_shared_room_open(&self, room: &str) -> bool {
        self.relay.as_ref().is_some_and(|relay| relay.is_open(room))
    }

    /// Returns the number after which the messages of a room have to be read from the cluster's log,
    /// so that those who begin at `at` can have what the room is to keep; `None` if nothing is missing.
    pub(crate) fn is_missing(&self, room: &str, at: &Position) -> Option<u64> {
        let settings = self.shared_settings(room)?;
        if settings.history.messages == 0 || !settings.has_log() || at.seq == 0 {
            return None;
        }
        let kept = settings.history.messages as u64;
        let oldest = at.seq.saturating_sub(kept);
        match self.position(room) {
            Some(here) if here == *at => None,
            Some(here) if here.epoch == at.epoch && here.seq < at.seq => Some(here.seq.max(oldest)),
            _ => Some(oldest),
        }
    }

    /// The members of a room begin at a position. `entries` are messages up to it, the oldest first.
    pub(crate) fn room_opened<'a>(
        &mut self,
        now: Time,
        name: &Arc<str>,
        (at, alone): (&Position, bool),
        entries: impl Iterator<Item = (u64, &'a RoomBody)>,
        elsewhere: &[(Arc<str>, Info)],
    ) {
        self.advance_clock(now);
        let Some(relay) = &mut self.relay else {
            return;
        };
        let room = relay.room(name);
        room.stage = Stage::Open;
        room.position = Some(at.clone());
        room.alone = alone;
        let elsewhere = elsewhere
            .iter()
            .map(|(user, info)| (user.clone(), read(info)));
        room.elsewhere = elsewhere.collect();
        self.fill_room(name, at, entries);
        self.let_in(name);
    }

    /// Lets in the clients that wait for a room that is open: some now, the others in the ticks that are due
    /// immediately.
    pub(super) fn let_in(&mut self, name: &Arc<str>) {
        if let Some(relay) = &mut self.relay {
            let room = relay.room(name);
            room.looks = room.waiting.len();
            self.let_some_in(name);
        }
    }

    /// Lets in some more clients that wait for one room.
    pub(super) fn go_on_letting_in(&mut self) {
        let next = self.relay.as_mut().and_then(|it| it.entering.pop_first());
        if let Some(name) = next {
            if self.is_shared_room_open(&name) {
                self.let_some_in(&name);
            } else if let Some(room) = self.relay.as_mut().and_then(|it| it.rooms.get_mut(&name)) {
                // All are looked at again once it is open.
                room.looks = 0;
            }
        }
    }

    /// Lets in those that may enter, among the next few that are to be looked at.
    fn let_some_in(&mut self, name: &Arc<str>) {
        self.wait_for_those_ahead(name, ENTERS);
        self.wait_for_older(name, ENTERS);
        let Some(relay) = &mut self.relay else {
            return;
        };
        let room = relay.room(name);
        let mut ready = Vec::new();
        let looks = room.looks.min(ENTERS);
        for _ in 0..looks {
            match room.waiting.pop_front() {
                Some(joining) if joining.is_ready() => ready.push(joining),
                Some(joining) => room.waiting.push_back(joining),
                None => break,
            }
        }
        room.looks = (room.looks - looks).min(room.waiting.len());
        let is_awaited = room.is_awaited();
        if room.looks > 0 {
            relay.entering.insert(name.clone());
        }
        for joining in ready {
            self.enter_at_last(name, &joining);
        }
        if self.member_count(name) == 0 && !is_awaited {
            self.room_emptied(name);
        }
        self.settle();
    }

    /// Those need not wait any longer for the node to catch up who asked up to this number.
    pub(super) fn let_in_those_ahead(&mut self, name: &Arc<str>, upto: u64) {
        let Some(relay) = &mut self.relay else {
            return;
        };
        let Some(room) = relay.rooms.get_mut(name) else {
            return;
        };
        for joining in &mut room.waiting {
            if matches!(joining.caught_up, CaughtUp::Asked(number) if number <= upto) {
                joining.caught_up = CaughtUp::Yes;
            }
        }
        if room.stage == Stage::Open {
            self.let_in(name);
        }
    }

    fn enter_at_last(&mut self, name: &Arc<str>, joining: &Joining) {
        let id = joining.id;
        self.waits_no_more(id);
        // One that is held beside the one that it got is of no use.
        let has_two = joining.seat == ClusterSeat::Granted && self.has_held_seat(id, name);
        let older = self.older_of(name, joining);
        let entering = Entering {
            via: joining.via,
            from: &joining.from,
            reach: joining.reach,
            request: joining.request.as_ref(),
            older: older.as_ref(),
        };
        let entered = self
            .may_enter(id, name, joining.via)
            .and_then(|place| self.enter_now(id, name, place, &entering));
        if has_two || (entered.is_err() && joining.seat == ClusterSeat::Granted) {
            self.give_seat(name);
        }
        if let Err(error) = entered {
            self.is_kept_out(name, joining, error);
        }
    }

    /// Tells a connection that it does not get into the room for which it has waited.
    fn is_kept_out(&mut self, name: &Arc<str>, joining: &Joining, error: JoinError) {
        let id = joining.id;
        match (joining.via, error) {
            (_, JoinError::Stale(_) | JoinError::NotOpen)
            | (Via::Url, JoinError::AlreadyIn)
            | (Via::Application, _) => {}
            (Via::Url, _) => {
                let reason = Refused::LobbyFull.close_upgraded();
                self.effects.end(id, reason, None);
            }
            (Via::Request, _) => {
                let room = name.clone();
                self.notify(Notice::JoinFailed { id, room, error });
                self.join_failed(id, name, error, joining.request.as_ref());
            }
        }
    }

    /// Nobody can come into a room, because the broker is away.
    pub(super) fn refuse_joining(&mut self, name: &Arc<str>) {
        let Some(relay) = &mut self.relay else {
            return;
        };
        let room = relay.room(name);
        room.looks = 0;
        let waiting = std::mem::take(&mut room.waiting);
        for joining in waiting {
            self.waits_no_more(joining.id);
            if joining.seat == ClusterSeat::Granted {
                let room = name.clone();
                self.ask_cluster(ClusterRequest::GiveSeat { room });
            }
            self.unavailable(joining.id, joining.request.as_ref(), Some(name));
        }
        if self.member_count(name) == 0 {
            self.room_emptied(name);
        }
    }

    /// Tells a client that what it wants needs the broker, which is away.
    pub(super) fn unavailable(
        &mut self,
        id: ConnectionId,
        request: Option<&RequestId<'_>>,
        channel: Option<&str>,
    ) {
        let error = ServerMessage::Error {
            code: ErrorCode::Unavailable,
            message: "the node is cut off from the others: try again later",
            id: request,
            channel,
            retry_after_ms: Some(AWAY_MILLIS),
        };
        self.send_message(id, &error);
    }

    /// Tells the cluster that nobody is in a room any more.
    pub(super) fn room_emptied(&mut self, name: &Arc<str>) {
        let Some(relay) = &mut self.relay else {
            return;
        };
        let room = relay.room(name);
        if room.stage != Stage::Away {
            room.stage = Stage::Away;
            room.elsewhere.clear();
            let is_awaited = room.is_awaited();
            let room = name.clone();
            self.ask_cluster(ClusterRequest::Leave { room });
            if is_awaited {
                self.ask_to_enter(name);
            }
        }
    }

    /// The cluster follows a room no more.
    pub(crate) fn room_forgotten(&mut self, name: &str) {
        if let Some(relay) = &mut self.relay
            && let Some(room) = relay.rooms.get(name)
            && room.stage == Stage::Away
            && room.waiting.is_empty()
            && room.resent.is_empty()
        {
            relay.rooms.remove(name);
        }
    }

    /// Somebody gets a seat in a room, or none is free.
    pub(crate) fn seat_decided(&mut self, now: Time, seat: u64, granted: bool) {
        self.advance_clock(now);
        let Some(relay) = &mut self.relay else {
            return;
        };
        let Some(name) = relay.seats.remove(&seat) else {
            return;
        };
        let room = relay.room(&name);
        let asked = |joining: &Joining| joining.seat == ClusterSeat::Asked(seat);
        let Some(at) = room.waiting.iter().position(asked) else {
            // Nobody waits any more.
            if granted {
                self.ask_cluster(ClusterRequest::GiveSeat { room: name });
            }
            return;
        };
        if granted {
            room.waiting[at].seat = ClusterSeat::Granted;
            self.ask_to_enter(&name);
            if self.relay.as_ref().is_some_and(|it| it.is_open(&name)) {
                self.let_in(&name);
            }
        } else {
            if let Some(joining) = room.waiting.remove(at) {
                self.waits_no_more(joining.id);
                self.is_kept_out(&name, &joining, JoinError::RoomFull);
            }
            let Some(relay) = &mut self.relay else {
                return;
            };
            if relay.room(&name).waiting.is_empty() && self.member_count(&name) == 0 {
                self.room_emptied(&name);
            }
            self.settle();
        }
    }
}
