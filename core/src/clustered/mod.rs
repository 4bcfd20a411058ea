//! A node of a cluster: passes requests between the switchboard and the state machine of the cluster.
//!
//! ```text
//!              requests                  commands
//! Switchboard ──────────▶ Clustered ◀──▶ Cluster ──────────▶ adapter ──▶ broker
//!             ◀──────────                        ◀──────────
//!              outputs                   answers, pushes
//! ```
//!
//! All three are under one lock. Like the other two it is sans-IO: the driver calls
//! [`exchange`](Clustered::exchange) after each use of the switchboard, carries out the orders of
//! [`poll_order`](Clustered::poll_order), and reports their results.

mod arriving;
mod filling;
mod outputs;
mod requests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub use self::arriving::arriving;
use self::filling::Fillings;
use crate::cluster::{
    Channel, Cluster, ClusterNotice, ClusterStats, Done, Output, Question, RecallTicket,
    SeatTicket, Ticket,
};
use crate::switchboard::word_of;
use crate::{Config, Receipt, SendError, Switchboard, Time, Twin};

/// How often the figures of heartbeats are refreshed.
const FIGURES: Duration = Duration::from_millis(500);

/// What joins a switchboard and its cluster.
#[derive(Debug)]
pub struct Clustered {
    cluster: Cluster,
    /// What the adapter has to do.
    orders: VecDeque<Output>,
    notices: VecDeque<ClusterNotice>,
    /// The switchboard's numbers of what the cluster has tickets for.
    posts: BTreeMap<Ticket, u64>,
    questions: BTreeMap<Question, u64>,
    seats: BTreeMap<SeatTicket, u64>,
    fillings: Fillings,
    recalls: BTreeMap<RecallTicket, Vec<Arc<str>>>,
    /// Pending reads of missed messages: the room, and the switchboard's numbers of the requests.
    reads: BTreeMap<RecallTicket, (Arc<str>, Vec<u64>)>,
    /// What came of the last message that was asked for by its number.
    outcome: Option<(u64, Result<Receipt, SendError>)>,
    figures_at: Time,
    is_draining: bool,
}

impl Clustered {
    /// Creates it for a switchboard with this configuration; `None` without a cluster. The random part
    /// of the node's name, which other nodes and clients see, follows from `seed`: it must have nothing
    /// in common with that of the switchboard.
    pub fn new(config: &Config, seed: u64, now: Time) -> Option<Self> {
        let cluster = config.cluster.as_ref()?;
        Some(Self {
            cluster: Cluster::new(config.machine(cluster, seed), now),
            orders: VecDeque::new(),
            notices: VecDeque::new(),
            posts: BTreeMap::new(),
            questions: BTreeMap::new(),
            seats: BTreeMap::new(),
            fillings: Fillings::default(),
            recalls: BTreeMap::new(),
            reads: BTreeMap::new(),
            outcome: None,
            figures_at: now,
            is_draining: false,
        })
    }

    /// Tells each of the two what the other one wants, until neither wants anything.
    pub fn exchange(&mut self, now: Time, board: &mut Switchboard) {
        loop {
            if let Some(output) = self.cluster.poll() {
                self.carry_out(now, board, output);
            } else if let Some(request) = board.next_cluster_request() {
                self.ask(now, board, request);
            } else {
                break;
            }
        }
        board.set_outbox_full(self.cluster.is_congested());
    }

    /// Takes what the adapter has to do: to connect, to hang up, to subscribe, to unsubscribe or to send.
    pub fn poll_order(&mut self) -> Option<Output> {
        self.orders.pop_front()
    }

    /// Takes what the log is to say.
    pub fn poll_notice(&mut self) -> Option<ClusterNotice> {
        self.notices.pop_front()
    }

    /// Takes what came of a message of [`Switchboard::broadcast`], called just before, if that is known
    /// without waiting: an error, or that it was delivered at once.
    pub fn take_outcome(&mut self) -> Option<Result<Receipt, SendError>> {
        self.outcome.take().map(|(_, outcome)| outcome)
    }

    /// The broker is connected.
    pub fn connected(&mut self, now: Time, board: &mut Switchboard, incarnation: &str) {
        self.cluster.connected(now, incarnation);
        self.exchange(now, board);
    }

    /// The connection or the attempt has ended.
    pub fn lost(&mut self, now: Time, board: &mut Switchboard) {
        self.cluster.lost(now);
        self.exchange(now, board);
    }

    /// The broker has answered the commands of one [`Output::Send`].
    pub fn answered(&mut self, now: Time, board: &mut Switchboard, answers: Vec<Done>) {
        self.cluster.answered(now, answers);
        self.exchange(now, board);
    }

    /// Handles a payload that arrived through a channel. `twin` is the compressed form of the message
    /// that [`arriving()`] found in it.
    pub fn pushed(
        &mut self,
        now: Time,
        board: &mut Switchboard,
        (channel, payload): (&Channel, &[u8]),
        twin: Option<Twin>,
    ) {
        self.cluster.pushed(now, channel, payload, twin);
        self.exchange(now, board);
    }

    /// Handles all due deadlines.
    pub fn tick(&mut self, now: Time, board: &mut Switchboard) {
        if self.figures_at <= now {
            self.figures_at = now + FIGURES;
            let load = board.node_load();
            self.cluster.set_load(load.0);
            if load.1 && !self.is_draining {
                self.is_draining = true;
                self.cluster.drain();
            }
        }
        self.cluster.tick(now);
        self.exchange(now, board);
    }

    /// Returns when [`tick`](Self::tick) has something to do.
    pub fn next_deadline(&self) -> Time {
        self.cluster.next_deadline()
    }

    /// Retires the node from the cluster. To be called when its connections have ended.
    /// [`ClusterNotice::Retired`] reports completion.
    pub fn retire(&mut self, now: Time, board: &mut Switchboard) {
        self.exchange(now, board);
        self.cluster.retire(now);
        self.exchange(now, board);
    }

    /// Checks what must always hold of the machine of the cluster. Costs time linear in all there is; for
    /// tests, and for inspecting a live node. [`Switchboard::audit`] checks the other one.
    ///
    /// # Errors
    ///
    /// What does not hold.
    pub fn audit(&self) -> Result<(), String> {
        self.cluster.audit()
    }

    /// Returns the node's name, with its random part.
    pub fn node(&self) -> &Arc<str> {
        self.cluster.node()
    }

    /// Returns what this node knows of the cluster.
    pub fn stats(&self, now: Time) -> ClusterStats {
        self.cluster.stats(now)
    }
}
