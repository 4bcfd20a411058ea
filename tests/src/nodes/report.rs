//! Runs many seeds up to a number or a time, and a sample of them twice.

use std::fmt;
use std::time::{Duration, Instant};

use super::{Broken, Tally, run};

/// How much to run.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// The first seed.
    pub first: u64,
    /// The distance between seeds, so that several threads can share them.
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
    /// What happened how often.
    pub tally: Tally,
    /// Broken promises by seed.
    pub broken: Vec<(u64, Broken)>,
    /// Time taken.
    pub took: Duration,
}

impl Budget {
    /// Runs seeds until the budget is used up or a few promises are broken.
    pub fn run(&self) -> Report {
        let started = Instant::now();
        let mut report = Report::default();
        let mut seed = self.first;
        while report.seeds < self.seeds && started.elapsed() < self.time && report.broken.len() < 5
        {
            report.run_seed(seed, seed.is_multiple_of(20));
            seed = seed.wrapping_add(self.step);
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
                let broken = Broken {
                    promise: "one seed, one trace",
                    what: "the second run of the seed had another trace".into(),
                    at: 0,
                };
                self.broken.push((seed, broken));
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
        let repeated = self.repeated;
        writeln!(f, "run twice         {repeated}, with the same trace")?;
        writeln!(f, "events            {}", tally.events)?;
        writeln!(f, "events per second {rate:.0}")?;
        writeln!(f, "virtual hours     {hours:.1}")?;
        writeln!(f, "audits            {}", tally.audits)?;
        writeln!(f, "what happened     {}:", tally.seen.len())?;
        for (what, count) in &tally.seen {
            writeln!(f, "  {count:>12}  {what}")?;
        }
        for (seed, broken) in &self.broken {
            let Broken { promise, what, at } = broken;
            writeln!(f, "BROKEN seed {seed}: {promise}, at {at} ns: {what}")?;
            writeln!(
                f,
                "  replay: cargo run --release -p switchboard-tests --bin simulate -- --nodes \
                 --seed {seed} --log"
            )?;
        }
        Ok(())
    }
}
