//! Messages of rooms, and coming back to them on another node.

use serde_json::json;
use switchboard_core::{Exclude, Frame, Order, RoomRule};
use switchboard_tests::redis::Server;

use crate::client::Client;
use crate::hub::{Node, ROOM, config};
use crate::runtimes::on_both_runtimes;
use crate::serving::Serve;

on_both_runtimes!(
    a_message_has_the_same_epoch_and_number_on_both_nodes_and_is_acknowledged,
    members_of_both_nodes_see_one_order,
    who_comes_back_to_the_other_node_gets_what_was_missed,
    a_publisher_is_told_the_number,
    without_a_common_order_own_members_get_a_message_at_once_and_others_too,
    what_is_volatile_or_raw_crosses_without_a_number,
    a_message_sent_again_through_the_other_node_is_published_once,
    what_follows_a_message_sent_again_comes_behind_it,
);

fn a_message_has_the_same_epoch_and_number_on_both_nodes_and_is_acknowledged<H: Serve>() {
    let Some(server) = Server::start() else {
        return;
    };
    let [one, other] = Node::<H>::pair(&server);
    let (mut ann, epoch, seq) = Client::entered(one.address, "ann", ROOM);
    let (mut bob, other_epoch, other_seq) = Client::entered(other.address, "bob", ROOM);
    assert_eq!((&epoch, seq), (&other_epoch, other_seq));
    ann.say(ROOM, "hello", 7);
    assert_eq!(bob.until_said("hello"), seq + 1);
    let ack = ann.until_answered(7);
    assert_eq!(
        (&ack["type"], &ack["seq"]),
        (&"ack".into(), &(seq + 1).into())
    );
    assert_eq!(ack.get("local"), None);
    // Without an echo, the sender gets its own message from nobody.
    bob.say(ROOM, "welcome", 8);
    assert_eq!(ann.until_said("welcome"), seq + 2);
    assert_eq!(ann.contents().len(), 1);
    drop((one, other));
}

fn members_of_both_nodes_see_one_order<H: Serve>() {
    let Some(server) = Server::start() else {
        return;
    };
    let [one, other] = Node::<H>::pair(&server);
    let mut members: Vec<Client> = [&one, &other]
        .map(|node| {
            ["x", "y"].map(|name| {
                let user = format!("{name}{}", node.address.port());
                Client::entered(node.address, &user, ROOM).0
            })
        })
        .into_iter()
        .flatten()
        .collect();
    let (mut ann, ..) = Client::entered(one.address, "ann", ROOM);
    let (mut bob, ..) = Client::entered(other.address, "bob", ROOM);
    for number in 0..50 {
        ann.say(ROOM, &format!("a{number}"), number);
        bob.say(ROOM, &format!("b{number}"), number);
    }
    let logs: Vec<_> = members
        .iter_mut()
        .map(|member| {
            member.until("all messages", |it| {
                (it.contents().len() == 100).then_some(())
            });
            member.contents()
        })
        .collect();
    assert!(logs.iter().all(|log| *log == logs[0]), "{logs:?}");
    let first = logs[0][0].0;
    let numbers = logs[0].iter().map(|(seq, _)| *seq);
    assert!(numbers.eq(first..first + 100));
    assert_eq!(one.hub.audit(), Ok(()));
    assert_eq!(other.hub.audit(), Ok(()));
}

fn who_comes_back_to_the_other_node_gets_what_was_missed<H: Serve>() {
    let Some(server) = Server::start() else {
        return;
    };
    let [one, other] = Node::<H>::pair(&server);
    let (mut ann, epoch, _) = Client::entered(one.address, "ann", ROOM);
    let (bob, ..) = Client::entered(one.address, "bob", ROOM);
    ann.say(ROOM, "first", 1);
    let first = ann.until_answered(1)["seq"].as_u64().expect("a number");
    drop(bob);
    for number in 2..10 {
        ann.say(ROOM, &format!("missed {number}"), number);
        ann.until_answered(number);
    }
    // Nobody has been in the room on this node before.
    let since = format!("&since={epoch}.{first}");
    let mut bob = Client::enter_with(other.address, "bob", ROOM, &since);
    let at = bob.until_type("subscribed");
    assert_eq!(
        (&at["recovered"], &at["epoch"]),
        (&true.into(), &epoch.into())
    );
    bob.until_said("missed 9");
    let missed = (2..10).map(|number| (first + number - 1, format!("missed {number}")));
    assert!(
        bob.contents().into_iter().eq(missed),
        "{:?}",
        bob.contents()
    );
    ann.say(ROOM, "live", 10);
    assert_eq!(bob.until_said("live"), first + 9);
    assert_eq!(one.hub.audit(), Ok(()));
    assert_eq!(other.hub.audit(), Ok(()));
}

