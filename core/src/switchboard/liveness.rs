//! Liveness: when connections are pinged, what their answers mean, and `ping_user`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::action::{Notice, PingResult};
use super::audit::{Inconsistency, same};
use super::connection::ConnectionState;
use super::effects::Effects;
use super::ping::{Outstanding, Probe};
use super::table::Table;
use crate::base::time::nanos;
use crate::{ConnectionId, Frame, Time};

/// A call of `ping_user` that is not concluded.
#[derive(Debug)]
struct PendingPing {
    /// [`Time::MAX`] until all connections have been asked.
    deadline: Time,
    waiting: usize,
    /// In the order of the payloads, which follow the ticket.
    results: Vec<PingResult>,
}

/// A call of `ping_user` that has connections to ask.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) user: Arc<str>,
    pub(super) ticket: u64,
    timeout: Duration,
    /// The place in the order of admission after which they are.
    pub(super) after: u64,
    /// The last place of them.
    pub(super) last: u64,
}

/// The pings of all connections. All times are in liveness time.
#[derive(Debug, Default)]
pub(super) struct Liveness {
    /// Calls of `ping_user` by ticket.
    pending: BTreeMap<u64, PendingPing>,
    /// Those of them that have more connections to ask.
    asking: VecDeque<Asking>,
    deadlines: BTreeSet<(Time, u64)>,
    /// The latest payload or ticket, which is unique on the node.
    last: u64,
    /// The ping of this tick, shared by all connections that are due.
    beat: Option<(u64, Frame)>,
}

/// An answer to a ping of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) rtt: Duration,
    /// Whether it answers the ping of an interval, so that no timeout runs any more.
    pub(super) of_interval: bool,
}

impl Liveness {
    /// Returns when the first call of `ping_user` times out.
    #[inline]
    pub(super) fn next(&self) -> Option<Time> {
        self.deadlines.first().map(|&(at, _)| at)
    }

    /// Returns the latest number of a ping or a ticket.
    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    /// Returns a payload that no other ping has.
    pub(super) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Returns the ping shared by all connections due in this tick, if there was one already.
    #[inline]
    pub(super) fn beat(&self) -> Option<(u64, Frame)> {
        self.beat.clone()
    }

    /// Sets the ping of this tick.
    pub(super) fn set_beat(&mut self, payload: u64, frame: Frame) {
        self.beat = Some((payload, frame));
    }

    /// Forgets the ping of the tick that is over.
    pub(super) fn end_beat(&mut self) {
        self.beat = None;
    }

    /// Begins a call of `ping_user` for as many connections as the user has, up to the `last` place in the
    /// order of admission. None of them is asked yet.
    pub(super) fn begin(
        &mut self,
        user: &str,
        (connections, last): (usize, u64),
        timeout: Duration,
    ) -> Asking {
        let ticket = self.number();
        self.last += connections as u64;
        let question = PendingPing {
            deadline: Time::MAX,
            waiting: 0,
            results: Vec::with_capacity(connections),
        };
        self.pending.insert(ticket, question);
        Asking {
            user: user.into(),
            ticket,
            timeout,
            after: 0,
            last,
        }
    }

    /// Asks one more connection. Returns the payload of the ping to send.
    pub(super) fn ask(
        &mut self,
        connections: &mut Table,
        asking: &Asking,
        id: ConnectionId,
        now: Time,
    ) -> Option<u64> {
        let question = self.pending.get_mut(&asking.ticket)?;
        question.results.push(PingResult { id, rtt: None });
        question.waiting += 1;
        let probe = Probe {
            payload: asking.ticket + question.results.len() as u64,
            sent: now,
            ticket: asking.ticket,
        };
        let probes = connections.get_mut(id).ok()?.probes();
        // Drops probes of calls that are concluded.
        probes.retain(|probe| probe.is_for_life() || self.pending.contains_key(&probe.ticket));
        probes.push(probe);
        Some(probe.payload)
    }

    /// Keeps a call that has more connections to ask.
    pub(super) fn put_off(&mut self, asking: Asking) {
        self.asking.push_back(asking);
    }

    /// Takes the first call that has more connections to ask.
    pub(super) fn next_asking(&mut self) -> Option<Asking> {
        self.asking.pop_front()
    }

    /// Returns whether a call has more connections to ask.
    pub(super) fn has_more_to_ask(&self) -> bool {
        !self.asking.is_empty()
    }

    /// All connections have been asked on behalf of a call. Its time begins.
    pub(super) fn all_asked(&mut self, effects: &mut Effects, asking: &Asking, now: Time) {
        let ticket = asking.ticket;
        let Some(question) = self.pending.get_mut(&ticket) else {
            return;
        };
        question.deadline = now + asking.timeout;
        self.deadlines.insert((question.deadline, ticket));
        if question.waiting == 0 {
            self.conclude(effects, ticket);
        }
    }

