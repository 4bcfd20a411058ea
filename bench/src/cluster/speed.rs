//! Rate, CPU time and latency of a room on two nodes.

use std::io;
use std::time::{Duration, Instant};

use super::nodes::{Cluster, Setting};
use super::system::System;
use super::workload::Workload;
use crate::in_turn::{InTurn, load_in_turn};
use crate::load::{Load, Plan};
use crate::measure::{Run, SETTLE};
use crate::meter::{Reading, Used};
use crate::workload::CONTENT;

/// How often to wait for the last notice of joins.
const JOINS: usize = 40;

/// Runs a workload on all systems, a slice each in turn.
pub(super) fn measure(
    setting: &Setting<'_>,
    workload: Workload,
    systems: &[System],
    (warm_up, time): (Duration, Duration),
) -> Vec<Run> {
    let starts = systems
        .iter()
        .map(|&system| Runner::start(setting, workload, system, warm_up));
    let runners = load_in_turn(starts, time);
    let end = |(runner, &system): (io::Result<Runner>, _)| match runner {
        Ok(runner) => runner.end(),
        Err(error) => Run {
            error: Some(error.to_string()),
            ..run(setting, workload, system)
        },
    };
    runners.into_iter().zip(systems).map(end).collect()
}

fn run(setting: &Setting<'_>, workload: Workload, system: System) -> Run {
    Run {
        workload: workload.to_string(),
        server: system.to_string(),
        round: setting.round,
        ..Run::default()
    }
}

/// A system that is loaded in turn with others.
struct Runner {
    cluster: Cluster,
    load: Load,
    workload: Workload,
    run: Run,
    of_nodes: Used,
    of_redis: Used,
    time: Duration,
}

impl Runner {
    fn start(
        setting: &Setting<'_>,
        workload: Workload,
        system: System,
        warm_up: Duration,
    ) -> io::Result<Self> {
        let cluster = Cluster::start(setting, system)?;
        let nodes = cluster.nodes.iter().map(|node| node.address).collect();
        let mut load = Load::new(nodes, system.dialect(), CONTENT)?;
        load.open((0..workload.members()).map(|user| Plan {
            room: 0,
            user,
            stalled: false,
            missed: 0,
        }))?;
        // The first two members are on different nodes.
        (0..2).for_each(|member| load.publish_to_room(member));
        for _ in 0..JOINS {
            let heard = load.tally.notices;
            load.settle(SETTLE)?;
            if load.tally.notices == heard {
                break;
            }
        }
        let mut run = run(setting, workload, system);
        load.run(workload.pace(), warm_up)?;
        run.check(&load.take_tally());
        Ok(Self {
            cluster,
            load,
            workload,
            run,
            of_nodes: Used::default(),
            of_redis: Used::default(),
            time: Duration::ZERO,
        })
    }

    /// Returns readings of the nodes and of Redis.
    fn readings(&self) -> io::Result<(Vec<Reading>, Reading)> {
        let nodes = self.cluster.nodes.iter();
        let nodes: io::Result<_> = nodes.map(|node| Reading::of(node.id())).collect();
        Ok((nodes?, Reading::of(self.cluster.redis.id())?))
    }

    fn end(mut self) -> Run {
        let tally = self.load.take_tally();
        let (run, count) = (&mut self.run, tally.published as f64);
        run.deliveries(&tally, self.time);
        let nodes = self.cluster.nodes.len() as f64;
        run.set("node_us", Some(self.of_nodes.all / nodes / count));
        run.set("redis_us", Some(self.of_redis.all / count));
        run.set("messages", Some(count / self.time.as_secs_f64()));
        self.run
    }
}

impl InTurn for Runner {
    fn slice(&mut self, time: Duration) -> io::Result<()> {
        let (before, start) = (self.readings()?, Instant::now());
        self.load.run(self.workload.pace(), time)?;
        self.time += start.elapsed();
        let after = self.readings()?;
        for (after, before) in after.0.iter().zip(&before.0) {
            self.of_nodes += after.since(before);
        }
        self.of_redis += after.1.since(&before.1);
        Ok(())
    }

    fn load(&mut self) -> &mut Load {
        &mut self.load
    }
}
