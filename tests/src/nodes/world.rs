//! The world of one run: the broker, the nodes, their clients, the networks between them, and the clock.

use std::collections::VecDeque;

use fastrand::Rng;

use super::broker::Broker;
use super::client::Client;
use super::link::{Down, Link};
use super::oracle::Oracle;
use super::plan::{MILLI, Plan, SECOND};
use super::process::Process;
use super::schedule::{Schedule, Step};
use super::tally::Tally;
use super::wire::Wire;
use crate::seeds::Broken;

/// A node: its process, if there is one, and the way from there to the broker.
#[derive(Default)]
pub(super) struct Node {
    pub(super) process: Option<Process>,
    /// Until when the process stands still.
    pub(super) paused_until: u64,
    /// What has arrived meanwhile.
    inbox: VecDeque<Step>,
    /// Until when nothing that it sends through new connections reaches the broker.
    pub(super) cut_off_until: u64,
    /// Until when its connections to the broker are refused.
    pub(super) refused_until: u64,
}

pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) rng: Rng,
    pub(super) now: u64,
    pub(super) schedule: Schedule,
    pub(super) broker: Broker,
    pub(super) nodes: Vec<Node>,
    pub(super) wires: Vec<Wire>,
    pub(super) links: Vec<Link>,
    /// Links that have a session.
    pub(super) served: Vec<u32>,
    pub(super) clients: Vec<Client>,
    pub(super) oracle: Oracle,
    pub(super) tally: Tally,
    pub(super) broken: Option<Broken>,
    /// A running hash of all events.
    pub(super) trace: u64,
    pub(super) log: Option<Vec<String>>,
    /// Nothing goes wrong any more, and clients say and leave nothing by themselves.
    pub(super) is_calm: bool,
    /// All clients have left for good.
    pub(super) is_over: bool,
    /// Processes that were ever started.
    processes: u32,
    /// Number of steps at the current instant.
    at_once: u32,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let plan = Plan::draw(seed, &mut rng);
        let now = 1_000 * SECOND;
        let mut world = Self {
            broker: Broker::new(plan.output, now),
            nodes: (0..plan.nodes).map(|_| Node::default()).collect(),
            clients: Client::draw_all(&plan, &mut rng),
            oracle: Oracle::default(),
            plan,
            rng,
            now,
            schedule: Schedule::default(),
            wires: Vec::new(),
            links: Vec::new(),
            served: Vec::new(),
            tally: Tally::default(),
            broken: None,
            trace: seed,
            log: None,
            is_calm: false,
            is_over: false,
            processes: 0,
            at_once: 0,
        };
        for n in 0..world.plan.nodes {
            let at = now + world.rng.u64(..200 * MILLI);
            world.schedule.push(at, Step::Start(n as u32));
        }
        for client in 0..world.clients.len() as u32 {
            let at = now + world.rng.u64(..3 * SECOND);
            world.schedule.push(at, Step::Client(client));
        }
        world.schedule.push(now + 2 * SECOND, Step::Application);
        world.schedule.push(now + 2 * SECOND, Step::Trouble);
        world
    }

    /// Records a broken promise; only the first is kept.
    pub(super) fn fail(&mut self, promise: &'static str, what: impl Into<String>) {
        let at = self.now;
        self.broken.get_or_insert_with(|| Broken {
            rule: promise.into(),
            what: what.into(),
            at,
        });
    }

    pub(super) fn check(
        &mut self,
        promise: &'static str,
        holds: bool,
        what: impl FnOnce() -> String,
    ) {
        if !holds {
            self.fail(promise, what());
        }
    }

    pub(super) fn count(&mut self, what: &'static str, by: u64) {
        self.tally.count(what, by);
    }

    pub(super) fn note(&mut self, text: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            let micros = (self.now - 1_000 * SECOND) / 1_000;
            log.push(format!("{micros:>12} {}", text()));
        }
    }

    pub(super) fn hash(&mut self, value: u64) {
        self.trace = (self.trace.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
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
                self.fail("ends", format!("endless steps at one instant: {step:?}"));
            }
            self.broker.pass(self.now);
            match self.node_of(step) {
                Some(n) if self.is_paused(n) => self.nodes[n].inbox.push_back(step),
                _ => self.step(step),
            }
        }
        self.now = self.now.max(end);
    }

    pub(super) fn is_paused(&self, n: usize) -> bool {
        self.now < self.nodes[n].paused_until
    }

    /// Returns the node whose process takes a step.
    fn node_of(&self, step: Step) -> Option<usize> {
        match step {
            Step::Up(l) | Step::Hook(l) | Step::Writable(l) | Step::Read(l) => {
                Some(self.links[l as usize].node)
            }
            Step::WireDown(w) => Some(self.wires[w as usize].node),
            Step::Tick(n, _) => Some(n as usize),
            _ => None,
        }
    }

    fn step(&mut self, step: Step) {
        let (kind, which) = match step {
            Step::Client(which) => (1, which),
            Step::Up(which) => (2, which),
            Step::Down(which) => (3, which),
            Step::WireUp(which) => (4, which),
            Step::WireDown(which) => (5, which),
            Step::Tick(which, _) => (6, which),
            _ => (7, 0),
        };
        self.hash(self.now ^ (kind << 60) ^ u64::from(which) << 32);
        match step {
            Step::Client(client) => self.client_acts(client),
            Step::Up(l) => self.arrives(l),
            Step::Down(l) => self.client_reads(l),
            Step::Hook(l) => self.hook_returns(l),
            Step::Writable(l) => self.writable(l),
            Step::Read(l) => {
                self.read(l);
                self.settle(self.links[l as usize].node);
            }
            Step::WireUp(w) => self.broker_reads(w),
            Step::WireDown(w) => self.node_reads(w),
            Step::Tick(n, process) => self.tick(n as usize, process),
            Step::Resume(n) => self.resume(n as usize),
            Step::Start(n) => self.start(n as usize),
            Step::Application => self.application_acts(),
            Step::Trouble => self.make_trouble(),
        }
    }

    /// A process begins, which knows nothing.
    fn start(&mut self, n: usize) {
        if self.nodes[n].process.is_some() {
            return;
        }
        self.processes += 1;
        let number = self.processes;
        let seed = self.rng.u64(..);
        // No two clocks say the same.
        let zero = self.now - self.rng.u64(SECOND..500 * SECOND);
        let now = switchboard_core::Time::from_nanos(self.now - zero);
        let config = self.plan.config(n);
        self.note(|| format!("node {n} starts as process {number}"));
        self.nodes[n].process = Some(Process::new(config, number, seed, zero, now));
        self.call(n, |process, now| {
            process.with(now, |board, clustered| clustered.tick(now, board));
        });
        self.settle(n);
    }

    /// A process runs again: what has arrived meanwhile is read before it looks at the clock.
    fn resume(&mut self, n: usize) {
        if self.is_paused(n) {
            return;
        }
        let inbox = std::mem::take(&mut self.nodes[n].inbox);
        let (ticks, others): (Vec<_>, Vec<_>) = inbox
            .into_iter()
            .partition(|step| matches!(step, Step::Tick(..)));
        for step in others.into_iter().chain(ticks) {
            self.step(step);
        }
    }

    /// The process of a node is gone. Its sockets are reset, unless the whole machine has vanished.
    pub(super) fn ends(&mut self, n: usize, silently: bool) {
        let Some(process) = self.nodes[n].process.take() else {
            return;
        };
        self.note(|| format!("process {} of node {n} is gone", process.number));
        self.nodes[n].paused_until = 0;
        self.nodes[n].inbox.clear();
        if let Some(w) = process.wire {
            if silently {
                // The broker learns it when it does not get rid of what it sends.
                self.wires[w as usize].swallows_down = true;
            } else {
                self.wire_up(w, super::wire::Sent::Fin);
            }
        }
        for l in std::mem::take(&mut self.served) {
            let link = &mut self.links[l as usize];
            if link.node != n || link.process != process.number {
                self.served.push(l);
                continue;
            }
            link.session = None;
            link.hook = None;
            link.rx = Vec::new();
            if !std::mem::replace(&mut link.node_gone, true) {
                if silently {
                    self.links[l as usize].is_silent = true;
                } else {
                    self.send_down(l, Down::Reset);
                }
            }
        }
    }

    /// Looks whether the machines of a node are consistent, now and then.
    pub(super) fn audit(&mut self, n: usize) {
        let Some(process) = &mut self.nodes[n].process else {
            return;
        };
        process.until_audit = process.until_audit.saturating_sub(1);
        if process.until_audit == 0 {
            process.until_audit = self.plan.audit;
            self.audit_now(n);
        }
    }

    pub(super) fn audit_now(&mut self, n: usize) {
        let Some(process) = &self.nodes[n].process else {
            return;
        };
        self.tally.audits += 1;
        if let Err(found) = process.board.audit() {
            self.fail("audit", format!("node {n}: {found:?}"));
        } else if let Err(found) = process.clustered.audit() {
            self.fail("audit", format!("node {n}: {found}"));
        }
    }
}
