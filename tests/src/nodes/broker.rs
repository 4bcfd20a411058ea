//! The broker's side of the connections, and what the node's machine orders its adapter to do.

use std::collections::{BTreeMap, BTreeSet};

use switchboard_core::cluster::{Answer, Append, Appended, Command, Done, Output, Range};

use super::plan::{KEYS, MILLI, ROOMS};
use super::schedule::Step;
use super::wire::{Received, Sent, Wire};
use super::world::World;
use crate::broker::SimRedis;

pub(super) struct Broker {
    pub(super) sim: SimRedis,
    /// The other half of a split brain: a master that does not know that it is one no more.
    pub(super) astray: Option<SimRedis>,
    /// Connections that it has.
    pub(super) wires: BTreeSet<u32>,
    /// Until when it refuses connections.
    pub(super) away_until: u64,
    /// Until when it does nothing.
    pub(super) frozen_until: u64,
    /// The time at which its clock was set last.
    ticked: u64,
}

impl Broker {
    pub(super) fn new(output: usize, now: u64) -> Self {
        Self {
            sim: SimRedis::new(10, output),
            astray: None,
            wires: BTreeSet::new(),
            away_until: 0,
            frozen_until: 0,
            ticked: now,
        }
    }

    /// Returns the server that a connection is to.
    pub(super) fn of(&mut self, is_astray: bool) -> &mut SimRedis {
        match &mut self.astray {
            Some(astray) if is_astray => astray,
            _ => &mut self.sim,
        }
    }

    /// Lets its clock go on.
    pub(super) fn pass(&mut self, now: u64) {
        // What is below a microsecond is not lost: it is passed later.
        let micros = (now - self.ticked) / 1_000;
        self.ticked += micros * 1_000;
        let by = std::time::Duration::from_micros(micros);
        self.sim.advance(by);
        if let Some(astray) = &mut self.astray {
            astray.advance(by);
        }
    }
}

impl World {
    /// Does what the machine of a node orders.
    pub(super) fn obey(&mut self, n: usize, order: Output) {
        let Some(process) = &mut self.nodes[n].process else {
            return;
        };
        let number = process.number;
        if order == Output::Connect {
            let w = self.wires.len() as u32;
            process.wire = Some(w);
            self.wires.push(Wire::new(n, number));
            self.note(|| format!("node {n} connects: wire {w}"));
            if self.now < self.nodes[n].refused_until {
                self.wire_down(w, Received::Lost);
            } else {
                self.wires[w as usize].swallows_up = self.now < self.nodes[n].cut_off_until;
                self.wire_up(w, Sent::Hello);
            }
            return;
        }
        let Some(w) = process.wire else {
            return;
        };
        match order {
            Output::Hangup => {
                process.wire = None;
                self.note(|| format!("node {n} hangs up"));
                self.wire_up(w, Sent::Fin);
            }
            Output::Subscribe(channels) => self.wire_up(w, Sent::Subscribe(channels)),
            Output::Unsubscribe(channels) => self.wire_up(w, Sent::Unsubscribe(channels)),
            Output::Send(commands) => {
                let last = commands.len() - 1;
                for (k, command) in commands.into_iter().enumerate() {
                    self.wire_up(w, Sent::Command(command, k == last));
                }
            }
            other => self.fail("orders", format!("{other:?} is no order for an adapter")),
        }
    }

    /// The broker reads what a node sent first.
    pub(super) fn broker_reads(&mut self, w: u32) {
        while let Some(sent) = self.next_up(w) {
            self.tally.events += 1;
            self.broker_takes(w, sent);
        }
    }

