//! Nodes that end or stand still under load.

use std::time::Duration;

use crate::cluster::{ALL, Cluster, lasts};
use crate::on_both_runtimes;

on_both_runtimes!(
    clients_of_a_killed_node_go_on_elsewhere,
    a_node_that_stands_still_costs_the_others_nothing,
    clients_of_drained_nodes_go_on_elsewhere,
);

fn clients_of_a_killed_node_go_on_elsewhere(runtime: &'static str) {
    let Some(mut cluster) = Cluster::start(runtime) else {
        return;
    };
    for at in 0..2 {
        cluster.nodes[at].kill();
        // Until the others know that it is dead.
        lasts(Duration::from_secs(4));
        cluster.flows();
        cluster.start_node(at);
    }
    let tally = cluster.check();
    assert!(tally.returns >= 4, "{tally:?}");
    assert_eq!((tally.anew, tally.lost), (ALL, 0), "{tally:?}");
}

fn a_node_that_stands_still_costs_the_others_nothing(runtime: &'static str) {
    let Some(cluster) = Cluster::start(runtime) else {
        return;
    };
    // Shorter and longer than its lease.
    for seconds in [1, 5] {
        cluster.nodes[0].pause(true);
        lasts(Duration::from_secs(seconds));
        cluster.nodes[0].pause(false);
        cluster.flows();
    }
    let tally = cluster.check();
    assert_eq!((tally.anew, tally.lost), (ALL, 0), "{tally:?}");
}

fn clients_of_drained_nodes_go_on_elsewhere(runtime: &'static str) {
    let Some(mut cluster) = Cluster::start(runtime) else {
        return;
    };
    for at in 0..3 {
        cluster.nodes[at].drain();
        cluster.start_node(at);
        cluster.flows();
    }
    let tally = cluster.check();
    assert!(tally.returns >= ALL, "{tally:?}");
    assert_eq!((tally.anew, tally.lost), (ALL, 0), "{tally:?}");
}
