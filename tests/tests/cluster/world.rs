//! Nodes, the broker, and what is on its way between them.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use switchboard_core::Time;
use switchboard_core::cluster::{
    Answer, Cluster, ClusterConfig, ClusterNotice, Command, LoginTerms, Output, Position,
    RoomPosition,
};
use switchboard_tests::broker::SimRedis;

use crate::asking::Asking;
use crate::logins::{self, Logins};
use crate::process::{Node, Received, Sent};
use crate::seats::Hall;
use crate::witness::Witness;

/// Bytes that may wait for a node that does not read.
const OUTPUT: usize = 3 << 9;

pub(crate) const ROOMS: [&str; 6] = ["lobby", "quiet", "side", "strict", "cursors", "games"];

pub(crate) struct World {
    pub(crate) sim: SimRedis,
    /// The other half of a split brain: a master that does not know that it is one no more.
    pub(crate) astray: Option<SimRedis>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) rng: Rng,
    pub(crate) now: Time,
    pub(crate) witness: Witness,
    /// What dropped connections had left in their sockets.
    pub(crate) leftovers: Vec<Command>,
    /// Until when the broker cannot be reached.
    pub(crate) away_until: Time,
    pub(crate) seed: u64,
    pub(crate) messages: u64,
    /// Processes that were ever started.
    pub(crate) processes: u32,
    pub(crate) kept: u32,
    pub(crate) terms: LoginTerms,
    pub(crate) logins: Logins,
    pub(crate) hall: Hall,
    pub(crate) asking: Asking,
    /// What happened to machines and brokers.
    pub(crate) events: u64,
    /// All that the machines want, if that is of interest.
    pub(crate) trace: Option<Vec<String>>,
}

impl World {
    pub(crate) fn new(seed: u64, nodes: usize, kept: u32) -> Self {
        Self::with_terms(seed, nodes, kept, logins::terms(seed))
    }

    pub(crate) fn with_terms(seed: u64, nodes: usize, kept: u32, terms: LoginTerms) -> Self {
        let mut world = Self {
            sim: SimRedis::new(10, OUTPUT),
            astray: None,
            processes: 0,
            nodes: Vec::new(),
            kept,
            rng: Rng::with_seed(seed),
            now: Time::from_millis(1000),
            witness: Witness::default(),
            leftovers: Vec::new(),
            away_until: Time::ZERO,
            seed,
            messages: 0,
            terms,
            logins: Logins::default(),
            hall: Hall::default(),
            asking: Asking::default(),
            events: 0,
            trace: None,
        };
        for at in 0..nodes {
            let node = world.process(at);
            world.nodes.push(node);
        }
        world
    }

    /// Starts a process that knows nothing.
    pub(crate) fn process(&mut self, at: usize) -> Node {
        let processes = self.processes;
        self.processes += 1;
        // Somebody may have given all of them one name.
        let number = if self.seed.is_multiple_of(5) { 0 } else { at };
        let mut config = ClusterConfig::new(&format!("n{number}-{processes:08x}"));
        config.retention.messages = self.kept;
        config.logins = self.terms.clone();
        config.touch = Duration::from_secs(20);
        config.seed = self.seed * 1000 + u64::from(processes);
        let name = Arc::clone(&config.node);
        let is_later = at == 0 && self.seed.is_multiple_of(3);
        if is_later {
            self.witness.count("later version");
        }
        Node::new(&name, Cluster::new(config, self.now), is_later)
    }

    /// What the clock of a node says.
    pub(crate) fn clock(&self, at: usize) -> Time {
        self.nodes[at].clock(self.now)
    }

    pub(crate) fn pass(&mut self, by: Duration) {
        self.now = self.now + by;
        self.sim.advance(by);
        if let Some(astray) = &mut self.astray {
            astray.advance(by);
        }
        self.unclog();
        for at in 0..self.nodes.len() {
            if self.is_paused(at) {
                continue;
            }
            if self.nodes[at].paused_until > Time::ZERO {
                self.resume(at);
            }
            let now = self.clock(at);
            if self.nodes[at].machine.next_deadline() <= now {
                self.events += 1;
                self.nodes[at].machine.tick(now);
            }
            self.carry_out(at);
        }
    }

