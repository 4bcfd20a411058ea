//! First-message authentication and expiring identities (`docs/behaviour.md`, section 1).

use serde_json::json;
use switchboard_core::{CloseFrame, Event, Identity, Refused};

use crate::world::{World, millis, secs};

#[test]
fn first_message_authentication_is_authenticated_welcome_lobby() {
    let mut world = World::new();
    let ann = world.connect_to_log_in("lobby");
    assert_eq!(world.peer(ann).status, Some(101));
    assert_eq!(world.frames(ann), [], "nothing is sent before");
    world.says(ann, json!({"type": "auth", "token": "ann", "id": 7}));
    let types: Vec<_> = world.messages(ann);
    assert_eq!(
        types[0],
        json!({"type": "authenticated", "user": "ann", "id": 7})
    );
    assert_eq!(types[1]["type"], "welcome");
    assert_eq!(types[2]["type"], "subscribed");
    assert_eq!(types[3]["type"], "presence");
    assert_eq!(types.len(), 4);
}

#[test]
fn until_its_first_message_a_connection_is_a_handshake_and_holds_no_other_seat() {
    let mut world = World::with(|config| {
        config.limits.connections = 1;
        config.limits.room_members = 1;
    });
    let waiting = world.connect_to_log_in("lobby");
    assert_eq!(world.stats().pending_handshakes, 1);
    assert_eq!(world.stats().total_connections, 0);
    world.connect("bob", "lobby");
    world.says(waiting, json!({"type": "auth", "token": "ann"}));
    assert_eq!(world.close(waiting), Some((4002, "server_full".into())));
}

#[test]
fn without_an_auth_message_in_5_s_it_is_closed_4103() {
    let mut world = World::new();
    let client = world.connect_to_log_in("lobby");
    world.advance(millis(4_999));
    assert_eq!(world.close(client), None);
    world.advance(millis(1));
    assert_eq!(world.close(client), Some((4103, "auth_timeout".into())));
    assert_eq!(world.stats().closes["auth_timeout"], 1);
}

#[test]
fn the_time_that_the_application_takes_is_not_the_clients() {
    let mut world = World::new();
    let client = world.connect_to_log_in("");
    world.advance(secs(4));
    let question = world.asks_to(client, json!({"type": "auth", "token": "ann"}));
    world.happens(client, Event::HookStarted);
    world.advance(secs(9));
    assert_eq!(world.close(client), None);
    world.answer(client, question.unwrap());
    assert!(world.is_open(client));
}

#[test]
fn another_first_message_is_1008() {
    for first in [
        r#"{"type":"subscribe","channel":"lobby"}"#,
        r#"{"type":"ping"}"#,
        "not json",
        r#"{"type":"auth"}"#,
    ] {
        let mut world = World::new();
        let client = world.connect_to_log_in("lobby");
        world.says(client, first);
        assert_eq!(
            world.close(client),
            Some((1008, "policy".into())),
            "{first}"
        );
        assert_eq!(world.peer(client).frames.len(), 1, "{first}");
    }
    let mut world = World::new();
    let client = world.connect_to_log_in("lobby");
    world.sends_binary(client, 10);
    assert_eq!(world.close(client), Some((1008, "policy".into())));
}

