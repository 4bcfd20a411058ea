//! `UserPolicy::Reject`: the first connection of a user keeps its place, unless it is dead or
//! leaving.
//!
//! A client whose network failed reconnects long before the ping timeout detects its old connection,
//! and a refusal would stop it for good. Therefore, if nothing arrived from the old connection lately,
//! it is pinged, and the new connection waits for the answer.

use std::time::Duration;

use super::admission::Place;
use super::switchboard::Switchboard;
use crate::protocol::RequestId;
use crate::switchboard::connection::ConnectionState;
use crate::switchboard::pending::{Claim, Newcomer};
use crate::switchboard::ping::{Outstanding, Probe};
use crate::switchboard::timers::Kind;
use crate::{ConnectionId, HealthPing, Refused, Time, Wire};

/// How long a connection may be silent before it is asked, and how long it may take to answer.
const MOMENT: Duration = Duration::from_secs(1);

impl Switchboard {
    /// Returns whether the connection is authenticated, but neither admitted nor refused yet, or
    /// waits for the cluster. The
    /// driver asks after [`authenticated`](Self::authenticated), and while so after each
    /// [`Action::ReadMode`](crate::Action::ReadMode) for the connection. Until the decision, its
    /// input waits.
    pub fn is_undecided(&self, id: ConnectionId) -> bool {
        let connection = self.connections.get(id);
        connection.is_ok_and(|connection| {
            connection.claim().is_some() || connection.waits > 0 && connection.is_open()
        })
    }

    /// Decides on a newcomer whose user has this connection.
    pub(super) fn reject(&self, holder: ConnectionId) -> Result<Place, Refused> {
        let connection = self.connections.get(holder);
        let connection = connection.map_err(|_| Refused::Internal)?;
        let now = self.liveness();
        if connection.is_leaving() {
            return Ok(Place::Replace(holder));
        }
        if is_live(connection, now) {
            return Err(Refused::AlreadyConnected);
        }
        // The deadline of a ping moves while reading pauses.
        let timeout = self.config.health.ping_timeout;
        let ping = connection.ping.filter(Outstanding::has_left);
        let asked = ping.map(|ping| ping.deadline.before(timeout));
        Ok(if self.is_silent(holder, asked) {
            Place::Replace(holder)
        } else {
            Place::Ask(holder)
        })
    }

    /// Asks `from` for a sign of life, and makes the newcomer wait for it.
    pub(super) fn claim(
        &mut self,
        id: ConnectionId,
        who: Newcomer,
        from: ConnectionId,
        request: Option<&RequestId<'_>>,
    ) {
        let asked = self.liveness();
        let claim = Claim {
            who,
            from,
            asked,
            deadline: asked + MOMENT,
            has_place: false,
            replaced: None,
            request: request.map(|request| request.clone().into_owned()),
        };
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        let Some(pending) = connection.pending() else {
            return;
        };
        pending.claim = Some(Box::new(claim));
        self.arm(id, Kind::Claim);
        self.ask_for_life(from);
    }

    /// Sends a ping with a payload of its own, so that no other answer is taken for the one to
    /// this.
    fn ask_for_life(&mut self, id: ConnectionId) {
        let sent = self.liveness();
        let payload = self.pings.number();
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        let probes = connection.probes();
        // Drops probes for which no newcomer waits any more.
        probes.retain(|probe| !probe.is_for_life() || sent.since(probe.sent) < MOMENT);
        probes.push(Probe {
            payload,
            sent,
            ticket: payload,
        });
        let asks = self.config.health.health_ping == HealthPing::All;
        self.push_probe(id, payload, asks && self.config.wire == Wire::Json);
    }

    /// Decides on a newcomer when the connection in its place has had its time.
    pub(super) fn decide_claim(&mut self, id: ConnectionId) {
        let pending = self.connections.get_mut(id).map(ConnectionState::pending);
        let asks = |claim: &mut Box<Claim>| !claim.has_place;
        let claim = pending.ok().flatten().and_then(|it| it.claim.take_if(asks));
        let Some(claim) = claim else {
            return;
        };
        let session = self.users.in_session(&self.connections, claim.who.session);
        let holder = self.users.connections(&claim.who.name).next();
        let holder = holder.map(|slot| self.connections.id_at(slot));
        let verdict = match holder {
            None => Ok(None),
            // An earlier connection of its session was admitted meanwhile.
            Some(_) if session.is_some() => Ok(session.map(|slot| self.connections.id_at(slot))),
            Some(holder) => match self.connections.get(holder) {
                Ok(found) if found.is_leaving() => Ok(Some(holder)),
                // Any other was admitted meanwhile.
                Ok(_) if holder == claim.from && self.is_silent(holder, Some(claim.asked)) => {
                    Ok(Some(holder))
                }
                _ => Err(Refused::AlreadyConnected),
            },
        };
        let Claim { who, request, .. } = *claim;
        let admitted =
            verdict.and_then(|replaced| self.admit_everywhere(id, who, replaced, request.as_ref()));
        if let Err(refused) = admitted {
            self.refuse(id, refused);
        }
    }

    /// Returns whether a connection is evidently dead: nothing arrived for a moment, and for as
    /// long its socket took no bytes, or a ping that was written at `asked` was not answered. The
    /// latter proves nothing while reading pauses.
    fn is_silent(&self, holder: ConnectionId, asked: Option<Time>) -> bool {
        let now = self.liveness();
        let Ok(connection) = self.connections.get(holder) else {
            return true;
        };
        if is_live(connection, now) {
            return false;
        }
        let stuck = self.log.is_blocked(holder) && now.since(connection.stalled_from) >= MOMENT;
        let unanswered = asked
            .is_some_and(|asked| now.since(asked) >= MOMENT && connection.last_heard < asked)
            && !connection.is_paused();
        stuck || unanswered
    }
}

fn is_live(connection: &ConnectionState, now: Time) -> bool {
    now.since(connection.last_heard) < MOMENT
}
