//! The planned end of the node: when each connection is closed, and when the drain is over
//! (docs/behaviour.md, section 9).

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::action::DrainReport;
use super::phase::Phase;
use super::table::Table;
use crate::{ConnectionId, Time};

/// The shortest delay after which a client is asked to reconnect.
const RECONNECT_FROM: Duration = Duration::from_millis(500);

/// The drain of a node, if it has begun, and the hooks that it waits for.
#[derive(Debug, Default)]
pub(super) struct Drain {
    running: Option<Running>,
    /// Whether each end of an admitted connection begins a hook.
    awaits_hooks: bool,
    /// Ended connections whose hook has not returned.
    disconnecting: usize,
}

#[derive(Debug)]
struct Running {
    window: Duration,
    deadline: Time,
    /// When to close each connection.
    schedule: VecDeque<(Time, ConnectionId)>,
    /// Connections that were being authenticated, and may not be gone yet.
    pending: Vec<ConnectionId>,
    /// Connections that were closing when it began, and are not counted as evicted.
    closing: BTreeSet<ConnectionId>,
    report: DrainReport,
    done: bool,
}

impl Drain {
    /// Returns whether it has begun.
    pub(super) fn has_begun(&self) -> bool {
        self.running.is_some()
    }

    /// Returns when the next connection is to be closed, or the deadline.
    #[inline]
    pub(super) fn next(&self) -> Option<Time> {
        let running = self.running.as_ref().filter(|running| !running.done)?;
        let next = running.schedule.front().map(|&(at, _)| at);
        Some(next.map_or(running.deadline, |at| at.min(running.deadline)))
    }

    /// Begins: schedules the open connections in random order. Returns those that are not admitted
    /// yet, which are to be refused, or `None` if it has begun already.
    pub(super) fn begin(
        &mut self,
        connections: &Table,
        rng: &mut fastrand::Rng,
        now: Time,
        window: Duration,
        deadline: Duration,
    ) -> Option<Vec<ConnectionId>> {
        if self.has_begun() {
            return None;
        }
        let mut open = Vec::new();
        let mut pending = Vec::new();
        let mut closing = BTreeSet::new();
        for (id, connection) in connections.iter() {
            match connection.phase {
                Phase::Open => open.push(id),
                Phase::Authenticating(_) | Phase::AwaitingAuth(_) => pending.push(id),
                Phase::Closing(_) => {
                    closing.insert(id);
                }
                _ => {}
            }
        }
        rng.shuffle(&mut open);
        let share = window.as_nanos() / open.len().max(1) as u128;
        let at = |index: usize| {
            let nanos = share * (index as u128 + 1);
            now + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
        };
        let schedule = open
            .iter()
            .enumerate()
            .map(|(index, &id)| (at(index), id))
            .collect();
        self.running = Some(Running {
            window,
            deadline: now + deadline.max(window),
            schedule,
            pending: pending.clone(),
            closing,
            report: DrainReport {
                connections: open.len(),
                ..DrainReport::default()
            },
            done: false,
        });
        Some(pending)
    }

    /// Takes the next connection that is to be closed at `now`, and after how many milliseconds
    /// its client should reconnect.
    pub(super) fn pop(
        &mut self,
        rng: &mut fastrand::Rng,
        now: Time,
    ) -> Option<(ConnectionId, u64)> {
        let running = self.running.as_mut()?;
        let &(at, id) = running.schedule.front()?;
        if at > now {
            return None;
        }
        running.schedule.pop_front();
        let spread = u64::try_from(running.window.as_millis())
            .unwrap_or(u64::MAX / 2)
            .max(1_000);
        let wait = rng.u64(..=spread) + RECONNECT_FROM.as_millis() as u64;
        Some((id, wait))
    }

    /// Returns whether the deadline has passed while connections are left.
    pub(super) fn is_overdue(&self, now: Time) -> bool {
        let running = self.running.as_ref();
        running.is_some_and(|running| !running.done && running.deadline <= now)
    }

    /// Notes that the connections that are left are evicted.
    pub(super) fn evicts(&mut self, rest: impl Iterator<Item = ConnectionId>) {
        if let Some(running) = &mut self.running {
            let began = |id: &ConnectionId| !running.closing.contains(id);
            running.report.evicted = rest.filter(began).count();
            running.pending = Vec::new();
        }
    }

