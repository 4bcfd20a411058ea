//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::cluster::ClusterOptions;
use crate::scale::Scale;
use crate::server::{Builtin, Server};
use crate::shared_options::{Shared, seconds};
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
        /// URL of the Redis that joins several nodes, for tungstenite
        #[arg(long, value_name = "URL")]
        redis: Option<String>,
    },
    /// Compare clusters of two nodes over a Redis: their speed, and what they lose under faults
    Cluster(ClusterOptions),
    /// Regenerate the tables, the pages and the plots from results.json and cluster.json
    Report,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Compare {
    #[command(flatten)]
    pub(crate) shared: Shared,
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
    /// Seconds between the end of a burst and the memory reading [default: 60, or 5 with --quick]
    #[arg(long, value_name = "S", value_parser = seconds)]
    after_burst: Option<Duration>,
    /// Connections for memory at rest [default: 16000, or 4000 with --quick]
    #[arg(long, value_name = "N")]
    idle: Option<usize>,
}

impl Compare {
    pub(crate) fn scale(&self) -> Scale {
        let shared = &self.shared;
        Scale {
            rounds: self
                .rounds
                .unwrap_or(if shared.quick { 1 } else { 5 })
                .max(1),
            warm_up: shared.pick(0.2, 0.5),
            time: shared.time(),
            after_burst: self.after_burst.unwrap_or(shared.pick(5.0, 60.0)),
            idle: self
                .idle
                .unwrap_or(if shared.quick { 4_000 } else { 16_000 }),
            storm: if shared.quick { 2_000 } else { 8_000 },
            recoveries: if shared.quick { 2_000 } else { 10_000 },
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
}
