//! A master that sentinels know, and who follows it.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use switchboard_core::cluster::PositionKind;
use switchboard_runtime::redis::adapter::Problem;
use switchboard_tests::redis::Server;

use crate::control::Control;
use crate::node::{Node, config};
use crate::runtimes::{Host, on_both_runtimes};

on_both_runtimes!(
    a_node_follows_the_master_that_its_sentinels_name,
    sentinels_that_do_not_know_the_master_are_told,
);

fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "never {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn a_node_follows_the_master_that_its_sentinels_name<H: Host>() {
    let (Some(mut master), Some(replica)) = (Server::start(), Server::start()) else {
        return;
    };
    let port = master.address.port().to_string();
    Control::connect(replica.address).ok(&["REPLICAOF", "127.0.0.1", &port]);
    until("a replica", || {
        let mut control = Control::connect(master.address);
        // Waits for a replica that has everything.
        control.call(&["WAIT", "1", "1000"]) == ":1"
    });
    let Some(sentinel) = Server::start_sentinel("main", master.address) else {
        return;
    };
    until("known", || {
        let mut control = Control::connect(sentinel.address);
        control.call(&["SENTINEL", "REPLICAS", "main"]) == "*1"
    });
    // One of the sentinels is not there, and one never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = silent.local_addr().map(|address| (silent, address));
    let (_silent, address) = silent.expect("an address");
    let url = format!(
        "redis+sentinel://127.0.0.1:1,{address},{}/main",
        sentinel.address
    );
    let nodes = ["a", "b"].map(|name| Node::<H>::start_with(config(&url, name)));
    nodes.iter().for_each(Node::until_live);
    nodes[0].publish("before");
    nodes[1].until_message("before");
    master.kill();
    for node in &nodes {
        node.until("promoted", |it| {
            it.positions()
                .any(|(_, kind)| kind == PositionKind::NewEpoch)
                && it.is_live()
        });
    }
    nodes[0].publish("after");
    nodes[1].until_message("after");
}

fn sentinels_that_do_not_know_the_master_are_told<H: Host>() {
    let Some(master) = Server::start() else {
        return;
    };
    let Some(sentinel) = Server::start_sentinel("main", master.address) else {
        return;
    };
    let url = format!("redis+sentinel://{}/other", sentinel.address);
    let node = Node::<H>::start_with(config(&url, "a"));
    node.until("told", |it| {
        let unknown = |it: &Problem| matches!(it, Problem::NoMaster(_, name) if **name == *"other");
        it.problems.iter().any(unknown)
    });
}
