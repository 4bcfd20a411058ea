//! The planned end of the node: when each connection is closed, and when the drain is over
//! (docs/behaviour.md, section 9).

use std::collections::BTreeSet;
use std::time::Duration;

use super::action::DrainReport;
use super::effects::weight_of_end;
use super::phase::{Phase, Seat};
use super::table::Table;
use crate::{ConnectionId, Time};

/// The shortest delay after which a client is asked to reconnect.
const RECONNECT_FROM: Duration = Duration::from_millis(500);

/// The drain of a node, if it has begun, the hooks that it waits for, and the end of the node without
/// a drain.
#[derive(Debug, Default)]
pub(super) struct Drain {
    running: Option<Running>,
    /// Whether each end of an admitted connection begins a hook.
    awaits_hooks: bool,
    /// Ended connections whose hook has not returned.
    disconnecting: usize,
    /// The slot from which on connections are to be ended as the driver stops.
    unstopped: usize,
}

#[derive(Debug)]
struct Running {
    began: Time,
    window: Duration,
    deadline: Time,
    /// The slot from which on connections are still to be scheduled.
    unscheduled: Option<usize>,
    /// The open connections, in the order in which they are closed.
    order: Vec<ConnectionId>,
    /// How many of them were closed.
    closed: usize,
    /// Connections that were being authenticated, and may not be gone yet.
    pending: Vec<ConnectionId>,
    /// Connections that were closing when it began, and are not counted as evicted.
    closing: BTreeSet<ConnectionId>,
    /// The slot from which on connections are to be evicted after the deadline.
    unevicted: usize,
    report: DrainReport,
    done: bool,
}