    pub(super) fn broker_takes(&mut self, w: u32, sent: Sent) {
        let wire = &self.wires[w as usize];
        let (link, is_astray) = (wire.link, wire.is_astray);
        // What is left in a socket that the server has closed is not read, whoever is there now.
        let link = link.filter(|&link| self.broker.of(is_astray).is_connected(link));
        match (sent, link) {
            (Sent::Hello, _) => self.broker_accepts(w),
            (Sent::Subscribe(channels), Some(link)) => {
                for channel in channels {
                    self.broker.of(is_astray).subscribe(link, channel);
                }
            }
            (Sent::Unsubscribe(channels), Some(link)) => {
                for channel in channels {
                    self.broker.of(is_astray).unsubscribe(link, &channel);
                }
            }
            (Sent::Command(command, last), Some(_)) => {
                let done = self.broker.of(is_astray).apply(&command);
                self.note(|| format!("wire {w} {command:?} -> {done:?}"));
                self.applied(&command, &done);
                let process = self.nodes[self.wires[w as usize].node].process.as_ref();
                if process.is_none_or(|it| it.wire != Some(w)) {
                    self.count("left in a socket", 1);
                }
                self.spread();
                let wire = &mut self.wires[w as usize];
                wire.answers.push(done);
                if last {
                    let answers = std::mem::take(&mut wire.answers);
                    self.wire_down(w, Received::Answers(answers));
                }
            }
            (Sent::Fin, Some(link)) => {
                self.broker.of(is_astray).disconnect(link);
                self.wires[w as usize].link = None;
                self.broker.wires.remove(&w);
            }
            (_, None) => {}
        }
    }

    fn broker_accepts(&mut self, w: u32) {
        if self.now < self.broker.away_until {
            self.wire_down(w, Received::Lost);
            return;
        }
        let is_astray = self.broker.astray.is_some() && self.rng.bool();
        let broker = self.broker.of(is_astray);
        broker.load_scripts();
        let (link, incarnation) = (broker.connect(), broker.incarnation());
        let wire = &mut self.wires[w as usize];
        (wire.link, wire.is_astray) = (Some(link), is_astray);
        self.broker.wires.insert(w);
        self.wire_down(w, Received::Connected(incarnation));
    }

    /// Notes what the broker has numbered: it is what members may be given.
    fn applied(&mut self, command: &Command, done: &Done) {
        match (command, done) {
            (Command::Append(append), Ok(Answer::Append { epoch, fates })) => {
                self.numbered(append, epoch, fates);
            }
            (Command::Sync(sync), Ok(Answer::Sync { epoch, .. })) => {
                self.epoch_of_broker(&sync.room, epoch);
            }
            _ => {}
        }
    }

    fn numbered(&mut self, append: &Append, epoch: &str, fates: &[Appended]) {
        let epoch = self.epoch_of_broker(&append.room, epoch);
        for (body, fate) in append.bodies.iter().zip(fates) {
            let content = body.iter().position(|&byte| byte == b'\n');
            let content = content.map_or(&[][..], |end| &body[end + 1..]);
            let header = body.split(|&byte| byte == b'\n').next().unwrap_or_default();
            let has = |field: &[u8]| header.split(|&byte| byte == b'\t').any(|it| it == field);
            let restores = has(b"i=1");
            match (super::oracle::identity(content), fate) {
                (Some(id), Appended::Numbered(seq)) => {
                    self.count("value set again", u64::from(restores));
                    self.broker_numbered(id, epoch, *seq, restores);
                }
                (Some(_), Appended::NotKept) => self.count("value not kept", 1),
                (None, fate) if content == b"null" => {
                    let key = KEYS
                        .iter()
                        .position(|key| has(format!("k={key}").as_bytes()));
                    match (key, fate) {
                        (Some(key), Appended::Numbered(seq)) => {
                            self.broker_removed(key, epoch, *seq);
                        }
                        (Some(_), _) => {}
                        (None, _) => self.fail("content", format!("{body:?} removes no key")),
                    }
                }
                (Some(id), _) => self.note(|| format!("message {id} had been applied")),
                (None, _) => self.fail("content", format!("{body:?} is no message")),
            }
        }
    }

