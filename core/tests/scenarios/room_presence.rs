//! Presence in rooms whose rule sets it (`docs/behaviour.md`, section 8).

use serde_json::{Value, json};
use switchboard_core::protocol::Json;
use switchboard_core::{Event, PresenceInfo, RoomPresence, RoomRule};

use crate::world::{Client, World, millis, secs};

fn with(presence: RoomPresence) -> World {
    World::with(|config| {
        config.room_rules = vec![RoomRule {
            prefix: "game".into(),
            presence,
            ..RoomRule::default()
        }];
    })
}

fn presence(world: &mut World, client: Client) -> Vec<Value> {
    world.messages_of(client, "presence")
}

#[test]
fn a_rooms_grace_period_and_interval_are_its_own() {
    let mut world = with(RoomPresence {
        leave_grace: Some(secs(10)),
        interval: Some(secs(1)),
        ..RoomPresence::default()
    });
    let [ann, cem] = [world.connect("ann", "game"), world.connect("cem", "lobby")];
    let [bob, dan] = [world.connect("bob", "game"), world.connect("dan", "lobby")];
    world.advance(millis(999));
    let told = [ann, cem].map(|client| presence(&mut world, client).len());
    assert_eq!(told, [1, 2], "the list, and in the lobby the change");
    world.advance(millis(1));
    assert_eq!(presence(&mut world, ann).len(), 1);
    for client in [bob, dan] {
        world.happens(client, Event::Reset);
    }
    world.advance(secs(4));
    let users = ["game", "lobby"].map(|room| world.board.room_users(room).len());
    assert_eq!(users, [2, 1]);
    world.advance(secs(6));
    assert_eq!(world.board.room_users("game").len(), 1);
    assert_eq!(presence(&mut world, ann), [Value::Null; 0]);
    world.advance(secs(1));
    assert_eq!(presence(&mut world, ann)[0]["count"], 1);
}

#[test]
fn a_room_names_as_many_users_as_its_rule_says() {
    let mut world = with(RoomPresence {
        full: Some(1),
        ..RoomPresence::default()
    });
    world.connect("ann", "game");
    let bob = world.connect("bob", "game");
    let list = json!({"type": "presence", "channel": "game", "count": 2, "users": ["ann"]});
    assert_eq!(presence(&mut world, bob), [list]);
}

#[test]
fn a_room_without_info_tells_names_alone() {
    let mut world = with(RoomPresence {
        info: Some(false),
        ..RoomPresence::default()
    });
    let ann = world.connect("ann", "game");
    let (id, now) = (world.id(ann), world.now);
    world
        .board
        .join(now, id, "lobby")
        .expect("a seat in the lobby");
    world.advance(secs(1));
    world.forget();
    let info = PresenceInfo::new(Json::parse("1").expect("JSON")).expect("a short one");
    let now = world.now;
    world
        .board
        .set_presence(now, id, Some(info))
        .expect("a live connection");
    world.advance(secs(1));
    let told = presence(&mut world, ann);
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0]["channel"], &told[0]["info"]["ann"]),
        (&json!("lobby"), &json!(1))
    );
    let bob = world.connect("bob", "game");
    assert_eq!(presence(&mut world, bob)[0].get("info"), None);
}
