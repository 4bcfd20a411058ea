//! Redis is away: what clients are told, and what is delivered.

use std::sync::atomic::Ordering;

use serde_json::json;
use switchboard_core::{Config, WhenDown};
use switchboard_tests::redis::Server;

use crate::client::Client;
use crate::hub::{Node, ROOM, call_api, config};
use crate::runtimes::on_both_runtimes;
use crate::serving::Serve;

on_both_runtimes!(
    a_restart_without_data_is_told_by_a_new_epoch_and_nothing_comes_twice,
    while_redis_is_away_members_of_a_node_go_on_alone_and_are_told,
    while_redis_is_away_a_room_that_refuses_takes_nothing,
    a_node_starts_without_redis_and_joins_when_it_is_there,
);

/// The numbers that a client got, in the epochs in which they count: none twice, and none missing that
/// it was not told of.
fn check(client: &Client) {
    let (mut epoch, mut seq) = (String::new(), 0);
    let mut contents = Vec::new();
    for message in &client.log {
        match message["type"].as_str() {
            Some("subscribed") => {
                message["epoch"]
                    .as_str()
                    .expect("an epoch")
                    .clone_into(&mut epoch);
                seq = message["seq"].as_u64().expect("a number");
            }
            Some("gap" | "skip") => {
                assert_eq!(message["from"], seq + 1, "{:#?}", client.log);
                seq = message["to"].as_u64().expect("a number");
            }
            Some("message") => {
                assert_eq!(message["seq"], seq + 1, "{epoch}: {:#?}", client.log);
                seq += 1;
                contents.push(message["content"].clone());
            }
            _ => {}
        }
    }
    let all = contents.len();
    contents.sort_by_key(ToString::to_string);
    contents.dedup();
    assert_eq!(
        contents.len(),
        all,
        "a message came twice: {:#?}",
        client.log
    );
}

fn a_restart_without_data_is_told_by_a_new_epoch_and_nothing_comes_twice<H: Serve>() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let [one, other] = Node::<H>::pair(&server);
    let (mut ann, epoch, _) = Client::entered(one.address, "ann", ROOM);
    let (mut bob, ..) = Client::entered(other.address, "bob", ROOM);
    ann.say(ROOM, "before", 1);
    bob.until_said("before");
    server.restart();
    for number in 2..20 {
        ann.say(ROOM, &format!("after {number}"), number);
    }
    bob.until_said("after 19");
    ann.until_answered(19);
    let last = bob.of_type("subscribed").last().expect("it was told");
    assert_ne!(last["epoch"], epoch);
    check(&bob);
    one.until("the cluster", |stats| stats.up && stats.nodes == 2);
    assert_eq!(one.hub.audit(), Ok(()));
    assert_eq!(other.hub.audit(), Ok(()));
}

fn while_redis_is_away_members_of_a_node_go_on_alone_and_are_told<H: Serve>() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let [one, other] = Node::<H>::pair(&server);
    let (mut ann, epoch, _) = Client::entered(one.address, "ann", ROOM);
    let (mut amy, ..) = Client::entered(one.address, "amy", ROOM);
    let (mut bob, ..) = Client::entered(other.address, "bob", ROOM);
    ann.say(ROOM, "before", 1);
    bob.until_said("before");
    amy.until_said("before");
    server.kill();
    let away = ann.until_type("cluster");
    assert_eq!(away["up"], false);
    ann.say(ROOM, "alone", 2);
    assert_eq!(ann.until_answered(2)["local"], true);
    amy.until_said("alone");
    let alone = amy.of_type("subscribed").last().expect("it was told");
    assert!(alone["epoch"] != epoch && alone.get("id").is_none());
    assert_eq!(one.cuts.load(Ordering::SeqCst), 1);
    let alone = alone["epoch"].clone();
    server.revive();
    ann.until("the notice", |it| {
        it.of_type("cluster").last()?["up"].as_bool()?.then_some(())
    });
    // The notice is of the node; each room is back once its log has been read. As Redis has lost its
    // data, members of a node that is back later begin later.
    let epoch = ann.until("an epoch", |it| {
        let last = it.of_type("subscribed").last()?["epoch"].clone();
        (last != alone).then_some(last)
    });
    bob.until("the same epoch", |it| {
        (it.of_type("subscribed").last()?["epoch"] == epoch).then_some(())
    });
    ann.say(ROOM, "together", 3);
    bob.until_said("together");
    amy.until_said("together");
    for client in [&amy, &bob] {
        check(client);
    }
    // It was a partition: what was said there is not sent on.
    assert!(bob.contents().iter().all(|(_, said)| said != "alone"));
    assert_eq!(one.hub.audit(), Ok(()));
}

fn while_redis_is_away_a_room_that_refuses_takes_nothing<H: Serve>() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let node = Node::<H>::start_all(vec![refusing(&server)]).remove(0);
    let (mut ann, ..) = Client::entered(node.address, "ann", ROOM);
    let (mut amy, ..) = Client::entered(node.address, "amy", ROOM);
    server.kill();
    ann.until_type("cluster");
    ann.say(ROOM, "nobody hears this", 1);
    let refused = ann.until_answered(1);
    assert_eq!(refused["code"], "unavailable");
    assert!(refused["retry_after_ms"].is_u64());
    let message = json!({"channel": ROOM, "content": "nor this"});
    let (status, answer) = call_api(&node.hub, "publish", &message);
    assert_eq!(
        (status, &answer["error"]["code"]),
        (503, &json!("unavailable"))
    );
    server.revive();
    ann.until("the notice", |it| {
        it.of_type("cluster").last()?["up"].as_bool()?.then_some(())
    });
    ann.say(ROOM, "again", 2);
    amy.until_said("again");
    check(&amy);
    assert_eq!(amy.contents().len(), 1);
}

fn refusing(server: &Server) -> Config {
    let mut config = config(server, "a");
    if let Some(cluster) = &mut config.cluster {
        cluster.when_down = WhenDown::Refuse;
    }
    config
}

fn a_node_starts_without_redis_and_joins_when_it_is_there<H: Serve>() {
    let Some(mut server) = Server::start() else {
        return;
    };
    server.kill();
    let node = Node::<H>::start(config(&server, "a"));
    let (mut ann, epoch, _) = Client::entered(node.address, "ann", ROOM);
    let (mut amy, ..) = Client::entered(node.address, "amy", ROOM);
    ann.say(ROOM, "alone", 1);
    assert_eq!(ann.until_answered(1)["local"], true);
    amy.until_said("alone");
    server.revive();
    amy.until("another epoch", |it| {
        (it.of_type("subscribed").last()?["epoch"] != *epoch).then_some(())
    });
    ann.say(ROOM, "together", 2);
    amy.until_said("together");
    assert_eq!(ann.until_answered(2).get("local"), None);
    check(&amy);
}
