//! The model of a history: all that was published, and the bounds computed from it.

use std::collections::VecDeque;

use super::super::history::Origin;
use super::super::limits::{Rule, Slow};
use super::super::recovery::Identity;

#[derive(Debug)]
struct Message {
    seq: Option<u64>,
    time: u64,
    bytes: usize,
    /// Bytes of memory, of all forms.
    footprint: usize,
    at: u64,
    origin: Origin,
}

/// What was published to a room.
#[derive(Debug, Default)]
pub(super) struct Published {
    all: Vec<Message>,
    seq: u64,
}

impl Published {
    pub(super) fn add(
        &mut self,
        seq: Option<u64>,
        time: u64,
        (bytes, footprint): (usize, usize),
        at: u64,
        origin: Origin,
    ) {
        self.seq = seq.unwrap_or(self.seq);
        self.all.push(Message {
            seq,
            time,
            bytes,
            footprint,
            at,
            origin,
        });
    }

    /// The first number that is kept, and the last one used.
    pub(super) fn range(&self, rule: &Rule, now: u64) -> (u64, u64) {
        let keep = rule.history.expect("it keeps a history");
        let (mut messages, mut cost, mut lag, mut lag_bytes) = (0, 0, 0, 0);
        let mut first = self.seq + 1;
        for message in self.all.iter().rev() {
            lag += 1;
            lag_bytes += message.bytes as u64;
            let too_far = lag > rule.lag.messages || lag_bytes > rule.lag.bytes;
            let Some(seq) = message.seq else {
                continue;
            };
            messages += 1;
            cost += message.footprint + 112;
            let old = message.at + keep.age.as_millis() as u64 <= now;
            let far = too_far && rule.lag.slow != Slow::CatchUp;
            if messages > keep.messages || cost > keep.bytes || old || far {
                break;
            }
            first = seq;
        }
        (first, self.seq)
    }

    /// The numbers after one, each with the time of its message if it is for who asks.
    pub(super) fn after(&self, after: u64, who: Identity) -> VecDeque<(u64, Option<u64>)> {
        let numbered = self.all.iter().filter_map(|it| Some((it.seq?, it)));
        numbered
            .filter(|&(seq, _)| seq > after)
            .map(|(seq, it)| {
                let own = who.session != 0 && it.origin.session == who.session;
                let listed = it.origin.not_for.iter().flat_map(|list| list.iter());
                let excluded = own || listed.into_iter().any(|&hash| hash == who.user);
                (seq, (!excluded).then_some(it.time))
            })
            .collect()
    }
}
