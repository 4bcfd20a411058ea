//! Rooms per address, so that no address can use up all of them.

use crate::IpKey;
use crate::base::hash::{Keyed, KeyedMap};

/// The least share of one address in the rooms.
const LEAST_SHARE: usize = 20;

/// How many rooms the clients of each network created that still exist.
#[derive(Debug)]
pub(super) struct Owners {
    /// By the length of the network's prefix and its first address.
    rooms: KeyedMap<(u8, IpKey), usize>,
}

impl Owners {
    pub(super) fn new(keyed: Keyed) -> Self {
        Self {
            rooms: KeyedMap::new(keyed),
        }
    }

    /// Returns how many rooms an address holds, and its share of them, if it gets no more while `taken`
    /// of `limit` exist. Once half of them exist, an address may hold a tenth of them, and each wider
    /// network that may be one customer's a tenth more than the one inside it.
    pub(super) fn excess(&self, ip: IpKey, taken: usize, limit: usize) -> Option<(usize, usize)> {
        if 2 * taken < limit {
            return None;
        }
        ip.networks().zip(1..).find_map(|(network, tenths)| {
            let share = (limit.saturating_mul(tenths) / 10).max(LEAST_SHARE);
            let held = self.held(network);
            (held >= share).then_some((held, share))
        })
    }

    pub(super) fn add(&mut self, ip: IpKey) {
        for network in ip.networks() {
            *self.rooms.get_or_default(&network) += 1;
        }
    }

    pub(super) fn remove(&mut self, ip: IpKey) {
        for network in ip.networks() {
            if let Some(held) = self.rooms.get_mut(&network) {
                *held -= 1;
                if *held == 0 {
                    self.rooms.remove(&network);
                }
            }
        }
    }

    /// Returns how many rooms a network holds.
    pub(super) fn held(&self, network: (u8, IpKey)) -> usize {
        self.rooms.get(&network).copied().unwrap_or(0)
    }

    /// Returns the number of networks that hold rooms.
    pub(super) fn len(&self) -> usize {
        self.rooms.len()
    }
}