    /// Returns the report, once, when nobody is `admitted` any more and no hook is waited for.
    pub(super) fn conclude(
        &mut self,
        connections: &Table,
        admitted: usize,
        now: Time,
    ) -> Option<DrainReport> {
        if admitted > 0 {
            return None;
        }
        let running = self.running.as_mut()?;
        if self.disconnecting > 0 && now < running.deadline {
            return None;
        }
        while let Some(&id) = running.pending.last()
            && connections.get(id).is_err()
        {
            running.pending.pop();
        }
        if running.done || !running.pending.is_empty() {
            return None;
        }
        running.done = true;
        running.schedule = VecDeque::new();
        running.report.hooks_cut_off = self.disconnecting;
        Some(running.report)
    }

    /// Declares that each end of an admitted connection begins a hook.
    pub(super) fn await_hooks(&mut self) {
        self.awaits_hooks = true;
    }

    /// Counts the hook of an admitted connection that has ended.
    pub(super) fn ended(&mut self) {
        self.disconnecting += usize::from(self.awaits_hooks);
    }

    /// Notes that a hook has returned.
    pub(super) fn hook_returned(&mut self) {
        self.disconnecting = self.disconnecting.saturating_sub(1);
    }

    /// Returns the number of hooks that have not returned.
    pub(super) fn disconnecting(&self) -> usize {
        self.disconnecting
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::IpKey;
    use crate::switchboard::connection::ConnectionState;

    const WINDOW: Duration = Duration::from_secs(10);
    const DEADLINE: Duration = Duration::from_secs(30);

    fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1_000)
    }

    fn open(number: usize) -> (Table, Vec<ConnectionId>) {
        let mut table = Table::default();
        let ip = IpKey::of(IpAddr::from([127, 0, 0, 1]));
        let ids = (0..number).map(|_| {
            let mut connection = ConnectionState::new(ip, Time::ZERO, Time::MAX);
            connection.phase = Phase::Open;
            table.insert(connection)
        });
        let ids = ids.collect();
        (table, ids)
    }

    #[test]
    fn connections_are_closed_evenly_over_the_window_and_each_once() {
        let (table, mut ids) = open(5);
        let mut rng = fastrand::Rng::with_seed(1);
        let mut drain = Drain::default();
        let pending = drain.begin(&table, &mut rng, at(0), WINDOW, DEADLINE);
        assert_eq!(pending, Some(Vec::new()));
        let mut closed = Vec::new();
        for turn in 1..=5 {
            assert_eq!(drain.next(), Some(at(turn * 2)));
            assert_eq!(drain.pop(&mut rng, at(turn * 2 - 1)), None);
            let (id, wait) = drain.pop(&mut rng, at(turn * 2)).unwrap();
            assert!((500..=10_500).contains(&wait), "{wait}");
            closed.push(id);
        }
        closed.sort_unstable();
        ids.sort_unstable();
        assert_eq!(closed, ids);
        assert_eq!(drain.next(), Some(at(30)));
        assert!(!drain.is_overdue(at(29)) && drain.is_overdue(at(30)));
    }

    #[test]
    fn a_second_drain_changes_nothing() {
        let (table, _) = open(1);
        let mut rng = fastrand::Rng::with_seed(1);
        let mut drain = Drain::default();
        assert!(
            drain
                .begin(&table, &mut rng, at(0), WINDOW, DEADLINE)
                .is_some()
        );
        assert!(
            drain
                .begin(&table, &mut rng, at(5), WINDOW, DEADLINE)
                .is_none()
        );
        assert_eq!(drain.next(), Some(at(10)));
    }

    #[test]
    fn the_report_comes_once_when_connections_and_hooks_are_gone() {
        let (table, ids) = open(2);
        let mut rng = fastrand::Rng::with_seed(1);
        let mut drain = Drain::default();
        drain.await_hooks();
        drain.begin(&table, &mut rng, at(0), WINDOW, DEADLINE);
        drain.ended();
        assert_eq!(drain.conclude(&table, 1, at(20)), None);
        assert_eq!(drain.conclude(&table, 0, at(20)), None);
        drain.evicts(ids[..1].iter().copied());
        drain.hook_returned();
        let report = DrainReport {
            connections: 2,
            evicted: 1,
            hooks_cut_off: 0,
        };
        assert_eq!(drain.conclude(&table, 0, at(21)), Some(report));
        assert_eq!(drain.conclude(&table, 0, at(21)), None);
        assert_eq!(drain.next(), None);
    }

    #[test]
    fn at_the_deadline_hooks_are_cut_off() {
        let (table, _) = open(0);
        let mut drain = Drain::default();
        drain.await_hooks();
        drain.ended();
        let mut rng = fastrand::Rng::with_seed(1);
        drain.begin(&table, &mut rng, at(0), WINDOW, DEADLINE);
        assert_eq!(drain.conclude(&table, 0, at(29)), None);
        let report = drain.conclude(&table, 0, at(30)).unwrap();
        assert_eq!(report.hooks_cut_off, 1);
    }
}
