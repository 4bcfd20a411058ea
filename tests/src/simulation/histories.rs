//! What rooms keep, predicted from what was published and compared with what the node says that it keeps
//! (invariant 42, H1 and H7).

use std::collections::{BTreeMap, BTreeSet};

use switchboard_core::{Excerpt, Stats, Time};

use super::counters::Probe;
use super::oracle::{Entry, Room, hash_text};
use super::output::Message;
use super::world::World;

/// The oldest number that a room keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct First {
    /// It is not older than this.
    pub(super) least: u64,
    /// Whether it is this one. Where a bound over all rooms presses, more may have gone.
    pub(super) exact: bool,
}

impl First {
    /// Returns whether `first` may be the oldest number kept of those up to `seq`.
    pub(super) const fn allows(self, first: u64, seq: u64) -> bool {
        self.least <= first && first <= seq + 1 && !(self.exact && first > self.least)
    }
}

impl Room {
    /// Begins a new life.
    pub(super) fn begin(&mut self, now: u64) {
        self.lives.push(Vec::new());
        self.epochs.push(None);
        self.latest = BTreeMap::new();
        (self.floor, self.unkept, self.forgets) = (1, 0, false);
        self.used = now;
    }

    /// Returns the messages of the present life.
    pub(super) fn log(&self) -> &[Entry] {
        self.lives.last().map_or(&[], Vec::as_slice)
    }

    /// Returns the epoch of the present life, if it is known.
    pub(super) fn epoch(&self) -> Option<&str> {
        self.epochs.last()?.as_deref()
    }

    /// Notes that a room has been told to keep nothing before this number.
    pub(super) fn note_first(&mut self, first: u64) {
        self.floor = self.floor.max(first);
    }
}

impl World {
    /// Returns whether a bound over all rooms presses on what rooms keep.
    pub(super) fn is_pressed(&self) -> bool {
        self.plan.tiny_pool || self.plan.config.history.bytes < 1 << 20
    }

    /// Predicts the oldest number that a room keeps at the time of the next call.
    pub(super) fn first_kept(&self, r: u32) -> First {
        let room = &self.oracle.rooms[r as usize];
        let (log, next) = (room.log(), room.seq() + 1);
        let nothing = First {
            least: next,
            exact: true,
        };
        let Some(keeping) = room.keeping else {
            return nothing;
        };
        if keeping.keys.is_some() {
            return First {
                least: room.floor.max(room.unkept + 1),
                exact: !room.forgets,
            };
        }
        // What messages take of a room's bytes that is compressed is not predicted.
        let compresses = self.plan.config.compression.is_some();
        let (now, mut first, mut bytes) = (self.core_time(), next, 0);
        while first > 1 {
            let entry = &log[first as usize - 2];
            bytes += entry.cost;
            let many = next + 1 - first > keeping.messages as u64;
            if many || bytes > keeping.bytes || entry.at + keeping.age <= now {
                break;
            }
            first -= 1;
        }
        First {
            least: first.max(room.floor),
            // Elsewhere a history reaches back no further than a member may lag.
            exact: room.catches_up && !self.is_pressed() && !compresses,
        }
    }

    /// Finds out whether a room without members is still in its last life, and begins another one if
    /// not. `entered` is whether somebody has just entered it.
    pub(super) fn find_life(&mut self, r: u32, entered: bool) {
        let now = self.core_time();
        let room = &self.oracle.rooms[r as usize];
        if !room.members.is_empty() {
            return;
        }
        let Some(keeping) = room.keeping else {
            return self.oracle.rooms[r as usize].begin(now);
        };
        let position = self.board.position(&Self::room_name(r));
        let ends = room.used + keeping.linger;
        let (known, last_tick) = (room.epoch().is_some(), self.last_tick);
        if known && position.is_some_and(|it| Some(&*it.epoch) == room.epoch()) {
            if entered {
                self.probe(Probe::DormantRoom);
            }
            return self.check(42, ends >= last_tick, || {
                format!("r{r} was to end at {ends}, it is {now}")
            });
        }
        if known && entered {
            self.probe(Probe::DormantEnded);
        }
        let crowded = self.plan.config.history.rooms < 10_000;
        self.check(42, !known || crowded || now >= ends, || {
            format!("r{r} has ended before {ends}")
        });
        self.oracle.rooms[r as usize].begin(now);
        self.learn_epoch(r);
    }

    /// Learns the epoch of a room's present life, if the room exists.
    pub(super) fn learn_epoch(&mut self, r: u32) {
        let Some(position) = self.board.position(&Self::room_name(r)) else {
            return;
        };
        let room = &mut self.oracle.rooms[r as usize];
        if let Some(known @ None) = room.epochs.last_mut() {
            let epoch = position.epoch.to_string();
            *known = Some(epoch.clone());
            let new = self.oracle.epochs.insert(epoch);
            self.check(42, new, || {
                format!("epoch {} is used twice", position.epoch)
            });
        }
    }

