//! A run from its seed to its end: safety, liveness, and cleanup.

use std::time::Duration;

use switchboard_core::UserPolicy;

use super::client::Kind;
use super::counters::Probe;
use super::link::{Phase, Take};
use super::plan::{MILLI, SECOND};
use super::schedule::Step;
use super::world::World;

impl World {
    /// Runs all phases.
    pub(super) fn run(&mut self) {
        let start = self.now;
        self.run_until(start + self.plan.safety);
        if self.broken.is_none() && self.frozen_until > self.now {
            self.run_until(self.frozen_until + MILLI);
        }
        if self.broken.is_none() {
            self.end_faults();
            if self.drain_due.is_some() {
                self.finish_drain();
            } else {
                self.prove_liveness();
            }
        }
        if self.broken.is_none() {
            self.leave_all();
        }
        self.tally.nanos += u128::from(self.now - start);
    }

    fn longest_grace(&self) -> u64 {
        let graces = self.oracle.rooms.iter().map(|room| room.grace);
        graces.max().unwrap_or_default()
    }

    fn sum_of_timeouts(&self) -> u64 {
        let timeouts = &self.plan.config.timeouts;
        let health = &self.plan.config.health;
        let sum = timeouts.handshake
            + timeouts.hook
            + timeouts.auth
            + timeouts.message
            + timeouts.write_stall
            + timeouts.close
            + timeouts.refusal
            + health.ping_interval
            + health.ping_timeout;
        sum.as_nanos() as u64
    }

    /// Stops all faults: clients read, answer, and behave.
    fn end_faults(&mut self) {
        self.note(|| "faults stop".into());
        self.calm = true;
        let mut users = std::collections::BTreeSet::new();
        for c in 0..self.clients.len() as u32 {
            let now = self.now;
            let client = &mut self.clients[c as usize];
            client.deaf_until = now;
            client.stopped_until = now;
            client.mute = false;
            client.tries = 0;
            if client.kind != Kind::FirstMessage {
                client.kind = Kind::Chatter;
            }
            // Two clients that replace each other would do so for ever.
            client.wants_in = users.insert(client.user);
            if let Some(l) = client.link {
                self.free_link(l);
                if !self.clients[c as usize].wants_in {
                    self.client_ends(l);
                }
            }
            let at = self.now + self.rng.u64(..2 * SECOND);
            self.schedule.push(at, Step::Client(c));
        }
        if !self.oracle.drained {
            self.oracle
                .live
                .clone()
                .into_iter()
                .for_each(|l| self.free_link(l));
        }
    }

    fn free_link(&mut self, l: u32) {
        let link = &mut self.links[l as usize];
        link.window = 16 << 20;
        link.take = Take::All;
        link.read_size = usize::MAX;
        self.schedule.push(self.now, Step::Deliver(l));
        self.schedule.push(self.now + MILLI, Step::Writable(l));
        self.schedule.push(self.now + MILLI, Step::Arrive(l));
    }

    fn finish_drain(&mut self) {
        let Some((_, due)) = self.drain_due else {
            return;
        };
        self.run_until(self.now.max(due).max(self.frozen_until) + 2 * SECOND);
        let drained = self.oracle.drained;
        self.check(27, drained, || "not drained by the deadline".into());
    }

    /// Checks that within the stated time all clients that fit are admitted, and that a probe then
    /// reaches all members (invariant 38).
    fn prove_liveness(&mut self) {
        let patience = self.sum_of_timeouts() + 120 * SECOND;
        self.run_until(self.now.max(self.frozen_until) + patience);
        for c in 0..self.clients.len() as u32 {
            if self.clients[c as usize].wants_in && self.broken.is_none() {
                self.check_is_in(c);
            }
        }
        if self.broken.is_some() {
            return;
        }
        self.quiet = true;
        let config = &self.plan.config;
        let own = config
            .room_rules
            .iter()
            .filter_map(|rule| rule.presence.interval);
        let interval = own.fold(config.presence.interval, Duration::max);
        let settled = self.longest_grace() + interval.as_nanos() as u64 * 3;
        self.run_until(self.now + 15 * SECOND + settled);
        self.check_at_rest();
        self.send_probes();
    }

