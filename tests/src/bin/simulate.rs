//! Runs the simulation for a number of seeds or minutes, and prints what was counted.
//!
//! `cargo run --release -p switchboard-tests --bin simulate -- [--nodes] --seeds N | --minutes M
//! [--seed S] [--threads T] [--log | --dump]`
//!
//! With `--nodes` it is the one of several nodes, which has no dump.

use std::process::ExitCode;
use std::time::Duration;

use switchboard_tests::nodes::Nodes;
use switchboard_tests::seeds::{Budget, Report, Simulation};
use switchboard_tests::simulation::{OneNode, run_recorded};

fn main() -> ExitCode {
    let Some(arguments) = Arguments::parse() else {
        eprintln!(
            "simulate [--nodes] --seeds N | --minutes M [--seed S] [--threads T] [--log | --dump]"
        );
        return ExitCode::from(2);
    };
    if arguments.nodes {
        return arguments.simulate::<Nodes>();
    }
    if arguments.dump {
        let (outcome, dump) = run_recorded(arguments.budget.first);
        print!("{dump}");
        return ExitCode::from(u8::from(outcome.broken.is_some()));
    }
    arguments.simulate::<OneNode>()
}

struct Arguments {
    budget: Budget,
    log: bool,
    /// Print the recording of the node.
    dump: bool,
    nodes: bool,
}

impl Arguments {
    fn parse() -> Option<Self> {
        let mut parsed = Self {
            budget: Budget {
                first: 0,
                seeds: u64::MAX,
                time: Duration::MAX,
                threads: 1,
            },
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
                "--seed" => parsed.budget.first = value.parse().ok()?,
                "--seeds" => parsed.budget.seeds = value.parse().ok()?,
                "--minutes" => {
                    parsed.budget.time =
                        Duration::try_from_secs_f64(60.0 * value.parse::<f64>().ok()?).ok()?;
                }
                "--threads" => {
                    parsed.budget.threads = value.parse().ok().filter(|&count| count > 0)?;
                }
                _ => return None,
            }
            bounded |= name != "--seed" && name != "--threads";
        }
        (bounded || parsed.log || parsed.dump).then_some(parsed)
    }

    fn simulate<S: Simulation>(&self) -> ExitCode {
        if self.log {
            let (outcome, log) = S::run(self.budget.first, true);
            for line in log {
                println!("{line}");
            }
            println!("{:?}", outcome.broken);
            return ExitCode::from(u8::from(outcome.broken.is_some()));
        }
        let mut report = Report::<S>::of_kept();
        report.run(&self.budget);
        print!("{report}");
        ExitCode::from(u8::from(report.failed()))
    }
}
