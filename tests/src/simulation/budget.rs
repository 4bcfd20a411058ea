//! Runs many seeds up to a number or a time, and a sample of them twice.

use std::fmt;
use std::time::{Duration, Instant};

use super::counters::{Fault, Probe, Tally};
use super::{Broken, run};

/// From this seed on, rooms keep what is for those who come back.
pub const KEEPING: u64 = 1_000_000;

/// How much to run: by turns, seeds of rooms that keep nothing and of rooms that do. From
/// [`KEEPING`] on, all do.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// The first seed.
    pub first: u64,
    /// The distance between seeds, so that several processes can share them.
    pub step: u64,
    /// The most seeds.
    pub seeds: u64,
    /// The longest time.
    pub time: Duration,
}

/// The results of many seeds.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Number of seeds.
    pub seeds: u64,
    /// Number of seeds that ran twice with the same trace.
    pub repeated: u64,
    /// Counters.
    pub tally: Tally,
    /// Violated invariants by seed.
    pub broken: Vec<(u64, Broken)>,
    /// Time taken.
    pub took: Duration,
}

impl Budget {
    /// Runs seeds until the budget is used up or a few invariants are violated.
    pub fn run(&self) -> Report {
        let started = Instant::now();
        let mut report = Report::default();
        while report.seeds < self.seeds && started.elapsed() < self.time && report.broken.len() < 5
        {
            let number = report.seeds;
            let mut seed = self.first.wrapping_add(number.wrapping_mul(self.step));
            if seed < KEEPING && number % 2 == 1 {
                seed += KEEPING;
            }
            report.run_seed(seed, number % 20 < 2);
        }
        report.took = started.elapsed();
        report
    }
}

impl Report {
    /// Runs one more seed, twice if its trace is to be compared.
    pub fn run_seed(&mut self, seed: u64, twice: bool) {
        let outcome = run(seed);
        self.seeds += 1;
        if twice {
            self.repeated += 1;
            let again = run(seed);
            if (again.trace, again.tally.events) != (outcome.trace, outcome.tally.events) {
                self.broken.push((
                    seed,
                    Broken {
                        invariant: 23,
                        what: "the second run of the seed had another trace".into(),
                        at: 0,
                    },
                ));
            }
            self.tally.events += again.tally.events;
        }
        self.tally.add(&outcome.tally);
        self.broken
            .extend(outcome.broken.map(|broken| (seed, broken)));
    }

    /// Adds another report and keeps the longer time.
    pub fn add(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.repeated += other.repeated;
        self.tally.add(&other.tally);
        self.broken.extend(other.broken);
        self.took = self.took.max(other.took);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tally = &self.tally;
        let hours = tally.nanos as f64 / 3.6e12;
        let rate = tally.events as f64 / self.took.as_secs_f64().max(1e-9);
        writeln!(f, "seeds             {}", self.seeds)?;
        writeln!(
            f,
            "run twice         {}, with the same trace",
            self.repeated
        )?;
        writeln!(f, "events            {}", tally.events)?;
        writeln!(f, "events per second {rate:.0}")?;
        writeln!(f, "virtual hours     {hours:.1}")?;
        writeln!(
            f,
            "connections       {} dialled, {} admitted",
            tally.dialled, tally.admitted
        )?;
        writeln!(f, "frames checked    {}", tally.frames)?;
        writeln!(f, "audits            {}", tally.audits)?;
        let faults: u64 = tally.faults.iter().sum();
        writeln!(
            f,
            "faults            {faults}, of {} kinds:",
            Fault::ALL.len()
        )?;
        for (fault, count) in Fault::ALL.iter().zip(&tally.faults) {
            writeln!(f, "  {count:>12}  {}", fault.text())?;
        }
        writeln!(f, "rare paths        {}:", Probe::ALL.len())?;
        for (probe, count) in Probe::ALL.iter().zip(&tally.probes) {
            writeln!(f, "  {count:>12}  {}", probe.text())?;
        }
        for (seed, broken) in &self.broken {
            let Broken {
                invariant,
                what,
                at,
            } = broken;
            writeln!(
                f,
                "BROKEN seed {seed}: invariant {invariant} at {at} ns: {what}"
            )?;
            writeln!(
                f,
                "  replay: cargo run --release -p switchboard-tests --bin simulate -- --seed {seed} --seeds 1 --log"
            )?;
        }
        Ok(())
    }
}
