//! What has been counted since the start, and warnings about limits.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::action::Notice;
use super::effects::Effects;
use super::histogram::{Buckets, Histogram, Quantiles};
use crate::{CloseReason, Frame, Refused};

/// What has happened since the start, by kind.
#[derive(Debug)]
pub(super) struct Counters {
    pub(super) opened: u64,
    pub(super) opened_streams: u64,
    pub(super) messages_in: u64,
    pub(super) messages_out: u64,
    pub(super) recoveries: Recoveries,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    compressed: Ratio,
    inflated: Ratio,
    /// Round-trip times, for quantiles.
    rtt: Histogram,
    /// Round-trip times in seconds, for collectors of metrics.
    rtt_buckets: Buckets,
    /// Connections that a message to a room was accepted for.
    fanout: Buckets,
    /// Messages dropped, by reason.
    pub(super) dropped: Tally,
    /// Ended connections, by reason.
    pub(super) closes: Tally,
    /// Refused connections, by reason.
    pub(super) refused: Tally,
    /// The highest mark reached of each level: 1 for 80 %, 2 for 100 %.
    reached: [u8; 4],
}

/// Messages that were compressed or inflated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ratio {
    pub(super) messages: u64,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
}

impl Ratio {
    pub(super) const fn new() -> Self {
        Self {
            messages: 0,
            bytes_in: 0,
            bytes_out: 0,
        }
    }

    pub(super) fn add(&mut self, from: usize, to: usize) {
        self.messages += 1;
        self.bytes_in += from as u64;
        self.bytes_out += to as u64;
    }
}

/// Counts by reason.
pub(super) type Tally = BTreeMap<&'static str, u64>;

/// Bounds in seconds: from a client on the same machine to one that is nearly given up.
const RTT_BOUNDS: &[f64] = &[
    0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

const FANOUT_BOUNDS: &[f64] = &[
    0.0, 1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 10_000.0, 100_000.0,
];

impl Default for Counters {
    fn default() -> Self {
        Self {
            recoveries: Recoveries::default(),
            opened: 0,
            opened_streams: 0,
            messages_in: 0,
            messages_out: 0,
            bytes_in: 0,
            bytes_out: 0,
            compressed: Ratio::default(),
            inflated: Ratio::default(),
            rtt: Histogram::default(),
            rtt_buckets: Buckets::new(RTT_BOUNDS),
            fanout: Buckets::new(FANOUT_BOUNDS),
            dropped: Tally::new(),
            closes: Tally::new(),
            refused: Tally::new(),
            reached: [0; 4],
        }
    }
}

impl Counters {
    pub(super) fn measured(&mut self, rtt: Duration) {
        self.rtt.record(rtt);
        self.rtt_buckets.record(rtt.as_secs_f64());
    }

    pub(super) fn rtt(&self) -> (Quantiles, &Buckets) {
        (self.rtt.quantiles(), &self.rtt_buckets)
    }

    pub(super) fn published(&mut self, accepted: usize) {
        self.fanout.record(accepted as f64);
    }

    pub(super) fn fanout(&self) -> &Buckets {
        &self.fanout
    }

    /// Counts a message to a room, if it has a compressed form.
    pub(super) fn compressed(&mut self, frame: &Frame) {
        if let Some(bytes) = frame.deflated_len() {
            self.compressed.add(frame.len(), bytes);
        }
    }

    pub(super) fn inflated(&mut self, received: usize, bytes: usize) {
        self.inflated.add(received, bytes);
    }

    /// Returns what was compressed, and what was inflated.
    pub(super) const fn ratios(&self) -> (Ratio, Ratio) {
        (self.compressed, self.inflated)
    }

    #[inline]
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

    /// Records a notice when a limit is used to 80 % or to 100 % for the first time.
    #[inline]
    pub(super) fn note_level(
        &mut self,
        effects: &mut Effects,
        level: Level,
        used: usize,
        limit: usize,
    ) {
        // In all but a few calls.
        if used.saturating_mul(5) >= limit.saturating_mul(4) {
            self.reach(effects, level, used >= limit);
        }
    }

    fn reach(&mut self, effects: &mut Effects, level: Level, full: bool) {
        let mark = if full { 2 } else { 1 };
        let reached = &mut self.reached[level as usize];
        if *reached < mark {
            *reached = mark;
            let percent = if full { 100 } else { 80 };
            effects.notify(Notice::NearLimit {
                limit: level.field(),
                percent,
            });
        }
    }
}

/// The outcomes of coming back to a room that keeps a history.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Recoveries {
    /// All that was missed was there.
    pub ok: u64,
    /// Some of it was not kept any more.
    pub gone: u64,
    /// The position was in another life of the room.
    pub epoch: u64,
    /// The position was ahead of the room.
    pub ahead: u64,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::switchboard::action::Action;

    #[test]
    fn each_mark_of_a_limit_is_noted_once() {
        let mut counters = Counters::default();
        let mut effects = Effects::default();
        for used in [79, 80, 81, 100, 80, 101] {
            counters.note_level(&mut effects, Level::Rooms, used, 100);
        }
        for percent in [80, 100] {
            let limit = "limits.rooms";
            let notice = Notice::NearLimit { limit, percent };
            assert_eq!(effects.next_action(), Some(Action::Notify(notice)));
        }
        assert_eq!(effects.next_action(), None);
    }

    #[test]
    fn nothing_dropped_leaves_no_entry() {
        let mut counters = Counters::default();
        counters.dropped("left", 0);
        assert!(counters.dropped.is_empty());
        counters.dropped("left", 2);
        counters.dropped("left", 3);
        assert_eq!(counters.dropped, Tally::from([("left", 5)]));
    }
}
