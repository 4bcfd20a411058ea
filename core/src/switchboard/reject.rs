//! A second connection of a user who may have one: the first keeps its place, unless it is dead.
//!
//! A client whose network went silent comes back long before the heartbeat finds its old connection.
//! Refused, it would stop for good, for that dead connection's sake. So a connection that was not
//! heard lately is asked for a sign of life, and the newcomer waits for that.

use std::time::Duration;

use super::Switchboard;
use super::admission::{Newcomer, Place};
use super::connection::{ConnectionState, Outstanding, Probe, WriteState};
use super::timers::Kind;
use crate::protocol::RequestId;
use crate::{ConnectionId, HealthPing, Refused, Time, Wire};

/// How long a connection may be silent before it is asked, and then may take to answer.
const MOMENT: Duration = Duration::from_secs(1);

/// A newcomer that waits for what becomes of the connection in its place.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    who: Newcomer,
    /// The connection that is asked.
    from: ConnectionId,
    /// In liveness time.
    asked: Time,
    /// In liveness time.
    pub(super) deadline: Time,
    /// Of the `auth` message.
    request: Option<RequestId<'static>>,
}

impl Switchboard {
    /// Whether it is known who this connection is, but not yet whether it gets in. A driver asks
    /// this after [`authenticated`](Self::authenticated), and if so after each
    /// [`Action::ReadMode`](super::Action::ReadMode) of this connection; until then, what it has read of
    /// it waits.
    pub fn is_undecided(&self, id: ConnectionId) -> bool {
        let connection = self.connections.get(id);
        connection.is_ok_and(|connection| connection.claim().is_some())
    }

    /// What becomes of a newcomer whose user has this connection.
    pub(super) fn reject(&self, holder: ConnectionId) -> Result<Place, Refused> {
        let connection = self.connections.get(holder);
        let connection = connection.map_err(|_| Refused::Internal)?;
        let now = self.liveness();
        if is_live(connection, now) {
            return Err(Refused::AlreadyConnected);
        }
        // The deadline of a ping moves while we do not read.
        let timeout = self.config.health.ping_timeout;
        let ping = connection.ping.filter(Outstanding::has_left);
        let asked = ping.map(|ping| ping.deadline.before(timeout));
        Ok(if self.is_silent(connection, asked) {
            Place::Replace(holder)
        } else {
            Place::Ask(holder)
        })
    }

    /// Asks `from` for a sign of life, and lets the newcomer wait for it.
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

    /// By a ping of its own, so that no answer to another is taken for the one to this.
    fn ask_for_life(&mut self, id: ConnectionId) {
        let sent = self.liveness();
        let payload = self.probes.number();
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        let probes = connection.probes();
        // A question that nobody waits for any more is kept no longer than a newcomer waits.
        probes.retain(|probe| !probe.is_for_life() || sent.since(probe.sent) < MOMENT);
        probes.push(Probe {
            payload,
            sent,
            ticket: payload,
        });
        let asks = self.config.health.health_ping == HealthPing::All;
        self.push_probe(id, payload, asks && self.config.wire == Wire::Json);
    }

    /// The connection in whose place a newcomer wants to be has had its time.
    pub(super) fn decide_claim(&mut self, id: ConnectionId) {
        let pending = self.connections.get_mut(id).map(ConnectionState::pending);
        let Some(claim) = pending.ok().flatten().and_then(|it| it.claim.take()) else {
            return;
        };
        let holder = self.connections_of(&claim.who.name).first().copied();
        let verdict = match holder {
            None => Ok(None),
            Some(holder) if holder == claim.from => match self.connections.get(holder) {
                Ok(found) if self.is_silent(found, Some(claim.asked)) => Ok(Some(holder)),
                _ => Err(Refused::AlreadyConnected),
            },
            // It has come in meanwhile.
            Some(_) => Err(Refused::AlreadyConnected),
        };
        let request = claim.request.as_ref();
        let admitted = verdict.and_then(|replaced| self.admit(id, &claim.who, replaced, request));
        if let Err(refused) = admitted {
            self.refuse(id, refused);
        }
    }

    /// Whether a connection has shown that it is dead: it was not heard for a moment, and for as
    /// long its socket took nothing, or a ping that left at `asked` was not answered. Of whom we do
    /// not read by our own choice, the latter says nothing.
    fn is_silent(&self, connection: &ConnectionState, asked: Option<Time>) -> bool {
        let now = self.liveness();
        if is_live(connection, now) {
            return false;
        }
        let stuck = connection.writer == WriteState::Blocked
            && now.since(connection.stalled_from) >= MOMENT;
        let unanswered = asked
            .is_some_and(|asked| now.since(asked) >= MOMENT && connection.last_heard < asked)
            && !connection.is_paused(&self.config);
        stuck || unanswered
    }
}

fn is_live(connection: &ConnectionState, now: Time) -> bool {
    now.since(connection.last_heard) < MOMENT
}
