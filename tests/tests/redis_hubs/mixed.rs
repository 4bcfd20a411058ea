//! Faults of all kinds, one after another and at once. `SWITCHBOARD_HUBS_FAULTS=500` plays more of them,
//! `SWITCHBOARD_HUBS_SEED=7` others.

use std::env;
use std::time::Duration;

use fastrand::Rng;
use switchboard_tests::proxy::Way;

use crate::cluster::{Cluster, lasts};
use crate::control::Control;
use crate::on_both_runtimes;

on_both_runtimes!(whatever_happens_members_are_told_what_they_missed);

fn wanted(name: &str, usual: u64) -> u64 {
    env::var(name).map_or(usual, |it| it.parse().expect("a number"))
}

fn whatever_happens_members_are_told_what_they_missed(runtime: &'static str) {
    let Some(cluster) = Cluster::start(runtime) else {
        return;
    };
    let seed = wanted("SWITCHBOARD_HUBS_SEED", 1);
    println!("seed {seed}");
    let mut mixed = Mixed {
        cluster,
        rng: Rng::with_seed(seed),
        is_killed: false,
        is_stopped: false,
    };
    for step in 0..wanted("SWITCHBOARD_HUBS_FAULTS", 12) {
        let what = mixed.happens();
        println!("{step}: {what}");
        lasts(Duration::from_millis(mixed.rng.u64(0..2500)));
        if mixed.rng.u32(0..3) == 0 {
            mixed.calm();
        }
        if step % 6 == 5 {
            mixed.calm();
            mixed.cluster.flows();
        }
    }
    mixed.calm();
    mixed.cluster.check();
}

struct Mixed {
    cluster: Cluster,
    rng: Rng,
    /// The server is not there.
    is_killed: bool,
    /// The server stands still.
    is_stopped: bool,
}

impl Mixed {
    /// Lets something happen; returns what.
    fn happens(&mut self) -> &'static str {
        match self.rng.u32(0..12) {
            0..5 => self.link_fails(),
            5..8 => self.node_fails(),
            _ if self.is_killed || self.is_stopped => self.link_fails(),
            8 => {
                self.cluster.server.pause(true);
                self.is_stopped = true;
                "the server stands still"
            }
            9 => {
                self.cluster.server.kill();
                self.is_killed = true;
                "the server is killed"
            }
            _ => self.data_fail(),
        }
    }

    fn link_fails(&mut self) -> &'static str {
        let link = &self.cluster.links[self.rng.usize(0..3)];
        match self.rng.u32(0..5) {
            0 => {
                link.refuse(true);
                link.cut();
                "a link is refused"
            }
            1 => {
                link.swallow(Way::Out, true);
                "nothing goes out"
            }
            2 => {
                link.swallow(Way::In, true);
                "nothing comes in"
            }
            3 => {
                link.delay(Duration::from_millis(self.rng.u64(1..1500)));
                "a link is slow"
            }
            _ => {
                link.cut();
                "a link is cut"
            }
        }
    }

    fn node_fails(&mut self) -> &'static str {
        let at = self.rng.usize(0..3);
        match self.rng.u32(0..3) {
            0 => {
                self.cluster.nodes[at].kill();
                self.cluster.start_node(at);
                "a node is killed"
            }
            1 => {
                self.cluster.nodes[at].pause(true);
                lasts(Duration::from_millis(self.rng.u64(0..4000)));
                self.cluster.nodes[at].pause(false);
                "a node stood still"
            }
            _ => {
                self.cluster.nodes[at].drain();
                self.cluster.start_node(at);
                "a node is drained"
            }
        }
    }

    fn data_fail(&mut self) -> &'static str {
        let mut control = Control::connect(self.cluster.server.address);
        match self.rng.u32(0..6) {
            0 => {
                control.call(&["CLIENT", "KILL", "TYPE", "pubsub"]);
                "connections are killed"
            }
            1 => {
                control.call(&["SAVE"]);
                "the data are saved"
            }
            2 => {
                control.ok(&["FLUSHALL"]);
                "the data are gone"
            }
            3 => {
                let key = ["m", "s", "p"][self.rng.usize(0..3)];
                control.call(&["DEL", &format!("sb1:{{lobby}}:{key}")]);
                "a key is evicted"
            }
            4 => {
                control.ok(&["SCRIPT", "FLUSH"]);
                "the scripts are gone"
            }
            _ => {
                control.ok(&["CONFIG", "SET", "maxmemory", "1"]);
                "the memory is full"
            }
        }
    }

    /// Ends all that lasts.
    fn calm(&mut self) {
        for link in &self.cluster.links {
            link.refuse(false);
            link.swallow(Way::Out, false);
            link.swallow(Way::In, false);
            link.delay(Duration::ZERO);
        }
        if std::mem::take(&mut self.is_stopped) {
            self.cluster.server.pause(false);
        }
        if std::mem::take(&mut self.is_killed) {
            self.cluster.server.revive();
        }
        let mut control = Control::connect(self.cluster.server.address);
        control.call(&["CONFIG", "SET", "maxmemory", "0"]);
    }
}
