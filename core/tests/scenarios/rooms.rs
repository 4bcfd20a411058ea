//! Rooms, their members, and when they end (`docs/behaviour.md`, section 3).

use serde_json::json;
use switchboard_core::{BadName, Denied, Event, Exclude, JoinError, Notice, Rooms};

use crate::world::World;

#[test]
fn a_connection_is_in_the_lobby_of_its_url() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    let messages = world.messages(ann);
    let kinds: Vec<_> = messages.iter().map(|message| &message["type"]).collect();
    assert_eq!(kinds, ["welcome", "subscribed", "presence"]);
    assert_eq!(world.board.members("lobby"), [world.id(ann)]);
    assert_eq!(&*world.board.rooms_of(world.id(ann)).unwrap()[0], "lobby");
    let nowhere = world.connect("bob", "");
    assert_eq!(world.board.rooms_of(world.id(nowhere)).unwrap().len(), 0);
    let stats = world.stats();
    assert_eq!((stats.active_rooms, stats.active_lobbies), (1, 1));
}

#[test]
fn join_and_leave_by_the_application_are_told_as_if_the_client_had_asked() {
    let mut world = World::new();
    let ann = world.connect("ann", "");
    let id = world.id(ann);
    world.forget();
    world.board.join(world.now, id, "blue").unwrap();
    let told = world.messages(ann);
    assert_eq!(told[0]["type"], "subscribed");
    assert_eq!(
        told[1],
        json!({"type": "presence", "channel": "blue", "count": 1, "users": ["ann"]})
    );
    assert_eq!(world.board.leave(world.now, id, "blue"), Ok(true));
    assert_eq!(
        world.messages(ann),
        [json!({"type": "unsubscribed", "channel": "blue"})]
    );
    assert_eq!(world.board.leave(world.now, id, "blue"), Ok(false));
    assert_eq!(world.frames(ann), []);
    let room = "blue".into();
    assert_eq!(world.notices[0], Notice::Joined { id, room });
    let room = "blue".into();
    assert_eq!(world.notices[1], Notice::Left { id, room });
}

#[test]
fn rooms_are_found_by_the_beginning_of_their_names_some_at_a_time() {
    let mut world = World::new();
    let ann = world.connect("ann", "blue");
    for n in 0..10 {
        let (now, id) = (world.now, world.id(ann));
        world.board.join(now, id, &format!("red:{n}")).unwrap();
    }
    world.connect("bob", "red:3");
    let (now, id) = (world.now, world.id(ann));
    world.board.leave(now, id, "red:7").unwrap();
    let found = |prefix: &str, look: usize| {
        let (mut found, mut from) = (Vec::new(), Some(0));
        while let Some(start) = from {
            let (rooms, next) = world.board.rooms(prefix, start, look);
            assert!(rooms.len() <= look, "{rooms:?}");
            assert!(next.is_none_or(|next| next == start + look), "{next:?}");
            found.extend(rooms.iter().map(ToString::to_string));
            from = next;
        }
        found.sort();
        found
    };
    let red = (0..10).filter(|&n| n != 7);
    let red: Vec<_> = red.map(|n| format!("red:{n}")).collect();
    for look in [1, 3, 1_000] {
        assert_eq!(found("red:", look), red, "{look}");
        assert_eq!(found("", look).len(), 10);
        assert_eq!(found("green", look), [""; 0]);
    }
    assert_eq!(world.board.member_count("red:3"), 2);
    assert_eq!(world.board.member_count("red:7"), 0);
}

#[test]
fn every_reason_why_a_join_fails_is_an_error_of_its_own() {
    let mut world = World::with(|config| {
        config.limits.rooms_per_connection = 2;
        config.limits.rooms = 3;
        config.limits.room_members = 1;
    });
    let [ann, bob] = [world.connect("ann", "a"), world.connect("bob", "b")];
    let (a, b, now) = (world.id(ann), world.id(bob), world.now);
    let board = &mut world.board;
    assert_eq!(
        board.join(now, a, ""),
        Err(JoinError::BadName(BadName::Empty))
    );
    let long = "x".repeat(129);
    assert_eq!(
        board.join(now, a, &long),
        Err(JoinError::BadName(BadName::TooLong(128)))
    );
    assert_eq!(
        board.join(now, a, "a\0"),
        Err(JoinError::BadName(BadName::Control))
    );
    assert_eq!(board.join(now, a, "a"), Err(JoinError::AlreadyIn));
    assert_eq!(board.join(now, a, "b"), Err(JoinError::RoomFull));
    assert_eq!(board.join(now, a, "c"), Ok(()));
    assert_eq!(board.join(now, a, "d"), Err(JoinError::TooManyRooms));
    assert_eq!(board.join(now, b, "d"), Err(JoinError::NoMoreRooms));
    let waiting = world.connect_to_log_in("");
    let waiting = world.id(waiting);
    assert_eq!(
        world.board.join(world.now, waiting, "a"),
        Err(JoinError::NotOpen)
    );
}