    fn check_is_in(&mut self, c: u32) {
        let client = &self.clients[c as usize];
        let open = client
            .link
            .is_some_and(|l| self.links[l as usize].shadow.phase == Phase::Open && client.welcomed);
        if open {
            return;
        }
        let raw = client
            .link
            .is_some_and(|l| self.links[l as usize].shadow.phase == Phase::Open && !self.plan.json);
        let limits = &self.plan.config.limits;
        let seats = self
            .oracle
            .addresses
            .get(&client.address)
            .map_or(0, |entry| entry.seats);
        // All that an address may connect may be used up by its other clients.
        let rated = self.plan.config.rates.connects.is_some_and(|rate| {
            let each = SECOND / rate.per_second;
            let full = self
                .oracle
                .addresses
                .get(&client.address)
                .map_or(0, |entry| entry.full);
            full + each > self.core_now + each * rate.burst
        });
        let name = format!("u{}", client.user);
        let connected = self.oracle.users.contains_key(&*name);
        let lobby = client.lobby.is_some_and(|r| {
            let members = self.oracle.rooms[r as usize].members.len();
            members >= self.oracle.rooms[r as usize].seats_for(Some(&name))
                || (members == 0 && self.oracle.active_rooms() >= limits.rooms)
        });
        let excused = raw
            || self.oracle.open >= limits.connections
            || seats >= limits.per_ip
            || rated
            || lobby
            || (connected && self.plan.config.users == UserPolicy::Reject);
        let link = client.link;
        let phase = link.map(|l| self.links[l as usize].shadow.phase);
        let tries = client.tries;
        self.check(38, excused, || {
            format!(
                "client {c} is not in: link {link:?} in {phase:?}, {tries} tries, {seats} seats"
            )
        });
    }

    /// Checks that nothing is queued or missing and that presence is complete.
    fn check_at_rest(&mut self) {
        for _ in 0..8 {
            let stats = self
                .board
                .stats(switchboard_core::Time::from_nanos(self.now));
            if stats.queued_bytes == 0 {
                break;
            }
            self.run_until(self.now + 300 * MILLI);
        }
        let stats = self
            .board
            .stats(switchboard_core::Time::from_nanos(self.now));
        self.check(38, stats.queued_bytes == 0, || {
            format!("{} bytes are queued at rest", stats.queued_bytes)
        });
        let dropped: u64 = stats.dropped.values().sum();
        let live: Vec<u32> = self.oracle.live.iter().copied().collect();
        for l in live {
            if self.links[l as usize].shadow.phase == Phase::Open && self.plan.json {
                self.check_link_at_rest(l);
            }
        }
        let gaps = self.oracle.gaps;
        self.check(11, gaps <= dropped, || {
            format!("{gaps} missing, {dropped} counted as dropped")
        });
        self.audit();
    }

    fn check_link_at_rest(&mut self, l: u32) {
        let waiting = self.links[l as usize].shadow.answers.len();
        let shadow = &self.links[l as usize].shadow;
        if shadow.pongs < shadow.pings && shadow.ever_blocked {
            self.probe(Probe::PongsMerged);
        }
        let answers = self.links[l as usize].shadow.answers.clone();
        self.check(11, waiting == 0, || {
            format!("link {l}: unanswered requests: {answers:?}")
        });
        for r in self.links[l as usize].shadow.rooms.clone() {
            let stays = self.links[l as usize].shadow.stays.get(&r).cloned();
            let Some(stay) = stays
                .filter(|stays| stays.len() == 1)
                .and_then(|mut stays| stays.pop_front())
            else {
                return self.fail(13, format!("link {l}: in r{r} without a stay"));
            };
            let next = self.oracle.rooms[r as usize].seq() + 1;
            if let Err((invariant, what)) = self.check_gap(l, r, &stay, next) {
                self.fail(invariant, format!("link {l} at rest: {what}"));
            }
            if !self.oracle.rooms[r as usize].presence {
                continue;
            }
            let there = self.present(r);
            let right = match &stay.presence {
                None => false,
                Some((count, names)) => {
                    *count == there.len()
                        && names.as_ref().is_none_or(|names| {
                            names.len() == there.len()
                                && there.iter().all(|user| names.contains(&**user))
                        })
                }
            };
            self.check(12, right, || {
                format!(
                    "link {l}: r{r} has {there:?}, last sent {:?}",
                    stay.presence
                )
            });
        }
    }

