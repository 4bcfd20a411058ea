//! Users who are on several nodes: presence, logins, direct messages, kicks, messages for everybody.

use std::time::{Duration, Instant};

use serde_json::json;
use switchboard_core::{CloseReason, Exclude, Frame, RoomRule, UserPolicy};
use switchboard_tests::redis::Server;

use crate::client::Client;
use crate::hub::{Node, ROOM, call_api, config};
use crate::runtimes::on_both_runtimes;
use crate::serving::Serve;

on_both_runtimes!(
    presence_is_that_of_all_nodes_and_a_node_that_is_killed_leaves_it,
    a_second_login_on_another_node_replaces_the_first,
    a_second_login_on_another_node_is_rejected,
    a_kick_reaches_the_other_node,
    a_user_is_disconnected_on_the_other_node_through_the_http_api,
    a_direct_message_reaches_the_other_node_and_counts_its_connections,
    a_frame_for_everybody_reaches_both_nodes,
    seats_count_over_all_nodes,
);

fn presence_is_that_of_all_nodes_and_a_node_that_is_killed_leaves_it<H: Serve>() {
    let Some(server) = Server::start() else {
        return;
    };
    let [one, other] = Node::<H>::pair(&server);
    let (mut ann, ..) = Client::entered(one.address, "ann", ROOM);
    let (mut bob, ..) = Client::entered(other.address, "bob", ROOM);
    ann.until_present(&["ann", "bob"]);
    bob.until_present(&["ann", "bob"]);
    let mut both = one.hub.room_users(ROOM);
    both.sort();
    assert!(
        both.iter().map(|user| &**user).eq(["ann", "bob"]),
        "{both:?}"
    );
    // Its tasks end with its runtime, and say nothing.
    let Node { hub, host, .. } = other;
    drop(host);
    ann.until_present(&["ann"]);
    drop(hub);
}

fn a_second_login_on_another_node_replaces_the_first<H: Serve>() {
    let Some(server) = Server::start() else {
        return;
    };
    let [one, other] = Node::<H>::pair(&server);
    let (mut first, ..) = Client::entered(one.address, "ann", ROOM);
    let (mut second, ..) = Client::entered(other.address, "ann", ROOM);
    assert_eq!(first.until_closed(), (1000, "replaced".into()));
    second.send(&json!({"type": "ping", "id": 1}));
    second.until_answered(1);
}

fn a_second_login_on_another_node_is_rejected<H: Serve>() {
    let Some(server) = Server::start() else {
        return;
    };
    let configs = ["a", "b"].map(|name| {
        let mut config = config(&server, name);
        config.users = UserPolicy::Reject;
        config
    });
    let nodes = Node::<H>::start_all(configs.into());
    let (mut first, ..) = Client::entered(nodes[0].address, "ann", ROOM);
    let mut second = Client::enter(nodes[1].address, "ann", ROOM);
    assert_eq!(second.until_closed(), (4005, "already_connected".into()));
    first.send(&json!({"type": "ping", "id": 1}));
    first.until_answered(1);
    drop(first);
    // The place is free once the first has left.
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let mut again = Client::enter(nodes[1].address, "ann", ROOM);
        let entered = again.until("a verdict", |it| {
            let entered = it.of_type("subscribed").next().map(|_| true);
            entered.or(it.closed.is_some().then_some(false))
        });
        if entered {
            return;
        }
        assert!(Instant::now() < deadline, "rejected for ever");
    }
}

fn a_kick_reaches_the_other_node<H: Serve>() {
    let Some(server) = Server::start() else {
        return;
    };
    let [one, other] = Node::<H>::pair(&server);
    let (mut ann, ..) = Client::entered(one.address, "ann", ROOM);
    // Which must be known before somebody can be kicked.
    let ask = one.hub.send_to_user_everywhere("ann", Frame::text("{}"));
    H::block_on(ask).expect("sent");
    let kick = other
        .hub
        .disconnect_user_everywhere("ann", CloseReason::Kicked);
    let report = H::block_on(kick);
    assert_eq!(ann.until_closed(), (4004, "kicked".into()));
    assert_eq!((report.connections, report.complete), (1, true));
}

