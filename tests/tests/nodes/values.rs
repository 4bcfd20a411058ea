//! The latest value of each key, and what the application tells of users.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use switchboard_core::protocol::Json;
use switchboard_core::{Exclude, Keep, PresenceInfo, RoomRule};
use switchboard_tests::redis::Server;

use crate::client::Client;
use crate::hub::{Node, ROOM, config};
use crate::runtimes::on_both_runtimes;
use crate::serving::Serve;

on_both_runtimes!(
    all_nodes_have_the_latest_value_of_each_key_also_when_redis_has_lost_them,
    a_node_on_its_own_keeps_the_values_and_then_has_those_of_the_others,
    what_the_application_tells_of_users_is_told_on_all_nodes,
);

/// A room that keeps the latest value of each of three keys.
const PRICES: &str = "prices";

fn pair<H: Serve>(server: &Server) -> [Node<H>; 2] {
    let configs = ["a", "b"].map(|name| {
        let mut config = config(server, name);
        config.room_rules = vec![RoomRule {
            prefix: PRICES.into(),
            keep: Keep::Latest { keys: 3 },
            ..RoomRule::default()
        }];
        config
    });
    let nodes = Node::<H>::start_all(configs.into());
    nodes.try_into().unwrap_or_else(|_| panic!("two nodes"))
}

/// What a client has that does as the protocol says: it empties its table where it does not go on.
fn table(client: &Client) -> BTreeMap<String, Value> {
    let mut table = BTreeMap::new();
    for message in client.log.iter().filter(|it| it["channel"] == PRICES) {
        match message["type"].as_str() {
            Some("subscribed") => table.clear(),
            Some("message") => {
                let key = message["key"].as_str().expect("a key").to_owned();
                table.insert(key, message["content"].clone());
            }
            Some("presence" | "error") => {}
            _ => panic!("{message}"),
        }
    }
    table.retain(|_, value| !value.is_null());
    table
}

fn until_has(client: &mut Client, expected: &Value) {
    let what = expected.to_string();
    client.until(&what, |it| (json!(table(it)) == *expected).then_some(()));
}

fn set(client: &mut Client, key: &str, value: &Value, request: u64) -> Value {
    client.send(&json!({
        "type": "message", "channel": PRICES, "key": key, "content": value, "id": request,
        "echo": true,
    }));
    client.until_answered(request)
}

fn all_nodes_have_the_latest_value_of_each_key_also_when_redis_has_lost_them<H: Serve>() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let [one, other] = pair::<H>(&server);
    let (mut ann, ..) = Client::entered(one.address, "ann", PRICES);
    let (mut bob, ..) = Client::entered(other.address, "bob", PRICES);
    for (request, key, value) in [(1, "a", 1), (2, "b", 2), (3, "c", 3), (4, "a", 4)] {
        let ack = set(&mut ann, key, &json!(value), request);
        assert_eq!(
            (&ack["type"], &ack["seq"]),
            (&json!("ack"), &json!(request))
        );
    }
    let full = set(&mut bob, "d", &json!(5), 1);
    assert_eq!(full["code"], "limit_exceeded");
    other.hub.remove_key(PRICES, "b").expect("it is sent");
    // Until this node hears of the removal, the room is full for it.
    until_has(&mut bob, &json!({"a": 4, "c": 3}));
    let exclude = Exclude {
        connections: &[],
        users: &["ann"],
    };
    other
        .hub
        .publish_key_from(PRICES, "d", "6", None, exclude)
        .expect("it is sent");
    let all = json!({"a": 4, "c": 3, "d": 6});
    let hers = json!({"a": 4, "c": 3});
    until_has(&mut bob, &all);
    until_has(&mut ann, &hers);
    let (mut cem, ..) = Client::entered(one.address, "cem", PRICES);
    until_has(&mut cem, &all);
    server.restart();
    for client in [&mut ann, &mut bob, &mut cem] {
        client.until("another epoch", |it| {
            let mut told = it.of_type("subscribed");
            told.nth(1).map(|_| ())
        });
    }
    until_has(&mut bob, &all);
    until_has(&mut cem, &all);
    until_has(&mut ann, &hers);
    let ack = set(&mut ann, "c", &json!(7), 5);
    assert_eq!(ack["type"], "ack");
    let (mut dan, ..) = Client::entered(other.address, "dan", PRICES);
    for client in [&mut bob, &mut cem, &mut dan] {
        until_has(client, &json!({"a": 4, "c": 7, "d": 6}));
    }
    assert_eq!(one.hub.audit(), Ok(()));
    assert_eq!(other.hub.audit(), Ok(()));
}