    /// Sends a message to each room and checks that it reaches all members.
    fn send_probes(&mut self) {
        for r in 0..self.plan.rooms {
            if self.broken.is_none() {
                self.broadcast(r);
            }
        }
        self.run_until(self.now + 5 * SECOND);
        let live: Vec<u32> = self.oracle.live.iter().copied().collect();
        for l in live {
            if self.plan.json && self.broken.is_none() {
                self.check_probe(l);
            }
        }
    }

    fn check_probe(&mut self, l: u32) {
        if self.links[l as usize].shadow.phase != Phase::Open {
            return;
        }
        for r in self.links[l as usize].shadow.rooms.clone() {
            let stay = self.links[l as usize]
                .shadow
                .stays
                .get(&r)
                .and_then(|stays| stays.front())
                .cloned();
            let Some(stay) = stay else { continue };
            let next = self.oracle.rooms[r as usize].seq();
            let log = self.oracle.rooms[r as usize].lives.last();
            let excluded = log
                .and_then(|log| log.last())
                .is_some_and(|entry| entry.excluded.contains(&l));
            self.check(38, stay.seen == next || excluded, || {
                format!(
                    "link {l}: the probe of r{r} is {next}, it has {}",
                    stay.seen
                )
            });
        }
    }

    /// Ends all connections and checks that nothing is left (invariants 5, 8, 37).
    fn leave_all(&mut self) {
        self.note(|| "all leave".into());
        for c in 0..self.clients.len() {
            self.clients[c].wants_in = false;
            if let Some(l) = self.clients[c].link {
                self.client_ends(l);
            }
        }
        let settled = self.longest_grace();
        self.run_until(self.now + self.sum_of_timeouts() + settled + 30 * SECOND);
        let stats = self
            .board
            .stats(switchboard_core::Time::from_nanos(self.now));
        let left = [
            stats.total_connections,
            stats.active_rooms,
            stats.active_lobbies,
            stats.users,
            stats.pending_handshakes,
            stats.closing,
            stats.queued_bytes,
            self.oracle.live.len(),
        ];
        let live: Vec<_> = self
            .oracle
            .live
            .iter()
            .map(|&l| (l, self.links[l as usize].shadow.phase))
            .collect();
        self.check(37, left == [0; 8], || {
            format!("left over: {left:?}, {live:?}")
        });
        if self.broken.is_none() {
            self.audit();
        }
        // Addresses are remembered until their buckets are full, and rooms linger.
        self.run_until(self.now + 150 * SECOND + self.lingering());
        self.check_nothing_kept();
        let next = self.board.next_deadline();
        self.check(19, next.is_none(), || {
            format!("a timer without an owner: {next:?}")
        });
        if self.tickets.is_empty() {
            return;
        }
        let open = self.tickets.len();
        self.fail(11, format!("{open} pings of users were never answered"));
    }

    /// After a tick, connections that were silent only because they were not read are still open.
    pub(super) fn oracle_after_tick(&mut self) {
        if self.frozen == 0 || self.rng.u8(..16) != 0 {
            return;
        }
        let timeout = self.plan.config.health.ping_interval + self.plan.config.health.ping_timeout;
        let spared = self.oracle.live.iter().any(|&l| {
            let shadow = &self.links[l as usize].shadow;
            shadow.phase == Phase::Open
                && u128::from(self.now - shadow.last_heard) > timeout.as_nanos()
        });
        if spared {
            self.probe(Probe::HeartbeatSpared);
        }
    }
}
