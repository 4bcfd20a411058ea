//! Runs of a simulation that follow from their seeds: many of them, a sample twice, and what was counted.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

/// A simulation.
pub trait Simulation: 'static {
    /// What is counted.
    type Tally: Tally;
    /// What chooses it among the arguments of `simulate`, with a space after it.
    const OPTION: &'static str;
    /// A file of seeds that once failed.
    const KEPT: &'static str;
    /// The number of seeds with which everything has to happen.
    const ENOUGH: u64;

    /// Runs one seed, and keeps a log of its events if that is wanted.
    fn run(seed: u64, logged: bool) -> (Outcome<Self::Tally>, Vec<String>);

    /// Returns the seed to run in place of this one, the `number`th of a budget.
    fn seed(seed: u64, number: u64) -> u64 {
        let _ = number;
        seed
    }
}

/// Counts of one run, or of many. As text, a line each, without events and time.
pub trait Tally: Clone + Default + Send + fmt::Display {
    /// Returns the number of events.
    fn events(&self) -> u64;

    /// Adds events of a run that is not counted otherwise.
    fn count_events(&mut self, events: u64);

    /// Returns the virtual time in nanoseconds.
    fn nanos(&self) -> u128;

    /// Adds the counts of another run.
    fn add(&mut self, other: &Self);

    /// Returns what has to happen and did not.
    fn missing(&self) -> Vec<&'static str>;
}

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which rule.
    pub rule: String,
    /// A description.
    pub what: String,
    /// Virtual time in nanoseconds.
    pub at: u64,
}

/// The outcome of a seed.
#[derive(Clone, Debug)]
pub struct Outcome<T> {
    /// The seed.
    pub seed: u64,
    /// Counters.
    pub tally: T,
    /// A hash of all events.
    pub trace: u64,
    /// The first rule that was broken.
    pub broken: Option<Broken>,
}

/// Runs a world; returns the message of its panic, if it panics.
pub(crate) fn panic_of(run: impl FnOnce()) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(run)).err()?;
    let message = panic.downcast_ref::<&str>().map(ToString::to_string);
    let message = message.or_else(|| panic.downcast_ref::<String>().cloned());
    Some(message.unwrap_or_default())
}

/// How much to run.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// The first seed.
    pub first: u64,
    /// The most seeds.
    pub seeds: u64,
    /// The longest time.
    pub time: Duration,
    /// Threads that share the seeds.
    pub threads: u64,
}

/// The results of many seeds.
#[derive(Clone, Debug)]
pub struct Report<S: Simulation> {
    /// Number of seeds.
    pub seeds: u64,
    /// Number of seeds that ran twice with the same trace.
    pub repeated: u64,
    /// Counters.
    pub tally: S::Tally,
    /// Broken rules by seed.
    pub broken: Vec<(u64, Broken)>,
    /// Time taken.
    pub took: Duration,
}

impl<S: Simulation> Default for Report<S> {
    fn default() -> Self {
        Self {
            seeds: 0,
            repeated: 0,
            tally: S::Tally::default(),
            broken: Vec::new(),
            took: Duration::ZERO,
        }
    }
}

impl<S: Simulation> Report<S> {
    /// Runs the seeds that once failed.
    pub fn of_kept() -> Self {
        let mut report = Self::default();
        let lines = S::KEPT.lines();
        for seed in lines.filter_map(|line| line.split(' ').next()?.parse().ok()) {
            report.run_seed(seed, false);
        }
        report
    }

    /// Runs more seeds, until the budget is used up or a few rules are broken.
    pub fn run(&mut self, budget: &Budget) {
        let threads: Vec<_> = (0..budget.threads)
            .map(|index| {
                let budget = *budget;
                thread::spawn(move || Self::share(&budget, index))
            })
            .collect();
        for thread in threads {
            if let Ok(report) = thread.join() {
                self.add(&report);
            }
        }
    }

    /// Runs what is for one of the threads.
    fn share(budget: &Budget, index: u64) -> Self {
        let started = Instant::now();
        let mut report = Self::default();
        let most = budget.seeds.div_ceil(budget.threads);
        while report.seeds < most && started.elapsed() < budget.time && report.broken.len() < 5 {
            let number = report.seeds;
            let offset = index.wrapping_add(number.wrapping_mul(budget.threads));
            let seed = budget.first.wrapping_add(offset);
            report.run_seed(S::seed(seed, number), number % 20 < 2);
        }
        report.took = started.elapsed();
        report
    }

    /// Runs one more seed, twice if its trace is to be compared.
    pub fn run_seed(&mut self, seed: u64, twice: bool) {
        let outcome = S::run(seed, false).0;
        self.seeds += 1;
        if twice {
            self.repeated += 1;
            let again = S::run(seed, false).0;
            let [one, other] = [&outcome, &again].map(|it| (it.trace, it.tally.events()));
            if one != other {
                let broken = Broken {
                    rule: "one seed, one trace".into(),
                    what: "the second run of the seed had another trace".into(),
                    at: 0,
                };
                self.broken.push((seed, broken));
            }
            self.tally.count_events(again.tally.events());
        }
        self.tally.add(&outcome.tally);
        let broken = outcome.broken.map(|broken| (seed, broken));
        self.broken.extend(broken);
    }

    /// Adds another report and keeps the longer time.
    fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.repeated += other.repeated;
        self.tally.add(&other.tally);
        self.broken.extend(other.broken.iter().cloned());
        self.took = self.took.max(other.took);
    }

    /// Returns whether a rule was broken, or something never happened although there were enough seeds.
    pub fn failed(&self) -> bool {
        let full = self.seeds >= S::ENOUGH;
        !self.broken.is_empty() || (full && !self.tally.missing().is_empty())
    }
}

impl<S: Simulation> fmt::Display for Report<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (events, repeated) = (self.tally.events(), self.repeated);
        let hours = self.tally.nanos() as f64 / 3.6e12;
        let rate = events as f64 / self.took.as_secs_f64().max(1e-9);
        writeln!(f, "seeds             {}", self.seeds)?;
        writeln!(f, "run twice         {repeated}, with the same trace")?;
        writeln!(f, "events            {events}")?;
        writeln!(f, "events per second {rate:.0}")?;
        writeln!(f, "virtual hours     {hours:.1}")?;
        write!(f, "{}", self.tally)?;
        for (seed, Broken { rule, what, at }) in &self.broken {
            writeln!(f, "BROKEN seed {seed}: {rule}, at {at} ns: {what}")?;
            let program = "cargo run --release -p switchboard-tests --bin simulate --";
            writeln!(f, "  replay: {program} {}--seed {seed} --log", S::OPTION)?;
        }
        for what in self.tally.missing() {
            writeln!(f, "NEVER HAPPENED: {what}")?;
        }
        Ok(())
    }
}
