//! What befalls the server.

use std::collections::BTreeSet;

use switchboard_core::cluster::PositionKind;
use switchboard_tests::redis::Server;

use crate::control::Control;
use crate::node::{Locked, Node, ROOM, config, url};
use crate::runtimes::{Host, on_both_runtimes};

on_both_runtimes!(
    a_server_that_stood_still_loses_and_repeats_nothing,
    a_server_killed_and_restarted_without_data_begins_a_new_epoch,
    a_server_killed_and_restarted_with_data_begins_a_new_epoch,
    a_connection_killed_by_the_server_loses_and_repeats_nothing,
    scripts_that_are_gone_are_loaded_again,
    data_that_are_gone_begin_a_new_epoch,
    a_server_without_memory_leaves_the_room_alone_until_it_has_some,
    a_node_that_the_server_found_too_slow_reads_what_it_missed,
);

fn start<H: Host>(server: &Server) -> [Node<H>; 2] {
    let nodes = ["a", "b"].map(|name| Node::<H>::start(server.address, name));
    nodes.iter().for_each(Node::until_live);
    nodes
}

/// Both nodes publish messages of a round.
fn publish<H: Host>(nodes: &[Node<H>; 2], round: &str) {
    for number in 0..50 {
        for (node, name) in nodes.iter().zip(["a", "b"]) {
            node.publish(&format!("{round}-{name}{number}"));
        }
    }
}

/// Messages of a round at a node.
fn of_round(messages: &[String], round: &str) -> Vec<String> {
    let found = messages.iter().filter(|it| it.starts_with(round));
    found.cloned().collect()
}

/// All messages of these rounds are at both nodes, once, and in one order.
fn check<H: Host>(nodes: &[Node<H>; 2], rounds: &[&str]) {
    for node in nodes {
        for round in rounds {
            node.until(round, |it| of_round(&it.messages(ROOM), round).len() >= 100);
        }
    }
    let [first, second] = [nodes[0].messages(), nodes[1].messages()];
    for round in rounds {
        assert_eq!(of_round(&first, round), of_round(&second, round), "{round}");
    }
    for messages in [first, second] {
        let distinct = messages.iter().collect::<BTreeSet<_>>().len();
        assert_eq!(distinct, messages.len(), "a message came twice");
    }
}

fn a_server_that_stood_still_loses_and_repeats_nothing<H: Host>() {
    let Some(server) = Server::start() else {
        return;
    };
    let nodes = start::<H>(&server);
    publish(&nodes, "before");
    server.pause(true);
    publish(&nodes, "while");
    for node in &nodes {
        // What was asked before was not answered in time, and will be carried out all the same.
        node.until("given up", |it| it.attempts() > 1);
    }
    server.pause(false);
    for node in &nodes {
        node.until("back", |it| it.connects > 1);
    }
    publish(&nodes, "after");
    check(&nodes, &["before", "while", "after"]);
    for node in &nodes {
        assert_eq!(node.look(Locked::lost), 0);
    }
}

/// Two nodes before and after something that ends the epoch.
fn around<H: Host>(mishap: impl FnOnce(&mut Server)) {
    let Some(mut server) = Server::start() else {
        return;
    };
    let nodes = start::<H>(&server);
    publish(&nodes, "before");
    check(&nodes, &["before"]);
    mishap(&mut server);
    for node in &nodes {
        node.until("a new epoch", |it| {
            it.positions()
                .any(|(_, kind)| kind == PositionKind::NewEpoch)
                && it.is_live()
        });
    }
    publish(&nodes, "after");
    check(&nodes, &["before", "after"]);
    let epochs = |it: &Locked| it.positions().last().map(|(epoch, _)| epoch.to_owned());
    assert_eq!(nodes[0].look(epochs), nodes[1].look(epochs));
}

fn a_server_killed_and_restarted_without_data_begins_a_new_epoch<H: Host>() {
    around::<H>(Server::restart);
}

fn a_server_killed_and_restarted_with_data_begins_a_new_epoch<H: Host>() {
    around::<H>(|server| {
        Control::connect(server.address).ok(&["SAVE"]);
        server.kill();
        server.revive();
        let mut control = Control::connect(server.address);
        assert_eq!(control.call(&["EXISTS", "sb1:{lobby}:m"]), ":1");
    });
}

fn data_that_are_gone_begin_a_new_epoch<H: Host>() {
    around::<H>(|server| Control::connect(server.address).ok(&["FLUSHALL"]));
}

fn a_connection_killed_by_the_server_loses_and_repeats_nothing<H: Host>() {
    let Some(server) = Server::start() else {
        return;
    };
    let nodes = start::<H>(&server);
    let mut control = Control::connect(server.address);
    for round in ["one", "two", "three"] {
        publish(&nodes, round);
        control.call(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    }
    publish(&nodes, "four");
    check(&nodes, &["one", "two", "three", "four"]);
    for node in &nodes {
        node.until("back", |it| it.connects > 1);
        assert_eq!(node.look(Locked::lost), 0);
    }
}

fn scripts_that_are_gone_are_loaded_again<H: Host>() {
    let Some(server) = Server::start() else {
        return;
    };
    let nodes = start::<H>(&server);
    publish(&nodes, "before");
    check(&nodes, &["before"]);
    Control::connect(server.address).ok(&["SCRIPT", "FLUSH"]);
    publish(&nodes, "after");
    check(&nodes, &["before", "after"]);
    for node in &nodes {
        assert_eq!(node.look(Locked::lost), 0);
    }
}

fn a_server_without_memory_leaves_the_room_alone_until_it_has_some<H: Host>() {
    let Some(server) = Server::start() else {
        return;
    };
    let node = Node::<H>::start_hasty(config(&url(server.address), "a"));
    node.until_live();
    let mut control = Control::connect(server.address);
    control.ok(&["CONFIG", "SET", "maxmemory", "1"]);
    node.until("alone", |it| !it.is_live());
    node.publish("alone");
    node.until_message("alone");
    control.ok(&["CONFIG", "SET", "maxmemory", "0"]);
    node.until_live();
    node.publish("together");
    node.until_message("together");
    assert_eq!(node.messages(), ["alone", "together"]);
}

fn a_node_that_the_server_found_too_slow_reads_what_it_missed<H: Host>() {
    let Some(server) = Server::start() else {
        return;
    };
    let nodes = start::<H>(&server);
    let mut control = Control::connect(server.address);
    let limit = [
        "CONFIG",
        "SET",
        "client-output-buffer-limit",
        "pubsub 64kb 0 0",
    ];
    control.ok(&limit);
    publish(&nodes, "before");
    // More than the limit at once, as if the node had not read for long.
    control.call(&["PUBLISH", "sb1:{lobby}:c", &"x".repeat(1 << 20)]);
    publish(&nodes, "after");
    check(&nodes, &["before", "after"]);
    for node in &nodes {
        node.until("cut off", |it| it.connects > 1);
        assert_eq!(node.look(Locked::lost), 0);
    }
}