    /// Takes an answer to a ping of ours, whatever its form. Returns `None` if it was none.
    #[inline]
    pub(super) fn answered(
        &mut self,
        connections: &mut Table,
        effects: &mut Effects,
        id: ConnectionId,
        payload: u64,
        now: Time,
    ) -> Option<Answer> {
        let connection = connections.get_mut(id).ok()?;
        if let Some(ping) = connection.ping
            && ping.payload() == payload
        {
            let rtt = now.since(ping.sent);
            connection.set_round_trip(rtt);
            connection.ping = None;
            return Some(Answer {
                rtt,
                of_interval: true,
            });
        }
        let probes = connection.outstanding_probes()?;
        let at = probes.iter().position(|probe| probe.payload == payload)?;
        let probe = probes.swap_remove(at);
        if !probe.is_for_life() && !self.pending.contains_key(&probe.ticket) {
            // The call is concluded.
            return None;
        }
        let rtt = now.since(probe.sent);
        connection.set_round_trip(rtt);
        self.resolve(effects, &probe, Some(rtt));
        Some(Answer {
            rtt,
            of_interval: false,
        })
    }

    /// Gives up the probes of a connection that has ended.
    pub(super) fn forget(
        &mut self,
        connections: &mut Table,
        effects: &mut Effects,
        id: ConnectionId,
    ) {
        let Ok(connection) = connections.get_mut(id) else {
            return;
        };
        let probes = connection.outstanding_probes().map(std::mem::take);
        for probe in probes.unwrap_or_default() {
            self.resolve(effects, &probe, None);
        }
    }

    /// Concludes the calls of `ping_user` whose time is over.
    pub(super) fn tick(&mut self, effects: &mut Effects, now: Time) {
        while let Some(&(at, ticket)) = self.deadlines.first()
            && at <= now
        {
            self.conclude(effects, ticket);
        }
    }

    /// Checks that each call has a deadline, or more connections to ask.
    pub(super) fn audit(&self) -> Result<(), Inconsistency> {
        let known = self.deadlines.len() + self.asking.len();
        same("probes", self.pending.len(), known)
    }

    /// Notes the answer to a probe, or that none will come.
    fn resolve(&mut self, effects: &mut Effects, probe: &Probe, rtt: Option<Duration>) {
        let Some(question) = self.pending.get_mut(&probe.ticket) else {
            return;
        };
        let at = (probe.payload - probe.ticket - 1) as usize;
        if let Some(result) = question.results.get_mut(at) {
            result.rtt = rtt;
        }
        question.waiting -= 1;
        if question.waiting == 0 && question.deadline < Time::MAX {
            self.conclude(effects, probe.ticket);
        }
    }

    /// Gives the results of a call. The probes that are not answered stay with their connections until
    /// those are asked again.
    fn conclude(&mut self, effects: &mut Effects, ticket: u64) {
        let Some(question) = self.pending.remove(&ticket) else {
            return;
        };
        self.deadlines.remove(&(question.deadline, ticket));
        effects.notify(Notice::Pinged {
            ticket,
            results: question.results,
        });
    }
}

/// Schedules the first ping of a connection at a random time within the interval, on a beat that
/// all connections share.
pub(super) fn start(
    connection: &mut ConnectionState,
    rng: &mut fastrand::Rng,
    interval: Duration,
    now: Time,
) {
    let interval = nanos(interval);
    let beat = beat(interval);
    let wait = Duration::from_nanos(rng.u64(0..=interval - beat));
    connection.last_heard = now;
    connection.next_ping = on_the_beat(now + wait, beat);
}

/// Schedules the ping after one that has come due. Returns whether a new ping is to be sent now,
/// because the previous one was answered.
#[inline]
pub(super) fn due(connection: &mut ConnectionState, interval: Duration, now: Time) -> bool {
    // Stays on the beat, because the interval is a multiple of it except for nanoseconds.
    let next = connection.next_ping + interval;
    connection.next_ping = if next > now {
        next
    } else {
        let interval = nanos(interval);
        let beat = beat(interval);
        on_the_beat(now + Duration::from_nanos(interval - beat), beat)
    };
    match &mut connection.ping {
        Some(ping) if !ping.has_left() => {
            // The ping is still queued, and serves for this interval too.
            ping.set_unheard();
            false
        }
        ping => ping.is_none_or(|ping| ping.is_heard()),
    }
}

/// Notes a ping that is queued. `health` says whether it is a `health_ping`.
#[inline]
pub(super) fn sent(connection: &mut ConnectionState, payload: u64, health: bool, now: Time) {
    connection.ping = Some(Outstanding::new(payload, health, now));
}

/// Returns the distance of the times at which pings are due, in nanoseconds. Pings due at the same
/// time cost one wake-up of the driver, and often one for their answers.
const fn beat(interval: u64) -> u64 {
    const LONGEST: u64 = 50_000_000;
    const FEWEST: u64 = 64;
    let beats = interval / LONGEST;
    let beat = interval / if beats > FEWEST { beats } else { FEWEST };
    if beat == 0 { 1 } else { beat }
}

/// Returns the first beat after `at`.
fn on_the_beat(at: Time, beat: u64) -> Time {
    Time::from_nanos(
        (at.as_nanos() / beat)
            .saturating_add(1)
            .saturating_mul(beat),
    )
}

#[cfg(test)]
mod tests;
