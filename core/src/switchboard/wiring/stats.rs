//! The statistics of a node.

use std::time::Duration;

use serde::Serialize;

use super::switchboard::Switchboard;
use crate::Time;
use crate::cluster::{ClusterStats, NodeLoad};
use crate::switchboard::counters::{Recoveries, Tally};
use crate::switchboard::histogram::{Buckets, Quantiles};

/// The statistics of a node. In serialised form, the body of `/stats.json`. Keys are only ever
/// added.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stats {
    /// Admitted connections.
    pub total_connections: usize,
    /// The limit on admitted connections.
    pub max_connections: usize,
    /// `total_connections` in percent of `max_connections`.
    pub capacity_percent: f64,
    /// Rooms with members.
    pub active_rooms: usize,
    /// Rooms with a member that entered by its URL.
    pub active_lobbies: usize,
    /// Users with a connection.
    pub users: usize,
    /// Connections that are not admitted yet, or refused and not gone yet, except those for pages.
    pub pending_handshakes: usize,
    /// Connections that are closing but not gone.
    pub closing: usize,
    /// Connections that have ended and whose hook `on_disconnect` has not returned. Unless they
    /// also count as `closing`, their sockets are closed.
    pub disconnecting: usize,
    /// Bytes of memory of all frames that wait. One that waits for many connections counts once; one
    /// that is only history does not count.
    pub queued_bytes: usize,
    /// Connections admitted since the start.
    pub opened: u64,
    /// How many of these are event streams.
    pub opened_streams: u64,
    /// Messages received.
    pub messages_in: u64,
    /// Messages sent, each copy counted.
    pub messages_out: u64,
    /// Bytes of the messages received, without those of their frames.
    pub bytes_in: u64,
    /// Bytes that sockets have taken: messages, control frames and answers by HTTP.
    pub bytes_out: u64,
    /// Messages that were dropped instead of sent, by reason.
    pub dropped: Tally,
    /// Ended connections, by reason.
    pub closes: Tally,
    /// Refused connections, by reason.
    pub refused: Tally,
    /// Round-trip times in milliseconds; 0 before the first one.
    pub rtt_ms: Quantiles,
    /// What rooms keep for those who come back.
    pub history: HistoryStats,
    /// The outcomes of coming back to a room that keeps a history.
    pub recoveries: Recoveries,
    /// Messages to rooms that were compressed.
    pub compressed: CompressedStats,
    /// Messages to rooms that were compressed after others.
    pub contexts: ContextStats,
    /// Compressed messages of clients.
    pub inflated: InflatedStats,
    /// Members that are catching up: they come back to a room and have not got all that they missed,
    /// or a room's rule `CatchUp` spares them.
    pub lagging: usize,
    /// Round-trip times in seconds. Not in the serialised form.
    #[serde(skip)]
    pub rtt: Buckets,
    /// Connections that each message to a room was accepted for. Not in the serialised form.
    #[serde(skip)]
    pub fanout: Buckets,
    /// Seconds since the switchboard was created.
    pub uptime_s: f64,
    /// Whether a drain has begun.
    pub draining: bool,
    /// The cluster, as this node knows it; `None` without one.
    pub cluster: Option<ClusterReport>,
    /// Whether the node is to get no new connections, because it is cut off from its cluster and
    /// configured so. Not in the serialised form.
    #[serde(skip)]
    pub cut_off: bool,
}

/// A cluster, as one of its nodes knows it.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ClusterReport {
    /// This node: its configured name and a random part.
    pub node: String,
    /// Whether the broker answers.
    pub up: bool,
    /// Since when, in seconds.
    pub since_s: f64,
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
    /// Rooms whose log was read because something was missing.
    pub repairs: u64,
    /// Rooms whose epoch changed.
    pub epochs: u64,
    /// How long the node's last heartbeat took to come back through the broker, in milliseconds;
    /// `None` before the first one.
    pub lag_ms: Option<f64>,
    /// Messages that wait for the broker.
    pub outbox: usize,
}

impl Stats {
    /// Adds what the node knows of its cluster.
    #[doc(hidden)]
    pub fn add_cluster(&mut self, cluster: &ClusterStats, ready_needs_broker: bool) {
        let millis = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        self.cut_off = ready_needs_broker && !cluster.up;
        self.cluster = Some(ClusterReport {
            node: cluster.node.to_string(),
            up: cluster.up,
            since_s: millis(cluster.since) / 1e3,
            nodes: cluster.nodes,
            connections: cluster.connections,
            users: cluster.users,
            rooms: cluster.rooms,
            gaps: cluster.gaps,
            repairs: cluster.repairs,
            epochs: cluster.epochs,
            lag_ms: cluster.lag.map(millis),
            outbox: cluster.outbox,
        });
    }
}

