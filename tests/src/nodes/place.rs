//! Where a client is in a room.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::values::Table;

/// Whether a client is in a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    #[default]
    Out,
    /// It has asked by this request; 0 is the URL.
    Asked(u64),
    In,
}

/// What a client knows of a room.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub(super) stage: Stage,
    /// When it may ask again.
    pub(super) retry: u64,
    /// The epoch, and the number up to which it has everything or was told.
    at: Option<(u32, u64)>,
    /// Numbers above that which are its own messages.
    own: BTreeSet<u64>,
    /// The numbers of its own messages, by epoch, of which it was told while it was in the room.
    acked: BTreeSet<(u32, u64)>,
    /// How far it has come in each epoch.
    pub(super) known: BTreeMap<u32, u64>,
    /// The same since it came in last.
    pub(super) stay: BTreeMap<u32, u64>,
    /// Where it has come back from, if it said so.
    pub(super) since: Option<(u32, u64)>,
    /// Where it had been when it came in last, if it did not recover that.
    pub(super) came_from: Option<(u32, u64)>,
    /// The last message of each sender in each epoch.
    pub(super) last: BTreeMap<(u32, u64), u64>,
    /// The messages it has got: through which link, in which epoch.
    pub(super) got: HashMap<u64, (u32, u32)>,
    /// Numbers for which it got nothing, and that it could not tell the reason of at once.
    pub(super) holes: Vec<(u32, u64)>,
    /// The users it sees; `None` where only their number was told.
    pub(super) users: Option<BTreeSet<String>>,
    pub(super) count: usize,
    /// What it is told of them, as JSON.
    pub(super) infos: BTreeMap<String, String>,
    /// The values that it has of the keys of the room.
    pub(super) table: Table,
    /// Where it has gone back to a number before: the epoch, and the link through which it may get again
    /// what it had through another one.
    pub(super) back: Option<(u32, u32)>,
    /// The node where it came back last.
    pub(super) node: Option<usize>,
}

impl Place {
    pub(super) fn at(&self) -> Option<(u32, u64)> {
        self.at
    }

    pub(super) fn is_in(&self) -> bool {
        self.stage == Stage::In
    }

    /// The connection has ended.
    pub(super) fn leaves(&mut self) {
        self.stage = Stage::Out;
        self.retry = 0;
        self.users = None;
        self.infos.clear();
        self.count = 0;
        self.own.clear();
        self.acked.clear();
        self.stay.clear();
    }

    /// Asks to be in the room; returns where it comes back from.
    pub(super) fn asks(&mut self, request: u64) -> Option<(u32, u64)> {
        self.stage = Stage::Asked(request);
        self.since = self.at;
        self.at
    }

    /// It goes on from there.
    pub(super) fn begins(&mut self, epoch: u32, seq: u64) {
        if self.at.is_none_or(|(before, _)| before != epoch) {
            self.own.clear();
        }
        self.at = Some((epoch, seq));
        self.known.insert(epoch, seq);
        self.stay.insert(epoch, seq);
    }

    pub(super) fn went_back(&mut self, epoch: u32, link: u32) {
        self.back = Some((epoch, link));
        self.last.clear();
    }

    /// A number is its own message.
    pub(super) fn owns(&mut self, seq: u64) {
        if let Some((epoch, at)) = self.at
            && seq > at
        {
            self.acked.insert((epoch, seq));
            self.own.insert(seq);
            self.moves_to(at);
        }
    }

    /// Whether it was told that a number is its own message.
    pub(super) fn has_acked(&self, epoch: u32, seq: u64) -> bool {
        self.acked.contains(&(epoch, seq))
    }

    /// It has everything up to this number.
    pub(super) fn moves_to(&mut self, seq: u64) {
        if let Some((epoch, at)) = &mut self.at {
            *at = seq.max(*at);
            while self.own.remove(&(*at + 1)) {
                *at += 1;
            }
            self.own = self.own.split_off(&*at);
            self.known.insert(*epoch, *at);
            self.stay.insert(*epoch, *at);
        }
    }

    /// Numbers below this one that are not accounted for.
    pub(super) fn missing_before(&self, seq: u64) -> Vec<u64> {
        let Some((_, at)) = self.at else {
            return Vec::new();
        };
        (at + 1..seq)
            .filter(|number| !self.own.contains(number))
            .collect()
    }
}
