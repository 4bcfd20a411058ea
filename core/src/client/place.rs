//! What a client knows of a channel's numbers.

use std::collections::BTreeSet;
use std::mem;

use super::config::OWN;
use super::frame::ServerText;
use crate::protocol::Since;

/// Numbers that were not delivered: the first and the last one of each range.
pub(super) type Lost = Vec<(u64, u64)>;

/// The state of a channel's numbers.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// The latest known epoch; empty if none.
    epoch: String,
    /// All numbers up to this one are accounted for.
    seq: Option<u64>,
    /// Whether the server keeps history, so that a position is of use.
    history: bool,
    /// Whether only the last value of each key is kept, so that numbers are skipped without a loss.
    keyed: bool,
    /// Numbers of own messages above `seq`, from their acknowledgements.
    own: BTreeSet<u64>,
    /// Entered again, and no message was received since: messages up to `seq` may follow.
    fresh: bool,
}

/// What follows from a new position.
#[derive(Default)]
pub(super) struct Arrival {
    /// Whether everything since the old position follows.
    pub(super) recovered: bool,
    pub(super) lost: Lost,
    /// The previous epoch, if it has changed.
    pub(super) before: Option<String>,
}

impl Place {
    /// Creates the place of a channel to be entered at this position.
    pub(super) fn at(since: &Since<'_>) -> Self {
        Self {
            epoch: since.epoch.clone().into_owned(),
            seq: Some(since.seq),
            history: true,
            ..Self::default()
        }
    }

    pub(super) fn epoch(&self) -> &str {
        &self.epoch
    }

    pub(super) fn has_history(&self) -> bool {
        self.history
    }

    /// Returns the position from which to recover, if there is one.
    pub(super) fn position(&self) -> Option<Since<'_>> {
        let seq = self
            .seq
            .filter(|_| self.history && !self.epoch.is_empty())?;
        let epoch = self.epoch.as_str().into();
        Some(Since { epoch, seq })
    }

    /// Moves to the position of a `subscribed`.
    pub(super) fn take(&mut self, subscribed: &ServerText) -> Arrival {
        let place = Self {
            epoch: subscribed.epoch().unwrap_or_default().to_owned(),
            seq: subscribed.seq(),
            history: subscribed.first().is_some(),
            keyed: subscribed.keep() == Some("latest"),
            ..Self::default()
        };
        self.move_to(place, subscribed.recovered() == Some(true))
    }

    /// Moves to the position of another place, unless everything since the present one follows.
    pub(super) fn move_to(&mut self, place: Self, recovered: bool) -> Arrival {
        self.history = place.history;
        self.keyed = place.keyed;
        self.fresh = false;
        let mut arrival = Arrival::default();
        if self.epoch == place.epoch && recovered {
            arrival.recovered = true;
            return arrival;
        }
        if self.epoch.is_empty() || place.epoch.is_empty() {
            // It is unknown what was missed.
        } else if self.epoch != place.epoch {
            arrival.before = Some(mem::take(&mut self.epoch));
        } else if let Some(seq) = place.seq {
            let lost = self.advance(seq, seq.saturating_add(1), seq);
            arrival.lost = lost.unwrap_or_default();
        }
        // Own numbers do not outlive the epoch.
        *self = Self {
            fresh: place.history,
            ..place
        };
        arrival
    }

    /// Accounts for all numbers up to `to`: the server named those from `start` on, and those from
    /// `from` on are not lost. Returns the lost ones, or `None` if no number is new.
    pub(super) fn advance(&mut self, start: u64, from: u64, to: u64) -> Option<Lost> {
        if mem::take(&mut self.fresh) && self.seq.is_some_and(|seq| start <= seq) {
            self.seq = Some(start.saturating_sub(1));
        }
        let mut seq = self.seq.filter(|&seq| to > seq)?;
        let mut lost = Lost::new();
        if !self.keyed {
            let own = self.own.range(..from).copied();
            for one in own.chain([from]) {
                if one > seq.saturating_add(1) {
                    lost.push((seq + 1, one - 1));
                }
                seq = seq.max(one);
            }
        }
        self.seq = Some(to);
        self.absorb();
        Some(lost)
    }

    /// Handles the number of an own message. It may overtake earlier messages that come from the
    /// history, so it moves the position only when it is the next one.
    pub(super) fn own(&mut self, seq: u64) -> Lost {
        if self.seq.is_some_and(|before| seq > before) {
            self.own.insert(seq);
        }
        let full = self.own.len() > OWN;
        let oldest = self.own.first().copied().filter(|_| full);
        let lost = oldest.and_then(|oldest| self.advance(oldest, oldest, oldest));
        self.absorb();
        lost.unwrap_or_default()
    }

    pub(super) fn is_own(&self, seq: u64) -> bool {
        self.own.contains(&seq)
    }

    /// Moves over own numbers.
    fn absorb(&mut self) {
        let Some(mut seq) = self.seq else {
            return;
        };
        while let Some(next) = seq.checked_add(1)
            && self.own.contains(&next)
        {
            seq = next;
        }
        self.seq = Some(seq);
        // Where older messages follow, the position comes here a second time.
        if !self.fresh && !self.own.is_empty() {
            self.own = self.own.split_off(&seq.saturating_add(1));
        }
    }
}
