//! Servers that a node may not use: what it says, and that it goes on alone.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use switchboard_runtime::redis::adapter::Problem;
use switchboard_tests::redis::Server;

use crate::control::Control;
use crate::node::{Locked, Node, config, url};
use crate::runtimes::{Host, on_both_runtimes};

on_both_runtimes!(
    a_wrong_password_is_told_and_the_right_one_is_taken,
    access_rules_that_lack_a_command_are_told_by_its_name,
    access_rules_that_lack_the_channels_are_told,
    the_access_rules_of_the_documentation_are_enough,
    a_replica_is_not_written_to,
    what_is_not_redis_is_told,
    an_answer_without_end_is_cut_off,
    a_payload_that_is_too_large_or_garbled_is_dropped_and_counted,
);

/// The rules in docs/cluster.md, for the user `node`.
fn documented_rules() -> Vec<String> {
    let page = include_str!("../../../docs/cluster.md");
    let rules = page
        .lines()
        .find(|line| line.starts_with("ACL SETUSER node "))
        .expect("the page has rules");
    rules.split(' ').map(str::to_owned).collect()
}

fn allow(server: &Server, rules: &[String], more: &[&str]) {
    let mut rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    rules.extend(more);
    Control::connect(server.address).ok(&rules);
}

fn as_node(server: &Server) -> String {
    format!("redis://node:secret@{}", server.address)
}

/// The node finds this problem, and its room goes on alone.
fn until_alone<H: Host>(node: &Node<H>, is: impl Fn(&Problem) -> bool) {
    node.until("the problem", |it| it.problems.iter().any(&is));
    node.until("alone", |it| !it.is_live() && it.positions().count() > 0);
    node.look(|it| assert!(it.problems.iter().all(&is), "{:?}", it.problems));
    node.publish("alone");
    node.until_message("alone");
}

fn a_wrong_password_is_told_and_the_right_one_is_taken<H: Host>() {
    let Some(server) = Server::start() else {
        return;
    };
    allow(&server, &documented_rules(), &["resetpass", ">other"]);
    let node = Node::<H>::start_hasty(config(&as_node(&server), "a"));
    until_alone(&node, |it| matches!(it, Problem::Login(_)));
    let told = node.look(|it| it.problems[0].to_string());
    assert!(
        !told.contains("secret") && told.contains("password"),
        "{told}"
    );
    allow(&server, &documented_rules(), &[]);
    node.until_live();

    // A server that wants a password, and a node that has none.
    let mut control = Control::connect(server.address);
    control.ok(&["CONFIG", "SET", "requirepass", "hidden"]);
    let without = Node::<H>::start_hasty(config(&url(server.address), "b"));
    until_alone(&without, |it| matches!(it, Problem::Login(_)));
    let with = Node::<H>::start_with(config(&format!("redis://:hidden@{}", server.address), "c"));
    with.until_live();
}

fn access_rules_that_lack_a_command_are_told_by_its_name<H: Host>() {
    let Some(server) = Server::start() else {
        return;
    };
    for (rule, name) in [
        ("-xadd", "XADD"),
        ("-hincrby", "HINCRBY"),
        ("-evalsha", "evalsha"),
        ("-info", "info"),
        ("-script|load", "script"),
        ("-subscribe", "subscribe"),
    ] {
        allow(&server, &documented_rules(), &[rule]);
        let node = Node::<H>::start_hasty(config(&as_node(&server), "a"));
        until_alone(
            &node,
            |it| matches!(it, Problem::NoPermission(_, error) if error.contains(name)),
        );
    }
    let node = Node::<H>::start_hasty(config(&as_node(&server), "a"));
    node.until("refused", |it| !it.problems.is_empty());
    allow(&server, &documented_rules(), &[]);
    node.until_live();
}

