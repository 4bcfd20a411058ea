//! Newcomers that wait until it is known whether their user's connection is alive.

use switchboard_core::{ConnectionId, HealthPing};

use super::health::question;
use super::{Conn, Model, Nanos};

/// A newcomer that waits until it is known whether its user's connection is alive.
#[derive(Clone, Debug)]
pub struct Claim {
    name: String,
    expires: Option<Nanos>,
    from: ConnectionId,
    asked: Nanos,
    /// The number of the ping that was sent.
    pub number: u64,
    /// When it is decided, in liveness time.
    pub deadline: Nanos,
    request: Option<String>,
}

/// How long a connection may be silent before it is pinged, and then may take to answer.
pub(super) const MOMENT: Nanos = 1_000_000_000;

impl Model {
    /// Returns whether a connection is dead, as far as the model can know. The model does not
    /// predict interval pings; with them, no newcomer is rejected.
    pub(super) fn is_silent(&self, conn: &Conn, asked: Option<Nanos>) -> bool {
        let live = self.live();
        let stuck = conn.blocked && conn.stalled_from.is_some_and(|from| live - from >= MOMENT);
        let long = self.config.limits.pause_reading;
        let paused = conn.paused || long.is_some_and(|most| conn.queue.own_bytes() > most);
        let unanswered = asked.is_some_and(|at| live - at >= MOMENT && conn.last_heard < at);
        live - conn.last_heard >= MOMENT && (stuck || unanswered && !paused)
    }

    pub(super) fn claim(
        &mut self,
        id: ConnectionId,
        from: ConnectionId,
        name: &str,
        expires: Option<Nanos>,
        request: Option<&str>,
    ) {
        let asked = self.live();
        self.number += 1;
        let number = self.number;
        let claim = Claim {
            name: name.to_owned(),
            expires,
            from,
            asked,
            number,
            deadline: asked + MOMENT,
            request: request.map(str::to_owned),
        };
        if let Some(conn) = self.conn(id) {
            conn.claim = Some(claim);
        }
        let by_message = self.json() && self.config.health.health_ping == HealthPing::All;
        if let Some(conn) = self.conn(from) {
            conn.asked.retain(|&(_, at)| asked - at < MOMENT);
            conn.asked.push((number, asked));
        }
        self.push(from, question(number, by_message));
    }

    /// The connection that a newcomer wants to replace has had its time to answer.
    pub(crate) fn decide_claim(&mut self, id: ConnectionId) {
        let Some(claim) = self.conn(id).and_then(|conn| conn.claim.take()) else {
            return;
        };
        let holder = self.users.get(&claim.name).map(|devices| devices[0]);
        let silent = |id: ConnectionId| self.is_silent(&self.conns[&id], Some(claim.asked));
        let request = claim.request.as_deref();
        let verdict = match holder {
            None => self.admit(id, &claim.name, claim.expires, None, request),
            Some(other) if self.conns[&other].leaving || other == claim.from && silent(other) => {
                self.admit(id, &claim.name, claim.expires, Some(other), request)
            }
            Some(_) => Err("already_connected"),
        };
        if let Err(key) = verdict {
            self.refuse(id, key);
        }
    }
}
