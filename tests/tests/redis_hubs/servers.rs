//! What befalls Redis under load.

use std::thread;
use std::time::{Duration, Instant};

use switchboard_tests::proxy::Proxy;
use switchboard_tests::proxy::Way;
use switchboard_tests::redis::Server;

use crate::cluster::{ALL, Cluster, lasts};
use crate::control::Control;
use crate::on_both_runtimes;

on_both_runtimes!(
    a_server_that_stands_still_loses_nothing,
    a_server_that_is_killed_and_comes_back_with_or_without_data_is_told,
    connections_that_the_server_ends_lose_nothing,
    a_replica_that_lacks_the_last_writes_is_told,
    data_that_are_gone_are_told,
    a_server_without_memory_is_told,
);

const SECOND: Duration = Duration::from_secs(1);

fn a_server_that_stands_still_loses_nothing(runtime: &'static str) {
    let Some(cluster) = Cluster::start(runtime) else {
        return;
    };
    // Shorter than an answer may take, and longer than messages wait.
    for millis in [500, 1500, 5000] {
        cluster.server.pause(true);
        lasts(Duration::from_millis(millis));
        cluster.server.pause(false);
        cluster.flows();
    }
    cluster.check();
}

fn a_server_that_is_killed_and_comes_back_with_or_without_data_is_told(runtime: &'static str) {
    let Some(mut cluster) = Cluster::start(runtime) else {
        return;
    };
    cluster.server.restart();
    cluster.flows();
    Control::connect(cluster.server.address).ok(&["SAVE"]);
    cluster.flows();
    cluster.server.kill();
    lasts(SECOND);
    cluster.server.revive();
    cluster.flows();
    // For longer than messages wait.
    cluster.server.kill();
    lasts(4 * SECOND);
    cluster.server.revive();
    let tally = cluster.check();
    assert!(tally.anew >= 4 * ALL, "{tally:?}");
}

fn connections_that_the_server_ends_lose_nothing(runtime: &'static str) {
    let Some(cluster) = Cluster::start(runtime) else {
        return;
    };
    let mut control = Control::connect(cluster.server.address);
    for _ in 0..5 {
        control.call(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        cluster.flows();
    }
    control.ok(&["SCRIPT", "FLUSH"]);
    cluster.flows();
    let limit = "pubsub 64kb 0 0";
    control.ok(&["CONFIG", "SET", "client-output-buffer-limit", limit]);
    // More than the limit at once, as if the nodes had not read for long.
    control.call(&["PUBLISH", "sb1:{lobby}:c", &"x".repeat(1 << 20)]);
    let tally = cluster.check();
    assert_eq!((tally.anew, tally.lost), (ALL, 0), "{tally:?}");
}

fn a_replica_that_lacks_the_last_writes_is_told(runtime: &'static str) {
    let Some(cluster) = Cluster::start(runtime) else {
        return;
    };
    let Some(replica) = Server::start() else {
        return;
    };
    let held_back = Proxy::to(cluster.server.address);
    let port = held_back.address.port().to_string();
    let mut control = Control::connect(replica.address);
    control.ok(&["REPLICAOF", "127.0.0.1", &port]);
    let deadline = Instant::now() + Duration::from_secs(30);
    while Control::connect(cluster.server.address).call(&["WAIT", "1", "1000"]) != ":1" {
        assert!(Instant::now() < deadline, "no replica");
        thread::yield_now();
    }
    cluster.flows();
    held_back.swallow(Way::In, true);
    cluster.flows();
    control.ok(&["REPLICAOF", "NO", "ONE"]);
    for link in &cluster.links {
        link.lead_to(replica.address);
        link.cut();
    }
    let tally = cluster.check();
    assert!(tally.anew >= 2 * ALL, "{tally:?}");
}

fn data_that_are_gone_are_told(runtime: &'static str) {
    let Some(cluster) = Cluster::start(runtime) else {
        return;
    };
    let mut control = Control::connect(cluster.server.address);
    control.ok(&["FLUSHALL"]);
    cluster.flows();
    // As an eviction takes them, one at a time.
    for key in ["m", "s", "p"] {
        control.call(&["DEL", &format!("sb1:{{lobby}}:{key}")]);
        cluster.flows();
    }
    control.call(&["DEL", "sb1:{n}"]);
    control.ok(&["CONFIG", "SET", "maxmemory-policy", "allkeys-random"]);
    control.ok(&["CONFIG", "SET", "maxmemory", "1500kb"]);
    lasts(3 * SECOND);
    control.ok(&["CONFIG", "SET", "maxmemory", "0"]);
    cluster.check();
}

fn a_server_without_memory_is_told(runtime: &'static str) {
    let Some(cluster) = Cluster::start(runtime) else {
        return;
    };
    let mut control = Control::connect(cluster.server.address);
    for seconds in [1, 4] {
        control.ok(&["CONFIG", "SET", "maxmemory", "1"]);
        lasts(seconds * SECOND);
        control.ok(&["CONFIG", "SET", "maxmemory", "0"]);
        cluster.flows();
    }
    cluster.check();
}
