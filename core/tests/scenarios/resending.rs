//! Sending a message again whose outcome is unknown (`docs/protocol.md`, section 5).

use serde_json::{Value, json};
use switchboard_core::Event;

use crate::recovery::{keeping, publish};
use crate::world::{Client, World};

fn message(id: u64, again: Option<u64>) -> Value {
    let mut message = json!({"type": "message", "channel": "lobby", "content": 1, "id": id});
    if let Some(again) = again {
        message["again"] = json!(again);
    }
    message
}

/// A room that keeps three messages, of which the second is one that ann's session sent as request 7.
fn sent() -> (World, Client) {
    let mut world = keeping(3, |config| config.rates.strikes = 1_000);
    let ann = world.comes("ann", "/ws/lobby?session=s");
    publish(&mut world, "lobby", 1);
    world.says(ann, message(7, None));
    world.happens(ann, Event::Reset);
    let ann = world.comes("ann", "/ws/lobby?session=s");
    world.forget();
    (world, ann)
}

fn says(world: &mut World, client: Client, message: Value) -> Value {
    world.says(client, message);
    world.last(client)
}

#[test]
fn what_the_room_has_is_acknowledged_and_not_published_again() {
    let (mut world, ann) = sent();
    let ack = json!({"type": "ack", "id": 7, "seq": 2, "duplicate": true});
    assert_eq!(says(&mut world, ann, message(7, Some(1))), ack);
    assert_eq!(says(&mut world, ann, message(7, Some(0))), ack);
    assert_eq!(world.stats().history.messages, 2);
}

#[test]
fn what_the_room_does_not_have_is_published() {
    let (mut world, ann) = sent();
    let ack = json!({"type": "ack", "id": 8, "seq": 3});
    assert_eq!(says(&mut world, ann, message(8, Some(1))), ack);
    // The position of now, for a message sent before, says that it is another.
    let ack = json!({"type": "ack", "id": 7, "seq": 4});
    assert_eq!(says(&mut world, ann, message(7, Some(3))), ack);
}

#[test]
fn what_cannot_be_told_is_an_error_that_is_no_strike() {
    let (mut world, ann) = sent();
    let told = |told: &Value| {
        assert_eq!(told["type"], "error");
        assert_eq!(
            (&told["channel"], &told["id"]),
            (&json!("lobby"), &json!(7))
        );
        told["code"] == "unrecoverable"
    };
    assert!(
        told(&says(&mut world, ann, message(7, Some(3)))),
        "above the last"
    );
    publish(&mut world, "lobby", 2);
    assert!(
        told(&says(&mut world, ann, message(7, Some(0)))),
        "it has left the history"
    );
    let ack = says(&mut world, ann, message(7, Some(1)));
    assert_eq!(ack["duplicate"], true, "the history reaches back to it");
    for user in ["ann", "", "bob"] {
        let query = if user == "ann" { "" } else { "?session=s" };
        let client = world.comes(user, &format!("/ws/lobby{query}"));
        let answer = says(&mut world, client, message(7, Some(4)));
        assert_eq!(answer["code"] == "unrecoverable", user != "bob", "{user:?}");
    }
    let mut without = World::new();
    let cid = without.comes("cid", "/ws/lobby?session=s");
    assert!(told(&says(&mut without, cid, message(7, Some(0)))));
    let bad = json!({"type": "message", "channel": "lobby", "content": 1, "again": 0});
    assert_eq!(says(&mut without, cid, bad)["code"], "bad_request");
}

#[test]
fn the_history_is_looked_through_again_when_the_application_has_answered() {
    let (mut world, ann) = sent();
    let first = world.asks_to(ann, message(9, Some(2))).unwrap();
    // While that is decided, the same request comes a second time.
    world.says(ann, message(9, Some(2)));
    assert_eq!(world.last(ann), json!({"type": "ack", "id": 9, "seq": 3}));
    world.answer(ann, first);
    let ack = json!({"type": "ack", "id": 9, "seq": 3, "duplicate": true});
    assert_eq!(world.last(ann), ack);
    let second = world.asks_to(ann, message(10, Some(3))).unwrap();
    publish(&mut world, "lobby", 4);
    world.answer(ann, second);
    assert_eq!(world.last(ann)["code"], "unrecoverable");
}
