//! What crosses nodes beside messages of rooms.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use switchboard_core::ConnectionId;
use switchboard_core::cluster::{ClusterNotice, Output, Question};
use switchboard_tests::redis::Server;

use crate::node::{Locked, Node, ROOM};
use crate::runtimes::{Host, on_both_runtimes};

on_both_runtimes!(
    nodes_know_each_other_and_miss_one_that_is_gone,
    users_of_a_room_are_seen_on_the_other_node_until_it_is_gone,
    of_two_logins_at_once_on_two_nodes_one_stays,
    a_user_is_reached_and_kicked_on_the_other_node,
    a_message_for_everyone_reaches_the_other_node,
);

fn two<H: Host>(server: &Server) -> [Node<H>; 2] {
    let nodes = ["a", "b"].map(|name| Node::<H>::start(server.address, name));
    for node in &nodes {
        node.until_live();
        node.until("two nodes", |it| it.nodes() == 2);
    }
    nodes
}

fn ann() -> Arc<str> {
    "ann".into()
}

fn logs_in<H: Host>(node: &Node<H>) {
    let connection: ConnectionId = "0-0".parse().expect("an id");
    node.act(|machine, now| machine.logged_in(now, &ann(), connection));
}

fn closed(locked: &Locked) -> usize {
    let closes = locked.told.iter();
    closes
        .filter(|told| matches!(told, Output::Close { .. }))
        .count()
}

/// How many nodes and connections took a message to a user, once that is known.
fn taken(locked: &Locked, asked: Question) -> Option<(u32, u64)> {
    locked.told.iter().find_map(|told| match told {
        Output::Taken {
            question,
            nodes,
            queues,
            ..
        } if *question == asked => Some((*nodes, *queues)),
        _ => None,
    })
}

fn nodes_know_each_other_and_miss_one_that_is_gone<H: Host>() {
    let Some(server) = Server::start() else {
        return;
    };
    let [stays, goes] = two::<H>(&server);
    // Without a last word, as if it had been killed.
    drop(goes);
    stays.until("missed", |it| it.nodes() == 1);
    let is_told = |told: &Output| matches!(told, Output::Notice(ClusterNotice::NodeDown(_)));
    stays.look(|it| assert!(it.told.iter().any(is_told)));
}

fn users_of_a_room_are_seen_on_the_other_node_until_it_is_gone<H: Host>() {
    let Some(server) = Server::start() else {
        return;
    };
    let [here, there] = two::<H>(&server);
    there.act(|machine, now| machine.appeared(now, &ROOM.into(), &ann(), None));
    here.until("seen", |it| it.users_elsewhere() == ["ann"]);
    drop(there);
    here.until("gone", |it| it.users_elsewhere().is_empty());
}

fn of_two_logins_at_once_on_two_nodes_one_stays<H: Host>() {
    let Some(server) = Server::start() else {
        return;
    };
    let nodes = two::<H>(&server);
    nodes.iter().for_each(logs_in);
    let closes = || nodes.iter().map(|node| node.look(closed)).sum::<usize>();
    until("one is closed", || closes() > 0);
    // Whatever else these claims brought about is told before what is sent now.
    for node in &nodes {
        node.publish("settled");
    }
    for node in &nodes {
        node.until("settled", |it| it.messages(ROOM).len() == 2);
    }
    assert_eq!(closes(), 1);
}

fn a_user_is_reached_and_kicked_on_the_other_node<H: Host>() {
    let Some(server) = Server::start() else {
        return;
    };
    let [here, there] = two::<H>(&server);
    logs_in(&there);
    // Until the claim is at the broker, nobody is there to be told.
    until("reached", || {
        let sent = here.act(|machine, now| machine.direct(now, &ann(), b"hello"));
        let sent = sent.expect("there is space");
        here.until("answered", |it| taken(it, sent).is_some());
        here.look(|it| taken(it, sent)) == Some((1, 1))
    });
    let hello = |told: &Output| matches!(told, Output::Direct { body, .. } if **body == *b"hello");
    there.look(|it| assert!(it.told.iter().any(hello)));
    let kicked = here.act(|machine, now| machine.kick(now, &ann(), &"kicked".into()));
    let kicked = kicked.expect("there is space");
    there.until("closed", |it| closed(it) == 1);
    here.until("told", |it| {
        it.told.contains(&Output::Kicked {
            question: kicked,
            nodes: 1,
            connections: 1,
            complete: true,
        })
    });
}

fn a_message_for_everyone_reaches_the_other_node<H: Host>() {
    let Some(server) = Server::start() else {
        return;
    };
    let [here, there] = two::<H>(&server);
    assert!(here.act(|machine, now| machine.tell_everyone(now, b"all")));
    let all = |told: &Output| matches!(told, Output::Everyone { body, .. } if **body == *b"all");
    there.until("told", |it| it.told.iter().any(all));
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::yield_now();
    }
}