fn a_publisher_is_told_the_number<H: Serve>() {
    let Some(server) = Server::start() else {
        return;
    };
    let [one, other] = Node::<H>::pair(&server);
    let (mut ann, epoch, seq) = Client::entered(one.address, "ann", ROOM);
    // Nobody here is in the room.
    let published = H::block_on(other.hub.publish(ROOM, r#""news""#)).expect("published");
    assert_eq!((&*published.epoch, published.seq), (&*epoch, seq + 1));
    assert_eq!(ann.until_said("news"), seq + 1);
    let receipt = other.hub.broadcast(ROOM, r#""more""#).expect("taken");
    assert!(receipt.forwarded && receipt.seq.is_none(), "{receipt:?}");
    assert_eq!(ann.until_said("more"), seq + 2);
    let _ = config(&server, "c");
}

fn without_a_common_order_own_members_get_a_message_at_once_and_others_too<H: Serve>() {
    let Some(server) = Server::start() else {
        return;
    };
    let configs = ["a", "b"].map(|name| {
        let mut config = config(&server, name);
        config.room_rules = vec![RoomRule {
            prefix: "cursors".into(),
            order: Some(Order::Local),
            ..RoomRule::default()
        }];
        config
    });
    let nodes = Node::<H>::start_all(configs.into());
    let (mut ann, epoch, _) = Client::entered(nodes[0].address, "ann", "cursors");
    let (mut bob, other, _) = Client::entered(nodes[1].address, "bob", "cursors");
    // Each node numbers by itself.
    assert_ne!(epoch, other);
    // What is sent before Redis has subscribed the other node does not reach it.
    ann.until_present(&["ann", "bob"]);
    bob.until_present(&["ann", "bob"]);
    let receipt = nodes[0].hub.broadcast("cursors", r#""here""#);
    let receipt = receipt.expect("sent");
    assert_eq!((receipt.seq, receipt.accepted), (Some(1), 1));
    ann.until_said("here");
    bob.until_said("here");
    ann.say("cursors", "there", 1);
    bob.until_said("there");
    assert_eq!(ann.until_answered(1)["type"], "ack");
}

fn what_is_volatile_or_raw_crosses_without_a_number<H: Serve>() {
    let Some(server) = Server::start() else {
        return;
    };
    let [one, other] = Node::<H>::pair(&server);
    let (mut ann, ..) = Client::entered(one.address, "ann", ROOM);
    let (mut bob, ..) = Client::entered(other.address, "bob", ROOM);
    ann.send(&serde_json::json!({
        "type": "message", "channel": ROOM, "content": "typing", "volatile": true,
    }));
    assert_eq!(bob.until_said("typing"), 0);
    let frame = Frame::text(r#"{"type":"raw"}"#);
    one.hub
        .broadcast_raw(ROOM, frame, Exclude::NOBODY)
        .expect("sent");
    bob.until_type("raw");
    ann.until_type("raw");
}

fn a_message_sent_again_through_the_other_node_is_published_once<H: Serve>() {
    let Some(server) = Server::start() else {
        return;
    };
    let [one, other] = Node::<H>::pair(&server);
    let (mut eve, ..) = Client::entered(other.address, "eve", ROOM);
    let mut ann = Client::enter_with(one.address, "ann", ROOM, "&session=s1");
    ann.until_type("subscribed");
    ann.say(ROOM, "once", 1);
    let seq = ann.until_answered(1)["seq"].as_u64().expect("a number");
    eve.until_said("once");
    // It has not seen the answer, and comes back elsewhere.
    drop(ann);
    let mut ann = Client::enter_with(other.address, "ann", ROOM, "&session=s1");
    ann.until_type("subscribed");
    ann.send(&serde_json::json!({
        "type": "message", "channel": ROOM, "content": "once", "id": 1, "again": seq - 1,
    }));
    let answer = ann.until_answered(1);
    assert_eq!(
        (&answer["seq"], &answer["duplicate"]),
        (&seq.into(), &true.into())
    );
    ann.say(ROOM, "later", 2);
    eve.until_said("later");
    assert_eq!(eve.contents().len(), 2);
}

fn what_follows_a_message_sent_again_comes_behind_it<H: Serve>() {
    let Some(server) = Server::start() else {
        return;
    };
    let [one, other] = Node::<H>::pair(&server);
    let (mut ann, ..) = Client::entered(other.address, "ann", ROOM);
    let mut bob = Client::enter_with(one.address, "bob", ROOM, "&session=s");
    let at = bob.until_type("subscribed")["seq"].clone();
    let message =
        |id: u64| json!({"type": "message", "channel": ROOM, "content": id.to_string(), "id": id});
    let mut messages = [message(0), message(1), message(2), message(3)];
    // What a node has to look for, and what it does not.
    messages[0]["again"] = at.clone();
    messages[2]["again"] = at;
    bob.send_at_once(&messages);
    ann.until_said("3");
    let contents = ann.contents().into_iter().map(|(_, content)| content);
    assert_eq!(contents.collect::<String>(), "0123");
}