fn a_node_on_its_own_keeps_the_values_and_then_has_those_of_the_others<H: Serve>() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let [one, other] = pair::<H>(&server);
    let (mut ann, ..) = Client::entered(one.address, "ann", PRICES);
    let (mut bob, ..) = Client::entered(other.address, "bob", PRICES);
    set(&mut ann, "a", &json!(1), 1);
    set(&mut bob, "b", &json!(2), 1);
    let both = json!({"a": 1, "b": 2});
    until_has(&mut ann, &both);
    until_has(&mut bob, &both);
    server.kill();
    ann.until("the epoch of the node", |it| {
        it.of_type("cluster").next()?;
        let mut told = it.of_type("subscribed");
        told.nth(1).map(|_| ())
    });
    until_has(&mut ann, &both);
    assert_eq!(set(&mut ann, "a", &json!("alone"), 2)["local"], true);
    until_has(&mut ann, &json!({"a": "alone", "b": 2}));
    until_has(&mut bob, &both);
    server.revive();
    // As Redis has lost its data, the node that is back first sets what it has.
    for client in [&mut ann, &mut bob] {
        client.until("the notice", |it| {
            it.of_type("cluster").last()?["up"].as_bool()?.then_some(())
        });
    }
    assert_eq!(set(&mut bob, "c", &json!(3), 2)["type"], "ack");
    // Whichever node that is, both have the same in the end.
    let deadline = Instant::now() + Duration::from_secs(30);
    while table(&ann) != table(&bob) || table(&ann).len() < 3 {
        assert!(Instant::now() < deadline, "{:#?} {:#?}", ann.log, bob.log);
        ann.read();
        bob.read();
    }
    assert_eq!(table(&ann)["c"], 3);
}

fn what_the_application_tells_of_users_is_told_on_all_nodes<H: Serve>() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let [one, other] = pair::<H>(&server);
    let (_ann, ..) = Client::entered(one.address, "ann", ROOM);
    let (mut bob, ..) = Client::entered(other.address, "bob", ROOM);
    let tell = |info: Option<&str>| {
        let info = info.map(|info| Json::parse(info).expect("JSON"));
        let info = info.map(|info| PresenceInfo::new(info).expect("a short text"));
        assert!(one.hub.set_user_presence("ann", info));
    };
    let until_told = |bob: &mut Client, expected: &Value| {
        bob.until("what is told of ann", |it| {
            let told = it
                .of_type("presence")
                .filter_map(|it| it["info"].get("ann"));
            (told.last()? == expected).then_some(())
        });
    };
    tell(Some("{\"colour\":\"blue\"}"));
    let blue = json!({"colour": "blue"});
    until_told(&mut bob, &blue);
    let known = other.hub.presence_info_in(ROOM, "ann");
    assert_eq!(
        known.expect("it is told").as_json(),
        "{\"colour\":\"blue\"}"
    );
    // A client that joins later is told with the list.
    let (mut cem, ..) = Client::entered(other.address, "cem", ROOM);
    until_told(&mut cem, &blue);
    server.restart();
    tell(Some("2"));
    until_told(&mut bob, &json!(2));
    tell(None);
    until_told(&mut bob, &Value::Null);
    until_told(&mut cem, &Value::Null);
    assert!(other.hub.presence_info_in(ROOM, "ann").is_none());
}
