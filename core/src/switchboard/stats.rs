//! What is counted, and what is told of it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::{Notice, Switchboard};
use crate::{CloseReason, Refused, Time};

/// The statistics of a node; serialised, the body of `/stats.json`. Keys are only ever added.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stats {
    /// Admitted connections.
    pub total_connections: usize,
    /// How many there may be.
    pub max_connections: usize,
    /// The one in percent of the other.
    pub capacity_percent: f64,
    /// Rooms that somebody is in.
    pub active_rooms: usize,
    /// Rooms that somebody entered by the URL.
    pub active_lobbies: usize,
    /// Users with a connection.
    pub users: usize,
    /// Connections that are not admitted yet, or refused and not gone yet; those that ask for a
    /// page are not counted.
    pub pending_handshakes: usize,
    /// Connections that are ending but not gone.
    pub closing: usize,
    /// Connections that have ended, and whose hook `on_disconnect` has not; where they are not
    /// `closing`, their sockets are closed.
    pub disconnecting: usize,
    /// Bytes of memory that what waits to be written takes: a frame that waits for many connections
    /// counts once, and as a whole until its last byte is out.
    pub queued_bytes: usize,
    /// Messages that came in.
    pub messages_in: u64,
    /// Messages that went out, each copy counted.
    pub messages_out: u64,
    /// Messages that were queued, or meant to be, and did not go out, by the reason.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Connections that ended, by the reason.
    pub closes: BTreeMap<&'static str, u64>,
    /// Connections that were refused, by the reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Round-trip times in milliseconds; 0 before the first.
    pub rtt_ms: Quantiles,
    /// Seconds since the start.
    pub uptime_s: f64,
    /// Whether a drain has begun.
    pub draining: bool,
}

/// Of a distribution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Quantiles {
    /// Half are below.
    pub p50: f64,
    /// 99 of 100 are below.
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
    /// Per level, which of its marks has been reached.
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

/// A limit whose filling is watched.
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

/// Eight buckets per doubling of the microseconds: a quantile is off by 12 % at most.
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

    /// In milliseconds, the upper end of the bucket.
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
    /// The statistics at `now`. Costs a pass over the buckets of the histogram.
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

    /// Says so when a limit is reached by 80 % or by 100 % for the first time.
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
