//! Users with several connections (`docs/behaviour.md`, section 2).

use serde_json::json;
use switchboard_core::protocol::Content;
use switchboard_core::{CloseReason, Event, Frame, StaleId, UserPolicy};

use crate::world::{World, millis, secs};

#[test]
fn a_second_connection_of_a_user_replaces_the_first() {
    let mut world = World::new();
    let old = world.connect("ann", "lobby");
    let new = world.connect("ann", "lobby");
    assert_eq!(world.close(old), Some((1000, "replaced".into())));
    assert_eq!(world.board.connections_of("ann"), [world.id(new)]);
    assert_eq!(world.board.members("lobby"), [world.id(new)]);
    assert_eq!(world.stats().closes["replaced"], 1);
}

#[test]
fn a_newcomer_takes_over_the_last_global_and_the_last_lobby_seat() {
    let mut world = World::with(|config| {
        config.limits.connections = 1;
        config.limits.room_members = 1;
        config.limits.rooms = 1;
    });
    world.connect("ann", "lobby");
    let new = world.connect("ann", "lobby");
    assert_eq!(world.stats().total_connections, 1);
    assert_eq!(world.board.members("lobby"), [world.id(new)]);
}

#[test]
fn a_newcomer_takes_over_only_a_lobby_seat_that_its_predecessor_had() {
    let mut world = World::with(|config| config.limits.room_members = 1);
    let old = world.connect("ann", "blue");
    world.connect("bob", "red");
    let new = world.tries("ann", "red");
    assert_eq!(world.close(new), Some((4002, "lobby_full".into())));
    assert!(world.is_open(old), "a refused connection replaces none");
}

#[test]
fn a_newcomer_takes_over_the_place_of_a_room_that_goes_with_its_predecessor() {
    let mut world = World::with(|config| config.limits.rooms = 2);
    world.connect("bob", "blue");
    let old = world.connect("ann", "red");
    let new = world.connect("ann", "green");
    assert_eq!(world.close(old), Some((1000, "replaced".into())));
    assert_eq!(world.board.members("green"), [world.id(new)]);
    assert_eq!(world.stats().active_rooms, 2);
    // Another user stays in the room, so it continues to exist.
    world.connect("cem", "green");
    let newest = world.tries("ann", "red");
    assert_eq!(world.close(newest), Some((4002, "lobby_full".into())));
    assert!(world.is_open(new));
    // A newcomer that replaces no connection gets no extra room.
    let other = world.tries("dan", "red");
    assert_eq!(world.close(other), Some((4002, "lobby_full".into())));
}

#[test]
fn the_oldest_of_several_devices_gives_up_its_room_too() {
    let mut world = World::with(|config| {
        config.users = UserPolicy::Allow(2);
        config.limits.rooms = 2;
    });
    let oldest = world.connect("ann", "red");
    world.connect("ann", "blue");
    let new = world.connect("ann", "green");
    assert_eq!(world.close(oldest), Some((1000, "replaced".into())));
    assert_eq!(world.board.members("green"), [world.id(new)]);
}

#[test]
fn the_room_of_a_user_alone_lives_on_when_it_is_replaced() {
    let mut world = World::new();
    let old = world.connect("ann", "lobby");
    let before = world.messages_of(old, "subscribed");
    world.broadcast("lobby", "1", switchboard_core::Exclude::NOBODY);
    let new = world.connect("ann", "lobby");
    let after = world.messages_of(new, "subscribed");
    assert_eq!(after[0]["epoch"], before[0]["epoch"]);
    assert_eq!(after[0]["seq"], 1);
}

#[test]
fn the_end_of_a_replaced_connection_never_touches_its_successors_entries() {
    for late in [Event::Eof, Event::Reset, Event::Close(None)] {
        let mut world = World::new();
        let old = world.connect("ann", "lobby");
        world.keeps_its_side_open(old);
        let new = world.connect("ann", "lobby");
        world.says(new, json!({"type": "subscribe", "channel": "more"}));
        world.happens(old, late);
        world.happens(old, late);
        world.advance(secs(10));
        assert!(world.is_gone(old));
        assert_eq!(world.board.connections_of("ann"), [world.id(new)]);
        assert_eq!(world.board.members("lobby"), [world.id(new)]);
        assert_eq!(world.board.members("more"), [world.id(new)]);
        assert_eq!(&*world.board.room_users("lobby")[0], "ann");
    }
}

