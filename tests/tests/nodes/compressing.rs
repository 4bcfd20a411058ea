//! Rooms that nodes share, with members who inflate messages and others who do not.

use switchboard_core::protocol::Content;
use switchboard_core::{Compression, Exclude, Order, RoomMessage, RoomRule};
use switchboard_tests::redis::Server;

use crate::client::Client;
use crate::hub::{Node, ROOM, config};
use crate::runtimes::on_both_runtimes;
use crate::serving::Serve;

on_both_runtimes!(
    each_node_compresses_a_message_once_for_those_who_inflate_it,
    without_a_common_order_each_node_compresses_a_message_once,
    a_message_that_is_to_stay_plain_does_so_on_all_nodes,
);

/// A room without a common order.
const CURSORS: &str = "cursors";
/// A room whose messages are not compressed.
const SECRET: &str = "secret";

fn pair<H: Serve>(server: &Server) -> [Node<H>; 2] {
    let configs = ["a", "b"].map(|name| {
        let mut config = config(server, name);
        config.compression = Some(Compression::default());
        config.room_rules = vec![
            RoomRule {
                prefix: CURSORS.into(),
                order: Some(Order::Local),
                ..RoomRule::default()
            },
            RoomRule {
                prefix: SECRET.into(),
                compress: Some(false),
                ..RoomRule::default()
            },
        ];
        config
    });
    let nodes = Node::<H>::start_all(configs.into());
    nodes.try_into().unwrap_or_else(|_| panic!("two nodes"))
}

/// Text that compresses well, and that no other number has.
fn words(number: u64) -> String {
    format!("{number}{}", " how now brown cow".repeat(40))
}

impl<H: Serve> Node<H> {
    fn compressed(&self) -> u64 {
        self.hub.stats().compressed.messages
    }
}

/// Ann and Bob inflate what they get, each on a node of their own; Eve, who is beside Bob, does not.
struct Room<H> {
    nodes: [Node<H>; 2],
    ann: Client,
    bob: Client,
    eve: Client,
}

impl<H: Serve> Room<H> {
    fn new(server: &Server, room: &str) -> Self {
        let nodes = pair::<H>(server);
        let mut ann = Client::entered_inflating(nodes[0].address, "ann", room);
        let mut bob = Client::entered_inflating(nodes[1].address, "bob", room);
        let (mut eve, ..) = Client::entered(nodes[1].address, "eve", room);
        // What is sent before Redis has subscribed the other node does not reach it.
        for client in [&mut ann, &mut bob, &mut eve] {
            client.until_present(&["ann", "bob", "eve"]);
        }
        Self {
            nodes,
            ann,
            bob,
            eve,
        }
    }
}

fn each_node_compresses_a_message_once_for_those_who_inflate_it<H: Serve>() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut it = Room::<H>::new(&server, ROOM);
    for number in 0..12 {
        it.ann.say(ROOM, &words(number), number);
        it.eve.until_said(&words(number));
        it.bob.until_said(&words(number));
    }
    it.nodes[0]
        .hub
        .broadcast(ROOM, &format!("{:?}", words(12)))
        .expect("sent");
    let seq = it.eve.until_said(&words(12));
    assert_eq!(it.bob.until_said(&words(12)), seq);
    assert_eq!(it.ann.until_said(&words(12)), seq);
    // Ann has not asked for an echo of her own.
    assert_eq!((it.ann.inflated(), it.bob.inflated()), (1, 13));
    // A small one stays as it is.
    it.ann.say(ROOM, "short", 13);
    it.bob.until_said("short");
    assert_eq!(it.bob.inflated(), 13);
    for node in &it.nodes {
        assert_eq!(node.compressed(), 13);
    }
}

fn without_a_common_order_each_node_compresses_a_message_once<H: Serve>() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut it = Room::<H>::new(&server, CURSORS);
    it.ann.say(CURSORS, &words(1), 1);
    it.eve.until_said(&words(1));
    it.bob.until_said(&words(1));
    it.bob.say(CURSORS, &words(2), 2);
    it.ann.until_said(&words(2));
    it.eve.until_said(&words(2));
    assert_eq!((it.ann.inflated(), it.bob.inflated()), (1, 1));
    for node in &it.nodes {
        assert_eq!(node.compressed(), 2);
    }
}

fn a_message_that_is_to_stay_plain_does_so_on_all_nodes<H: Serve>() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut it = Room::<H>::new(&server, ROOM);
    let text = format!("{:?}", words(1));
    let content = Content::parse(&text).expect("JSON");
    let message = RoomMessage::new(ROOM, content).uncompressed();
    it.nodes[0]
        .hub
        .broadcast_message(message, Exclude::NOBODY)
        .expect("sent");
    it.ann.until_said(&words(1));
    it.bob.until_said(&words(1));
    let mut ann = Client::entered_inflating(it.nodes[0].address, "ann2", SECRET);
    let mut bob = Client::entered_inflating(it.nodes[1].address, "bob2", SECRET);
    ann.say(SECRET, &words(2), 2);
    bob.until_said(&words(2));
    bob.say(SECRET, &words(3), 3);
    ann.until_said(&words(3));
    for client in [it.ann, it.bob, ann, bob] {
        assert_eq!(client.inflated(), 0);
    }
    for node in &it.nodes {
        assert_eq!(node.compressed(), 0);
    }
}
