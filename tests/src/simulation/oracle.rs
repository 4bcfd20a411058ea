//! The oracle's own record of connections, rooms and addresses, fed by inputs and outputs. It
//! shares no code with the core.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use switchboard_core::Audit;

use super::keeping::Keeping;
use super::link::{Moment, Phase};
use super::plan::Plan;
use super::recoveries::Entering;
use super::volatile::Volatile;
use super::world::World;

/// Entries that an audit in parts looks at after each event.
const AUDITED: usize = 3;

/// One message of a room.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// A hash of the content as written.
    pub(super) content: u64,
    pub(super) sender: Option<Arc<str>>,
    pub(super) excluded: Vec<u32>,
    /// The sessions and users to which it is not given later either.
    pub(super) hidden: Vec<String>,
    /// The session that has sent it and does not get it.
    pub(super) by: Option<String>,
    /// The session and the request.
    pub(super) request: Option<(String, u64)>,
    /// The key whose value or removal it is.
    pub(super) key: Option<String>,
    pub(super) removal: bool,
    /// When it was published, and the bytes that it counts for.
    pub(super) at: u64,
    pub(super) cost: usize,
}

/// A room over all its lives.
#[derive(Debug, Default)]
pub(super) struct Room {
    pub(super) members: Vec<u32>,
    pub(super) lobby_members: usize,
    /// The messages of each life.
    pub(super) lives: Vec<Vec<Entry>>,
    pub(super) epochs: Vec<Option<String>>,
    /// Users in their grace period, and its end.
    pub(super) graces: BTreeMap<Arc<str>, u64>,
    pub(super) drops: bool,
    /// Whether slow members lose only what the room no longer keeps.
    pub(super) catches_up: bool,
    pub(super) presence: bool,
    /// How long the grace period of a user is, and how many users one message names.
    pub(super) grace: u64,
    pub(super) full: usize,
    pub(super) seats: usize,
    /// How long the seat of a lost user is held.
    pub(super) hold: Option<u64>,
    /// Users whose seats are held, and until when.
    pub(super) held: BTreeMap<Arc<str>, u64>,
    /// What it keeps, if anything.
    pub(super) keeping: Option<Keeping>,
    /// When a message that is kept was last published, or a member last left.
    pub(super) used: u64,
    /// In the present life, the latest number of each key.
    pub(super) latest: BTreeMap<String, u64>,
    /// The last message without a key.
    pub(super) unkept: u64,
    /// Whether there were once more removals than are kept.
    pub(super) forgets: bool,
    /// What is before this number is known to have gone.
    pub(super) floor: u64,
    /// Volatile messages of all lives.
    pub(super) volatiles: Vec<Volatile>,
}

impl Room {
    /// Returns how many members there may be, beside the seats that are held for others than this user.
    pub(super) fn seats_for(&self, user: Option<&str>) -> usize {
        let others = self.held.keys();
        let others = others.filter(|held| user != Some(&***held)).count();
        self.seats.saturating_sub(others)
    }

