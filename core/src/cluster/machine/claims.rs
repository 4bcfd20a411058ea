//! The users' claims that this node makes at the broker.
//!
//! ```text
//!        login           asked           answered
//! (none) ─────▶ Wanted ────────▶ Asked ──────────▶ Held
//!                 ▲                │ lost            │ another connection to the broker, a while
//!                 └────────────────┴─────────────────┘
//!        logout, put out              asked                answered
//!     of all ──────────────▶ Leaving ──────▶ LeavingAsked ─────────▶ (none)
//! ```
//!
//! A claim is made again with its old stamp whenever the broker may have lost it or put it out unheard.
//! The answer says whether it stays: what decides is the state at the broker, not what it told.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cluster::command::BrokerTime;
use crate::{ConnectionId, Time};

/// Which claim: the user, and the connection.
pub(super) type Key = (Arc<str>, ConnectionId);

#[derive(Debug)]
pub(super) struct Claim {
    pub(super) stage: Stage,
    /// When it was made by the broker's clock: as that said, or as this node estimates. `None`: now.
    pub(super) stamp: Option<BrokerTime>,
    /// When it was made first, where the stamp is not that any more.
    pub(super) since: Option<BrokerTime>,
    /// Whether a command under the present registration may have reached the broker.
    pub(super) was_sent: bool,
    /// Until when the connection waits for the answer.
    pub(super) admission: Option<Time>,
    /// When it is to be made again, so that it does not expire.
    pub(super) touch: Option<Time>,
    place: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// To be made, or to be made again.
    Wanted,
    Asked,
    Held,
    /// To be given up.
    Leaving,
    LeavingAsked,
}

/// All claims of this node, and those that have something to ask.
#[derive(Debug, Default)]
pub(super) struct Claims {
    all: BTreeMap<Key, Claim>,
    queue: BTreeMap<u64, Key>,
    places: u64,
}

impl Claims {
    pub(super) fn make(&mut self, key: &Key, stamp: Option<BrokerTime>) {
        let claim = Claim {
            stage: Stage::Wanted,
            stamp,
            since: None,
            was_sent: false,
            admission: None,
            touch: None,
            place: None,
        };
        self.all.entry(key.clone()).or_insert(claim);
        self.set(key, Stage::Wanted);
    }

    pub(super) fn get_mut(&mut self, key: &Key) -> Option<&mut Claim> {
        self.all.get_mut(key)
    }

    /// Changes the stage, and queues what has something to ask.
    pub(super) fn set(&mut self, key: &Key, stage: Stage) {
        let Some(claim) = self.all.get_mut(key) else {
            return;
        };
        claim.stage = stage;
        let is_to_ask = matches!(stage, Stage::Wanted | Stage::Leaving);
        match claim.place {
            None if is_to_ask => {
                self.places += 1;
                claim.place = Some(self.places);
                self.queue.insert(self.places, key.clone());
            }
            Some(place) if !is_to_ask => {
                claim.place = None;
                self.queue.remove(&place);
            }
            _ => {}
        }
    }

    /// Returns the next one that has something to ask, without taking it.
    pub(super) fn first(&self) -> Option<Key> {
        self.queue.first_key_value().map(|(_, key)| key.clone())
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Claim> {
        let claim = self.all.remove(key)?;
        if let Some(place) = claim.place {
            self.queue.remove(&place);
        }
        Some(claim)
    }

    /// What was on its way may not have arrived.
    pub(super) fn lost(&mut self) {
        self.change_all(|claim| match claim.stage {
            Stage::Asked => Stage::Wanted,
            Stage::LeavingAsked => Stage::Leaving,
            other => other,
        });
    }

    /// Another connection to the broker: each claim is to be made again.
    pub(super) fn connected(&mut self) {
        self.change_all(|claim| match claim.stage {
            Stage::Held => Stage::Wanted,
            other => other,
        });
    }

    /// The node has another registration, under which there is no claim. `forget_stamps`: the claims of
    /// others who came meanwhile go before these.
    pub(super) fn registered_anew(&mut self, forget_stamps: bool) {
        self.change_all(|claim| {
            claim.was_sent = false;
            if forget_stamps {
                let stamp = claim.stamp.take();
                claim.since = claim.since.or(stamp);
            }
            match claim.stage {
                Stage::Leaving | Stage::LeavingAsked => claim.stage,
                _ => Stage::Wanted,
            }
        });
        let left = self.all.iter().filter(|(_, claim)| is_leaving(claim));
        let left: Vec<_> = left.map(|(key, _)| key.clone()).collect();
        for key in left {
            self.remove(&key);
        }
    }

    fn change_all(&mut self, change: impl Fn(&mut Claim) -> Stage) {
        let mut changed = Vec::new();
        for (key, claim) in &mut self.all {
            let stage = change(claim);
            if stage != claim.stage {
                changed.push((key.clone(), stage));
            }
        }
        for (key, stage) in changed {
            self.set(&key, stage);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, &Claim)> {
        self.all.iter()
    }

    /// Says what is inconsistent, if anything.
    pub(super) fn audit(&self) -> Result<(), String> {
        for (key, claim) in &self.all {
            let is_queued = claim
                .place
                .is_some_and(|it| self.queue.get(&it) == Some(key));
            let is_to_ask = matches!(claim.stage, Stage::Wanted | Stage::Leaving);
            if is_queued != is_to_ask {
                return Err(format!("{claim:?} is in the queue without need, or not"));
            }
        }
        let queued = self.all.values().filter(|claim| claim.place.is_some());
        if queued.count() != self.queue.len() {
            return Err("the queue has a claim twice, or one that is gone".to_owned());
        }
        Ok(())
    }
}

pub(super) fn is_leaving(claim: &Claim) -> bool {
    matches!(claim.stage, Stage::Leaving | Stage::LeavingAsked)
}
