//! What must hold once nothing goes wrong any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use switchboard_core::UserPolicy;
use switchboard_core::cluster::{Answer, Channel, Command, Lookup, Seats};

use super::client::{Life, user_name};
use super::plan::{CURSORS, HALL, MILLI, Mode, PRICES, ROOMS, SECOND};
use super::schedule::Step;
use super::world::World;

/// How long it may take until everybody is back.
const BACK: u64 = 60;

impl World {
    /// Runs from the beginning to the end.
    pub(super) fn run(&mut self) {
        let start = self.now;
        self.run_until(start + self.plan.lasts);
        self.becomes_calm();
        self.everybody_comes_back();
        if self.plan.values {
            self.tells_of_some();
        }
        // Within five seconds, all nodes know who is where; what no node is told of, a probe finds.
        let probes = if self.oracle.unseen_at.is_some() {
            35
        } else {
            0
        };
        self.run_until(self.now + (5 + probes) * SECOND);
        self.check_quiet();
        self.speaks_once_more();
        self.everybody_leaves();
        self.tally.nanos += u128::from(self.now - start);
    }

    fn becomes_calm(&mut self) {
        self.is_calm = true;
        self.heal();
        self.count(
            "one name for all nodes",
            u64::from(self.plan.one_name && self.plan.nodes > 1),
        );
        self.tally.count("cut as too slow", self.broker.sim.cuts());
        for n in 0..self.nodes.len() {
            if self.is_paused(n) {
                // A clock that stood still was set for the whole time.
                continue;
            }
            if self.nodes[n].process.is_none() {
                self.schedule.push(self.now, Step::Start(n as u32));
            }
        }
        for c in 0..self.clients.len() as u32 {
            self.clients[c as usize].next_act = 0;
            self.schedule.push(self.now, Step::Client(c));
        }
    }

    /// Waits until everybody is where they want to be.
    fn everybody_comes_back(&mut self) {
        let end = self.now + BACK * SECOND;
        let mut since = self.now;
        while self.now < end && self.broken.is_none() {
            self.run_until(self.now + 100 * MILLI);
            match self.who_is_not_back() {
                Some(_) => since = self.now,
                None if self.now >= since + SECOND => return,
                None => {}
            }
        }
        if let Some(what) = self.who_is_not_back() {
            self.fail("everybody comes back", what);
        }
    }

    /// Says who is not where they want to be.
    fn who_is_not_back(&self) -> Option<String> {
        for (n, node) in self.nodes.iter().enumerate() {
            let Some(process) = &node.process else {
                return Some(format!("node {n} has no process"));
            };
            let now = self.clock(n)?;
            if self.is_paused(n) || process.is_draining || !process.clustered.stats(now).up {
                return Some(format!("node {n} is not up"));
            }
        }
        let mut users: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
        for (c, client) in self.clients.iter().enumerate() {
            let (here, away) = users.entry(client.user).or_default();
            match client.life {
                Life::Replaced => {}
                Life::Away(_) => *away += 1,
                Life::Here => {
                    let link = &self.links[client.link? as usize];
                    if link.opened.is_none() {
                        *away += 1;
                        continue;
                    }
                    *here += 1;
                    let all = client.wants.iter().chain([&client.lobby]);
                    let mut outside = all.filter(|&&room| !client.places[room].is_in());
                    if let Some(&room) = outside.find(|&&room| room != HALL) {
                        return Some(format!("client {c} is not in {}", ROOMS[room]));
                    }
                    let now = self.now;
                    let mut open = client.pending.iter();
                    if let Some(open) = open.find(|it| it.room != HALL && it.sent + SECOND < now) {
                        return Some(format!("client {c} has no answer to {open:?}"));
                    }
                }
            }
        }
        let rejects = self.plan.policy == UserPolicy::Reject;
        let waits = |(here, away): &(usize, usize)| *away > 0 && !(rejects && *here == 1);
        let waiting = users.iter().find(|(_, counts)| waits(counts));
        waiting.map(|(user, _)| format!("clients of {user} are not back"))
    }

    /// Everything is known everywhere.
    fn check_quiet(&mut self) {
        for n in 0..self.nodes.len() {
            self.audit_now(n);
        }
        self.check_presence();
        self.check_infos();
        self.check_values();
        self.check_logins();
        self.check_seats();
        self.check_positions();
        self.check_holes();
    }