impl Running {
    /// Returns when to close the next connection, once all of them are scheduled.
    fn next(&self) -> Option<Time> {
        if self.unscheduled.is_some() || self.closed == self.order.len() {
            return None;
        }
        let share = self.window.as_nanos() / self.order.len() as u128;
        let nanos = share * (self.closed as u128 + 1);
        Some(self.began + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}

impl Drain {
    /// Returns whether it has begun.
    pub(super) fn has_begun(&self) -> bool {
        self.running.is_some()
    }

    /// Returns when it began, over what time connections are closed, and when all have to be gone.
    pub(super) fn times(&self) -> Option<(Time, Duration, Time)> {
        let running = self.running.as_ref()?;
        Some((running.began, running.window, running.deadline))
    }

    /// Returns when there is something to do: the next connection is to be closed, or scheduled, or
    /// the deadline has come.
    #[inline]
    pub(super) fn next(&self) -> Option<Time> {
        let running = self.running.as_ref().filter(|running| !running.done)?;
        if running.unscheduled.is_some() {
            return Some(running.began);
        }
        let next = running.next();
        Some(next.map_or(running.deadline, |at| at.min(running.deadline)))
    }

    /// Begins: the open connections are to be [scheduled](Self::schedule). Returns `false` if it has
    /// begun already.
    pub(super) fn begin(
        &mut self,
        connections: &Table,
        now: Time,
        window: Duration,
        deadline: Duration,
    ) -> bool {
        if self.has_begun() {
            return false;
        }
        self.running = Some(Running {
            began: now,
            window,
            deadline: now + deadline.max(window),
            unscheduled: Some(0),
            order: Vec::with_capacity(connections.len()),
            closed: 0,
            pending: Vec::new(),
            closing: BTreeSet::new(),
            unevicted: 0,
            report: DrainReport::default(),
            done: false,
        });
        true
    }

    /// Schedules the open connections among the next `look` ones, in random order. Returns those
    /// that are not admitted yet, which are to be refused: at most `most`, then it stops.
    pub(super) fn schedule(
        &mut self,
        connections: &Table,
        rng: &mut fastrand::Rng,
        look: usize,
        most: usize,
    ) -> Vec<ConnectionId> {
        let mut pending = Vec::new();
        let Some(running) = &mut self.running else {
            return pending;
        };
        let Some(from) = running.unscheduled else {
            return pending;
        };
        let slots = from..from.saturating_add(look).min(connections.slots());
        let mut next = slots.end;
        for (id, connection) in connections.in_slots(slots) {
            if pending.len() == most {
                next = id.slot();
                break;
            }
            match connection.phase {
                Phase::Open => {
                    // Shuffles while it grows: each order is as likely as any other.
                    running.order.push(id);
                    let last = running.order.len() - 1;
                    if last > 0 {
                        running.order.swap(last, rng.usize(..=last));
                    }
                }
                Phase::Authenticating(_) | Phase::AwaitingAuth(_) => pending.push(id),
                Phase::Closing(_) => {
                    running.closing.insert(id);
                }
                _ => {}
            }
        }
        running.unscheduled = (next < connections.slots()).then_some(next);
        running.pending.extend(&pending);
        running.report.connections = running.order.len();
        pending
    }

    /// Takes the next connection that is to be closed at `now`, and after how many milliseconds
    /// its client should reconnect.
    pub(super) fn pop(
        &mut self,
        rng: &mut fastrand::Rng,
        now: Time,
    ) -> Option<(ConnectionId, u64)> {
        let running = self.running.as_mut()?;
        if running.done || running.next()? > now {
            return None;
        }
        let id = running.order[running.closed];
        running.closed += 1;
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

    /// Returns the next connections that are to be evicted, among the next `look` ones, until their
    /// [ends](weight_of_end) count as `most`.
    pub(super) fn evict(
        &mut self,
        connections: &Table,
        look: usize,
        most: usize,
    ) -> Vec<(ConnectionId, Seat)> {
        let Some(running) = &mut self.running else {
            return Vec::new();
        };
        running.pending = Vec::new();
        let is_left = |seat: Seat| matches!(seat, Seat::Open | Seat::Closing);
        let evicted = next_part(connections, &mut running.unevicted, (look, most), is_left);
        let began = |id: &ConnectionId| !running.closing.contains(id);
        running.report.evicted += evicted.iter().filter(|(id, _)| began(id)).count();
        evicted
    }

    /// Returns the next connections that are to be ended as the driver stops, among the next `look`
    /// ones, until their [ends](weight_of_end) count as `most`.
    pub(super) fn stop(
        &mut self,
        connections: &Table,
        look: usize,
        most: usize,
    ) -> Vec<(ConnectionId, Seat)> {
        next_part(connections, &mut self.unstopped, (look, most), |_| true)
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
        if running.unscheduled.is_some() {
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
        running.order = Vec::new();
        running.closed = 0;
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

/// Returns the next connections in certain seats, among the next `look` ones from a slot on, which it
/// moves on, until their ends count as `most`. After the last slot it begins anew.
fn next_part(
    connections: &Table,
    from: &mut usize,
    (look, most): (usize, usize),
    is_wanted: impl Fn(Seat) -> bool,
) -> Vec<(ConnectionId, Seat)> {
    let slots = *from..from.saturating_add(look).min(connections.slots());
    let (mut part, mut share) = (Vec::new(), most);
    for (id, found) in connections.in_slots(slots.clone()) {
        let seat = found.phase.seat();
        if is_wanted(seat) {
            part.push((id, seat));
            share = share.saturating_sub(weight_of_end(found.rooms.len()));
        }
        if share == 0 {
            *from = id.slot() + 1;
            return part;
        }
    }
    // A connection that was being admitted may be in a slot before the last one.
    let is_last = slots.end == connections.slots();
    *from = if is_last { 0 } else { slots.end };
    part
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
        assert!(drain.begin(&table, at(0), WINDOW, DEADLINE));
        for _ in 0..3 {
            // The drain has work until all are scheduled, two at a time.
            assert_eq!(drain.next(), Some(at(0)));
            assert_eq!(drain.pop(&mut rng, at(9)), None);
            assert_eq!(drain.conclude(&table, 0, at(9)), None);
            assert_eq!(drain.schedule(&table, &mut rng, 2, 9), Vec::new());
        }
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
        assert!(drain.begin(&table, at(0), WINDOW, DEADLINE));
        drain.schedule(&table, &mut rng, 2, 9);
        assert!(!drain.begin(&table, at(5), WINDOW, DEADLINE));
        assert_eq!(drain.next(), Some(at(10)));
    }

    #[test]
    fn the_report_comes_once_when_connections_and_hooks_are_gone() {
        let (table, ids) = open(2);
        let mut rng = fastrand::Rng::with_seed(1);
        let mut drain = Drain::default();
        drain.await_hooks();
        drain.begin(&table, at(0), WINDOW, DEADLINE);
        drain.schedule(&table, &mut rng, 2, 9);
        drain.ended();
        assert_eq!(drain.conclude(&table, 1, at(20)), None);
        assert_eq!(drain.conclude(&table, 0, at(20)), None);
        assert_eq!(drain.evict(&table, 2, 1), [(ids[0], Seat::Open)]);
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
        drain.begin(&table, at(0), WINDOW, DEADLINE);
        drain.schedule(&table, &mut rng, 1, 9);
        assert_eq!(drain.conclude(&table, 0, at(29)), None);
        let report = drain.conclude(&table, 0, at(30)).unwrap();
        assert_eq!(report.hooks_cut_off, 1);
    }

    #[test]
    fn what_is_left_is_evicted_some_at_a_time_and_each_once() {
        let (mut table, ids) = open(10);
        let mut drain = Drain::default();
        drain.begin(&table, at(0), WINDOW, DEADLINE);
        let mut evicted = Vec::new();
        while table.len() > 0 {
            let some = drain.evict(&table, 4, 3);
            assert!(some.len() <= 3);
            for (id, _) in some {
                table.remove(id);
                evicted.push(id);
            }
        }
        assert_eq!(evicted, ids);
        assert_eq!(drain.evict(&table, 4, 3), []);
    }
}