    pub(super) fn seq(&self) -> u64 {
        self.lives.last().map_or(0, |log| log.len() as u64)
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Address {
    pub(super) seats: usize,
    /// When its bucket is full again.
    pub(super) full: u64,
}

/// The expected outcome of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Refused(&'static str),
    Open {
        replaced: Option<u32>,
        expires: Option<u64>,
    },
    Closed(&'static str),
}

#[derive(Debug)]
pub(super) struct Oracle {
    pub(super) open: usize,
    counts: [usize; 9],
    pub(super) users: BTreeMap<Arc<str>, Vec<u32>>,
    pub(super) rooms: Vec<Room>,
    pub(super) addresses: BTreeMap<u32, Address>,
    pub(super) epochs: BTreeSet<String>,
    pub(super) predicted: Option<(u32, Verdict)>,
    /// The link whose id is about to be known.
    pub(super) arriving: Option<u32>,
    pub(super) drain_open: usize,
    pub(super) drained: bool,
    /// Connections evicted since the drain's deadline.
    pub(super) drain_evicted: usize,
    pub(super) gaps: u64,
    /// Links that left a room during this call.
    pub(super) left_now: Vec<u32>,
    pub(super) live: BTreeSet<u32>,
    /// How the connection enters that the present call lets enter a room.
    pub(super) entering: Option<Entering>,
    /// How many have come back to rooms that keep something.
    pub(super) came_back: u64,
    /// Volatile messages so far.
    pub(super) volatiles: u64,
    /// The requests by which sessions have published.
    pub(super) requests: BTreeSet<(String, u64)>,
    /// Whether the message that was just predicted may be refused by what rooms keep.
    pub(super) unsure: bool,
}

impl Oracle {
    pub(super) fn new(plan: &Plan) -> Self {
        use switchboard_core::SlowPolicy;
        let rooms = (0..plan.rooms)
            .map(|room| {
                let name = format!("r{room}");
                let mut rules = plan.config.room_rules.iter();
                let rule = rules.find(|rule| name.starts_with(&rule.prefix));
                let slow = rule.and_then(|rule| rule.slow).unwrap_or(plan.config.slow);
                let presence = rule.map(|rule| rule.presence).unwrap_or_default();
                let node = plan.config.presence;
                let nanos = |time: Duration| time.as_nanos() as u64;
                let members = rule.and_then(|rule| rule.members);
                Room {
                    drops: matches!(slow, SlowPolicy::DropOldest | SlowPolicy::DropNewest),
                    presence: presence.enabled.unwrap_or(node.enabled),
                    grace: nanos(presence.leave_grace.unwrap_or(node.leave_grace)),
                    full: presence.full.unwrap_or(node.full),
                    seats: members.unwrap_or(plan.config.limits.room_members),
                    hold: rule.and_then(|rule| rule.hold_seat).map(nanos),
                    catches_up: slow == SlowPolicy::CatchUp,
                    keeping: Keeping::of(&plan.config, &name),
                    ..Room::default()
                }
            })
            .collect();
        Self {
            open: 0,
            counts: [0; 9],
            users: BTreeMap::new(),
            rooms,
            addresses: BTreeMap::new(),
            epochs: BTreeSet::new(),
            predicted: None,
            arriving: None,
            drain_open: 0,
            drained: false,
            drain_evicted: 0,
            gaps: 0,
            left_now: Vec::new(),
            live: BTreeSet::new(),
            entering: None,
            came_back: 0,
            volatiles: 0,
            requests: BTreeSet::new(),
            unsure: false,
        }
    }

    pub(super) fn count(&self, phase: Phase) -> usize {
        self.counts[phase as usize]
    }

    /// Counts the connections that hold a handshake seat.
    pub(super) fn handshakes(&self) -> usize {
        [
            Phase::Arrived,
            Phase::Authenticating,
            Phase::AwaitingAuth,
            Phase::Refused,
        ]
        .into_iter()
        .map(|phase| self.count(phase))
        .sum()
    }

    /// Counts the connections that hold a page seat.
    pub(super) fn pages(&self) -> usize {
        self.count(Phase::Page) + self.count(Phase::PageRefused)
    }

    pub(super) fn active_rooms(&self) -> usize {
        self.rooms
            .iter()
            .filter(|room| !room.members.is_empty())
            .count()
    }
}

/// Parses `r7`.
pub(super) fn room_number(name: &str) -> Option<u32> {
    name.strip_prefix('r')?.parse().ok()
}

/// Returns a hash of a text (FNV-1a).
pub(super) fn hash_text(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

impl World {
    /// Moves a connection to a phase and updates the counts (invariant 1).
    pub(super) fn move_to(&mut self, l: u32, to: Phase) {
        let (now, frozen) = (self.core_time(), self.frozen);
        let shadow = &mut self.links[l as usize].shadow;
        let from = shadow.phase;
        shadow.phase = to;
        shadow.since = now;
        shadow.frozen_then = frozen;
        let legal = match to {
            Phase::Arrived => from == Phase::Gone,
            Phase::Closing => from == Phase::Open,
            Phase::Open => matches!(from, Phase::Authenticating | Phase::AwaitingAuth),
            Phase::Gone => true,
            _ => from < to,
        };
        self.check(1, legal, || format!("link {l}: from {from:?} to {to:?}"));
        if to == Phase::Arrived {
            self.oracle.live.insert(l);
        } else if to == Phase::Gone {
            self.oracle.live.remove(&l);
        }
        if from != Phase::Gone {
            self.oracle.counts[from as usize] -= 1;
        }
        if to != Phase::Gone {
            self.oracle.counts[to as usize] += 1;
        }
        self.oracle.open = self.oracle.count(Phase::Open);
    }

    pub(super) fn give_back_address(&mut self, l: u32) {
        let link = &mut self.links[l as usize];
        if std::mem::take(&mut link.shadow.ip_seat)
            && let Some(entry) = self.oracle.addresses.get_mut(&link.address)
        {
            entry.seats -= 1;
        }
    }

    /// Runs the core's audit and compares its counts with the oracle's (invariants 5 to 9, 14, 17,
    /// 19, 37).
    pub(super) fn audit(&mut self) {
        self.tally.audits += 1;
        if let Err(inconsistency) = self.board.audit() {
            return self.fail(5, inconsistency.to_string());
        }
        match self.board.audit_part(&mut self.audit, AUDITED) {
            Ok(false) => {}
            Ok(true) => {
                self.tally.audits_in_parts += 1;
                self.audit = Audit::new();
            }
            Err(found) => return self.fail(5, format!("in parts: {found}")),
        }
        let stats = self
            .board
            .stats(switchboard_core::Time::from_nanos(self.core_now));
        let oracle = &self.oracle;
        let lobbies = oracle
            .rooms
            .iter()
            .filter(|room| room.lobby_members > 0)
            .count();
        let ours = [
            oracle.open,
            oracle.count(Phase::Closing),
            oracle.handshakes(),
            oracle.active_rooms(),
            lobbies,
            oracle.users.len(),
        ];
        let theirs = [
            stats.total_connections,
            stats.closing,
            stats.pending_handshakes,
            stats.active_rooms,
            stats.active_lobbies,
            stats.users,
        ];
        let names = "open, closing, pending, rooms, lobbies, users";
        self.check(37, ours == theirs, || {
            format!("{names}: the node says {theirs:?}, the oracle {ours:?}")
        });
        let limit = self.plan.config.limits.queued_bytes;
        // Only bytes that a writer holds may exceed the bound.
        let held = self.is_writing || self.links.iter().any(|it| it.held);
        let writing = self.board.wants_write() || held;
        // The values that a room keeps by their keys wait for a blocked member without taking more memory.
        let kept = if self.plan.keeps {
            stats.history.bytes
        } else {
            0
        };
        self.check(14, stats.queued_bytes <= limit + kept || writing, || {
            format!("{} bytes queued of {limit}", stats.queued_bytes)
        });
        self.audit_members();
        self.audit_histories(&stats);
        self.audit_ages();
    }

    /// Compares the members of one room per call (invariants 6 and 7).
    fn audit_members(&mut self) {
        let room = self.rng.u32(..self.plan.rooms);
        let theirs: BTreeSet<_> = self
            .board
            .members(&Self::room_name(room))
            .into_iter()
            .map(|id| self.link_of(id))
            .collect();
        let ours: BTreeSet<_> = self.oracle.rooms[room as usize]
            .members
            .iter()
            .map(|&l| Some(l))
            .collect();
        self.check(6, ours == theirs, || {
            format!("in r{room}: the node says {theirs:?}, the oracle {ours:?}")
        });
    }

    /// Checks that no connection stays in a phase for too long (invariants 19, 22, 28, 32).
    fn audit_ages(&mut self) {
        let timeouts = self.plan.config.timeouts;
        let health = self.plan.config.health;
        let live: Vec<u32> = self.oracle.live.iter().copied().collect();
        for l in live {
            let link = &self.links[l as usize];
            let shadow = &link.shadow;
            let age = self
                .last_tick
                .saturating_sub(shadow.since)
                .saturating_sub(self.frozen - shadow.frozen_then);
            let most = match shadow.phase {
                _ if shadow.claim.is_some() => Duration::from_secs(1),
                Phase::Arrived => timeouts.handshake,
                Phase::Refused | Phase::PageRefused => timeouts.refusal,
                Phase::Closing => timeouts.close,
                Phase::Authenticating => timeouts.hook,
                // A hook for the login, then one for the lobby.
                Phase::AwaitingAuth => timeouts.auth + timeouts.hook * 2,
                // A page is made, read, then lingers; pages here are smaller than 1 KiB.
                Phase::Page => {
                    let read = timeouts.write_stall + Duration::from_secs(1);
                    timeouts.hook.max(read + timeouts.close)
                }
                Phase::Open | Phase::Gone => Duration::MAX,
            };
            let phase = shadow.phase;
            // Allows for a late timer, and for the shift that a following host stall caused.
            let slack = Duration::from_nanos(3 * self.plan.tick_jitter + 1_000);
            let mut most = most.saturating_add(slack);
            let (noticed, by) = self.stall;
            if noticed >= shadow.since {
                let counted = Duration::from_nanos(self.frozen - shadow.frozen_then);
                most = most.saturating_add(by.saturating_sub(counted));
            }
            self.check(28, u128::from(age) <= most.as_nanos(), || {
                format!("link {l}: {phase:?} for {age} ns")
            });
            let shadow = &self.links[l as usize].shadow;
            if phase != Phase::Open {
                continue;
            }
            let late = shadow.expires.is_some_and(|at| at <= self.last_tick);
            self.check(32, !late, || format!("link {l}: open after its expiry"));
            let link = &self.links[l as usize];
            // A long queue also pauses reading, and each resume extends the ping timeout.
            let queue = self.plan.config.limits.pause_reading.is_some();
            let paused = link.shadow.paused_since || link.paused || queue;
            let heard = Moment {
                at: link.shadow.last_heard,
                frozen: link.shadow.frozen_at_heard,
            };
            let (pinged, stuck) = (link.shadow.pinged, link.shadow.stuck);
            let silence = self.age(heard);
            let silent = silence > health.ping_interval + health.ping_timeout + slack
                && pinged.is_none_or(|pinged| self.age(pinged) > health.ping_timeout + slack)
                // While its ping waits for the socket, the write stall applies instead.
                && stuck.is_none_or(|stuck| self.age(stuck) > timeouts.write_stall + slack);
            self.check(22, !silent || paused, || {
                format!("link {l}: silent for {silence:?}")
            });
        }
    }

    /// Returns the current time, as the oracle sees it.
    pub(super) fn moment(&self) -> Moment {
        Moment {
            at: self.now,
            frozen: self.frozen,
        }
    }

    /// Returns the age of a moment at the latest tick, without host stalls.
    fn age(&self, moment: Moment) -> Duration {
        let age = self.last_tick.saturating_sub(moment.at);
        Duration::from_nanos(age.saturating_sub(self.frozen - moment.frozen))
    }
}
