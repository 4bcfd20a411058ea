//! Opening: an identified connection takes its seats, and is notified.

use super::rooms::Entering;
use super::switchboard::Switchboard;
use crate::base::id::HexPair;
use crate::protocol::{RequestId, ServerMessage};
use crate::switchboard::action::{Action, Notice};
use crate::switchboard::counters::Level;
use crate::switchboard::pending::Newcomer;
use crate::switchboard::phase::Phase;
use crate::switchboard::relay::ClusterRequest;
use crate::switchboard::rooms::Via;
use crate::switchboard::timers::Kind;
use crate::{CloseReason, ConnectionId, IpKey, Refused, Time};

impl Switchboard {
    /// Takes a seat of the node and of the lobby, or none.
    pub(super) fn admit(
        &mut self,
        id: ConnectionId,
        who: &Newcomer,
        replaced: Option<ConnectionId>,
        request: Option<&RequestId<'_>>,
    ) -> Result<(), Refused> {
        if self.seats.open() >= self.config.limits.connections + usize::from(replaced.is_some()) {
            return Err(Refused::ServerFull);
        }
        let Ok(Phase::Authenticating(pending) | Phase::AwaitingAuth(pending)) =
            self.connections.get_mut(id).map(|found| &mut found.phase)
        else {
            return Ok(());
        };
        let lobby = pending.lobby.clone();
        let (from, reach) = (pending.resume.from.take(), pending.reach);
        if let Some(lobby) = &lobby {
            let ip = self.connections.get(id).map(|found| found.ip).ok();
            self.lobby_seat(lobby, Some(&who.name), ip, replaced)?;
        }
        self.open_connection(id, who, request);
        if let Some(lobby) = lobby {
            // Fails only if the connection could not take its `welcome` and was closed.
            let place = self.rooms.find_or_vacant(&lobby);
            let from = from.unwrap_or_default();
            let entering = Entering {
                via: Via::Url,
                from: &from,
                reach,
                request: None,
                older: None,
            };
            let _ = self.enter_room(id, &lobby, place, &entering);
        }
        // Last, so that a room survives whose only member is replaced.
        if let Some(replaced) = replaced {
            self.because(replaced, |it| it.cause_of_replacement(replaced, id));
            self.end(replaced, CloseReason::Replaced);
        }
        self.note_level(
            Level::Connections,
            self.seats.open(),
            self.config.limits.connections,
        );
        Ok(())
    }

    fn open_connection(
        &mut self,
        id: ConnectionId,
        who: &Newcomer,
        request: Option<&RequestId<'_>>,
    ) {
        let Ok(Phase::Authenticating(pending) | Phase::AwaitingAuth(pending)) =
            self.connections.get_mut(id).map(|found| &mut found.phase)
        else {
            return;
        };
        let (response, info) = (pending.response.take(), pending.presence.take());
        let window = pending.window;
        let first_message = matches!(
            self.connections.get(id).map(|found| &found.phase),
            Ok(Phase::AwaitingAuth(_))
        );
        self.move_to(id, Phase::Open);
        self.log.set_window(id, window);
        self.counters.opened += 1;
        self.counters.opened_streams += u64::from(self.log.is_event_stream(id));
        let user = self.users.find_or_vacant(&who.name);
        let user = self.users.add(user, &who.name, who.anonymous, id.slot);
        let shared = self.users.at(user).name.clone();
        if let Ok(connection) = self.connections.get_mut(id) {
            connection.user = user;
            connection.session = who.session;
        }
        if info.is_some() {
            self.change_info(user, info);
        }
        if who.session != 0 && !who.anonymous {
            self.users.enter_session(&self.connections, id.slot);
        }
        if let Some(response) = response {
            self.push_response(id, response);
        }
        if self.connections.get(id).is_ok_and(|found| !found.hook) {
            self.disarm(id, Kind::Hook, true);
        }
        self.disarm(id, Kind::Auth, false);
        self.set_expiry(id, who.expires);
        self.start_pings(id);
        self.notify(Notice::Opened {
            id,
            user: shared.clone(),
        });
        self.effects.act(Action::ReadMode(id));
        if first_message {
            self.send_message(
                id,
                &ServerMessage::Authenticated {
                    user: &shared,
                    id: request,
                },
            );
        }
        if !who.anonymous && !self.asks_first(who) {
            let user = shared.clone();
            self.ask_cluster(ClusterRequest::LoggedIn { user, id });
        }
        let shown = HexPair::new(u64::from(id.slot), u64::from(id.generation));
        let welcome = ServerMessage::Welcome {
            connection: shown.as_str(),
            user: &shared,
            ping_ms: self.config.health.ping_interval.as_millis() as u64,
            max_bytes: self.config.limits.message_bytes as u64,
        };
        self.send_message(id, &welcome);
    }

    /// Checks for a seat in the lobby, for a connection of `user` and from `ip`, if they are known, which
    /// takes over the seats of `replaced`.
    pub(super) fn lobby_seat(
        &self,
        name: &str,
        user: Option<&str>,
        ip: Option<IpKey>,
        replaced: Option<ConnectionId>,
    ) -> Result<(), Refused> {
        let replaced = replaced.and_then(|id| self.connections.get(id).ok());
        let seats = self.seats_in(name, user);
        self.rooms
            .lobby_seat(name, ip, replaced, &self.config.limits, seats)
    }

    pub(super) fn set_expiry(&mut self, id: ConnectionId, at: Option<Time>) {
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        self.deadlines.set_expiry(connection, id, at);
    }
}
