//! Measures one workload on one server.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::load::{Dialect, Load, Pace, Plan, Tally};
use crate::machine::Cpus;
use crate::meter::{Reading, Used, segments_sent};
use crate::scale::Scale;
use crate::server::{Place, Process, Server};
use crate::workload::{CONTENT, Kind, Rooms, Workload};

/// Time for joins and their notices to settle.
pub(crate) const SETTLE: Duration = Duration::from_millis(500);
/// Members of a room where the room's size does not matter.
const SMALL: usize = 10;

/// Messages of 2 KiB that exceed what a socket and a queue can hold, and the time limit for them.
const FILL: f64 = 5_000.0;
const FILL_TIME: Duration = Duration::from_secs(60);

/// The result of one workload on one server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) workload: String,
    pub(crate) server: String,
    pub(crate) round: usize,
    pub(crate) figures: BTreeMap<String, f64>,
    /// Deliveries that were lost, repeated, out of order or at the wrong connection, and lost
    /// connections.
    pub(crate) lost: u64,
    pub(crate) reordered: u64,
    pub(crate) wrong: u64,
    pub(crate) closed: u64,
    /// Why there are no figures.
    pub(crate) error: Option<String>,
}

impl Run {
    pub(crate) fn is_clean(&self) -> bool {
        self.error.is_none() && self.faults() == 0
    }

    pub(crate) fn faults(&self) -> u64 {
        self.lost + self.reordered + self.wrong + self.closed
    }

    pub(crate) fn set(&mut self, key: &str, figure: Option<f64>) {
        if let Some(figure) = figure.filter(|figure| figure.is_finite()) {
            self.figures.insert(key.to_owned(), figure);
        }
    }

    pub(crate) fn check(&mut self, tally: &Tally) {
        self.lost += tally.lost;
        self.reordered += tally.reordered;
        self.wrong += tally.wrong;
        self.closed += tally.closed;
    }

    /// Records the CPU time per event.
    pub(crate) fn cpu(&mut self, used: Used, count: u64) {
        let each = |time: f64| (count > 0).then(|| time / count as f64);
        self.set("cpu_us", each(used.all));
        self.set("user_us", each(used.user));
        self.set("system_us", each(used.all - used.user));
    }

    pub(crate) fn deliveries(&mut self, tally: &Tally, time: Duration) {
        self.check(tally);
        self.set("p50_us", tally.latency.quantile(0.5));
        self.set("p99_us", tally.latency.quantile(0.99));
        self.set("p999_us", tally.latency.quantile(0.999));
        self.set("rate", Some(tally.deliveries as f64 / time.as_secs_f64()));
        self.set("deliveries", Some(tally.deliveries as f64));
        let bytes = tally.bytes as f64 / tally.deliveries as f64;
        self.set("bytes", Some(bytes));
        self.set("published", Some(tally.published as f64));
    }
}

/// One server under load.
pub(crate) struct Trial {
    pub(crate) process: Process,
    pub(crate) load: Load,
    pub(crate) scale: Scale,
    pub(crate) run: Run,
}

/// The workload and its parameters.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) place: &'a Place,
    pub(crate) workload: Workload,
    pub(crate) scale: Scale,
    pub(crate) cpus: Cpus,
    pub(crate) round: usize,
}

impl Setting<'_> {
    /// Creates an empty result.
    pub(crate) fn run(&self, server: Server) -> Run {
        Run {
            workload: self.workload.to_string(),
            server: server.to_string(),
            round: self.round,
            ..Run::default()
        }
    }
}

/// Starts a server, loads it, and stops it.
pub(crate) fn measure(setting: &Setting<'_>, server: Server) -> Run {
    let run = |mut trial: Trial| trial.go(setting.workload).map(|()| trial.run);
    Trial::start(setting, server)
        .and_then(run)
        .unwrap_or_else(|error| Run {
            error: Some(error.to_string()),
            ..setting.run(server)
        })
}

impl Trial {
    pub(crate) fn start(setting: &Setting<'_>, server: Server) -> io::Result<Self> {
        let demands = setting.workload.demands();
        let process = setting.place.start(server, demands, setting.cpus)?;
        let mut load = Load::new(vec![process.address], Dialect::Json, CONTENT)?;
        if server.compresses() {
            load.offer_to_inflate();
        }
        if setting.workload.is_of_words() {
            load.say_words();
        }
        Ok(Self {
            load,
            process,
            scale: setting.scale,
            run: setting.run(server),
        })
    }

