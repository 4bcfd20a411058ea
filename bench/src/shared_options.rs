//! Options that all comparisons share.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::machine::Cpus;

/// How to measure, and where to put the results.
#[derive(Clone, Debug, Args)]
pub(crate) struct Shared {
    /// A quick look instead of a measurement: one round of half a second each, smaller memory tests
    #[arg(long)]
    pub(crate) quick: bool,
    /// Seconds of load per round [default: 3, or 0.5 with --quick]
    #[arg(long, value_name = "S", value_parser = seconds)]
    time: Option<Duration>,
    /// The CPU of the servers
    #[arg(long, default_value = "0", value_name = "CPU")]
    server_cpu: usize,
    /// The CPU of the load generator
    #[arg(long, default_value = "1", value_name = "CPU")]
    load_cpu: usize,
    /// Niceness of servers and generator; below zero, other processes disturb less
    #[arg(
        long,
        default_value = "0",
        value_name = "N",
        allow_hyphen_values = true
    )]
    pub(crate) nice: i32,
    /// Directory of the results [default: bench, or target/bench with --quick]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Shared {
    pub(crate) fn cpus(&self) -> Cpus {
        Cpus {
            server: self.server_cpu,
            load: self.load_cpu,
        }
    }

    /// Returns one of two times.
    pub(crate) fn pick(&self, quick: f64, full: f64) -> Duration {
        Duration::from_secs_f64(if self.quick { quick } else { full })
    }

    /// Returns for how long each server is loaded in a round.
    pub(crate) fn time(&self) -> Duration {
        self.time.unwrap_or(self.pick(0.5, 3.0))
    }

    pub(crate) fn out(&self) -> PathBuf {
        let here = concat!(env!("CARGO_MANIFEST_DIR"));
        let usual = if self.quick {
            format!("{here}/../target/bench")
        } else {
            here.to_owned()
        };
        self.out.clone().unwrap_or_else(|| usual.into())
    }
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "must be a number of seconds".to_owned())?;
    if seconds > 0.0 && seconds < 86_400.0 {
        return Ok(Duration::from_secs_f64(seconds));
    }
    Err("must be more than 0 and less than a day".to_owned())
}