    /// Compares what the node keeps with what was published (H1).
    pub(super) fn audit_histories(&mut self, stats: &Stats) {
        if !self.plan.keeps {
            return;
        }
        let config = &self.plan.config;
        let most = config.history.bytes.min(config.limits.queued_bytes / 2);
        // Removals are kept whatever there is.
        let removals: usize = self.oracle.rooms.iter().map(Room::removals_cost).sum();
        let kept = stats.history;
        self.check(42, kept.bytes <= most + removals, || {
            format!("{kept:?}, and {most} bytes may be kept")
        });
        let told = stats.recoveries;
        let sum = told.ok + told.gone + told.epoch + told.ahead;
        let came = self.oracle.came_back;
        self.check(42, sum == came, || {
            format!("{came} came back, the node counts {told:?}")
        });
        let members = self.oracle.rooms.iter().map(|room| room.members.len());
        let members: usize = members.sum();
        self.check(42, stats.lagging <= members, || {
            format!("{} of {members} members lag", stats.lagging)
        });
        // Where few connections are, this happens after each call.
        if self.rng.u8(..8) == 0 {
            let r = self.rng.u32(..self.plan.rooms);
            self.audit_history(r);
        }
    }

    fn audit_history(&mut self, r: u32) {
        let now = Time::from_nanos(self.core_now);
        let Some(excerpt) = self.board.history(now, &Self::room_name(r), ..) else {
            let members = self.oracle.rooms[r as usize].members.len();
            return self.check(42, members == 0, || format!("r{r} is gone"));
        };
        let room = &self.oracle.rooms[r as usize];
        // The oracle learns of a new life when somebody enters, or the application publishes.
        if room.epoch() != Some(&*excerpt.position.epoch) {
            return;
        }
        let (seq, used) = (room.seq(), excerpt.position.seq);
        if used + 1 == seq && (self.oracle.unsure || self.may_be_busy()) {
            // What this call was to publish is refused perhaps.
            return;
        }
        self.check(42, used == seq, || {
            format!("r{r} is at {used}, expected {seq}")
        });
        let expected = self.first_kept(r);
        let first = excerpt.first;
        self.check(42, expected.allows(first, seq), || {
            format!("r{r} keeps what is from {first} on, expected {expected:?}")
        });
        if first > expected.least {
            self.probe(Probe::HistoryGaveWay);
        }
        if let Err(what) = self.check_excerpt(r, &excerpt) {
            self.fail(42, format!("r{r}: {what}: {:?}", excerpt.position));
        }
        self.oracle.rooms[r as usize].note_first(first);
    }

    fn check_excerpt(&self, r: u32, excerpt: &Excerpt) -> Result<(), String> {
        let room = &self.oracle.rooms[r as usize];
        let log = room.log();
        let numbers: BTreeSet<u64> = excerpt.messages.iter().map(|it| it.seq).collect();
        let expected: BTreeSet<u64> = match room.keeping.and_then(|it| it.keys) {
            Some(_) => room.latest.values().copied().collect(),
            None => (excerpt.first..=room.seq()).collect(),
        };
        // Of many removals, the oldest are kept no longer.
        let may_be_gone = |seq: u64| {
            let entry = log.get(seq as usize - 1);
            seq < excerpt.first && entry.is_some_and(|entry| entry.removal)
        };
        let missing = expected.symmetric_difference(&numbers);
        let missing: Vec<_> = missing.filter(|&&seq| !may_be_gone(seq)).collect();
        if !missing.is_empty() && !room.forgets {
            return Err(format!("{missing:?} are kept or not"));
        }
        for stored in &excerpt.messages {
            let entry = log.get(stored.seq as usize - 1);
            let entry = entry.ok_or("a number that was never assigned")?;
            let message: Message<'_> =
                serde_json::from_str(stored.as_json()).map_err(|error| error.to_string())?;
            let content = hash_text(message.content());
            let same = content == entry.content && entry.key.as_deref() == message.key;
            let framed = stored.frame.len() + super::keeping::BESIDE;
            if !same || entry.sender.as_deref() != message.sender || framed != entry.cost {
                return Err(format!("{} is not {entry:?}", stored.as_json()));
            }
        }
        Ok(())
    }

    /// Returns for how long the run has to go on until no room is kept any more.
    pub(super) fn lingering(&self) -> u64 {
        let rooms = self.oracle.rooms.iter();
        let lingers = rooms.filter_map(|room| Some(room.keeping?.linger));
        lingers
            .max()
            .map_or(0, |longest| longest + 2 * self.plan.tick_jitter)
    }

    /// Checks that nothing is kept any more (H7).
    pub(super) fn check_nothing_kept(&mut self) {
        let kept = self.board.stats(Time::from_nanos(self.now)).history;
        let nothing = (kept.rooms, kept.messages, kept.bytes) == (0, 0, 0);
        self.check(42, nothing, || format!("left over: {kept:?}"));
    }
}