    /// Members see exactly who is in their rooms.
    fn check_presence(&mut self) {
        let mut there: Vec<BTreeSet<String>> = vec![BTreeSet::new(); ROOMS.len()];
        for client in &self.clients {
            for (room, place) in client.places.iter().enumerate() {
                if place.is_in() {
                    there[room].insert(user_name(client.user));
                }
            }
        }
        for c in 0..self.clients.len() {
            for (room, there) in there.iter().enumerate() {
                let place = &self.clients[c].places[room];
                if !place.is_in() {
                    continue;
                }
                let right = match &place.users {
                    Some(users) => users == there,
                    None => place.count == there.len(),
                };
                let (seen, count) = (place.users.clone(), place.count);
                self.check("presence", right, || {
                    format!(
                        "client {c} sees {count} in {}: {seen:?}, not {there:?}",
                        ROOMS[room]
                    )
                });
                self.count("presence seen right", 1);
            }
        }
    }

    /// The connections of a user that are open, as clients know them.
    fn open(&self, user: u32) -> Vec<u32> {
        let clients = self.clients.iter().filter(|it| it.user == user);
        let links = clients.filter_map(|it| it.link);
        links
            .filter(|&l| self.links[l as usize].opened.is_some())
            .collect()
    }

    /// Nobody has more connections than allowed, and the broker has the claims of them all.
    fn check_logins(&mut self) {
        for user in 0..self.plan.users {
            if self.oracle.unclaimed.contains(&user) {
                continue;
            }
            let open = self.open(user);
            self.check("logins", open.len() <= self.plan.most(), || {
                format!("user {user} has {open:?}")
            });
            let mut expected = BTreeSet::new();
            for &l in &open {
                let link = &self.links[l as usize];
                let process = self.nodes[link.node].process.as_ref();
                let registration = process.and_then(|it| it.registration.clone());
                let id = link.id.map(|id| id.to_string());
                expected.extend(registration.zip(id));
                let opened = link.opened.unwrap_or(u64::MAX);
                if self.was_kicked(user, opened) && !self.oracle.has_lost_data {
                    self.fail("kicks", format!("user {user} is there: link {l}"));
                    return;
                }
            }
            let claimed = self.claims(user);
            self.check("claims", claimed == expected, || {
                format!("user {user}: {claimed:?} at the broker, not {expected:?}")
            });
        }
    }

    /// The claims of registrations that live.
    fn claims(&mut self, user: u32) -> BTreeSet<(Arc<str>, String)> {
        let lookup = Command::Lookup(Lookup {
            user: user_name(user).into(),
            incarnation: self.broker.sim.incarnation().into(),
            expiry: std::time::Duration::from_secs(60),
        });
        let Ok(Answer::Lookup(claims)) = self.broker.sim.apply(&lookup) else {
            return BTreeSet::new();
        };
        let live = |registration: &Arc<str>| {
            let mut processes = self.nodes.iter().filter_map(|node| node.process.as_ref());
            processes.any(|it| it.registration.as_ref() == Some(registration))
        };
        let claims = claims.into_iter().flatten();
        let claims = claims.filter(|claim| live(&claim.registration));
        claims
            .map(|claim| (claim.registration, claim.connection.to_string()))
            .collect()
    }

    /// How many are in the hall, as the broker counts them.
    fn seats_at_broker(&mut self) -> Option<u32> {
        let question = Command::Seats(Seats {
            room: ROOMS[HALL].into(),
            registration: "witness.1".into(),
            session: 1,
            held: 0,
            wanted: 0,
            total: self.plan.seats,
            stale: std::time::Duration::from_secs(30),
            table: std::time::Duration::from_secs(60),
            dead: Vec::new(),
        });
        match self.broker.sim.apply(&question) {
            Ok(Answer::Seats { others, .. }) => Some(others),
            _ => None,
        }
    }

    pub(super) fn sitting(&self) -> u32 {
        let clients = self.clients.iter();
        clients.filter(|it| it.places[HALL].is_in()).count() as u32
    }

    fn check_seats(&mut self) {
        let sitting = self.sitting();
        let may_be_more = matches!(self.plan.mode, Mode::Nothing);
        self.check("seats", !may_be_more || sitting <= self.plan.seats, || {
            format!("{sitting} sit")
        });
        if self.seats_at_broker() != Some(sitting) {
            // They are confirmed each ten seconds, and those of dead nodes are free after thirty.
            self.run_until(self.now + 31 * SECOND);
        }
        let (sitting, counted) = (self.sitting(), self.seats_at_broker());
        self.check("seats", counted == Some(sitting), || {
            format!("{sitting} sit, the broker counts {counted:?}")
        });
    }