#[test]
fn a_room_without_connections_is_gone_and_leaves_nothing_behind() {
    let mut world = World::new();
    for round in 0..100 {
        let ann = world.connect("ann", &format!("room{round}"));
        world.happens(ann, Event::Eof);
    }
    let stats = world.stats();
    assert_eq!(
        (stats.active_rooms, stats.active_lobbies, stats.users),
        (0, 0, 0)
    );
    assert_eq!(world.board.room_users("room1").len(), 0);
    let receipt = world.broadcast("room1", "1", Exclude::NOBODY);
    assert_eq!(receipt, switchboard_core::Receipt::default());
    assert_eq!(
        world.stats().active_rooms,
        0,
        "sending to a room does not create it"
    );
}

#[test]
fn a_client_asks_the_application_for_every_room_but_where_rooms_are_open() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    world.denies = Some(Denied::Forbidden);
    world.says(ann, json!({"type": "subscribe", "channel": "vip", "id": 1}));
    let error = world.last(ann);
    assert_eq!(
        (&error["code"], &error["id"]),
        (&json!("forbidden"), &json!(1))
    );
    assert_eq!(error["channel"], "vip");
    assert_eq!(world.board.members("vip"), []);
    let mut world = World::with(|config| config.rooms = Rooms::Open);
    let ann = world.connect("ann", "lobby");
    assert!(
        world
            .asks_to(ann, json!({"type": "subscribe", "channel": "vip"}))
            .is_none()
    );
    assert_eq!(world.board.members("vip"), [world.id(ann)]);
}

#[test]
fn an_answer_for_a_connection_that_is_gone_has_no_effect() {
    let mut world = World::new();
    let ann = world.connect("ann", "");
    let question = world.asks_to(ann, json!({"type": "subscribe", "channel": "vip"}));
    world.happens(ann, Event::Eof);
    let again = world.connect("ann", "");
    world.answer(ann, question.unwrap());
    assert_eq!(world.stats().active_rooms, 0, "no room is created");
    assert_eq!(world.board.rooms_of(world.id(again)).unwrap().len(), 0);
}

#[test]
fn a_granted_join_is_checked_again_when_the_answer_comes() {
    let mut world = World::with(|config| config.limits.room_members = 1);
    let [ann, bob] = [world.connect("ann", ""), world.connect("bob", "")];
    let ask = json!({"type": "subscribe", "channel": "vip"});
    let first = world.asks_to(ann, ask.clone()).unwrap();
    let second = world.asks_to(bob, ask.clone()).unwrap();
    world.answer(ann, first);
    world.answer(bob, second);
    assert_eq!(world.last(bob)["code"], "room_full");
    assert_eq!(world.board.members("vip"), [world.id(ann)]);
}

#[test]
fn room_users_are_users_in_the_order_of_joining() {
    let mut world = World::with(|config| config.users = switchboard_core::UserPolicy::Allow(2));
    for user in ["cem", "ann", "bob", "ann"] {
        world.connect(user, "lobby");
    }
    let users = world.board.room_users("lobby");
    assert_eq!(
        users.iter().map(|name| &**name).collect::<Vec<_>>(),
        ["cem", "ann", "bob"]
    );
    assert_eq!(world.board.members("lobby").len(), 4);
}

#[test]
fn a_member_that_left_hears_nothing_more_of_the_room() {
    let mut world = World::new();
    let [ann, bob] = [world.connect("ann", "lobby"), world.connect("bob", "lobby")];
    world.stops_reading_after(ann, 0);
    world.broadcast("lobby", r#""secret""#, Exclude::NOBODY);
    world
        .board
        .leave(world.now, world.id(ann), "lobby")
        .unwrap();
    world.forget();
    world.reads_all(ann);
    let told = world.messages(ann);
    assert_eq!(told.last().unwrap()["type"], "unsubscribed");
    assert!(
        told.iter().all(|message| message["type"] != "message"),
        "{told:?}"
    );
    assert!(world.is_open(bob));
}

#[test]
fn names_that_look_like_something_are_plain_names() {
    let mut world = World::new();
    let ann = world.connect("__proto__", "constructor");
    world.says(ann, json!({"type": "subscribe", "channel": "*?["}));
    world.says(ann, json!({"type": "subscribe", "channel": "disconnect"}));
    assert_eq!(world.board.rooms_of(world.id(ann)).unwrap().len(), 3);
    assert_eq!(world.board.members("*").len(), 0);
}

#[test]
fn the_application_hears_that_a_room_which_it_granted_was_full_by_then() {
    let mut world = World::with(|config| {
        config.rooms = Rooms::Ask;
        config.limits.room_members = 1;
    });
    let ann = world.connect("ann", "");
    let question = world.asks_to(ann, json!({"type": "subscribe", "channel": "blue"}));
    world.connect("bob", "blue");
    world.forget();
    world.answer(ann, question.expect("a question"));
    assert_eq!(world.last(ann)["code"], "room_full");
    let failed = Notice::JoinFailed {
        id: world.id(ann),
        room: "blue".into(),
        error: JoinError::RoomFull,
    };
    assert_eq!(world.notices, [failed]);
}
