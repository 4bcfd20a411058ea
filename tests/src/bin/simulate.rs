//! Runs the simulation for a number of seeds or minutes, and prints what was counted.
//!
//! `cargo run --release -p switchboard-tests --bin simulate -- [--nodes] --seeds N | --minutes M
//! [--seed S] [--threads T] [--log | --dump]`
//!
//! With `--nodes` it is the one of several nodes, which has no dump.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use switchboard_tests::nodes;
use switchboard_tests::simulation::{Budget, Report, run_logged, run_recorded};

/// Seeds that once failed.
const KEPT: &str = include_str!("../../simulation.seeds");
const KEPT_OF_NODES: &str = include_str!("../../nodes.seeds");

fn main() -> ExitCode {
    let Some(arguments) = Arguments::parse() else {
        eprintln!(
            "simulate [--nodes] --seeds N | --minutes M [--seed S] [--threads T] [--log | --dump]"
        );
        return ExitCode::from(2);
    };
    if arguments.nodes {
        return arguments.simulate_nodes();
    }
    if arguments.dump {
        let (outcome, dump) = run_recorded(arguments.seed);
        print!("{dump}");
        return ExitCode::from(u8::from(outcome.broken.is_some()));
    }
    if arguments.log {
        let (outcome, log) = run_logged(arguments.seed);
        for line in log {
            println!("{line}");
        }
        println!("{:?}", outcome.broken);
        return ExitCode::from(u8::from(outcome.broken.is_some()));
    }
    let report = arguments.run();
    print!("{report}");
    let (probes, faults) = (report.tally.dead_probes(), report.tally.dead_faults());
    // A few seeds cannot take every path.
    let full = report.seeds >= 1_000;
    for dead in probes.iter().chain(&faults) {
        println!("NEVER HAPPENED: {dead}");
    }
    let failed = !report.broken.is_empty() || (full && !(probes.is_empty() && faults.is_empty()));
    ExitCode::from(u8::from(failed))
}

struct Arguments {
    seed: u64,
    seeds: u64,
    time: Duration,
    threads: u64,
    log: bool,
    /// Print the recording of the node.
    dump: bool,
    nodes: bool,
}

impl Arguments {
    fn parse() -> Option<Self> {
        let mut parsed = Self {
            seed: 0,
            seeds: u64::MAX,
            time: Duration::MAX,
            threads: 1,
            log: false,
            dump: false,
            nodes: false,
        };
        let mut arguments = std::env::args().skip(1);
        let mut bounded = false;
        while let Some(name) = arguments.next() {
            match name.as_str() {
                "--log" => parsed.log = true,
                "--dump" => parsed.dump = true,
                "--nodes" => parsed.nodes = true,
                _ => {}
            }
            if ["--log", "--dump", "--nodes"].contains(&name.as_str()) {
                continue;
            }
            let value = arguments.next()?;
            match name.as_str() {
                "--seed" => parsed.seed = value.parse().ok()?,
                "--seeds" => parsed.seeds = value.parse().ok()?,
                "--minutes" => {
                    parsed.time =
                        Duration::try_from_secs_f64(60.0 * value.parse::<f64>().ok()?).ok()?;
                }
                "--threads" => parsed.threads = value.parse().ok().filter(|&count| count > 0)?,
                _ => return None,
            }
            bounded |= name != "--seed" && name != "--threads";
        }
        (bounded || parsed.log || parsed.dump).then_some(parsed)
    }

    fn run(&self) -> Report {
        let mut all = Report::default();
        for seed in kept(KEPT) {
            all.run_seed(seed, false);
        }
        let threads: Vec<_> = (0..self.threads)
            .map(|index| {
                let budget = Budget {
                    first: self.seed + index,
                    step: self.threads,
                    seeds: self.seeds.div_ceil(self.threads),
                    time: self.time,
                };
                thread::spawn(move || budget.run())
            })
            .collect();
        for thread in threads {
            if let Ok(report) = thread.join() {
                all.add(report);
            }
        }
        all
    }

    fn simulate_nodes(&self) -> ExitCode {
        if self.log {
            let (outcome, log) = nodes::run_logged(self.seed);
            for line in log {
                println!("{line}");
            }
            println!("{:?}", outcome.broken);
            return ExitCode::from(u8::from(outcome.broken.is_some()));
        }
        let report = self.run_nodes();
        print!("{report}");
        let missing = report.tally.missing();
        for what in &missing {
            println!("NEVER HAPPENED: {what}");
        }
        // A few seeds cannot show everything.
        let full = report.seeds >= 200;
        let failed = !report.broken.is_empty() || (full && !missing.is_empty());
        ExitCode::from(u8::from(failed))
    }

    fn run_nodes(&self) -> nodes::Report {
        let mut all = nodes::Report::default();
        for seed in kept(KEPT_OF_NODES) {
            all.run_seed(seed, false);
        }
        let threads: Vec<_> = (0..self.threads)
            .map(|index| {
                let budget = nodes::Budget {
                    first: self.seed + index,
                    step: self.threads,
                    seeds: self.seeds.div_ceil(self.threads),
                    time: self.time,
                };
                thread::spawn(move || budget.run())
            })
            .collect();
        for thread in threads {
            if let Ok(report) = thread.join() {
                all.add(report);
            }
        }
        all
    }
}

/// Returns the seeds of a file of those that once failed.
fn kept(seeds: &str) -> impl Iterator<Item = u64> {
    let lines = seeds.lines();
    lines.filter_map(|line| line.split(' ').next()?.parse().ok())
}