fn a_user_is_disconnected_on_the_other_node_through_the_http_api<H: Serve>() {
    let Some(server) = Server::start() else {
        return;
    };
    let [one, other] = Node::<H>::pair(&server);
    for (body, code) in [
        (json!({"user": "ann"}), 4004),
        (
            json!({"user": "ann", "code": 4500, "reason": "banned"}),
            4500,
        ),
    ] {
        let (mut ann, ..) = Client::entered(one.address, "ann", ROOM);
        // Which must be known before somebody can be kicked.
        let ask = one.hub.send_to_user_everywhere("ann", Frame::text("{}"));
        H::block_on(ask).expect("sent");
        let answer = call_api(&other.hub, "disconnect", &body);
        assert_eq!(answer, (200, json!({"disconnected": 0})));
        assert_eq!(ann.until_closed().0, code);
    }
}

fn a_direct_message_reaches_the_other_node_and_counts_its_connections<H: Serve>() {
    let Some(server) = Server::start() else {
        return;
    };
    let configs = ["a", "b"].map(|name| {
        let mut config = config(&server, name);
        config.users = UserPolicy::Allow(5);
        config
    });
    let nodes = Node::<H>::start_all(configs.into());
    let mut devices = [0, 1, 1].map(|at| Client::entered(nodes[at].address, "ann", ROOM).0);
    let (mut bob, ..) = Client::entered(nodes[0].address, "bob", ROOM);
    let mut request = 0;
    // A claim takes a moment to be known.
    loop {
        request += 1;
        let to = json!({"type": "direct", "to": "ann", "content": "psst", "id": request});
        bob.send(&to);
        if bob.until_answered(request)["delivered"] == 3 {
            break;
        }
        assert!(request < 1_000, "{:?}", bob.log);
    }
    for device in &mut devices {
        let direct = device.until_type("direct");
        assert_eq!(
            (&direct["content"], &direct["sender"]),
            (&"psst".into(), &"bob".into())
        );
    }
    bob.send(&json!({"type": "direct", "to": "eve", "content": "?", "id": "none"}));
    let answer = bob.until("an answer", |it| {
        it.log.iter().find(|answer| answer["id"] == "none").cloned()
    });
    assert_eq!(answer["code"], "not_connected");
}

fn a_frame_for_everybody_reaches_both_nodes<H: Serve>() {
    let Some(server) = Server::start() else {
        return;
    };
    let [one, other] = Node::<H>::pair(&server);
    let (mut ann, ..) = Client::entered(one.address, "ann", ROOM);
    let (mut bob, ..) = Client::entered(other.address, "bob", "elsewhere");
    let frame = Frame::text(r#"{"type":"notice"}"#);
    let receipt = one.hub.broadcast_all(frame, Exclude::NOBODY).expect("sent");
    assert_eq!(receipt.accepted, 1);
    ann.until_type("notice");
    bob.until_type("notice");
}

fn seats_count_over_all_nodes<H: Serve>() {
    let Some(server) = Server::start() else {
        return;
    };
    let configs = ["a", "b"].map(|name| {
        let mut config = config(&server, name);
        config.room_rules = vec![RoomRule {
            prefix: "small".into(),
            members_total: Some(2),
            ..RoomRule::default()
        }];
        config
    });
    let nodes = Node::<H>::start_all(configs.into());
    let (ann, ..) = Client::entered(nodes[0].address, "ann", "small");
    let (_bob, ..) = Client::entered(nodes[1].address, "bob", "small");
    let mut eve = Client::enter(nodes[1].address, "eve", ROOM);
    eve.until_type("subscribed");
    eve.send(&json!({"type": "subscribe", "channel": "small", "id": 1}));
    assert_eq!(eve.until_answered(1)["code"], "room_full");
    drop(ann);
    let mut request = 1;
    loop {
        request += 1;
        eve.send(&json!({"type": "subscribe", "channel": "small", "id": request}));
        if eve.until_answered(request)["type"] == "subscribed" {
            break;
        }
        assert!(request < 10_000, "the seat is never free");
    }
}