    /// What was held back for long enough moves again.
    fn unclog(&mut self) {
        let mut moves = false;
        for node in &mut self.nodes {
            if node.clogged_until > Time::ZERO && node.clogged_until <= self.now {
                node.clogged_until = Time::ZERO;
                moves = true;
            }
        }
        if moves {
            self.spread();
        }
    }

    pub(crate) fn is_paused(&self, at: usize) -> bool {
        self.now < self.nodes[at].paused_until
    }

    /// A process runs again: it reads all that has arrived before it looks at the clock.
    fn resume(&mut self, at: usize) {
        self.nodes[at].paused_until = Time::ZERO;
        while self.nodes[at].can_receive(self.now) {
            self.node_reads(at);
        }
    }

    /// The broker that a node is connected to.
    pub(crate) fn broker(&mut self, at: usize) -> &mut SimRedis {
        match &mut self.astray {
            Some(astray) if self.nodes[at].is_astray => astray,
            _ => &mut self.sim,
        }
    }

    /// The broker reads what a node sent first.
    pub(crate) fn broker_reads(&mut self, at: usize) {
        if !self.nodes[at].can_send(self.now) {
            return;
        }
        let Some(sent) = self.nodes[at].sent.pop_front() else {
            return;
        };
        self.events += 1;
        match (sent, self.nodes[at].link) {
            (Sent::Hello, _) => self.accept(at),
            (Sent::Subscribe(channels), Some(link)) => {
                for channel in channels {
                    self.broker(at).subscribe(link, channel);
                }
            }
            (Sent::Unsubscribe(channels), Some(link)) => {
                for channel in channels {
                    self.broker(at).unsubscribe(link, &channel);
                }
            }
            (Sent::Subscribe(_) | Sent::Unsubscribe(_), None) => {}
            (Sent::Command(command, last), _) => {
                let done = self.broker(at).apply(&command);
                self.spread();
                let node = &mut self.nodes[at];
                node.answers.push(done);
                if last {
                    let answers = std::mem::take(&mut node.answers);
                    node.received.push_back(Received::Answers(answers));
                }
            }
        }
    }

    fn accept(&mut self, at: usize) {
        if self.now < self.away_until {
            self.nodes[at].received.push_back(Received::Lost);
            return;
        }
        self.nodes[at].is_astray = self.astray.is_some() && self.rng.bool();
        let broker = self.broker(at);
        broker.load_scripts();
        let (link, incarnation) = (broker.connect(), broker.incarnation());
        let node = &mut self.nodes[at];
        node.link = Some(link);
        node.received.push_back(Received::Connected(incarnation));
    }

    /// Pushes are on their way before what is answered next. A link that the server cut ends behind
    /// what it had sent.
    pub(crate) fn spread(&mut self) {
        for at in 0..self.nodes.len() {
            let Some(link) = self.nodes[at].link else {
                continue;
            };
            if self.now < self.nodes[at].clogged_until {
                continue;
            }
            while let Some((channel, payload)) = self.broker(at).take_push(link) {
                let node = &mut self.nodes[at];
                if !node.swallows_received {
                    node.received.push_back(Received::Push(channel, payload));
                }
            }
            if !self.broker(at).is_connected(link) {
                let node = &mut self.nodes[at];
                node.link = None;
                if !node.swallows_received {
                    node.sent.clear();
                    node.answers.clear();
                    node.received.push_back(Received::Lost);
                }
            }
        }
    }

    /// A node reads what the broker sent first.
    pub(crate) fn node_reads(&mut self, at: usize) {
        if !self.nodes[at].can_receive(self.now) || self.is_paused(at) {
            return;
        }
        self.events += 1;
        let now = self.clock(at);
        let node = &mut self.nodes[at];
        match node.received.pop_front() {
            None => return,
            Some(Received::Connected(incarnation)) => node.machine.connected(now, &incarnation),
            Some(Received::Push(channel, payload)) => {
                node.machine.pushed(now, &channel, &payload, None);
            }
            Some(Received::Answers(answers)) => node.machine.answered(now, answers),
            Some(Received::Lost) => {
                node.received.clear();
                node.sent.clear();
                node.machine.lost(now);
            }
        }
        self.carry_out(at);
    }

