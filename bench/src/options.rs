//! Command-line options.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::machine::Cpus;
use crate::server::{Builtin, Server};
use crate::workload::Workload;

/// Measures the speed and memory of Switchboard and its peers: builds and starts them in turn,
/// loads them, checks every delivery, and prints a table.
#[derive(Debug, Parser)]
#[command(max_term_width = 100)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Option<Action>,
    #[command(flatten)]
    pub(crate) compare: Compare,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Run one of the compared servers
    Serve {
        #[arg(value_enum)]
        which: Builtin,
        /// Seconds between pings
        #[arg(long, default_value = "25", value_parser = seconds)]
        ping_interval: Duration,
        /// Address to listen on
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: std::net::SocketAddr,
    },
    /// Regenerate the table, the page and the plots from results.json
    Report,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Compare {
    /// A quick look instead of a measurement: one round of half a second each, smaller memory tests
    #[arg(long)]
    pub(crate) quick: bool,
    /// Workloads [default: all]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME,…")]
    pub(crate) workloads: Vec<Workload>,
    /// Servers [default: all but switchboard-tokio-two and the baseline's; some only in workloads
    /// with connects]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME,…")]
    pub(crate) servers: Vec<Server>,
    /// Directory with `chat` and `chat-smol` of another revision (its target/release/examples), for
    /// the servers baseline-tokio and baseline-smol: before and after in one run
    #[arg(long, value_name = "DIR")]
    pub(crate) baseline: Option<PathBuf>,
    /// Rounds: each measures every server once [default: 5, or 1 with --quick]
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Seconds of load per round [default: 3, or 0.5 with --quick]
    #[arg(long, value_name = "S", value_parser = seconds)]
    time: Option<Duration>,
    /// Seconds between the end of a burst and the memory reading [default: 60, or 5 with --quick]
    #[arg(long, value_name = "S", value_parser = seconds)]
    after_burst: Option<Duration>,
    /// Connections for memory at rest [default: 16000, or 4000 with --quick]
    #[arg(long, value_name = "N")]
    idle: Option<usize>,
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
    /// Directory of results.json, RESULTS.md and plots/ [default: bench, or target/bench with
    /// --quick]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// The sizes of the tests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    pub(crate) rounds: usize,
    pub(crate) warm_up: Duration,
    pub(crate) time: Duration,
    pub(crate) after_burst: Duration,
    pub(crate) idle: usize,
    pub(crate) storm: usize,
    pub(crate) recoveries: usize,
}

impl Compare {
    pub(crate) fn cpus(&self) -> Cpus {
        Cpus {
            server: self.server_cpu,
            load: self.load_cpu,
        }
    }

    pub(crate) fn scale(&self) -> Scale {
        let pick =
            |quick: f64, full: f64| Duration::from_secs_f64(if self.quick { quick } else { full });
        Scale {
            rounds: self.rounds.unwrap_or(if self.quick { 1 } else { 5 }).max(1),
            warm_up: pick(0.2, 0.5),
            time: self.time.unwrap_or(pick(0.5, 3.0)),
            after_burst: self.after_burst.unwrap_or(pick(5.0, 60.0)),
            idle: self.idle.unwrap_or(if self.quick { 4_000 } else { 16_000 }),
            storm: if self.quick { 2_000 } else { 8_000 },
            recoveries: if self.quick { 2_000 } else { 10_000 },
        }
    }

    pub(crate) fn servers(&self) -> Vec<Server> {
        if self.servers.is_empty() {
            Server::USUAL.to_vec()
        } else {
            self.servers.clone()
        }
    }

    pub(crate) fn workloads(&self) -> Vec<Workload> {
        if self.workloads.is_empty() {
            Workload::value_variants().to_vec()
        } else {
            self.workloads.clone()
        }
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

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "must be a number of seconds".to_owned())?;
    if seconds > 0.0 && seconds < 86_400.0 {
        return Ok(Duration::from_secs_f64(seconds));
    }
    Err("must be more than 0 and less than a day".to_owned())
}
