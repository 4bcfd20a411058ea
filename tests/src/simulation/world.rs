//! The world of one run: the node, its clients, the network between them, and the clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use switchboard_core::{Audit, ConnectionId, Deflater, Switchboard, Time, WriteTurn};

use super::client::Client;
use super::contexts;
use super::counters::{Fault, Probe, Tally};
use super::keeping::KEEPING;
use super::link::{Link, Phase};
use super::oracle::Oracle;
use super::plan::{MICRO, MILLI, Plan, SECOND};
use super::schedule::{Schedule, Step};
use crate::seeds::Broken;

pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) rng: Rng,
    pub(super) now: u64,
    pub(super) schedule: Schedule,
    pub(super) board: Switchboard,
    /// An audit that goes on while connections change.
    pub(super) audit: Audit,
    pub(super) deflater: Option<Box<Deflater>>,
    pub(super) links: Vec<Link>,
    pub(super) slots: Vec<Option<(ConnectionId, u32)>>,
    pub(super) clients: Vec<Client>,
    pub(super) oracle: Oracle,
    pub(super) tally: Tally,
    pub(super) broken: Option<Broken>,
    /// A running hash of all events.
    pub(super) trace: u64,
    pub(super) signals: VecDeque<u32>,
    /// The host is stalled until then.
    pub(super) frozen_until: u64,
    /// Total time of host stalls.
    pub(super) frozen: u64,
    pub(super) alarm: u64,
    /// The deadline for which the timer is set; it may fire later.
    alarm_for: u64,
    pub(super) flushing: bool,
    /// Turns of late writers.
    pub(super) turns: BTreeMap<u32, WriteTurn>,
    /// Whether a turn is written that is not reported yet.
    pub(super) is_writing: bool,
    /// When the core last noticed a stall of the host, and how long a one.
    pub(super) stall: (u64, Duration),
    /// Number of steps at the current instant.
    at_once: u32,
    pub(super) last_tick: u64,
    pub(super) ticking: bool,
    pub(super) collecting: bool,
    /// Whether faults have stopped.
    pub(super) calm: bool,
    /// Whether clients send nothing by themselves.
    pub(super) quiet: bool,
    pub(super) drain_due: Option<(u64, u64)>,
    /// Ids used so far.
    pub(super) old_ids: Vec<ConnectionId>,
    pub(super) known_ids: BTreeSet<(usize, u32)>,
    pub(super) tickets: BTreeMap<u64, usize>,
    until_audit: u64,
    /// By how much the next call's time is earlier.
    rewind: u64,
    /// The latest time given to the core.
    pub(super) core_now: u64,
    pub(super) serial: u64,
    pub(super) log: Option<Vec<String>>,
}

