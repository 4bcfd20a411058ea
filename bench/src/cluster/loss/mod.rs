//! What the members of a room lose while Redis, nodes and connections fail.

mod fault;
mod judge;
mod member;
mod voice;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

pub(crate) use self::fault::Fault;
pub(super) use self::judge::Losses;
use self::judge::{Log, judge};
use self::member::{Member, Orders};
use super::nodes::{Cluster, NODES, Setting};
use super::system::System;

/// Members who only listen, on each node.
const LISTENERS: usize = 10;
/// How long messages are published before the fault, and from its beginning on.
const BEFORE: Duration = Duration::from_secs(1);
const AFTER: Duration = Duration::from_secs(7);
/// How long everybody may take to get in.
const ENTRY: Duration = Duration::from_secs(20);
/// Without a message for so long, no more are expected; nor after so long in all.
const QUIET: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(20);
/// The bound of one measurement.
const LIMIT: Duration = Duration::from_secs(90);

/// The result of one fault on one system.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Verdict {
    pub(super) system: String,
    pub(super) fault: String,
    pub(super) round: usize,
    #[serde(flatten)]
    pub(super) losses: Losses,
    /// Why there are no figures.
    pub(super) error: Option<String>,
}

/// Lets a fault happen to a system under load.
pub(super) fn measure(setting: &Setting<'_>, system: System, fault: Fault) -> Verdict {
    let (losses, error) = match run(setting, system, fault) {
        Ok(logs) => (judge(&logs), None),
        Err(error) => (Losses::default(), Some(error.to_string())),
    };
    Verdict {
        system: system.to_string(),
        fault: fault.to_string(),
        round: setting.round,
        losses,
        error,
    }
}

fn run(setting: &Setting<'_>, system: System, fault: Fault) -> io::Result<Vec<Log>> {
    let mut cluster = Cluster::start_linked(setting, system)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let members = Members::start(&cluster, system);
        timeout(LIMIT, members.play(&mut cluster, fault)).await?
    })
}

struct Members {
    orders: watch::Sender<Orders>,
    logs: Vec<Arc<Mutex<Log>>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Members {
    /// Starts a publisher and the listeners on each node.
    fn start(cluster: &Cluster, system: System) -> Self {
        let (orders, told) = watch::channel(Orders::default());
        let (mut logs, mut tasks) = (Vec::new(), Vec::new());
        for index in 0..NODES.len() * (1 + LISTENERS) {
            let log = Arc::new(Mutex::new(Log::default()));
            let mut nodes: Vec<_> = cluster.nodes.iter().map(|node| node.address).collect();
            nodes.rotate_left(index % NODES.len());
            let publishes = index < NODES.len();
            lock(&log).listens = !publishes;
            let member = Member {
                publishes,
                leaves: !publishes && index.is_multiple_of(3),
                nodes,
                voice: voice::of(system, index),
                orders: told.clone(),
                log: log.clone(),
            };
            tasks.push(tokio::spawn(member.run()));
            logs.push(log);
        }
        Self {
            orders,
            logs,
            tasks,
        }
    }

    async fn play(self, cluster: &mut Cluster, fault: Fault) -> io::Result<Vec<Log>> {
        self.wait_for_entry().await?;
        self.orders.send_modify(|orders| orders.publish = true);
        sleep(BEFORE).await;
        let end = Instant::now() + AFTER;
        fault.strike(cluster, &self.orders).await?;
        sleep(end.saturating_duration_since(Instant::now())).await;
        self.orders.send_modify(|orders| orders.publish = false);
        self.wait_for_the_last().await;
        self.orders.send_modify(|orders| orders.stop = true);
        for task in self.tasks {
            task.await?;
        }
        let logs = self.logs.iter();
        Ok(logs.map(|log| std::mem::take(&mut *lock(log))).collect())
    }

    async fn wait_for_entry(&self) -> io::Result<()> {
        let end = Instant::now() + ENTRY;
        while !self.logs.iter().all(|log| lock(log).is_in) {
            if Instant::now() > end {
                return Err(io::Error::other("not all members get into the room"));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Waits until all have the last message of each publisher, or nothing comes any more.
    async fn wait_for_the_last(&self) {
        let start = Instant::now();
        let (mut heard, mut since) = (0, start);
        while since.elapsed() < QUIET && start.elapsed() < PATIENCE {
            // First of all, publishers finish what they were about to send.
            sleep(Duration::from_millis(20)).await;
            let sent = self.logs.iter().map(|log| lock(log).fates.len());
            let last: Vec<_> = sent.take(NODES.len()).collect();
            let mut listeners = self.logs.iter().skip(NODES.len());
            let mut publishers = self.logs.iter().take(NODES.len());
            if listeners.all(|log| lock(log).has_all_of(&last))
                && publishers.all(|log| lock(log).knows_all_fates())
            {
                return;
            }
            let all: usize = self.logs.iter().map(|log| lock(log).events.len()).sum();
            if all > heard {
                (heard, since) = (all, Instant::now());
            }
        }
    }
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}
