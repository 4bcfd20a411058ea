//! Links between nodes and Redis that fail.

use std::time::Duration;

use switchboard_tests::proxy::Way;

use crate::cluster::{Cluster, lasts};
use crate::on_both_runtimes;

on_both_runtimes!(
    links_that_are_cut_lose_nothing,
    links_that_swallow_what_they_carry_are_given_up,
    links_that_are_slow_lose_nothing,
);

const SECOND: Duration = Duration::from_secs(1);

fn links_that_are_cut_lose_nothing(runtime: &'static str) {
    let Some(cluster) = Cluster::start(runtime) else {
        return;
    };
    for round in 0..6 {
        cluster.links[round % 3].cut();
        cluster.flows();
    }
    // For longer than messages wait.
    cluster.links[0].refuse(true);
    cluster.links[0].cut();
    lasts(5 * SECOND);
    cluster.links[0].refuse(false);
    cluster.check();
}

fn links_that_swallow_what_they_carry_are_given_up(runtime: &'static str) {
    let Some(cluster) = Cluster::start(runtime) else {
        return;
    };
    let ways = [&[Way::Out, Way::In][..], &[Way::Out], &[Way::In]];
    for (link, ways) in cluster.links.iter().zip(ways) {
        for &way in ways {
            link.swallow(way, true);
        }
        lasts(5 * SECOND);
        for &way in ways {
            link.swallow(way, false);
        }
        cluster.flows();
    }
    cluster.check();
}

fn links_that_are_slow_lose_nothing(runtime: &'static str) {
    let Some(cluster) = Cluster::start(runtime) else {
        return;
    };
    cluster.links[0].delay(Duration::from_millis(50));
    cluster.links[1].delay(Duration::from_millis(200));
    lasts(3 * SECOND);
    cluster.flows();
    // Slower than an answer may be.
    cluster.links[1].delay(2 * SECOND);
    lasts(5 * SECOND);
    cluster
        .links
        .iter()
        .for_each(|link| link.delay(Duration::ZERO));
    cluster.check();
}