    /// Does what a node's machine wants.
    pub(crate) fn carry_out(&mut self, at: usize) {
        while let Some(output) = self.nodes[at].machine.poll() {
            if let Some(trace) = &mut self.trace {
                trace.push(format!("{at} {output:?}"));
            }
            let node = &mut self.nodes[at];
            match output {
                Output::Connect => {
                    node.sent.clear();
                    node.sent.push_back(Sent::Hello);
                }
                Output::Hangup => self.drop_link(at),
                Output::Subscribe(channels) => node.sent.push_back(Sent::Subscribe(channels)),
                Output::Unsubscribe(channels) => node.sent.push_back(Sent::Unsubscribe(channels)),
                Output::Send(commands) => {
                    let last = commands.len() - 1;
                    for (k, command) in commands.into_iter().enumerate() {
                        let command = node.as_sent(command);
                        node.sent.push_back(Sent::Command(command, k == last));
                    }
                }
                told @ (Output::Admission { .. } | Output::Close { .. }) => {
                    self.connection_told(at, told);
                }
                told @ Output::Seat { .. } => self.seat_told(at, &told),
                told @ (Output::Direct { .. }
                | Output::Taken { .. }
                | Output::Kicked { .. }
                | Output::Everyone { .. }) => self.asking_told(at, told),
                Output::Notice(ClusterNotice::Lapsed(_)) => self.witness.count("lapsed"),
                Output::Notice(ClusterNotice::SameName(_)) => self.witness.count("same name"),
                Output::Notice(_) => {}
                told => self.witness.told(at, &node.name, told),
            }
        }
        if let Err(inconsistency) = self.nodes[at].machine.audit() {
            panic!("seed {}, node {at}: {inconsistency}", self.seed);
        }
    }

    /// How far the broker is with a room.
    pub(crate) fn position(&mut self, room: &str) -> Option<RoomPosition> {
        let command = Command::Position(Position {
            room: room.into(),
            incarnation: self.sim.incarnation().into(),
            numbers: Duration::from_secs(60),
            list: Duration::from_secs(60),
            forget: Vec::new(),
        });
        match self.sim.apply(&command) {
            Ok(Answer::Position(position)) => position,
            Err(_) => None,
            other => panic!("seed {}: {other:?}", self.seed),
        }
    }

    /// A connection ends on the node's side. What it had sent may be read by the broker later.
    pub(crate) fn drop_link(&mut self, at: usize) {
        if let Some(link) = self.nodes[at].link.take() {
            self.broker(at).disconnect(link);
        }
        let node = &mut self.nodes[at];
        for sent in node.sent.drain(..) {
            if let Sent::Command(command, _) = sent
                && self.rng.bool()
                && !node.is_astray
            {
                self.leftovers.push(command);
            }
        }
        node.is_astray = false;
        node.swallows_sent = false;
        node.swallows_received = false;
        node.clogged_until = Time::ZERO;
        node.received.clear();
        node.answers.clear();
    }

    /// Lets everything arrive that is on its way.
    pub(crate) fn deliver(&mut self) {
        let mut moving = true;
        let started = self.events;
        while moving {
            let events = self.events - started;
            assert!(events < 100_000, "seed {}: it never ends", self.seed);
            moving = false;
            for at in 0..self.nodes.len() {
                while self.nodes[at].can_send(self.now) {
                    self.broker_reads(at);
                    moving = true;
                }
                while self.nodes[at].can_receive(self.now) && !self.is_paused(at) {
                    self.node_reads(at);
                    moving = true;
                }
            }
        }
    }

    /// Lets time pass in which everything arrives at once.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.deliver();
            self.pass(Duration::from_millis(100));
        }
        self.deliver();
    }

    /// No more faults, for longer than any deadline.
    pub(crate) fn settle(&mut self) {
        self.run(Duration::from_secs(90));
    }
}
