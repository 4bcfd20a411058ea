//! Messages of several nodes without any fault.

use std::collections::BTreeSet;

use switchboard_core::cluster::{Answer, Command, Range};
use switchboard_tests::redis::Server;

use crate::node::{Node, ROOM};
use crate::runtimes::{Host, on_both_runtimes};

on_both_runtimes!(
    messages_of_two_nodes_arrive_at_both_in_one_order,
    a_node_that_left_a_room_hears_no_more_of_it,
    a_long_read_goes_through_a_connection_of_its_own,
);

fn messages_of_two_nodes_arrive_at_both_in_one_order<H: Host>() {
    let Some(server) = Server::start() else {
        return;
    };
    let nodes = ["a", "b"].map(|name| Node::<H>::start(server.address, name));
    nodes.iter().for_each(Node::until_live);
    for number in 0..500 {
        for (node, name) in nodes.iter().zip(["a", "b"]) {
            node.publish(&format!("{name}{number}"));
        }
    }
    for node in &nodes {
        node.until("all", |it| it.messages(ROOM).len() == 1000);
    }
    let [first, second] = nodes.map(|node| node.messages());
    assert_eq!(first, second);
    assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), 1000);
    for name in ["a", "b"] {
        let own = first.iter().filter(|it| it.starts_with(name));
        let sent = (0..500).map(|number| format!("{name}{number}"));
        assert!(own.cloned().eq(sent), "{name} has another order");
    }
}

fn a_node_that_left_a_room_hears_no_more_of_it<H: Host>() {
    let Some(server) = Server::start() else {
        return;
    };
    let [a, b] = ["a", "b"].map(|name| Node::<H>::start(server.address, name));
    for room in ["lobby", "x", "y"] {
        a.enter(room);
    }
    a.until_live();
    b.until_live();
    a.leave(ROOM);
    b.publish("unheard");
    b.until_message("unheard");
    a.enter(ROOM);
    a.until("back", |it| it.positions().count() == 2);
    b.publish("heard");
    a.until_message("heard");
    assert_eq!(a.messages(), ["heard"]);
}

fn a_long_read_goes_through_a_connection_of_its_own<H: Host>() {
    let Some(server) = Server::start() else {
        return;
    };
    let node = Node::<H>::start(server.address, "a");
    node.until_live();
    for number in 0..300 {
        node.publish(&number.to_string());
    }
    node.until_message("299");
    let epoch = node.look(|it| it.positions().next().map(|(epoch, _)| epoch.to_owned()));
    let incarnation = node.look(|it| it.incarnation.clone());
    let range = Command::Range(Range {
        room: ROOM.into(),
        incarnation: incarnation.into(),
        epoch: epoch.expect("an epoch").into(),
        after: 0,
        most: 1000,
    });
    for number in 0..3 {
        node.read(number, range.clone());
    }
    node.until("read", |it| it.reads.len() == 3);
    node.look(|it| {
        for done in it.reads.values() {
            let Some(Ok(Answer::Range(Some(entries)))) = done else {
                panic!("{done:?}");
            };
            assert_eq!(entries.len(), 300);
        }
        assert_eq!(it.connects, 1);
    });
}
