//! Liveness: when connections are pinged, what their answers mean, and `ping_user`.

use std::collections::{BTreeMap, BTreeSet};
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
    deadline: Time,
    waiting: usize,
    results: Vec<PingResult>,
}

/// The pings of all connections. All times are in liveness time.
#[derive(Debug, Default)]
pub(super) struct Liveness {
    /// Calls of `ping_user` by ticket.
    pending: BTreeMap<u64, PendingPing>,
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

    /// Asks all these connections, on behalf of `ping_user`. Returns the ticket, and for each
    /// connection the payload of the ping to send.
    pub(super) fn ask(
        &mut self,
        connections: &mut Table,
        effects: &mut Effects,
        ids: &[ConnectionId],
        now: Time,
        timeout: Duration,
    ) -> (u64, Vec<u64>) {
        let ticket = self.number();
        let deadline = now + timeout;
        let mut payloads = Vec::with_capacity(ids.len());
        for &id in ids {
            let payload = self.number();
            if let Ok(connection) = connections.get_mut(id) {
                connection.probes().push(Probe {
                    payload,
                    sent: now,
                    ticket,
                });
            }
            payloads.push(payload);
        }
        let results = ids.iter().map(|&id| PingResult { id, rtt: None });
        let question = PendingPing {
            deadline,
            waiting: ids.len(),
            results: results.collect(),
        };
        self.pending.insert(ticket, question);
        self.deadlines.insert((deadline, ticket));
        if ids.is_empty() {
            self.conclude(connections, effects, ticket);
        }
        (ticket, payloads)
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
        let rtt = now.since(probe.sent);
        connection.set_round_trip(rtt);
        self.resolve(connections, effects, probe.ticket, id, Some(rtt));
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
            self.resolve(connections, effects, probe.ticket, id, None);
        }
    }

    /// Concludes the calls of `ping_user` whose time is over.
    pub(super) fn tick(&mut self, connections: &mut Table, effects: &mut Effects, now: Time) {
        while let Some(&(at, ticket)) = self.deadlines.first()
            && at <= now
        {
            self.conclude(connections, effects, ticket);
        }
    }

    /// Checks that each call has a deadline.
    pub(super) fn audit(&self) -> Result<(), Inconsistency> {
        same("probes", self.pending.len(), self.deadlines.len())
    }

    fn resolve(
        &mut self,
        connections: &mut Table,
        effects: &mut Effects,
        ticket: u64,
        id: ConnectionId,
        rtt: Option<Duration>,
    ) {
        let Some(question) = self.pending.get_mut(&ticket) else {
            return;
        };
        if let Some(result) = question.results.iter_mut().find(|result| result.id == id) {
            result.rtt = rtt;
        }
        question.waiting -= 1;
        if question.waiting == 0 {
            self.conclude(connections, effects, ticket);
        }
    }

    fn conclude(&mut self, connections: &mut Table, effects: &mut Effects, ticket: u64) {
        let Some(question) = self.pending.remove(&ticket) else {
            return;
        };
        self.deadlines.remove(&(question.deadline, ticket));
        let unanswered = question
            .results
            .iter()
            .filter(|result| result.rtt.is_none());
        for result in unanswered {
            let connection = connections.get_mut(result.id);
            if let Some(probes) = connection
                .ok()
                .and_then(ConnectionState::outstanding_probes)
            {
                probes.retain(|probe| probe.ticket != ticket);
            }
        }
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
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::IpKey;
    use crate::switchboard::action::Action;

    const INTERVAL: Duration = Duration::from_secs(20);

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    fn connected(number: usize) -> (Table, Vec<ConnectionId>) {
        let mut table = Table::default();
        let ip = IpKey::of(IpAddr::from([127, 0, 0, 1]));
        let insert = |_| table.insert(ConnectionState::new(ip, Time::ZERO, Time::MAX));
        let ids = (0..number).map(insert).collect();
        (table, ids)
    }

    #[test]
    fn the_next_ping_waits_for_the_answer_to_the_previous_one() {
        let (mut table, ids) = connected(1);
        let mut liveness = Liveness::default();
        let mut effects = Effects::default();
        let mut rng = fastrand::Rng::with_seed(1);
        start(table.get_mut(ids[0]).unwrap(), &mut rng, INTERVAL, at(0));
        let first = table.get_mut(ids[0]).unwrap().next_ping;
        assert!(first > at(0) && first <= at(0) + INTERVAL);
        let connection = table.get_mut(ids[0]).unwrap();
        assert!(due(connection, INTERVAL, first));
        assert_eq!(connection.next_ping, first + INTERVAL);
        let payload = liveness.number();
        sent(connection, payload, false, first);
        // While it is queued it serves for further intervals, and once written it is waited for.
        assert!(!due(connection, INTERVAL, first + INTERVAL));
        connection.ping.as_mut().unwrap().deadline = Time::MAX.before(INTERVAL);
        assert!(!due(connection, INTERVAL, first + INTERVAL * 2));
        let late = first + Duration::from_millis(7);
        let answer = liveness.answered(&mut table, &mut effects, ids[0], payload, late);
        let expected = Answer {
            rtt: Duration::from_millis(7),
            of_interval: true,
        };
        assert_eq!(answer, Some(expected));
        let again = liveness.answered(&mut table, &mut effects, ids[0], payload, late);
        assert_eq!(again, None);
        assert!(due(
            table.get_mut(ids[0]).unwrap(),
            INTERVAL,
            first + INTERVAL * 3
        ));
    }

    #[test]
    fn a_question_is_concluded_when_all_have_answered_or_ended() {
        let (mut table, ids) = connected(2);
        let mut liveness = Liveness::default();
        let mut effects = Effects::default();
        let (ticket, payloads) = liveness.ask(&mut table, &mut effects, &ids, at(0), INTERVAL);
        let rtt = Duration::from_millis(5);
        let answer = liveness.answered(&mut table, &mut effects, ids[0], payloads[0], at(5));
        assert_eq!(answer.map(|answer| answer.rtt), Some(rtt));
        assert!(effects.is_empty());
        liveness.forget(&mut table, &mut effects, ids[1]);
        let results = vec![
            PingResult {
                id: ids[0],
                rtt: Some(rtt),
            },
            PingResult {
                id: ids[1],
                rtt: None,
            },
        ];
        let notice = Notice::Pinged { ticket, results };
        assert_eq!(effects.next_action(), Some(Action::Notify(notice)));
        assert_eq!(liveness.next(), None);
        liveness.audit().unwrap();
    }

    #[test]
    fn a_question_is_concluded_at_its_timeout_and_a_later_answer_is_none_of_ours() {
        let (mut table, ids) = connected(1);
        let mut liveness = Liveness::default();
        let mut effects = Effects::default();
        let (_, payloads) = liveness.ask(&mut table, &mut effects, &ids, at(0), INTERVAL);
        assert_eq!(liveness.next(), Some(at(20_000)));
        liveness.tick(&mut table, &mut effects, at(19_999));
        assert!(effects.is_empty());
        liveness.tick(&mut table, &mut effects, at(20_000));
        assert!(!effects.is_empty());
        let late = liveness.answered(&mut table, &mut effects, ids[0], payloads[0], at(20_001));
        assert_eq!(late, None);
    }
}
