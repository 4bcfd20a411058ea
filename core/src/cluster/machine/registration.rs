//! The node's own registration, and what becomes of those of others.

use std::sync::Arc;

use super::asked::Asked;
use super::cluster::Cluster;
use super::load::NodeLoad;
use super::output::{ClusterNotice, Output};
use super::peers::{Change, node_of};
use super::pipeline::Pipeline;
use super::timers::Timer;
use crate::Time;
use crate::cluster::answer::{Answer, Failure};
use crate::cluster::command::{Beat, Command, Keep, Retire};
use crate::cluster::push::{NodeState, Push};

/// The version of the protocol between nodes.
const PROTOCOL: u64 = 1;

impl Cluster {
    /// Sets what the next heartbeats say about this node.
    pub fn set_load(&mut self, load: NodeLoad) {
        self.load = load;
    }

    /// The present registration of this node.
    pub fn registration(&self) -> &Arc<str> {
        self.lease.registration()
    }

    /// The node lets its connections go, and says so in its heartbeats.
    pub fn drain(&mut self) {
        self.state = NodeState::Draining;
    }

    /// Retires the node once everything else has been sent: [`ClusterNotice::Retired`] reports
    /// completion, within [`ClusterConfig::wait`](super::ClusterConfig::wait). All its connections have
    /// to be logged out before.
    pub fn retire(&mut self, now: Time) {
        self.state = NodeState::Draining;
        let at = Some(now + self.config.wait);
        self.timers.set(&mut self.retire_by, at, Timer::Retire);
        self.send(now);
    }

    pub(super) fn ask_to_retire(&mut self, pipeline: &mut Pipeline) {
        let registration = Arc::clone(self.lease.registration());
        let payload = Push::Beat {
            registration: &registration,
            count: self.lease.last_beat(),
            protocol: PROTOCOL,
            state: NodeState::Gone,
            figures: b"",
        }
        .to_payload();
        let retire = Retire {
            registration,
            payload,
        };
        pipeline.push(Command::Retire(retire), Asked::Retire);
    }

    pub(super) fn is_retired(&mut self, now: Time) {
        self.timers.set(&mut self.retire_by, None, Timer::Retire);
        self.hang_up(now);
        self.link.stop();
        self.notice(ClusterNotice::Retired);
    }

    /// Stands before any input: a node that was paused for longer than its lease is not registered any
    /// more.
    pub(super) fn check_lease(&mut self, now: Time) {
        if self.lease.has_run_out(now) {
            self.lapse(now);
        }
    }

    /// The others consider this node dead, or will: it has to register again.
    fn lapse(&mut self, now: Time) {
        let registration = self.lease.lapse();
        self.peers.own_lapsed(now, &registration);
        // Users who were admitted in the meantime were admitted correctly.
        let is_older_first = self.config.logins.keep == Keep::Oldest;
        self.claims.registered_anew(is_older_first);
        self.write_all_again();
        self.notice(ClusterNotice::Lapsed(registration));
    }

    pub(super) fn ask_beat(&mut self, now: Time, pipeline: &mut Pipeline) {
        let renew = self.lease.is_registered();
        let count = self.lease.beat(now);
        let registration = Arc::clone(self.lease.registration());
        let payload = Push::Beat {
            registration: &registration,
            count,
            protocol: PROTOCOL,
            state: self.state,
            figures: self.load.to_figures().as_bytes(),
        }
        .to_payload();
        let forget = self.peers.forgettable(now);
        let beat = Beat {
            registration: Arc::clone(&registration),
            renew,
            lease: self.config.lease.lease,
            info: PROTOCOL.to_string().into(),
            list: self.config.memory,
            payload,
            forget: forget.clone(),
        };
        let asked = Asked::Beat {
            registration,
            forget,
        };
        pipeline.push(Command::Beat(beat), asked);
    }

    pub(super) fn beat_answered(
        &mut self,
        now: Time,
        registration: &Arc<str>,
        forgotten: &[Arc<str>],
        answer: Answer,
    ) -> Result<(), Failure> {
        let is_present = registration == self.lease.registration();
        match answer {
            Answer::Fenced { at } => {
                self.clock.heard(now, at);
                if is_present {
                    self.lapse(now);
                }
            }
            Answer::Beat { at, peers } => {
                self.clock.heard(now, at);
                for peer in peers.into_iter().flatten() {
                    if peer.registration != *self.lease.registration() {
                        self.peers.heard_of(now, &peer.registration);
                    }
                }
                for registration in forgotten {
                    self.peers.forget(registration);
                }
                if is_present {
                    if !self.lease.is_registered() {
                        self.notice(ClusterNotice::Registered(Arc::clone(registration)));
                    }
                    self.lease.answered(now);
                }
            }
            _ => return Err(Failure::Malformed),
        }
        Ok(())
    }

    /// A heartbeat arrived, of this node or of another.
    pub(super) fn beat_arrived(
        &mut self,
        now: Time,
        registration: &str,
        count: u64,
        state: NodeState,
        figures: &[u8],
    ) {
        let changes = if *registration == **self.lease.registration() {
            match self.lease.came_back(now, count) {
                Some(sent) => self.peers.judge(now, sent),
                None => Vec::new(),
            }
        } else if self.is_own(registration) {
            Vec::new()
        } else {
            let load = NodeLoad::from_figures(figures);
            let registration = registration.into();
            let change = self.peers.beat(now, &registration, count, state, load);
            change.into_iter().collect()
        };
        for change in changes {
            self.peer_changed(change);
        }
    }

    fn peer_changed(&mut self, change: Change) {
        match change {
            Change::Up {
                registration,
                returned,
            } => {
                if returned {
                    self.recount();
                }
                if has_same_name(&registration, self.lease.registration()) {
                    self.notice(ClusterNotice::SameName(Arc::clone(&registration)));
                }
                self.notice(ClusterNotice::NodeUp(registration));
            }
            Change::Down(registration) => self.notice(ClusterNotice::NodeDown(registration)),
            Change::Vanished => self.recount(),
        }
    }

    /// How many nodes live, or lived when the broker was there last; this one included.
    pub(super) fn nodes(&self) -> usize {
        let mut nodes: Vec<_> = self.peers.alive().map(|(it, _)| node_of(it)).collect();
        nodes.dedup();
        nodes.len() + 1
    }

    /// Whether a registration is one of this node.
    pub(super) fn is_own(&self, registration: &str) -> bool {
        node_of(registration) == &*self.config.node
    }

    pub(super) fn notice(&mut self, notice: ClusterNotice) {
        self.outputs.push_back(Output::Notice(notice));
    }
}

/// Whether two nodes were configured with the same name: a node is its name, a dash, and eight random
/// hexadecimal digits.
fn has_same_name(one: &str, other: &str) -> bool {
    let name = |registration| {
        let (name, random) = node_of(registration).rsplit_once('-')?;
        let is_random = random.len() == 8 && random.bytes().all(|b| b.is_ascii_hexdigit());
        is_random.then_some(name)
    };
    name(one).is_some() && name(one) == name(other)
}
