//! What happened how often.

use std::collections::BTreeMap;
use std::fmt;

use crate::seeds;

/// What has to go wrong in the fixed set of seeds.
const FAULTS: &[&str] = &[
    "link reset before it was applied",
    "link reset before it was answered",
    "link half open",
    "nothing goes out",
    "nothing comes in",
    "link clogged",
    "link slow",
    "links killed by the broker",
    "push lost without a sign",
    "garbage on a channel",
    "node cut off",
    "node refused",
    "broker away",
    "broker stands still",
    "broker read-only",
    "broker out of memory",
    "scripts gone",
    "cut as too slow",
    "restart with all data",
    "restart with nothing",
    "restart with older data",
    "failover",
    "split brain",
    "old master demoted",
    "clock set back",
    "clock set forward",
    "key evicted",
    "all data flushed",
    "node killed",
    "machine vanished",
    "node stood still",
    "machine slept",
    "node drained",
    "one name for all nodes",
    "left in a socket",
    "client reset",
    "client vanished",
    "client stopped reading",
    "client closed",
    "slow hook",
];

/// What has to be seen in the fixed set of seeds.
const PATHS: &[&str] = &[
    "message",
    "volatile message",
    "message to a user",
    "message to everyone",
    "ack",
    "ack of a node on its own",
    "ack of a duplicate",
    "recovered",
    "recovered on another node",
    "not recovered",
    "gap told",
    "skip told",
    "new epoch told",
    "alone told",
    "back from alone",
    "back to where it was",
    "node away told",
    "node back told",
    "sent again",
    "unavailable",
    "unrecoverable",
    "room full",
    "replaced",
    "replaced from another node",
    "refused as already connected",
    "kicked",
    "kick of all nodes",
    "reached on other nodes",
    "direct to another node",
    "nobody to reach",
    "published with a number",
    "not published",
    "count of presence only",
    "presence seen right",
    "positions seen equal",
    "lapsed",
    "another node of the same name",
    "excluded user",
    "perhaps nobody to reach",
    "nothing left",
];

/// What has to be seen beside that where there are seeds with a keyed room.
const VALUES: &[&str] = &[
    "value",
    "present value",
    "removal",
    "values recovered",
    "values of others told again",
    "values in a new epoch",
    "values of a node on its own",
    "value set again",
    "value not kept",
    "too many keys",
    "key removed by an application",
    "user excluded from a value",
    "values seen right",
    "node told of its user",
    "told of a user",
    "told rightly of a user",
];

/// Counts of one run, or of many.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// What nodes, the broker and clients were told.
    pub events: u64,
    /// Virtual time.
    pub nanos: u128,
    /// Checks of the machines of a node.
    pub audits: u64,
    /// What happened, and how often.
    pub seen: BTreeMap<&'static str, u64>,
}

impl Tally {
    pub(super) fn count(&mut self, what: &'static str, by: u64) {
        if by > 0 {
            *self.seen.entry(what).or_default() += by;
        }
    }
}

impl seeds::Tally for Tally {
    fn events(&self) -> u64 {
        self.events
    }

    fn count_events(&mut self, events: u64) {
        self.events += events;
    }

    fn nanos(&self) -> u128 {
        self.nanos
    }

    fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.nanos += other.nanos;
        self.audits += other.audits;
        for (what, by) in &other.seen {
            self.count(what, *by);
        }
    }

    fn missing(&self) -> Vec<&'static str> {
        let has_values = self.seen.contains_key("value");
        let values = VALUES.iter().filter(|_| has_values);
        let all = FAULTS.iter().chain(PATHS).chain(values);
        all.filter(|what| !self.seen.contains_key(*what))
            .copied()
            .collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "audits            {}", self.audits)?;
        writeln!(f, "what happened     {}:", self.seen.len())?;
        for (what, count) in &self.seen {
            writeln!(f, "  {count:>12}  {what}")?;
        }
        Ok(())
    }
}