    /// Pushes are on their way before what is answered next. A link that the server cut ends behind what
    /// it had sent.
    pub(super) fn spread(&mut self) {
        for w in self.broker.wires.clone() {
            let wire = &self.wires[w as usize];
            let (Some(link), is_astray) = (wire.link, wire.is_astray) else {
                continue;
            };
            if self.now < wire.clogged_until {
                continue;
            }
            while let Some((channel, payload)) = self.broker.of(is_astray).take_push(link) {
                self.wire_down(w, Received::Push(channel, payload));
            }
            if !self.broker.of(is_astray).is_connected(link) {
                self.broker.wires.remove(&w);
                let wire = &mut self.wires[w as usize];
                wire.link = None;
                wire.up.clear();
                wire.answers.clear();
                self.wire_down(w, Received::Lost);
            }
        }
    }

    /// A node reads what the broker sent first.
    pub(super) fn node_reads(&mut self, w: u32) {
        let (n, number) = (self.wires[w as usize].node, self.wires[w as usize].process);
        while let Some(received) = self.next_down(w) {
            let Some(now) = self.clock(n) else {
                return;
            };
            let Some(process) = &mut self.nodes[n].process else {
                return;
            };
            if process.number != number || process.wire != Some(w) {
                return;
            }
            self.tally.events += 1;
            match received {
                Received::Connected(incarnation) => process.with(now, |board, clustered| {
                    clustered.connected(now, board, &incarnation);
                }),
                Received::Push(channel, payload) => process.with(now, |board, clustered| {
                    clustered.pushed(now, board, (&channel, &payload), None);
                }),
                Received::Answers(answers) => process.with(now, |board, clustered| {
                    clustered.answered(now, board, answers);
                }),
                Received::Lost => {
                    process.wire = None;
                    process.with(now, |board, clustered| clustered.lost(now, board));
                }
            }
            self.audit(n);
            self.settle(n);
        }
    }

    /// Lets what was held back move again.
    pub(super) fn unclog(&mut self) {
        let now = self.now;
        for w in self.broker.wires.clone() {
            let wire = &mut self.wires[w as usize];
            if wire.clogged_until > now {
                wire.clogged_until = now;
            }
            self.schedule.push(now, Step::WireUp(w));
            self.schedule.push(now, Step::WireDown(w));
        }
        self.spread();
    }

    /// How often what the broker has is kept elsewhere: on disk, and at the replica.
    pub(super) fn broker_keeps(&mut self) {
        match self.rng.u8(..8) {
            0 => self.broker.sim.save(),
            1 => self.broker.sim.replicate(),
            _ => {}
        }
    }

    /// Where rooms are, for those that exist.
    pub(super) fn positions(&mut self) -> BTreeMap<usize, (String, u64)> {
        let incarnation = self.broker.sim.incarnation();
        let mut found = BTreeMap::new();
        for (room, name) in ROOMS.iter().enumerate() {
            let command = Command::Position(switchboard_core::cluster::Position {
                room: (*name).into(),
                incarnation: incarnation.as_str().into(),
                numbers: std::time::Duration::from_secs(60),
                list: std::time::Duration::from_secs(60),
                forget: Vec::new(),
            });
            if let Ok(Answer::Position(Some(at))) = self.broker.sim.apply(&command) {
                found.insert(room, (at.epoch.to_string(), at.seq));
            }
        }
        found
    }

    /// How many of these numbers are in the log of a room.
    pub(super) fn broker_has(&self, room: usize, epoch: u32, (from, to): (u64, u64)) -> u64 {
        let range = Command::Range(Range {
            room: ROOMS[room].into(),
            incarnation: self.broker.sim.incarnation().into(),
            epoch: self.oracle.name(epoch).into(),
            after: from - 1,
            most: u32::MAX,
        });
        match self.broker.sim.clone().apply(&range) {
            Ok(Answer::Range(Some(entries))) => {
                entries.iter().filter(|entry| entry.seq <= to).count() as u64
            }
            _ => 0,
        }
    }

    /// How long a thing takes that is done at once.
    pub(super) fn moment(&mut self) -> u64 {
        self.rng.u64(..MILLI)
    }
}