impl World {
    /// Creates the world of a seed, whose node has a recorder of so many bytes.
    pub(super) fn recorded(seed: u64, recorder: usize) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut plan = Plan::draw(&mut rng, seed >= KEEPING);
        contexts::draw(seed, &mut plan.config);
        plan.config.recorder.bytes = recorder;
        let start = rng.u64(0..=10_000) * SECOND;
        let board = Switchboard::new(plan.config.clone(), rng.u64(..), Time::from_nanos(start));
        let mut world = Self {
            clients: Client::draw_all(&plan, &mut rng),
            oracle: Oracle::new(&plan),
            audit: Audit::new(),
            board: board.unwrap_or_else(|error| panic!("seed {seed}: {error}")),
            deflater: None,
            plan,
            rng,
            now: start,
            schedule: Schedule::default(),
            links: Vec::new(),
            slots: Vec::new(),
            tally: Tally::default(),
            broken: None,
            trace: seed,
            signals: VecDeque::new(),
            frozen_until: 0,
            frozen: 0,
            alarm: u64::MAX,
            alarm_for: u64::MAX,
            flushing: false,
            turns: BTreeMap::new(),
            is_writing: false,
            stall: (0, Duration::ZERO),
            at_once: 0,
            last_tick: start,
            ticking: false,
            collecting: false,
            calm: false,
            quiet: false,
            drain_due: None,
            old_ids: Vec::new(),
            known_ids: BTreeSet::new(),
            tickets: BTreeMap::new(),
            until_audit: 1,
            rewind: 0,
            core_now: start,
            serial: 0,
            log: None,
        };
        world.begin(start);
        world
    }

    fn begin(&mut self, start: u64) {
        for client in 0..self.clients.len() as u32 {
            let at = start + self.rng.u64(..5 * SECOND);
            self.schedule.push(at, Step::Client(client));
        }
        self.schedule.push(start + SECOND, Step::Application);
        self.schedule.push(start + SECOND, Step::Trouble);
        if let Some(drain) = self.plan.drain {
            self.schedule.push(start + drain.at, Step::Drain);
        }
    }

    /// Records a violated invariant by its number in the table of `mod.rs`; only the first is kept.
    pub(super) fn fail(&mut self, invariant: u8, what: impl Into<String>) {
        let at = self.now;
        self.broken.get_or_insert_with(|| Broken {
            rule: format!("invariant {invariant}"),
            what: what.into(),
            at,
        });
    }

    pub(super) fn check(&mut self, invariant: u8, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.fail(invariant, what());
        }
    }

    pub(super) fn note(&mut self, text: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            log.push(format!("{:>16} {}", self.now, text()));
        }
    }

    pub(super) fn hash(&mut self, value: u64) {
        self.trace = (self.trace.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        self.tally.fault(fault);
    }

    pub(super) fn probe(&mut self, probe: Probe) {
        self.tally.probe(probe);
    }

    /// Returns true with this probability in percent, or false once faults have stopped.
    pub(super) fn trouble(&mut self, percent: u8) -> bool {
        !self.calm && self.rng.u8(..100) < percent
    }

    /// Calls the core and carries out what follows.
    pub(super) fn call<T>(&mut self, call: impl FnOnce(&mut Switchboard, Time) -> T) -> T {
        let time = self.now.saturating_sub(self.rewind);
        self.core_now = self.core_now.max(time);
        self.call_timeless(|board| call(board, Time::from_nanos(time)))
    }

    /// The same for a call that does not tell the core the time.
    pub(super) fn call_timeless<T>(&mut self, call: impl FnOnce(&mut Switchboard) -> T) -> T {
        self.tally.events += 1;
        let result = call(&mut self.board);
        self.rewind = 0;
        if self.plan.backward > 0 && !self.calm && self.rng.u32(..self.plan.backward) == 0 {
            self.rewind = self.rng.u64(..3_600 * SECOND);
            self.fault(Fault::ClockBackward);
        }
        self.collect();
        self.until_audit = self.until_audit.saturating_sub(1);
        if self.until_audit == 0 && self.oracle.arriving.is_none() {
            self.until_audit = self.plan.audit_every;
            self.audit();
        }
        result
    }

    /// Returns the time that the core will use for the next call.
    pub(super) fn core_time(&self) -> u64 {
        if self.collecting {
            return self.core_now;
        }
        self.core_now.max(self.now.saturating_sub(self.rewind))
    }

    pub(super) fn link_of(&self, id: ConnectionId) -> Option<u32> {
        match self.slots.get(id.slot())? {
            Some((found, link)) if *found == id => Some(*link),
            _ => None,
        }
    }

    /// Draws a network delay.
    pub(super) fn latency(&mut self) -> u64 {
        match self.rng.u8(..16) {
            0 => 0,
            1..12 => self.rng.u64(50 * MICRO..5 * MILLI),
            _ => self.rng.u64(5 * MILLI..80 * MILLI),
        }
    }

    /// Runs all steps up to `end`.
    pub(super) fn run_until(&mut self, end: u64) {
        while self.broken.is_none() {
            let Some((at, step)) = self.schedule.pop_until(end) else {
                break;
            };
            self.at_once = if at > self.now { 0 } else { self.at_once + 1 };
            self.now = self.now.max(at);
            if self.at_once > 1_000_000 {
                // Invariant 25: no output causes further steps for ever.
                self.fail(25, format!("endless steps at one instant: {step:?}"));
            }
            if step.is_of_node() && self.now < self.frozen_until {
                // Input that has arrived is read before deadlines are checked.
                let late = if step == Step::Tick { MICRO } else { 0 };
                if step == Step::Tick {
                    self.alarm = self.frozen_until + late;
                }
                self.schedule.push(self.frozen_until + late, step);
                continue;
            }
            self.step(step);
            self.settle();
        }
        self.now = self.now.max(end);
    }

    fn step(&mut self, step: Step) {
        let (kind, which) = match step {
            Step::Client(client) => (1, client),
            Step::Arrive(link) | Step::Accept(link) => (2, link),
            Step::Deliver(link) => (3, link),
            Step::Writable(link) => (4, link),
            Step::Report(link) => (5, link),
            Step::Hook(link, _) => (6, link),
            Step::Flush => (7, 0),
            Step::Tick => (8, 0),
            _ => (9, 0),
        };
        self.hash(self.now ^ (kind << 60) ^ u64::from(which) << 32);
        match step {
            Step::Client(client) => self.client_acts(client),
            Step::Accept(link) => self.accept(link),
            Step::Arrive(link) => self.arrive(link),
            Step::Deliver(link) => self.deliver(link),
            Step::Writable(link) => self.writable(link),
            Step::Flush => self.flush(),
            Step::Report(link) => self.report(link),
            Step::Hook(link, serial) => self.hook_over(link, serial),
            Step::Tick => self.tick(),
            Step::Application => self.application_acts(),
            Step::Trouble => self.make_trouble(),
            Step::Drain => self.begin_drain(),
        }
    }

    /// After each step: applies signals, sets the timer, wakes the writer.
    fn settle(&mut self) {
        while let Some(link) = self.signals.pop_front() {
            self.heed(link);
        }
        if self.board.wants_write() && !self.flushing {
            self.flushing = true;
            let late = if self.calm {
                0
            } else {
                self.rng.u64(..200 * MICRO)
            };
            self.schedule.push(self.now + late, Step::Flush);
        }
        if let Some(next) = self.board.next_deadline()
            && next.as_nanos() < self.alarm_for
        {
            let late = if self.calm || self.plan.tick_jitter == 0 {
                0
            } else {
                self.rng.u64(..=self.plan.tick_jitter)
            };
            self.alarm_for = next.as_nanos();
            let alarm = next.as_nanos().max(self.now).saturating_add(late);
            if alarm < self.alarm {
                self.alarm = alarm;
                self.schedule.push(self.alarm, Step::Tick);
            }
        }
    }

    fn tick(&mut self) {
        if self.now < self.alarm {
            if self.now + 1 < self.alarm && self.rng.u8(..4) != 0 {
                return;
            }
            self.fault(Fault::TickSpurious);
        } else {
            self.alarm = u64::MAX;
            self.alarm_for = u64::MAX;
        }
        if let Some(due) = self.board.next_deadline()
            && self.now > due.as_nanos()
        {
            self.fault(Fault::TickLate);
        }
        let earlier = self.board.next_deadline();
        self.last_tick = self.now;
        let time = Time::from_nanos(self.now);
        self.tally.events += 1;
        self.board.tick(time);
        // Where much is due at once, the driver ticks again before it does anything else.
        let at_once = Time::from_nanos(self.now + 1);
        for _ in 0..64 {
            if self.board.next_deadline().is_none_or(|it| it > at_once) {
                break;
            }
            self.board.tick(time);
        }
        self.core_now = self.now;
        self.free_held_seats();
        self.ticking = true;
        self.collect();
        self.ticking = false;
        let next = self.board.next_deadline();
        self.check(18, next.is_none_or(|next| next > time), || {
            format!("the next deadline {next:?} is not after the tick at {time:?}, was {earlier:?}")
        });
        if self.rng.u8(..8) == 0 {
            self.idle_ticks(time);
        }
        self.oracle_after_tick();
    }

    /// Checks that a second tick, and one in the past, do nothing (invariant 21).
    fn idle_ticks(&mut self, time: Time) {
        let hour = Duration::from_secs(3_600);
        for again in [time, time.before(hour)] {
            self.board.tick(again);
            let action = self.board.poll_action();
            self.check(21, action.is_none(), || {
                format!("a repeated tick at {again:?}: {action:?}")
            });
        }
        let next = self.board.next_deadline();
        self.check(18, next.is_none_or(|next| next > time), || {
            format!("the next deadline {next:?} after {time:?}")
        });
    }

    pub(super) fn begin_drain(&mut self) {
        let Some(drain) = self.plan.drain else { return };
        self.fault(Fault::Drain);
        self.note(|| format!("drain {drain:?}"));
        let deadline = drain.deadline.max(drain.window).as_nanos() as u64;
        let began = self.core_time();
        self.drain_due = Some((began, began + deadline));
        self.oracle.drain_open = self.oracle.open;
        let live: Vec<u32> = self.oracle.live.iter().copied().collect();
        for l in live {
            let shadow = &mut self.links[l as usize].shadow;
            shadow.at_drain = shadow.phase == Phase::Open;
        }
        let pending =
            self.oracle.count(Phase::Authenticating) + self.oracle.count(Phase::AwaitingAuth);
        if pending > 0 {
            self.probe(Probe::DrainPending);
        }
        self.call(|board, now| board.drain(now, drain.window, drain.deadline));
        // A second call has no effect (invariant 27).
        self.call(|board, now| board.drain(now, Duration::ZERO, Duration::ZERO));
    }

    /// Returns the name of a room.
    pub(super) fn room_name(room: u32) -> String {
        format!("r{room}")
    }

    pub(super) fn shared_user(&self, link: u32) -> Option<Arc<str>> {
        self.links[link as usize].shadow.user.clone()
    }
}
