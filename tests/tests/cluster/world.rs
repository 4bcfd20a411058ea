//! Nodes, the broker, and what is on its way between them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use switchboard_core::Time;
use switchboard_core::cluster::{
    Answer, Channel, Cluster, ClusterConfig, ClusterNotice, Command, Done, LoginTerms, Output,
    Position, RoomPosition,
};
use switchboard_tests::broker::{Link, SimRedis};

use crate::asking::Asking;
use crate::logins::{self, Logins};
use crate::seats::Hall;
use crate::witness::Witness;

pub(crate) const ROOMS: [&str; 5] = ["lobby", "quiet", "side", "strict", "cursors"];

/// What a node has sent and the broker has not read yet.
pub(crate) enum Sent {
    Hello,
    Subscribe(Vec<Channel>),
    Unsubscribe(Vec<Channel>),
    /// A command, and whether it is the last of its pipeline.
    Command(Command, bool),
}

/// What the broker has sent and a node has not read yet.
pub(crate) enum Received {
    Connected(String),
    Push(Channel, Vec<u8>),
    Answers(Vec<Done>),
    Lost,
}

pub(crate) struct Node {
    pub(crate) machine: Cluster,
    pub(crate) name: Arc<str>,
    pub(crate) link: Option<Link>,
    pub(crate) sent: VecDeque<Sent>,
    pub(crate) received: VecDeque<Received>,
    answers: Vec<Done>,
    /// Nothing gets through in either direction, and nobody is told.
    pub(crate) swallowed: bool,
    /// Rooms that somebody here is in, and the users whom others see there.
    pub(crate) entered: BTreeMap<&'static str, BTreeSet<&'static str>>,
    /// Until when the process stands still.
    pub(crate) paused_until: Time,
}

pub(crate) struct World {
    pub(crate) sim: SimRedis,
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
}

impl World {
    pub(crate) fn new(seed: u64, nodes: usize, kept: u32) -> Self {
        Self::with_terms(seed, nodes, kept, logins::terms(seed))
    }

    pub(crate) fn with_terms(seed: u64, nodes: usize, kept: u32, terms: LoginTerms) -> Self {
        let mut world = Self {
            sim: SimRedis::new(10, 1 << 20),
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
        let mut config = ClusterConfig::new(&format!("n{at}-{processes:08x}"));
        config.retention.messages = self.kept;
        config.logins = self.terms.clone();
        config.touch = Duration::from_secs(20);
        config.seed = self.seed * 1000 + u64::from(processes);
        Node {
            name: Arc::clone(&config.node),
            machine: Cluster::new(config, self.now),
            link: None,
            sent: VecDeque::new(),
            received: VecDeque::new(),
            answers: Vec::new(),
            swallowed: false,
            entered: BTreeMap::new(),
            paused_until: Time::ZERO,
        }
    }

    pub(crate) fn pass(&mut self, by: Duration) {
        self.now = self.now + by;
        self.sim.advance(by);
        for at in 0..self.nodes.len() {
            let now = self.now;
            if self.is_paused(at) {
                continue;
            }
            if self.nodes[at].paused_until > Time::ZERO {
                self.resume(at);
            }
            if self.nodes[at].machine.next_deadline() <= now {
                self.nodes[at].machine.tick(now);
            }
            self.carry_out(at);
        }
    }

    pub(crate) fn is_paused(&self, at: usize) -> bool {
        self.now < self.nodes[at].paused_until
    }

    /// A process runs again: it reads all that has arrived before it looks at the clock.
    fn resume(&mut self, at: usize) {
        self.nodes[at].paused_until = Time::ZERO;
        while !self.nodes[at].received.is_empty() && !self.nodes[at].swallowed {
            self.node_reads(at);
        }
    }

    /// The broker reads what a node sent first.
    pub(crate) fn broker_reads(&mut self, at: usize) {
        if self.nodes[at].swallowed {
            return;
        }
        let Some(sent) = self.nodes[at].sent.pop_front() else {
            return;
        };
        match sent {
            Sent::Hello => self.accept(at),
            Sent::Subscribe(channels) => {
                for channel in channels {
                    if let Some(link) = self.nodes[at].link {
                        self.sim.subscribe(link, channel);
                    }
                }
            }
            Sent::Unsubscribe(channels) => {
                for channel in channels {
                    if let Some(link) = self.nodes[at].link {
                        self.sim.unsubscribe(link, &channel);
                    }
                }
            }
            Sent::Command(command, last) => {
                let done = self.sim.apply(&command);
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
        self.sim.load_scripts();
        let node = &mut self.nodes[at];
        node.link = Some(self.sim.connect());
        let incarnation = self.sim.incarnation();
        node.received.push_back(Received::Connected(incarnation));
    }

    /// Pushes are on their way before what is answered next. A link that the server cut ends behind
    /// what it had sent.
    pub(crate) fn spread(&mut self) {
        for node in &mut self.nodes {
            let Some(link) = node.link else {
                continue;
            };
            while let Some((channel, payload)) = self.sim.take_push(link) {
                if !node.swallowed {
                    node.received.push_back(Received::Push(channel, payload));
                }
            }
            if !self.sim.is_connected(link) {
                node.link = None;
                if !node.swallowed {
                    node.sent.clear();
                    node.answers.clear();
                    node.received.push_back(Received::Lost);
                }
            }
        }
    }

    /// A node reads what the broker sent first.
    pub(crate) fn node_reads(&mut self, at: usize) {
        let (now, node) = (self.now, &mut self.nodes[at]);
        if node.swallowed || now < node.paused_until {
            return;
        }
        match node.received.pop_front() {
            None => return,
            Some(Received::Connected(incarnation)) => node.machine.connected(now, &incarnation),
            Some(Received::Push(channel, payload)) => node.machine.pushed(now, &channel, &payload),
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
        let node = &mut self.nodes[at];
        if let Some(link) = node.link.take() {
            self.sim.disconnect(link);
        }
        for sent in node.sent.drain(..) {
            if let Sent::Command(command, _) = sent
                && self.rng.bool()
            {
                self.leftovers.push(command);
            }
        }
        node.swallowed = false;
        node.received.clear();
        node.answers.clear();
    }

    /// Lets everything arrive that is on its way.
    pub(crate) fn deliver(&mut self) {
        let mut moving = true;
        while moving {
            moving = false;
            for at in 0..self.nodes.len() {
                while !self.nodes[at].sent.is_empty() && !self.nodes[at].swallowed {
                    self.broker_reads(at);
                    moving = true;
                }
                while !self.nodes[at].received.is_empty()
                    && !self.nodes[at].swallowed
                    && !self.is_paused(at)
                {
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