#[test]
fn a_first_message_of_more_than_4_kib_is_1008_whole_or_not() {
    let mut world = World::new();
    let message = |length: usize| {
        let token = "x".repeat(length - r#"{"type":"auth","token":""}"#.len());
        format!(r#"{{"type":"auth","token":"{token}"}}"#)
    };
    let client = world.connect_to_log_in("");
    world.says(client, &*message(4_097));
    assert_eq!(world.close(client), Some((1008, "policy".into())));
    let client = world.connect_to_log_in("");
    assert!(world.asks_to(client, &*message(4_096)).is_some());
    let client = world.connect_to_log_in("");
    world.happens(
        client,
        Event::Partial {
            in_message: true,
            bytes: 4_097,
        },
    );
    assert_eq!(world.close(client), Some((1008, "policy".into())));
    assert_eq!(world.board.audit(), Ok(()));
}

#[test]
fn a_wrong_token_is_4001_and_a_forbidden_one_4003() {
    for (token, code) in [("wrong", 4001), ("forbidden", 4003), ("broken", 1011)] {
        let mut world = World::new();
        let client = world.connect_to_log_in("lobby");
        world.says(client, json!({"type": "auth", "token": token}));
        assert_eq!(world.close(client).unwrap().0, code);
    }
}

#[test]
fn a_client_that_owes_its_first_message_is_refused_when_a_drain_begins() {
    let mut world = World::new();
    let waiting = world.connect_to_log_in("lobby");
    world.board.drain(world.now, secs(10), secs(15));
    world.flush();
    assert_eq!(world.close(waiting), Some((1012, "restart".into())));
}

#[test]
fn a_client_that_leaves_before_its_first_message_returns_its_seat_at_once() {
    for event in [Event::Eof, Event::Reset] {
        let mut world = World::new();
        let client = world.connect_to_log_in("lobby");
        world.keeps_its_side_open(client);
        world.happens(client, event);
        assert_eq!(world.stats().pending_handshakes, 0, "{event:?}");
        assert!(world.is_gone(client), "{event:?}");
    }
}

#[test]
fn a_close_before_the_first_message_is_answered() {
    let mut world = World::new();
    let client = world.connect_to_log_in("lobby");
    let close = CloseFrame {
        code: 3_210,
        reason: "changed my mind",
    };
    world.happens(client, Event::Close(Some(close)));
    assert_eq!(world.close(client), Some((3_210, String::new())));
    assert_eq!(world.stats().total_connections, 0);
}

#[test]
fn a_second_request_for_first_message_authentication_is_unauthorized() {
    let mut world = World::new();
    let client = world.connect_to_log_in("lobby");
    world.authenticate(client, Ok(Identity::FirstMessage));
    assert_eq!(world.close(client), Some((4001, "unauthorized".into())));
}

#[test]
fn an_expired_principal_is_closed_4202() {
    let mut world = World::new();
    let ann = world.connect("ann:60", "lobby");
    world.advance(millis(59_999));
    assert!(world.is_open(ann));
    world.advance(millis(1));
    assert_eq!(world.close(ann), Some((4202, "token_expired".into())));
    assert_eq!(world.stats().closes["token_expired"], 1);
    let bob = world.connect("bob", "lobby");
    world.advance(secs(86_400));
    assert!(world.is_open(bob));
}

#[test]
fn auth_refreshes_a_principal_in_place() {
    let mut world = World::new();
    let ann = world.connect("ann:60", "lobby");
    world.advance(secs(50));
    world.forget();
    world.says(ann, json!({"type": "auth", "token": "ann:60"}));
    assert_eq!(
        world.messages(ann),
        [json!({"type": "authenticated", "user": "ann"})]
    );
    world.advance(secs(59));
    assert!(world.is_open(ann));
    world.says(ann, json!({"type": "auth", "token": "ann", "id": "x"}));
    assert_eq!(
        world.last(ann),
        json!({"type": "authenticated", "user": "ann", "id": "x"})
    );
    world.advance(secs(3_600));
    assert!(world.is_open(ann), "a token that does not expire");
}

#[test]
fn a_refresh_as_another_user_or_with_a_wrong_token_is_4001() {
    for token in ["bob", "wrong", "forbidden", ""] {
        let mut world = World::new();
        let ann = world.connect("ann", "lobby");
        world.says(ann, json!({"type": "auth", "token": token}));
        assert_eq!(
            world.close(ann),
            Some((4001, "unauthorized".into())),
            "{token}"
        );
    }
}

#[test]
fn a_refresh_that_panics_is_1011() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    let id = world.id(ann);
    world
        .board
        .authenticated(world.now, id, Err(Refused::Internal), None)
        .unwrap();
    world.flush();
    assert_eq!(world.close(ann), Some((1011, "internal".into())));
}