    fn go(&mut self, workload: Workload) -> io::Result<()> {
        match workload.kind() {
            Kind::Rooms(rooms) => self.rooms(rooms),
            Kind::Direct {
                pairs,
                connections,
                pace,
            } => self.direct(pairs, connections, pace),
            Kind::Heartbeats { connections } => self.heartbeats(connections),
            Kind::Storm => self.storm(),
            Kind::Recoveries { missed } => self.recoveries(missed),
            Kind::Bystander(rooms) => self.bystander(rooms),
            Kind::Idle => self.idle(),
            Kind::Burst(rooms) => self.burst(rooms),
        }
    }

    pub(crate) fn reading(&self) -> io::Result<Reading> {
        Reading::of(self.process.id())
    }

    pub(crate) fn open_rooms(&mut self, rooms: Rooms) -> io::Result<()> {
        let Rooms {
            members,
            publishers,
            stalled,
            ..
        } = rooms;
        self.load.set_content(rooms.content);
        self.load.open((0..rooms.count * members).map(|user| Plan {
            room: user / members,
            user,
            stalled: user % members >= members - stalled,
            missed: 0,
        }))?;
        for room in 0..rooms.count {
            (0..publishers).for_each(|member| self.load.publish_to_room(room * members + member));
        }
        self.load.settle(SETTLE)
    }

    fn open_small_rooms(&mut self, from: usize, to: usize) -> io::Result<()> {
        let plan = |user| Plan {
            room: user / SMALL,
            user,
            stalled: false,
            missed: 0,
        };
        self.load.open((from..to).map(plan))
    }

    fn rooms(&mut self, rooms: Rooms) -> io::Result<()> {
        self.open_rooms(rooms)?;
        let rest = self.reading()?;
        self.publish(rooms.pace)?;
        if rooms.stalled > 0 {
            self.publish_until_full(rooms.pace)?;
            let peak = self.reading()?.peak.saturating_sub(rest.resident);
            self.run.set("peak_mib", Some(peak as f64 / 1_024.0));
            let closed = self.load.count_closed_stalled();
            self.run.set("slow_closed", Some(closed as f64));
        }
        Ok(())
    }

    /// Publishes until stalled readers have more outstanding than sockets and queues can hold.
    fn publish_until_full(&mut self, pace: Pace) -> io::Result<()> {
        let end = Instant::now() + FILL_TIME;
        let mut published = self.run.figures.get("published").copied().unwrap_or(0.0);
        while published < FILL && Instant::now() < end {
            self.load.run(pace, Duration::from_millis(500))?;
            let tally = self.load.take_tally();
            self.run.check(&tally);
            published += tally.published as f64;
        }
        Ok(())
    }

    fn direct(&mut self, pairs: usize, connections: usize, pace: Pace) -> io::Result<()> {
        self.open_pairs(pairs, connections)?;
        self.publish(pace)
    }

    fn open_pairs(&mut self, pairs: usize, connections: usize) -> io::Result<()> {
        self.open_small_rooms(0, connections)?;
        (0..pairs).for_each(|pair| self.load.publish_to_user(2 * pair, 2 * pair + 1));
        self.load.settle(SETTLE)
    }

    /// Opens the connections of a paced workload, and warms up.
    pub(crate) fn open(&mut self, workload: Workload, pace: Pace) -> io::Result<()> {
        match workload.kind() {
            Kind::Rooms(rooms) => self.open_rooms(rooms),
            Kind::Direct {
                pairs, connections, ..
            } => self.open_pairs(pairs, connections),
            _ => Ok(()),
        }?;
        self.warm_up(pace)
    }

    fn warm_up(&mut self, pace: Pace) -> io::Result<()> {
        self.load.run(pace, self.scale.warm_up)?;
        self.load.settle(SETTLE / 10)?;
        let warm_up = self.load.take_tally();
        self.run.check(&warm_up);
        Ok(())
    }

    fn publish(&mut self, pace: Pace) -> io::Result<()> {
        self.warm_up(pace)?;
        let sent = segments_sent(self.process.address);
        let (before, start) = (self.reading()?, Instant::now());
        self.load.run(pace, self.scale.time)?;
        let (after, time) = (self.reading()?, start.elapsed());
        self.published(after.since(&before), time, sent);
        Ok(())
    }

