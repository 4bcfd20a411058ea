//! The clock and the queue of arrivals.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use switchboard_core::Time;
use switchboard_core::client::{Input, status_code};
use switchboard_core::protocol::Content;
use switchboard_kit::Received;

use super::guest::Guest;
use super::node::{Node, NodeOutput, Socket};

/// The longest delay from one end to the other.
pub(super) const SLOWEST: Duration = Duration::from_millis(50);

/// An event that is due at some time.
pub(super) enum Arrival {
    /// A guest's own deadline.
    Tick(usize),
    /// A client wants a connection from now on.
    Start(usize),
    /// No node answered a dial.
    NoAnswer(Socket),
    Bytes(Socket, Vec<u8>),
    End(Socket),
    /// A dial in this session.
    Dial(Socket, String),
    Text(Socket, String),
    Pong(Socket, Vec<u8>),
    Closed(Socket, u16),
}

struct Entry {
    at: Time,
    order: u64,
    what: Arrival,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// All clients, nodes and the network.
pub(super) struct World {
    pub(super) now: Time,
    pub(super) guests: Vec<Guest>,
    /// The node at which dials arrive, if any.
    pub(super) front: Option<usize>,
    /// All nodes so far. A crashed node is `None`.
    pub(super) nodes: Vec<Option<Node>>,
    /// The node of each guest's socket.
    homes: Vec<Option<usize>>,
    queue: BinaryHeap<Reverse<Entry>>,
    order: u64,
    /// Connection attempts by whole second.
    pub(super) knocks: Vec<usize>,
    pub(super) counts: Counts,
    /// A hash of all events.
    pub(super) trace: u64,
    pub(super) rng: fastrand::Rng,
    pub(super) drained: bool,
}

/// Totals of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events that arrived.
    pub arrivals: u64,
    /// Connection attempts.
    pub knocks: u64,
    /// Admitted connections.
    pub welcomes: u64,
    /// Room messages received.
    pub messages: u64,
    /// Recoveries, after which nothing is missing.
    pub recovered: u64,
    /// Messages that a client learnt it had missed.
    pub missed: u64,
    /// Messages that the node acknowledged.
    pub taken: u64,
    /// Messages that were refused or whose outcome is unknown.
    pub failed: u64,
    /// Of these, the ones of which the server could not tell whether it has them.
    pub unconfirmed: u64,
    /// Messages that were sent again.
    pub resent: u64,
    /// Of these, the ones that the server had already.
    pub duplicates: u64,
}

impl World {
    pub(super) fn new(seed: u64, guests: Vec<Guest>) -> Self {
        Self {
            now: Time::ZERO,
            homes: vec![None; guests.len()],
            guests,
            front: None,
            nodes: Vec::new(),
            queue: BinaryHeap::new(),
            order: 0,
            knocks: Vec::new(),
            counts: Counts::default(),
            trace: 0xcbf2_9ce4_8422_2325,
            rng: fastrand::Rng::with_seed(seed),
            drained: false,
        }
    }

    /// Starts a node, which receives all dials from now on.
    pub(super) fn start_node(&mut self) -> usize {
        let seed = self.rng.u64(..);
        let node = Node::new(seed, self.now, self.guests.len());
        self.nodes.push(Some(node));
        self.front = Some(self.nodes.len() - 1);
        self.nodes.len() - 1
    }

    /// Crashes a node; the operating system ends its sockets.
    pub(super) fn crash(&mut self, node: usize) {
        self.nodes[node] = None;
        self.front = self.front.filter(|&front| front != node);
        for index in 0..self.guests.len() {
            if self.homes[index] == Some(node) {
                let socket = (index, self.guests[index].links);
                self.send(socket, Arrival::End(socket));
            }
        }
    }

    /// Breaks the connections of these clients, of which both ends learn at once; what is on its way is
    /// lost.
    pub(super) fn break_those(&mut self, which: impl IntoIterator<Item = usize>) {
        for index in which {
            let socket = (index, self.guests[index].links);
            if let (Some(home), true) = (self.homes[index], self.guests[index].link.is_some()) {
                self.at_node(home, |node, now| node.reset(now, socket));
                self.lost(index, 1006, "");
            }
        }
    }

    pub(super) fn start_guest(&mut self, index: usize, at: Time) {
        self.push(at, Arrival::Start(index));
    }

    /// Gives an event to a guest's machine.
    pub(super) fn ask(&mut self, index: usize, event: Input<'_>) {
        self.guests[index].machine.handle(self.now, event);
        self.follow(index);
    }

    pub(super) fn publish(&mut self, index: usize) {
        let guest = &mut self.guests[index];
        guest.unanswered.insert(guest.machine.next_id());
        let room = guest.room.clone();
        let content = Content::parse("\"hello\"").expect("JSON");
        self.ask(index, Input::publish(&room, content));
    }

    /// Cuts the network between these guests and the nodes, or restores it. Existing connections
    /// are lost silently.
    pub(super) fn cut(&mut self, which: impl Fn(usize) -> bool, cut: bool) {
        for index in (0..self.guests.len()).filter(|&index| which(index)) {
            let guest = &mut self.guests[index];
            guest.cut = cut;
            if let Some(link) = &mut guest.link {
                link.dead = true;
            }
        }
    }

