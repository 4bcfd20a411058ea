//! Statistics and warnings about limits.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::switchboard::Switchboard;
use crate::switchboard::action::Notice;
use crate::{CloseReason, Refused, Time};

/// The statistics of a node. In serialised form, the body of `/stats.json`. Keys are only ever
/// added.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stats {
    /// Admitted connections.
    pub total_connections: usize,
    /// The limit on admitted connections.
    pub max_connections: usize,
    /// `total_connections` in percent of `max_connections`.
    pub capacity_percent: f64,
    /// Rooms.
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
    /// Bytes of memory of all queues. A frame queued for many connections counts once, and as a
    /// whole until its last byte is written.
    pub queued_bytes: usize,
    /// Messages received.
    pub messages_in: u64,
    /// Messages sent, each copy counted.
    pub messages_out: u64,
    /// Messages that were dropped instead of sent, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Ended connections, by reason.
    pub closes: BTreeMap<&'static str, u64>,
    /// Refused connections, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Round-trip times in milliseconds; 0 before the first one.
    pub rtt_ms: Quantiles,
    /// Seconds since the switchboard was created.
    pub uptime_s: f64,
    /// Whether a drain has begun.
    pub draining: bool,
}

/// Quantiles of a distribution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Quantiles {
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) messages_in: u64,
    pub(super) messages_out: u64,
    pub(super) rtt: Histogram,
    dropped: BTreeMap<&'static str, u64>,
    closes: BTreeMap<&'static str, u64>,
    refused: BTreeMap<&'static str, u64>,
    /// The highest mark reached of each level: 1 for 80 %, 2 for 100 %.
    reached: [u8; 4],
}

impl Counters {
    pub(super) fn dropped(&mut self, reason: &'static str, messages: u64) {
        if messages > 0 {
            *self.dropped.entry(reason).or_default() += messages;
        }
    }

    pub(super) fn closed(&mut self, reason: CloseReason) {
        *self.closes.entry(reason.as_str()).or_default() += 1;
    }

    pub(super) fn refused(&mut self, refused: Refused) {
        *self.refused.entry(refused.as_str()).or_default() += 1;
    }
}

/// A limit that is watched.
#[derive(Clone, Copy, Debug)]
pub(super) enum Level {
    Connections,
    Handshakes,
    Rooms,
    QueuedBytes,
}

impl Level {
    const fn field(self) -> &'static str {
        match self {
            Self::Connections => "limits.connections",
            Self::Handshakes => "limits.handshakes",
            Self::Rooms => "limits.rooms",
            Self::QueuedBytes => "limits.queued_bytes",
        }
    }
}

/// A histogram with eight buckets per doubling of microseconds, so that a quantile is off by at
/// most 12 %.
#[derive(Debug)]
pub(super) struct Histogram {
    buckets: Box<[u64; Self::BUCKETS]>,
    count: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: Box::new([0; Self::BUCKETS]),
            count: 0,
        }
    }
}

impl Histogram {
    const BUCKETS: usize = 8 * 40;

    pub(super) fn record(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
        let doubling = micros.ilog2();
        let eighth = if doubling >= 3 {
            (micros >> (doubling - 3)) & 7
        } else {
            0
        };
        let bucket = (doubling as usize * 8 + eighth as usize).min(Self::BUCKETS - 1);
        self.buckets[bucket] += 1;
        self.count += 1;
    }

    /// Returns the upper end of the quantile's bucket, in milliseconds.
    fn quantile(&self, part: f64) -> f64 {
        let rank = (self.count as f64 * part).ceil() as u64;
        let mut seen = 0;
        for (bucket, &count) in self.buckets.iter().enumerate() {
            seen += count;
            if count > 0 && seen >= rank {
                let (doubling, eighth) = (bucket / 8, bucket % 8);
                let micros = (1u64 << doubling) as f64 * (1.0 + (eighth as f64 + 1.0) / 8.0);
                return (micros / 10.0).round() / 100.0;
            }
        }
        0.0
    }
}

impl Switchboard {
    /// Returns the statistics at `now`. Costs a pass over the buckets of the histogram.
    pub fn stats(&self, now: Time) -> Stats {
        let max_connections = self.config.limits.connections;
        let percent = self.open as f64 * 100.0 / max_connections as f64;
        Stats {
            total_connections: self.open,
            max_connections,
            capacity_percent: (percent * 100.0).round() / 100.0,
            active_rooms: self.rooms.len(),
            active_lobbies: self.rooms.lobbies,
            users: self.users.connected,
            pending_handshakes: self.handshakes,
            closing: self.closing,
            disconnecting: self.disconnecting,
            queued_bytes: self.pool.held(),
            messages_in: self.counters.messages_in,
            messages_out: self.counters.messages_out,
            dropped: self.counters.dropped.clone(),
            closes: self.counters.closes.clone(),
            refused: self.counters.refused.clone(),
            rtt_ms: Quantiles {
                p50: self.counters.rtt.quantile(0.5),
                p99: self.counters.rtt.quantile(0.99),
            },
            uptime_s: (now.since(self.started).as_secs_f64() * 1e3).round() / 1e3,
            draining: self.drain.is_some(),
        }
    }

    /// Sends a notice when a limit is used to 80 % or to 100 % for the first time.
    pub(super) fn note_level(&mut self, level: Level, used: usize, limit: usize) {
        let mark = match () {
            () if used >= limit => 2,
            () if used.saturating_mul(5) >= limit.saturating_mul(4) => 1,
            () => return,
        };
        let reached = &mut self.counters.reached[level as usize];
        if *reached < mark {
            *reached = mark;
            let percent = if mark == 2 { 100 } else { 80 };
            self.notify(Notice::NearLimit {
                limit: level.field(),
                percent,
            });
        }
    }
}