#[test]
fn reject_keeps_the_older_connection() {
    let mut world = World::with(|config| config.users = UserPolicy::Reject);
    let old = world.connect("ann", "lobby");
    let new = world.tries("ann", "lobby");
    assert_eq!(world.close(new), Some((4005, "already_connected".into())));
    assert!(world.is_open(old));
    world.happens(old, Event::Eof);
    world.connect("ann", "lobby");
}

#[test]
fn allow_n_lets_n_devices_in_and_then_the_oldest_goes() {
    let mut world = World::with(|config| config.users = UserPolicy::Allow(2));
    let first = world.connect("ann", "lobby");
    let second = world.connect("ann", "lobby");
    assert!(world.is_open(first));
    let third = world.connect("ann", "lobby");
    assert_eq!(world.close(first), Some((1000, "replaced".into())));
    let ids = [second, third].map(|client| world.id(client));
    assert_eq!(world.board.connections_of("ann"), ids);
    assert_eq!(world.stats().users, 1);
}

#[test]
fn replacing_within_one_instant_leaves_exactly_the_last() {
    let mut world = World::new();
    let tries: Vec<_> = (0..5)
        .map(|_| world.asks(world.new_address(), "/ws/lobby", "").0)
        .collect();
    for &client in &tries {
        world.authenticate(client, crate::world::verdict("ann"));
    }
    assert_eq!(world.board.connections_of("ann"), [world.id(tries[4])]);
    assert_eq!(world.stats().closes["replaced"], 4);
}

#[test]
fn is_connected_tells_from_admission_to_the_decision_to_end() {
    let mut world = World::new();
    assert!(!world.board.is_connected("ann"));
    let ann = world.connect("ann", "lobby");
    world.keeps_its_side_open(ann);
    assert!(world.board.is_connected("ann"));
    world
        .board
        .close(world.now, world.id(ann), CloseReason::Kicked)
        .unwrap();
    assert!(!world.board.is_connected("ann"));
    assert_eq!(world.stats().closing, 1);
}

#[test]
fn last_heard_is_the_time_since_any_byte_from_any_device() {
    let mut world = World::with(|config| config.users = UserPolicy::Allow(2));
    assert_eq!(world.board.last_heard(world.now, "ann"), None);
    let first = world.connect("ann", "");
    world.connect("ann", "");
    world.advance(millis(200));
    world.happens(first, Event::Heard);
    world.advance(millis(300));
    assert_eq!(world.board.last_heard(world.now, "ann"), Some(millis(300)));
}