    /// Runs `work` on a node, then carries out its outputs.
    pub(super) fn at_node(&mut self, index: usize, work: impl FnOnce(&mut Node, Time)) {
        let Some(node) = &mut self.nodes[index] else {
            return;
        };
        work(node, self.now);
        for output in node.outputs(self.now) {
            match output {
                NodeOutput::Bytes(socket, bytes) => {
                    self.send(socket, Arrival::Bytes(socket, bytes));
                }
                NodeOutput::End(socket) => self.send(socket, Arrival::End(socket)),
                NodeOutput::Drained => self.drained = true,
            }
        }
    }

    /// Runs all events up to `end`.
    pub(super) fn run_until(&mut self, end: Time) {
        loop {
            let arrival = self.queue.peek().map(|Reverse(entry)| entry.at);
            let node = (0..self.nodes.len())
                .filter_map(|index| {
                    Some((self.nodes[index].as_ref()?.board.next_deadline()?, index))
                })
                .min();
            let node = node.filter(|&(at, _)| arrival.is_none_or(|arrival| at < arrival));
            match (node, arrival) {
                (Some((at, index)), _) if at <= end => {
                    self.now = self.now.max(at);
                    self.at_node(index, |node, now| node.board.tick(now));
                }
                (None, Some(at)) if at <= end => {
                    self.now = self.now.max(at);
                    if let Some(Reverse(entry)) = self.queue.pop() {
                        self.counts.arrivals += 1;
                        self.arrive(entry.what);
                    }
                }
                _ => break,
            }
        }
        self.now = end;
    }

    pub(super) fn push(&mut self, at: Time, what: Arrival) {
        self.order += 1;
        let order = self.order;
        self.queue.push(Reverse(Entry { at, order, what }));
    }

    /// Sends something over the network in either direction, with the guest's own delay. Nothing
    /// passes a cut.
    pub(super) fn send(&mut self, (index, number): Socket, what: Arrival) {
        let guest = &self.guests[index];
        let dead = match &guest.link {
            Some(link) if link.number == number => link.dead,
            _ => guest.cut,
        };
        if !dead {
            self.push(self.now + distance(index), what);
        }
    }

    fn arrive(&mut self, what: Arrival) {
        match what {
            Arrival::Tick(index) => {
                let guest = &mut self.guests[index];
                guest.armed = None;
                let due = guest.machine.next_deadline();
                if due.is_some_and(|at| at <= self.now) {
                    self.note(1, index);
                    self.ask(index, Input::Tick);
                } else {
                    self.arm(index);
                }
            }
            Arrival::Start(index) => self.ask(index, Input::Start),
            Arrival::NoAnswer((index, number)) | Arrival::End((index, number)) => {
                if self.guests[index].link(number).is_some() {
                    self.note(2, index);
                    self.lost(index, 1006, "");
                }
            }
            Arrival::Bytes(socket, bytes) => self.bytes(socket, &bytes),
            Arrival::Dial((index, number), session) => {
                let socket = (index, number);
                let Some(front) = self.front else {
                    self.send(socket, Arrival::NoAnswer(socket));
                    return;
                };
                self.homes[index] = Some(front);
                let user = self.guests[index].user.clone();
                self.at_node(front, |node, now| node.arrive(now, socket, &user, &session));
            }
            Arrival::Text(socket, text) => {
                self.counts.resent += u64::from(text.contains("\"again\":"));
                self.at_home(socket, |node, now| node.text(now, socket, &text));
            }
            Arrival::Pong(socket, payload) => {
                self.at_home(socket, |node, now| node.pong(now, socket, &payload));
            }
            Arrival::Closed(socket, code) => {
                self.at_home(socket, |node, now| node.closed(now, socket, code));
            }
        }
    }

    fn at_home(&mut self, (index, _): Socket, work: impl FnOnce(&mut Node, Time)) {
        if let Some(home) = self.homes[index] {
            self.at_node(home, work);
        }
    }

    fn bytes(&mut self, socket: Socket, bytes: &[u8]) {
        let (index, number) = socket;
        let Some(link) = self.guests[index].link(number) else {
            return;
        };
        for heard in link.peer.read(bytes).expect("valid output of a server") {
            if self.guests[index].link(number).is_none() {
                return;
            }
            self.note(3, index);
            match heard {
                Received::Http(101) => self.ask(index, Input::Opened),
                Received::Http(status) => {
                    let (code, reason) = status_code(status);
                    self.lost(index, code, reason);
                }
                Received::Text(text) => {
                    self.counts.duplicates += u64::from(text.contains("\"duplicate\":true"));
                    self.ask(index, Input::Message { text: &text });
                }
                Received::Binary(_) => self.ask(index, Input::Message { text: "" }),
                Received::Ping(payload) => self.send(socket, Arrival::Pong(socket, payload)),
                Received::Pong(_) => {}
                Received::Close(close) => {
                    let (code, reason) = close.unwrap_or((1005, String::new()));
                    self.send(socket, Arrival::Closed(socket, code));
                    self.lost(index, code, &reason);
                }
            }
        }
    }

    /// A guest's socket closed.
    fn lost(&mut self, index: usize, code: u16, reason: &str) {
        self.guests[index].link = None;
        self.ask(index, Input::Closed { code, reason });
    }

    pub(super) fn note(&mut self, what: u64, index: usize) {
        for part in [self.now.as_nanos(), what, index as u64] {
            self.trace = (self.trace ^ part).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// Returns the network delay of a guest.
fn distance(index: usize) -> Duration {
    let spread = SLOWEST.as_millis() as usize - 1;
    Duration::from_millis(1 + (index * 7_919 % spread) as u64)
}
