//! Seats and connect rates per address.

use std::collections::BTreeSet;

use super::audit::{Inconsistency, same};
use crate::base::hash::{Keyed, KeyedMap};
use crate::bucket::Bucket;
use crate::{IpKey, Limits, Rate, Time};

#[derive(Debug, Default)]
struct Entry {
    /// Connections that hold a seat of the address.
    seats: usize,
    /// Connections that are not admitted, including pages and refusals.
    entering: usize,
    connects: Bucket,
}

impl Entry {
    fn holds_nothing(&self) -> bool {
        self.seats == 0 && self.entering == 0
    }
}

/// All addresses that hold something or connected lately.
#[derive(Debug)]
pub(super) struct Ips {
    entries: KeyedMap<IpKey, Entry>,
    /// Addresses that hold only a bucket, and when it is full again.
    idle: BTreeSet<(Time, IpKey)>,
}

impl Ips {
    pub(super) fn new(keyed: Keyed) -> Self {
        Self {
            entries: KeyedMap::new(keyed),
            idle: BTreeSet::new(),
        }
    }

    pub(super) fn entering(&self, ip: IpKey) -> usize {
        self.entries.get(&ip).map_or(0, |entry| entry.entering)
    }

    pub(super) fn seats(&self, ip: IpKey) -> usize {
        self.entries.get(&ip).map_or(0, |entry| entry.seats)
    }

    /// Returns the number of known addresses.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Counts a connection that is not admitted yet.
    pub(super) fn add_entering(&mut self, ip: IpKey) {
        self.entry(ip).entering += 1;
    }

    /// Removes a connection that is admitted or gone from that count.
    pub(super) fn remove_entering(&mut self, ip: IpKey, now: Time) {
        if let Some(entry) = self.entries.get_mut(&ip) {
            entry.entering -= 1;
            if entry.holds_nothing() {
                self.rest(ip, now);
            }
        }
    }

    /// Charges a connect; returns whether the rate allows it.
    pub(super) fn charge(&mut self, ip: IpKey, rate: Rate, now: Time) -> bool {
        let entry = self.entry(ip);
        let charged = entry.connects.charge(now, rate, 1).is_ok();
        if entry.holds_nothing() {
            self.rest(ip, now);
        }
        charged
    }

    /// Takes a seat if fewer than `limit` are taken; returns whether it did.
    pub(super) fn seat(&mut self, ip: IpKey, limit: usize, now: Time) -> bool {
        let entry = self.entry(ip);
        let seated = entry.seats < limit;
        entry.seats += usize::from(seated);
        if entry.holds_nothing() {
            self.rest(ip, now);
        }
        seated
    }

    pub(super) fn leave(&mut self, ip: IpKey, now: Time) {
        if let Some(entry) = self.entries.get_mut(&ip) {
            entry.seats -= 1;
            if entry.holds_nothing() {
                self.rest(ip, now);
            }
        }
    }

    pub(super) fn next(&self) -> Option<Time> {
        self.idle.first().map(|&(at, _)| at)
    }

    pub(super) fn tick(&mut self, now: Time) {
        while let Some(&(at, ip)) = self.idle.first()
            && at <= now
        {
            self.idle.pop_first();
            self.entries.remove(&ip);
        }
    }

    /// Compares the seats of an address with those that connections hold.
    pub(super) fn audit_address(
        &self,
        ip: IpKey,
        held: [usize; 2],
        limits: &Limits,
    ) -> Result<(), Inconsistency> {
        let kept = [self.seats(ip), self.entering(ip)];
        same("seats of an address", kept, held)?;
        same("address <= limit", held[0] <= limits.per_ip, true)
    }

    /// Compares the number of addresses with that of those where connections hold something.
    pub(super) fn audit(&self, held: usize) -> Result<(), Inconsistency> {
        same("addresses", self.len(), held + self.idle.len())
    }

    fn entry(&mut self, ip: IpKey) -> &mut Entry {
        let entry = self.entries.get_or_default(&ip);
        if entry.holds_nothing() {
            self.idle.remove(&(entry.connects.full_at(), ip));
        }
        entry
    }

    /// Forgets an address that holds nothing, now or when its bucket is full.
    fn rest(&mut self, ip: IpKey, now: Time) {
        let Some(entry) = self.entries.get(&ip) else {
            return;
        };
        let full_at = entry.connects.full_at();
        if full_at <= now {
            self.entries.remove(&ip);
        } else {
            self.idle.insert((full_at, ip));
        }
    }
}