#[test]
fn send_to_user_reaches_all_devices_and_nobody_else() {
    let mut world = World::with(|config| config.users = UserPolicy::Allow(3));
    let devices = [world.connect("ann", "a"), world.connect("ann", "b")];
    let bob = world.connect("bob", "a");
    world.forget();
    let receipt = world
        .board
        .send_to_user(world.now, "ann", Frame::text(r#"{"x":1}"#));
    assert_eq!(receipt.unwrap().accepted, 2);
    for device in devices {
        assert_eq!(world.messages(device), [json!({"x": 1})]);
    }
    assert_eq!(world.messages(bob), Vec::<serde_json::Value>::new());
    let nobody = world.board.send_to_user(world.now, "eve", Frame::text("x"));
    assert_eq!(nobody.unwrap().accepted, 0);
}

#[test]
fn direct_tells_all_devices_what_the_application_says() {
    let mut world = World::with(|config| config.users = UserPolicy::Allow(3));
    let devices = [world.connect("ann", "a"), world.connect("ann", "b")];
    world.forget();
    let content = Content::parse(r#"{"x": 1.50}"#).unwrap();
    let direct = |world: &mut World, user, sender| {
        let sent = world.board.direct(world.now, user, content, sender);
        sent.unwrap().accepted
    };
    assert_eq!(direct(&mut world, "ann", None), 2);
    assert_eq!(direct(&mut world, "ann", Some("eve")), 2);
    assert_eq!(direct(&mut world, "bob", None), 0);
    for device in devices {
        let expected = [
            json!({"type": "direct", "content": {"x": 1.5}}),
            json!({"type": "direct", "content": {"x": 1.5}, "sender": "eve"}),
        ];
        assert_eq!(world.messages(device), expected);
    }
}

#[test]
fn the_application_prolongs_and_shortens_a_login() {
    let mut world = World::with(|config| config.users = UserPolicy::Allow(3));
    let devices = [world.connect("ann:10", ""), world.connect("ann:10", "")];
    let expired = Some((4202, "token_expired".into()));
    world.advance(secs(5));
    let first = world.id(devices[0]);
    assert_eq!(world.board.extend(world.now, first, Some(secs(20))), Ok(()));
    world.advance(secs(6));
    assert_eq!(world.close(devices[1]), expired, "it was not prolonged");
    assert!(world.is_open(devices[0]));
    // Without an end, then with one again.
    assert_eq!(world.board.extend_user(world.now, "ann", None), 1);
    world.advance(secs(60));
    assert!(world.is_open(devices[0]));
    let now = world.now;
    assert_eq!(world.board.extend_user(now, "ann", Some(secs(1))), 1);
    world.advance(secs(1));
    assert_eq!(world.close(devices[0]), expired);
    assert_eq!(world.board.extend_user(world.now, "ann", Some(secs(1))), 0);
}

#[test]
fn a_login_that_is_over_is_not_prolonged() {
    let mut world = World::new();
    let ann = world.connect("ann:10", "");
    world.falls_silent(ann);
    let id = world.id(ann);
    let now = world.now;
    world.board.close(now, id, CloseReason::Kicked).unwrap();
    assert_eq!(world.board.extend(now, id, Some(secs(1))), Ok(()));
    world.advance(secs(60));
    assert!(world.is_gone(ann));
    assert_eq!(world.stats().closes.get("token_expired"), None);
    let now = world.now;
    assert_eq!(world.board.extend(now, id, None), Err(StaleId(id)));
}

#[test]
fn disconnect_user_ends_all_devices_with_4004() {
    let mut world = World::with(|config| config.users = UserPolicy::Allow(3));
    let devices = [world.connect("ann", "a"), world.connect("ann", "b")];
    let ended = world
        .board
        .disconnect_user(world.now, "ann", CloseReason::Kicked);
    world.flush();
    assert_eq!(ended, 2);
    for device in devices {
        assert_eq!(world.close(device), Some((4004, "kicked".into())));
    }
    let again = world
        .board
        .disconnect_user(world.now, "ann", CloseReason::Kicked);
    assert_eq!(again, 0);
}

#[test]
fn disconnect_user_takes_a_code_of_the_application() {
    let mut world = World::new();
    let ann = world.connect("ann", "a");
    world
        .board
        .disconnect_user(world.now, "ann", CloseReason::application(4_500).unwrap());
    world.flush();
    assert_eq!(world.close(ann), Some((4_500, "application".into())));
    assert_eq!(world.stats().closes["application"], 1);
}

#[test]
fn a_user_whose_connection_is_closing_may_come_back_even_where_a_second_is_rejected() {
    let mut world = World::with(|config| config.users = UserPolicy::Reject);
    let old = world.connect("ann", "lobby");
    world.falls_silent(old);
    world
        .board
        .close(world.now, world.id(old), CloseReason::Kicked)
        .unwrap();
    let new = world.connect("ann", "lobby");
    world.advance(secs(5));
    assert!(world.is_gone(old));
    assert_eq!(world.board.connections_of("ann"), [world.id(new)]);
}