fn access_rules_that_lack_the_channels_are_told<H: Host>() {
    let Some(server) = Server::start() else {
        return;
    };
    for rule in ["resetchannels", "resetkeys"] {
        allow(&server, &documented_rules(), &[rule]);
        let node = Node::<H>::start_hasty(config(&as_node(&server), "a"));
        until_alone(&node, |it| matches!(it, Problem::NoPermission(..)));
    }
}

fn the_access_rules_of_the_documentation_are_enough<H: Host>() {
    let Some(server) = Server::start() else {
        return;
    };
    allow(&server, &documented_rules(), &[]);
    let nodes = ["a", "b"].map(|name| Node::<H>::start_with(config(&as_node(&server), name)));
    nodes.iter().for_each(Node::until_live);
    nodes[0].publish("hello");
    nodes[1].until_message("hello");
    nodes[1].leave("lobby");
    nodes[1].enter("lobby");
    nodes[1].until("back", |it| it.positions().count() == 2);
    for node in &nodes {
        node.look(|it| assert!(it.problems.is_empty(), "{:?}", it.problems));
    }
}

fn a_replica_is_not_written_to<H: Host>() {
    let (Some(master), Some(replica)) = (Server::start(), Server::start()) else {
        return;
    };
    let port = master.address.port().to_string();
    let mut control = Control::connect(replica.address);
    control.ok(&["REPLICAOF", "127.0.0.1", &port]);
    let node = Node::<H>::start_hasty(config(&url(replica.address), "a"));
    until_alone(&node, |it| matches!(it, Problem::Replica(_)));
    control.ok(&["REPLICAOF", "NO", "ONE"]);
    node.until_live();
    // One that is made a replica later refuses the next write.
    control.ok(&["REPLICAOF", "127.0.0.1", &port]);
    node.publish("waits");
    node.until("refused", |it| {
        it.connects > 1
            || it
                .problems
                .last()
                .is_some_and(|it| matches!(it, Problem::Replica(_)))
    });
}

/// A server that answers whatever it reads with the same bytes, so many times.
fn answers(bytes: &'static [u8], times: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a client");
            thread::spawn(move || {
                let mut buffer = [0; 1 << 14];
                while stream.read(&mut buffer).is_ok_and(|count| count > 0) {
                    for _ in 0..times {
                        if stream.write_all(bytes).is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    address
}

fn what_is_not_redis_is_told<H: Host>() {
    for bytes in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"+OK\r\n",
        b"*1\r\n*1\r\n:1\r\n",
        b"$5\r\nabcdefg",
    ] {
        let node = Node::<H>::start_hasty(config(&url(answers(bytes, 100)), "a"));
        until_alone(&node, |it| matches!(it, Problem::Garbled(..)));
    }
}

fn an_answer_without_end_is_cut_off<H: Host>() {
    let endless = answers(b"$99999999\r\n", 1 << 30);
    let mut config = config(&url(endless), "a");
    config.longest_answer = 1 << 20;
    let node = Node::<H>::start_hasty(config);
    until_alone(&node, |it| matches!(it, Problem::Garbled(..)));
}

fn a_payload_that_is_too_large_or_garbled_is_dropped_and_counted<H: Host>() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut config = config(&url(server.address), "a");
    config.largest_push = 1000;
    let node = Node::<H>::start_with(config);
    node.until_live();
    let mut control = Control::connect(server.address);
    let channel = "sb1:{lobby}:c";
    assert_eq!(control.call(&["PUBLISH", channel, &"x".repeat(1001)]), ":1");
    assert_eq!(control.call(&["PUBLISH", channel, "nonsense"]), ":1");
    assert_eq!(control.call(&["PUBLISH", channel, "1\tM\tx"]), ":1");
    node.until("counted", |it| (it.dropped, it.bad_pushes()) == (1, 2));
    // A message of the log that is dropped on its way is read from there.
    let large = "y".repeat(2000);
    node.publish(&large);
    node.publish("small");
    node.until_message("small");
    assert_eq!(node.messages(), [large, "small".to_owned()]);
    assert_eq!(node.look(Locked::lost), 0);
    assert_eq!(node.look(|it| it.connects), 1);
}