    /// Records the results of publishing.
    pub(crate) fn published(&mut self, used: Used, time: Duration, sent: Option<u64>) {
        let sent = segments_sent(self.process.address).zip(sent);
        let tally = self.load.take_tally();
        self.run.cpu(used, tally.deliveries);
        self.run.deliveries(&tally, time);
        self.sends(sent, tally.deliveries);
    }

    /// Records the sends per event, from two counts.
    fn sends(&mut self, counts: Option<(u64, u64)>, events: u64) {
        let sends = counts.map(|(after, before)| after.saturating_sub(before) as f64);
        self.run
            .set("sends", sends.map(|sends| sends / events as f64));
    }

    fn heartbeats(&mut self, connections: usize) -> io::Result<()> {
        self.open_small_rooms(0, connections)?;
        // The first pings have random phases.
        self.load.settle(Duration::from_secs(2))?;
        self.load.take_tally();
        let (before, start) = (self.reading()?, Instant::now());
        self.load
            .settle(self.scale.time.max(Duration::from_secs(3)))?;
        let (after, time) = (self.reading()?, start.elapsed());
        let tally = self.load.take_tally();
        self.run.check(&tally);
        self.run.cpu(after.since(&before), tally.pings);
        let pings = tally.pings as f64 / connections as f64 / time.as_secs_f64();
        self.run.set("pings", Some(pings));
        Ok(())
    }

    fn storm(&mut self) -> io::Result<()> {
        let (warm, all) = (100, 100 + self.scale.storm);
        self.open_small_rooms(0, warm)?;
        self.load.settle(SETTLE)?;
        let sent = segments_sent(self.process.address);
        let (before, start) = (self.reading()?, Instant::now());
        self.open_small_rooms(warm, all)?;
        let time = start.elapsed();
        self.load.settle(SETTLE)?;
        let after = self.reading()?;
        let sent = segments_sent(self.process.address).zip(sent);
        let tally = self.load.take_tally();
        self.run.check(&tally);
        self.run.cpu(after.since(&before), (all - warm) as u64);
        self.sends(sent, (all - warm) as u64);
        self.run
            .set("rate", Some((all - warm) as f64 / time.as_secs_f64()));
        Ok(())
    }

    /// Every connection sends, receives and is pinged before memory is measured.
    fn idle(&mut self) -> io::Result<()> {
        let (warm, all) = (SMALL, SMALL + self.scale.idle);
        self.open_small_rooms(0, warm)?;
        (0..warm).for_each(|index| self.load.publish_to_room(index));
        self.load.publish_once()?;
        let before = self.reading()?;
        self.open_small_rooms(warm, all)?;
        (warm..all).for_each(|index| self.load.publish_to_room(index));
        self.load.publish_once()?;
        self.load
            .settle(Workload::Idle.demands().ping_interval + Duration::from_secs(1))?;
        let after = self.reading()?;
        let tally = self.load.take_tally();
        self.run.check(&tally);
        let grown = after.resident.saturating_sub(before.resident) as f64;
        self.run.set("idle_kib", Some(grown / (all - warm) as f64));
        self.run
            .set("resident_mib", Some(after.resident as f64 / 1_024.0));
        self.run.set("connections", Some(all as f64));
        Ok(())
    }

    fn burst(&mut self, rooms: Rooms) -> io::Result<()> {
        self.open_rooms(rooms)?;
        self.load.set_content(CONTENT);
        self.load.publish_once()?;
        self.load.settle(SETTLE * 2)?;
        let before = self.reading()?;
        self.run.check(&self.load.take_tally());
        self.load.set_content(rooms.content);
        let start = Instant::now();
        self.load.run(rooms.pace, self.scale.time)?;
        let time = start.elapsed();
        let tally = self.load.take_tally();
        self.run.check(&tally);
        self.load.settle(self.scale.after_burst)?;
        let after = self.reading()?;
        let megabytes = tally.bytes as f64 / 1e6;
        self.run
            .set("rate_mb", Some(megabytes / time.as_secs_f64()));
        for (key, kib) in [
            ("before_mib", before.resident),
            ("after_mib", after.resident),
            ("peak_mib", after.peak),
        ] {
            self.run.set(key, Some(kib as f64 / 1_024.0));
        }
        self.run.set(
            "after_ratio",
            Some(after.resident as f64 / before.resident as f64),
        );
        Ok(())
    }
}
