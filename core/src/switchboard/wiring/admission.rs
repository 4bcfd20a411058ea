//! Admission: the verdict on a login, the user policy, and the seats that they need
//! (docs/behaviour.md, section 1).

use std::time::Duration;

use super::switchboard::Switchboard;
use crate::base::name::anonymous_user;
use crate::protocol::{RequestId, ServerMessage};
use crate::recorder::{Input, Who};
use crate::switchboard::action::{Action, Notice};
use crate::switchboard::connection::ConnectionState;
use crate::switchboard::pending::Newcomer;
use crate::switchboard::phase::Phase;
use crate::switchboard::timers::Kind;
use crate::wire::frame::Window;
use crate::{
    CloseReason, ConnectionId, Reach, Refused, StaleId, Time, UserPolicy, Wire, check_user,
};

/// The identity behind a connection, as the application states it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A user.
    User {
        /// The name: 1 to 128 bytes, as configured, without control characters, and not starting with
        /// `anon-`. With an illegal name the client is refused with `internal`.
        name: String,
        /// How long the login lasts from now; `None` for no end.
        expires_in: Option<Duration>,
    },
    /// No user in particular: the user is `anon-<connection>`, and user policy does not apply.
    Anonymous,
    /// The client must send an `auth` message first.
    FirstMessage,
}

impl Identity {
    /// Returns a user whose login does not expire.
    pub fn user(name: impl Into<String>) -> Self {
        Self::User {
            name: name.into(),
            expires_in: None,
        }
    }
}

/// The verdict of the user policy on a newcomer.
pub(super) enum Place {
    Free,
    /// The place of this connection, which is closed.
    Replace(ConnectionId),
    /// The place of this connection, unless it shows life.
    Ask(ConnectionId),
}

impl Switchboard {
    /// Takes the application's verdict: an identity, or `Unauthorized`, `Forbidden`,
    /// `Application` or `Internal`.
    /// With an identity, applies the user policy and takes a seat of the node and of the lobby, in
    /// one step.
    ///
    /// Where a second connection of a user would be rejected, and nothing has arrived from the
    /// first one for a moment, the first one is asked for a sign of life. The connection [is
    /// undecided](Self::is_undecided) for a second then.
    ///
    /// `request` is the id of the `auth` message, if there was one. Has no effect on a connection
    /// that does not wait for a verdict.
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection is gone.
    pub fn authenticated(
        &mut self,
        now: Time,
        id: ConnectionId,
        verdict: Result<Identity, Refused>,
        request: Option<&RequestId<'_>>,
    ) -> Result<(), StaleId> {
        self.record(now, |_| Input::Login {
            conn: id,
            who: verdict.as_ref().ok().map(Who::from),
            refused: verdict.as_ref().err().map(|&refused| refused.into()),
            id: request.map(|request| request.as_json().into()),
        });
        self.advance_clock(now);
        self.hook_done(id)?;
        let first = match &self.connections.get(id)?.phase {
            Phase::Authenticating(pending) | Phase::AwaitingAuth(pending)
                if pending.claim.is_some() =>
            {
                return Ok(());
            }
            Phase::Authenticating(_) => false,
            Phase::AwaitingAuth(_) => true,
            Phase::Open => {
                self.refreshed(id, verdict, request);
                return Ok(());
            }
            _ => return Ok(()),
        };
        let verdict = match verdict {
            _ if self.drain.has_begun() => Err(Refused::Restart),
            Ok(Identity::FirstMessage) if first || self.config.wire == Wire::Raw => {
                Err(Refused::Unauthorized)
            }
            Ok(Identity::FirstMessage) => {
                self.await_auth(id);
                return Ok(());
            }
            Ok(identity) => self.identified(id, identity, request),
            Err(refused) => Err(refused),
        };
        if let Err(refused) = verdict {
            self.refuse(id, refused);
        }
        Ok(())
    }

    /// Sets how far back into the history of its lobby a client may reach that is not admitted yet.
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection is gone.
    pub fn limit_lobby(&mut self, id: ConnectionId, reach: Reach) -> Result<(), StaleId> {
        self.record(self.clock.now(), |_| Input::LimitLobby {
            conn: id,
            reach: reach.into(),
        });
        if let Some(pending) = self.connections.get_mut(id)?.pending() {
            pending.reach = reach;
        }
        Ok(())
    }

    /// Stops compressing messages to a connection, whatever was negotiated. For clients whose messages
    /// contain both a secret and data that somebody else chose.
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection is gone.
    pub fn stop_compressing(&mut self, id: ConnectionId) -> Result<(), StaleId> {
        if let Some(pending) = self.connections.get_mut(id)?.pending() {
            pending.window = Window::NONE;
        }
        self.log.set_window(id, Window::NONE);
        Ok(())
    }

    /// Sets the text for a client that is not admitted yet, in case it is refused with
    /// [`Refused::Application`]: the reason of the Close frame, cut to 123 bytes.
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection is gone.
    pub fn explain_refusal(&mut self, id: ConnectionId, text: &str) -> Result<(), StaleId> {
        self.record(self.clock.now(), |_| Input::ExplainRefusal {
            conn: id,
            text: text.into(),
        });
        if let Some(pending) = self.connections.get_mut(id)?.pending() {
            pending.refusal_text = Some(text.into());
        }
        Ok(())
    }

