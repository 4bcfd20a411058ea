//! What members are told of users beside their names (`docs/behaviour.md`, section 8).

use serde_json::{Value, json};
use switchboard_core::protocol::Json;
use switchboard_core::{BadPresenceInfo, Event, PresenceInfo};

use crate::world::{Client, World, millis, secs};

fn info(json: &str) -> PresenceInfo {
    let json = Json::parse(json).expect("JSON");
    PresenceInfo::new(json).expect("a short one")
}

fn presence(world: &mut World, client: Client) -> Vec<Value> {
    world.messages_of(client, "presence")
}

/// `ann` and `bob` in the lobby, who know of each other.
fn pair() -> (World, Client, Client) {
    let mut world = World::new();
    let [ann, bob] = [world.connect("ann", "lobby"), world.connect("bob", "lobby")];
    world.advance(secs(1));
    world.forget();
    (world, ann, bob)
}

fn set(world: &mut World, client: Client, with: Option<PresenceInfo>) {
    let id = world.id(client);
    world
        .board
        .set_presence(world.now, id, with)
        .expect("a live connection");
    world.flush();
}

#[test]
fn a_change_is_told_to_all_members_within_250_ms_in_one_message() {
    let (mut world, ann, bob) = pair();
    for n in 0..3 {
        set(&mut world, ann, Some(info(&format!("{{\"x\": {n}}}"))));
        world.advance(millis(50));
    }
    assert_eq!(presence(&mut world, bob), Vec::<Value>::new());
    world.advance(millis(200));
    let told = json!({
        "type": "presence", "channel": "lobby", "count": 2, "info": {"ann": {"x": 2}},
    });
    for member in [ann, bob] {
        assert_eq!(presence(&mut world, member), *std::slice::from_ref(&told));
    }
    world.advance(secs(10));
    assert_eq!(
        presence(&mut world, bob),
        Vec::<Value>::new(),
        "and not again"
    );
}

#[test]
fn a_newcomer_gets_what_is_told_of_those_who_are_there() {
    let (mut world, ann, bob) = pair();
    set(&mut world, ann, Some(info("\"teal\"")));
    world.advance(secs(1));
    world.forget();
    let cem = world.connect("cem", "lobby");
    let list = json!({
        "type": "presence", "channel": "lobby", "count": 3, "users": ["ann", "bob", "cem"],
        "info": {"ann": "teal"},
    });
    assert_eq!(presence(&mut world, cem), *std::slice::from_ref(&list));
    world.advance(secs(1));
    assert_eq!(presence(&mut world, bob), [list]);
}

#[test]
fn nothing_any_more_is_null() {
    let (mut world, ann, bob) = pair();
    set(&mut world, ann, Some(info("1")));
    world.advance(secs(1));
    world.forget();
    set(&mut world, ann, None);
    world.advance(secs(1));
    assert_eq!(presence(&mut world, bob)[0]["info"], json!({"ann": null}));
    let cem = world.connect("cem", "lobby");
    assert_eq!(presence(&mut world, cem)[0].get("info"), None);
}

#[test]
fn what_is_told_of_a_user_is_told_in_every_room_of_its_connections() {
    let (mut world, ann, _) = pair();
    let elsewhere = world.connect("ann2", "blue");
    let dan = world.connect("dan", "red");
    let id = world.id(ann);
    world.board.join(world.now, id, "red").expect("it may");
    world.advance(secs(1));
    world.forget();
    assert!(
        world
            .board
            .set_user_presence(world.now, "ann", Some(info("1")))
    );
    assert!(
        !world
            .board
            .set_user_presence(world.now, "eve", Some(info("1")))
    );
    world.advance(secs(1));
    assert_eq!(presence(&mut world, dan)[0]["info"], json!({"ann": 1}));
    assert_eq!(presence(&mut world, elsewhere), Vec::<Value>::new());
    assert_eq!(
        world.board.presence_info("ann").map(PresenceInfo::as_json),
        Some("1")
    );
}

#[test]
fn in_a_large_room_those_who_join_are_told_with_theirs() {
    let mut world = World::new();
    let clients: Vec<_> = (0..60)
        .map(|n| world.connect(&format!("u{n:04}"), "lobby"))
        .collect();
    world.advance(secs(1));
    world.forget();
    let late = world.connect("zoe", "lobby");
    set(&mut world, late, Some(info("7")));
    set(&mut world, clients[3], Some(info("8")));
    world.advance(secs(1));
    let told = json!({
        "type": "presence", "channel": "lobby", "count": 61, "joined": ["zoe"],
        "info": {"u0003": 8, "zoe": 7},
    });
    assert_eq!(presence(&mut world, clients[0]), [told]);
}

#[test]
fn it_ends_with_the_user() {
    let (mut world, ann, bob) = pair();
    set(&mut world, ann, Some(info("1")));
    world.advance(secs(1));
    world.happens(ann, Event::Close(None));
    world.advance(secs(10));
    world.forget();
    world.connect("ann", "lobby");
    world.advance(secs(1));
    assert_eq!(presence(&mut world, bob)[0].get("info"), None);
}

#[test]
fn it_has_at_most_1_kib() {
    let long = |bytes: usize| PresenceInfo::encode(&"x".repeat(bytes - 2));
    assert!(long(1_024).is_ok());
    let refused = long(1_025).map(|_| ());
    assert_eq!(refused, Err(BadPresenceInfo::TooLong { bytes: 1_025 }));
}