    /// Members are where the broker is.
    fn check_positions(&mut self) {
        let positions = self.positions();
        for c in 0..self.clients.len() {
            for room in (0..ROOMS.len()).filter(|&room| room != CURSORS) {
                let place = &self.clients[c].places[room];
                let (Some((epoch, at)), true) = (place.at(), place.is_in()) else {
                    continue;
                };
                let name = self.oracle.name(epoch).to_owned();
                let expected = positions.get(&room).cloned();
                let ends = expected.as_ref().map_or(0, |(_, seq)| *seq);
                let missing = if room == PRICES {
                    // Numbers tell nothing about losses there.
                    Vec::new()
                } else {
                    place.missing_before(ends + 1)
                };
                let is_right = expected.is_some_and(|(its, _)| its == name);
                let is_kept = missing.iter().all(|&number| {
                    self.oracle
                        .at(epoch, number)
                        .is_some_and(|id| self.is_kept_from(c as u32, id))
                });
                self.check("positions", is_right && is_kept, || {
                    format!(
                        "client {c} is at {at} of {name} in {}, the broker at {:?}",
                        ROOMS[room],
                        positions.get(&room)
                    )
                });
                self.count("positions seen equal", 1);
            }
        }
    }

    /// What a client could not tell the reason of is known by now.
    fn check_holes(&mut self) {
        for c in 0..self.clients.len() {
            for room in 0..ROOMS.len() {
                for (epoch, number) in std::mem::take(&mut self.clients[c].places[room].holes) {
                    let Some(id) = self.oracle.at(epoch, number) else {
                        continue;
                    };
                    let is_kept = self.is_kept_from(c as u32, id);
                    self.check("no silent loss", is_kept, || {
                        format!("client {c} misses {number} of epoch {epoch}, which is {id}")
                    });
                }
            }
        }
    }

    /// In each room somebody speaks, and everybody there hears it.
    fn speaks_once_more(&mut self) {
        let mut said = Vec::new();
        for room in 0..ROOMS.len() {
            let speaker = self.clients.iter().position(|it| it.places[room].is_in());
            if let Some(c) = speaker
                && let Some(l) = self.clients[c].link
            {
                let key = (room == PRICES).then(|| self.some_key(c));
                said.push((room, self.publishes_to(c as u32, l, (room, key), true)));
            }
        }
        self.run_until(self.now + 2 * SECOND);
        for (room, id) in said {
            for c in 0..self.clients.len() {
                let place = &self.clients[c].places[room];
                let hears = !place.is_in() || place.got.contains_key(&id);
                self.check("everybody hears", hears, || {
                    format!("client {c} does not hear {id} in {}", ROOMS[room])
                });
            }
        }
        for c in 0..self.clients.len() {
            let open = self.clients[c].pending.iter();
            let here = self.clients[c].link;
            let open = open.filter(|it| it.what.message().is_some() && Some(it.link) == here);
            let open = open.copied().next();
            self.check("answers", open.is_none(), || {
                format!("client {c} has no answer to {open:?}")
            });
        }
    }

    /// All leave, and nothing is left of them.
    fn everybody_leaves(&mut self) {
        self.is_over = true;
        self.run_until(self.now + 60 * SECOND);
        if self.broken.is_some() {
            return;
        }
        for n in 0..self.nodes.len() {
            self.audit_now(n);
            let (Some(process), Some(now)) = (&self.nodes[n].process, self.clock(n)) else {
                continue;
            };
            let stats = process.board.stats(now);
            let outbox = process.clustered.stats(now).outbox;
            let left = stats.total_connections;
            let link = process.wire.and_then(|w| self.wires[w as usize].link);
            let followed: Vec<Channel> = link.map_or(Vec::new(), |link| {
                let all = self.broker.sim.subscriptions(link);
                all.filter(|it| matches!(it, Channel::Room(_)))
                    .cloned()
                    .collect()
            });
            let is_empty = left == 0 && outbox == 0 && followed.is_empty();
            self.check("nothing left", is_empty, || {
                format!("node {n}: {left} connections, {outbox} messages, {followed:?}")
            });
        }
        for user in 0..self.plan.users {
            let claims = self.claims(user);
            self.check("nothing left", claims.is_empty(), || format!("{claims:?}"));
        }
        let seats = self.seats_at_broker();
        self.check("nothing left", seats == Some(0), || {
            format!("{seats:?} seats")
        });
        for (key, left) in self.broker.sim.keys() {
            self.check("nothing left", left.is_some(), || format!("{key:?} stays"));
        }
        self.count("nothing left", 1);
    }
}