    /// Returns whether a connection to this room would be admitted now, for applications that
    /// distribute clients over nodes.
    ///
    /// # Errors
    /// The refusal that the connection would get.
    pub fn can_accept(&self, room: Option<&str>) -> Result<(), Refused> {
        if self.drain.has_begun() {
            return Err(Refused::Restart);
        }
        if self.seats.open() >= self.config.limits.connections {
            return Err(Refused::ServerFull);
        }
        match room {
            Some(name) => self.lobby_seat(name, None, None, None),
            None => Ok(()),
        }
    }

    fn await_auth(&mut self, id: ConnectionId) {
        let deadline = self.liveness() + self.config.timeouts.auth;
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        let Phase::Authenticating(pending) = &mut connection.phase else {
            return;
        };
        let mut pending = std::mem::take(pending);
        let response = pending.response.take();
        pending.auth_deadline = deadline;
        self.move_to(id, Phase::AwaitingAuth(pending));
        if let Some(response) = response {
            self.push_response(id, response);
        }
        self.arm(id, Kind::Auth);
        self.effects.act(Action::ReadMode(id));
    }

    /// Applies the user policy and admits the connection, or does nothing.
    fn identified(
        &mut self,
        id: ConnectionId,
        identity: Identity,
        request: Option<&RequestId<'_>>,
    ) -> Result<(), Refused> {
        let (name, expires_in) = match identity {
            Identity::User { name, expires_in } => (Some(name), expires_in),
            _ => (None, None),
        };
        let session = self.session_of(id, name.as_deref());
        let who = Newcomer {
            anonymous: name.is_none(),
            session,
            expires: expires_in.map(|expires_in| self.clock.now() + expires_in),
            name: name.unwrap_or_else(|| anonymous_user(id)),
        };
        if !who.anonymous && !self.may_be_called(id, &who.name) {
            return Err(Refused::Internal);
        }
        let replaced = match self.users.find(&who.name) {
            Some(user) if !who.anonymous => match self.place_of(user, who.session)? {
                Place::Free => None,
                Place::Replace(other) => Some(other),
                Place::Ask(other) => {
                    self.claim(id, who, other, request);
                    return Ok(());
                }
            },
            _ => None,
        };
        self.admit_everywhere(id, who, replaced, request)
    }

    /// Returns whether a user may have this name. An illegal one is reported to the application.
    fn may_be_called(&mut self, id: ConnectionId, name: &str) -> bool {
        let checked = check_user(name, self.config.limits.name_bytes);
        if let Err(bad) = checked {
            self.notify(Notice::BadUser { id, bad });
        }
        checked.is_ok()
    }

    /// Returns the hash of the session that a newcomer of this user, or an anonymous one, names.
    fn session_of(&mut self, id: ConnectionId, user: Option<&str>) -> u64 {
        let connection = self.connections.get_mut(id).ok();
        let pending = connection.and_then(ConnectionState::pending);
        let session = pending.and_then(|pending| pending.resume.session.as_deref());
        session.map_or(0, |session| self.fingerprints.session(user, session))
    }

    /// Returns the place of a newcomer of this user and session, or why it is refused. The newer
    /// connection of a session has the place of the older one, whatever the policy.
    fn place_of(&self, user: u32, session: u64) -> Result<Place, Refused> {
        if let Some(older) = self.users.in_session(&self.connections, session) {
            return Ok(Place::Replace(self.connections.id_at(older)));
        }
        let devices = &self.users.at(user).connections;
        let Some(oldest) = devices.first() else {
            return Ok(Place::Free);
        };
        let oldest = self.connections.id_at(oldest);
        let most = match self.config.users {
            UserPolicy::Replace => 1,
            UserPolicy::Allow(most) => most,
            UserPolicy::Reject => return self.reject(oldest),
        };
        if devices.len() < most {
            return Ok(Place::Free);
        }
        let is_leaving = |&slot: &u32| self.connections.at(slot).is_leaving();
        let leaving = devices.iter().find(is_leaving);
        Ok(Place::Replace(
            leaving.map_or(oldest, |slot| self.connections.id_at(slot)),
        ))
    }

    /// Handles an `auth` message of an open connection, which prolongs the login of the same user.
    fn refreshed(
        &mut self,
        id: ConnectionId,
        verdict: Result<Identity, Refused>,
        request: Option<&RequestId<'_>>,
    ) {
        let Ok(connection) = self.connections.get(id) else {
            return;
        };
        let user = self.users.at(connection.user).name.clone();
        match verdict {
            Ok(Identity::User { name, .. }) if !self.may_be_called(id, &name) => {
                self.end(id, CloseReason::Internal);
            }
            Ok(Identity::User { name, expires_in }) if *name == *user => {
                self.set_expiry(
                    id,
                    expires_in.map(|expires_in| self.clock.now() + expires_in),
                );
                self.send_message(
                    id,
                    &ServerMessage::Authenticated {
                        user: &user,
                        id: request,
                    },
                );
            }
            Err(Refused::Internal) => self.end(id, CloseReason::Internal),
            _ => self.end(id, CloseReason::Unauthorized),
        }
    }
}