/// Messages to rooms that were compressed, each once whatever the number of members.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CompressedStats {
    /// Connections that can inflate messages.
    pub connections: usize,
    /// Messages that became smaller.
    pub messages: u64,
    /// Bytes of these on the wire, without compression.
    pub bytes_in: u64,
    /// Bytes of these on the wire, compressed.
    pub bytes_out: u64,
}

/// Messages to rooms that were compressed after others, for clients that keep what they have inflated.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ContextStats {
    /// Rooms that have a context.
    pub rooms: usize,
    /// Messages that were compressed so, each once whatever the number of members.
    pub messages: u64,
    /// Bytes of these on the wire, without compression.
    pub bytes_in: u64,
    /// Bytes of these on the wire, compressed.
    pub bytes_out: u64,
}

/// Compressed messages of clients.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InflatedStats {
    /// Messages that were inflated.
    pub messages: u64,
    /// Bytes of their payloads as received.
    pub bytes_in: u64,
    /// Bytes of their content.
    pub bytes_out: u64,
}

/// What rooms keep for those who come back.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HistoryStats {
    /// Rooms that keep messages, with members or without.
    pub rooms: usize,
    /// Messages in them.
    pub messages: usize,
    /// Bytes of these, as the bounds count them.
    pub bytes: usize,
}

impl Switchboard {
    /// Returns what other nodes are told in heartbeats, and whether a drain has begun. Costs a pass over
    /// the reasons for which messages were dropped.
    pub(crate) fn node_load(&self) -> (NodeLoad, bool) {
        let load = NodeLoad {
            connections: self.seats.open() as u64,
            users: self.users.connected as u64,
            rooms: self.rooms.active() as u64,
            queued_bytes: self.log.waiting_bytes() as u64,
            messages_in: self.counters.messages_in,
            messages_out: self.counters.messages_out,
            dropped: self.counters.dropped.values().sum(),
        };
        (load, self.drain.has_begun())
    }

    /// Returns the statistics at `now`. Costs a pass over the buckets of the histogram.
    pub fn stats(&self, now: Time) -> Stats {
        let max_connections = self.config.limits.connections;
        let (history, by_key) = (self.log.kept(), self.log.kept_by_key());
        let percent = self.seats.open() as f64 * 100.0 / max_connections as f64;
        let (rtt_ms, rtt) = self.counters.rtt();
        let (compressed, inflated) = self.counters.ratios();
        let contexts = self.log.contexts();
        Stats {
            total_connections: self.seats.open(),
            max_connections,
            capacity_percent: (percent * 100.0).round() / 100.0,
            active_rooms: self.rooms.active(),
            active_lobbies: self.rooms.lobbies(),
            users: self.users.connected,
            pending_handshakes: self.seats.handshakes(),
            closing: self.seats.closing(),
            disconnecting: self.drain.disconnecting(),
            queued_bytes: self.log.waiting_bytes(),
            opened: self.counters.opened,
            opened_streams: self.counters.opened_streams,
            messages_in: self.counters.messages_in,
            messages_out: self.counters.messages_out,
            bytes_in: self.counters.bytes_in,
            bytes_out: self.counters.bytes_out,
            dropped: self.counters.dropped.clone(),
            closes: self.counters.closes.clone(),
            refused: self.counters.refused.clone(),
            history: HistoryStats {
                rooms: self.rooms.keeping(),
                messages: history.0 + by_key.0,
                bytes: history.1 + by_key.1,
            },
            recoveries: self.counters.recoveries,
            compressed: CompressedStats {
                connections: self.log.inflating(),
                messages: compressed.messages,
                bytes_in: compressed.bytes_in,
                bytes_out: compressed.bytes_out,
            },
            contexts: ContextStats {
                rooms: contexts.0,
                messages: contexts.1.messages,
                bytes_in: contexts.1.bytes_in,
                bytes_out: contexts.1.bytes_out,
            },
            inflated: InflatedStats {
                messages: inflated.messages,
                bytes_in: inflated.bytes_in,
                bytes_out: inflated.bytes_out,
            },
            lagging: self.log.lagging(),
            rtt_ms,
            rtt: rtt.clone(),
            fanout: self.counters.fanout().clone(),
            uptime_s: (self.clock.uptime(now).as_secs_f64() * 1e3).round() / 1e3,
            draining: self.drain.has_begun(),
            cluster: None,
            cut_off: false,
        }
    }
}
