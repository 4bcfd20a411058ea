//! What the application and operators are shown of the cluster.

use std::sync::Arc;
use std::time::Duration;

use super::cluster::Cluster;
use crate::Time;

/// What a node knows of its cluster. Costs time linear in the number of nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterStats {
    /// This node.
    pub node: Arc<str>,
    /// Whether the broker answers.
    pub up: bool,
    /// Since when.
    pub since: Duration,
    /// Nodes that live, this one included.
    pub nodes: u64,
    /// Connections on all of them.
    pub connections: u64,
    /// Users on all of them; one who is on two nodes counts twice.
    pub users: u64,
    /// Rooms on all of them; one that is on two nodes counts twice.
    pub rooms: u64,
    /// Numbers of rooms that were lost.
    pub gaps: u64,
    /// Logs that were read because something was missing.
    pub repairs: u64,
    /// Rooms whose epoch changed.
    pub epochs: u64,
    /// How long the last heartbeat took to come back.
    pub lag: Option<Duration>,
    /// Messages that wait for the broker.
    pub outbox: usize,
    /// Connections to the broker so far.
    pub connects: u64,
    /// Payloads of others that did not parse.
    pub bad_pushes: u64,
}

impl Cluster {
    /// What this node knows of its cluster.
    pub fn stats(&self, now: Time) -> ClusterStats {
        let mut sum = self.load;
        for (_, load) in self.peers.alive() {
            sum.connections = sum.connections.saturating_add(load.connections);
            sum.users = sum.users.saturating_add(load.users);
            sum.rooms = sum.rooms.saturating_add(load.rooms);
        }
        ClusterStats {
            node: Arc::clone(&self.config.node),
            up: self.link.works(),
            since: now.since(self.link.changed()),
            nodes: self.nodes() as u64,
            connections: sum.connections,
            users: sum.users,
            rooms: sum.rooms,
            gaps: self.figures.gaps,
            repairs: self.figures.repairs,
            epochs: self.figures.epochs,
            lag: self.lease.lag(),
            outbox: self.waiting,
            connects: self.figures.connects,
            bad_pushes: self.figures.bad_pushes,
        }
    }
}
