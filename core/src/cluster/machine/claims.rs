//! The users' claims that this node makes at the broker.
//!
//! ```text
//!        login           asked           answered
//! (none) ─────▶ Wanted ────────▶ Asked ──────────▶ Held
//!                 ▲                │ lost            │ a while
//!                 └────────────────┴─────────────────┘
//!        logout, put out              asked                answered
//!     of all ──────────────▶ Leaving ──────▶ LeavingAsked ─────────▶ (none)
//! ```
//!
//! A claim is made again with its old stamp whenever the broker may have lost it or put it out unheard.
//! The answer says whether it stays: what decides is the state at the broker, not what it told.
//!
//! With another connection to the broker, or another registration, all claims are to be made again. Nothing
//! looks at each of them then: those that are held stand in the order in which they came to be, and those
//! before a place are asked for in turn with the others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::cluster::command::BrokerTime;
use crate::{ConnectionId, Time};

#[cfg(test)]
mod tests;

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
    /// The registration under which this was noted.
    registration: u64,
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
    /// Those that are held, in the order in which they came to be, and those that are asked for.
    held: BTreeMap<u64, Key>,
    asked: BTreeSet<Key>,
    places: u64,
    /// What is held under a place up to this one is to be made again.
    again: u64,
    /// Whether the one that was asked for last had been held.
    was_held: bool,
    /// Registrations of this node before the present one, and whether the last one of them took the stamps.
    registrations: u64,
    forgets_stamps: bool,
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
            registration: self.registrations,
            place: None,
        };
        self.all.entry(key.clone()).or_insert(claim);
        self.set(key, Stage::Wanted);
    }

    pub(super) fn get_mut(&mut self, key: &Key) -> Option<&mut Claim> {
        let claim = self.all.get_mut(key)?;
        if claim.registration != self.registrations {
            claim.registration = self.registrations;
            claim.was_sent = false;
            if self.forgets_stamps {
                let stamp = claim.stamp.take();
                claim.since = claim.since.or(stamp);
            }
        }
        Some(claim)
    }

    /// Changes the stage, and queues what has something to ask.
    pub(super) fn set(&mut self, key: &Key, stage: Stage) {
        let Some(claim) = self.all.get_mut(key) else {
            return;
        };
        let before = std::mem::replace(&mut claim.stage, stage);
        if claim.place.is_some() && is_to_ask(before) && is_to_ask(stage) {
            return;
        }
        let place = claim.place.take();
        if is_to_ask(stage) || stage == Stage::Held {
            self.places += 1;
            claim.place = Some(self.places);
        }
        self.take_out(key, before, place);
        if is_to_ask(stage) {
            self.queue.insert(self.places, key.clone());
        } else if stage == Stage::Held {
            self.held.insert(self.places, key.clone());
        } else {
            self.was_held = before == Stage::Held;
            self.asked.insert(key.clone());
        }
    }

    /// Takes a claim out of where it stands in this stage.
    fn take_out(&mut self, key: &Key, stage: Stage, place: Option<u64>) {
        match place {
            Some(place) if stage == Stage::Held => drop(self.held.remove(&place)),
            Some(place) => drop(self.queue.remove(&place)),
            None => drop(self.asked.remove(key)),
        }
    }

    /// Returns the next one that has something to ask, without taking it. Where some are to be made again,
    /// these take turns with the others.
    pub(super) fn first(&self) -> Option<Key> {
        let again = self.held.range(..=self.again).next();
        let other = self.queue.first_key_value();
        let first = if self.was_held {
            other.or(again)
        } else {
            again.or(other)
        };
        first.map(|(_, key)| key.clone())
    }

    /// Returns whether a claim is held, as far as is known through the present connection to the broker.
    pub(super) fn is_held(&self, key: &Key) -> bool {
        let held = self.all.get(key).filter(|it| it.stage == Stage::Held);
        held.is_some_and(|claim| claim.place.is_some_and(|place| place > self.again))
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Claim> {
        let claim = self.all.remove(key)?;
        self.take_out(key, claim.stage, claim.place);
        Some(claim)
    }

    /// What was on its way may not have arrived.
    pub(super) fn lost(&mut self) {
        self.ask_again();
    }

    /// Another connection to the broker: each claim is to be made again.
    pub(super) const fn connected(&mut self) {
        self.again = self.places;
    }

    /// The node has another registration, under which there is no claim. `forget_stamps`: the claims of
    /// others who came meanwhile go before these.
    pub(super) fn registered_anew(&mut self, forget_stamps: bool) {
        self.registrations += 1;
        self.forgets_stamps = forget_stamps;
        self.again = self.places;
        self.ask_again();
    }

    /// What is asked for is to be asked for again.
    fn ask_again(&mut self) {
        for key in std::mem::take(&mut self.asked) {
            let stage = self.all.get(&key).map(|claim| claim.stage);
            self.set(
                &key,
                match stage {
                    Some(Stage::LeavingAsked) => Stage::Leaving,
                    _ => Stage::Wanted,
                },
            );
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, &Claim)> {
        self.all.iter()
    }

    /// Says what is inconsistent, if anything.
    pub(super) fn audit(&self) -> Result<(), String> {
        for (key, claim) in &self.all {
            let stands = |list: &BTreeMap<u64, Key>| {
                let found = claim.place.and_then(|place| list.get(&place));
                found == Some(key)
            };
            let found = (
                stands(&self.queue),
                stands(&self.held),
                self.asked.contains(key),
            );
            let is_to_ask = is_to_ask(claim.stage);
            let is_held = claim.stage == Stage::Held;
            if found != (is_to_ask, is_held, !is_to_ask && !is_held) {
                return Err(format!("{claim:?} does not stand where its stage says"));
            }
        }
        if self.all.len() != self.queue.len() + self.held.len() + self.asked.len() {
            return Err("a claim stands there twice, or is gone".to_owned());
        }
        Ok(())
    }
}

const fn is_to_ask(stage: Stage) -> bool {
    matches!(stage, Stage::Wanted | Stage::Leaving)
}

pub(super) fn is_leaving(claim: &Claim) -> bool {
    matches!(claim.stage, Stage::Leaving | Stage::LeavingAsked)
}
