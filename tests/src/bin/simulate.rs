//! Runs the simulation for a number of seeds or minutes, and prints what was counted.
//!
//! `cargo run --release -p switchboard-tests --bin simulate -- --seeds N | --minutes M [--seed S]
//! [--threads T] [--log | --dump]`

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use switchboard_tests::simulation::{Budget, Report, run_logged, run_recorded};

/// Seeds that once failed.
const KEPT: &str = include_str!("../../simulation.seeds");

fn main() -> ExitCode {
    let Some(arguments) = Arguments::parse() else {
        eprintln!("simulate --seeds N | --minutes M [--seed S] [--threads T] [--log | --dump]");
        return ExitCode::from(2);
    };
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
        };
        let mut arguments = std::env::args().skip(1);
        let mut bounded = false;
        while let Some(name) = arguments.next() {
            match name.as_str() {
                "--log" => parsed.log = true,
                "--dump" => parsed.dump = true,
                _ => {}
            }
            if name == "--log" || name == "--dump" {
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
        for seed in KEPT
            .lines()
            .filter_map(|line| line.split(' ').next()?.parse().ok())
        {
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
}
