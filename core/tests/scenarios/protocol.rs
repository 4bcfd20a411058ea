//! Every request, with and without an id, and its answers (`docs/protocol.md`, section 2).

use serde_json::{Value, json};
use switchboard_core::{Direct, Event, UserPolicy, Wire};
use switchboard_kit::Received;

use crate::world::{Client, World, millis, secs};

/// Two users in a lobby who know of each other.
pub(crate) fn pair() -> (World, Client, Client) {
    pair_with(|_| {})
}

pub(crate) fn pair_with(
    change: impl FnOnce(&mut switchboard_core::Config),
) -> (World, Client, Client) {
    let mut world = World::with(change);
    let [ann, bob] = [world.connect("ann", "lobby"), world.connect("bob", "lobby")];
    world.advance(millis(300));
    world.forget();
    (world, ann, bob)
}

/// Checks the answer to a request: these fields, and a message for people if it is an error.
pub(crate) fn answers(world: &mut World, client: Client, request: &Value, expected: &Value) {
    world.says(client, request.clone());
    let mut answer = world.messages(client).remove(0);
    if answer["type"] == "error" {
        let message = answer.as_object_mut().unwrap().remove("message");
        assert!(message.unwrap().as_str().unwrap().len() > 5);
    }
    assert_eq!(&answer, expected, "to {request}");
}

pub(crate) fn error(code: &str) -> Value {
    json!({"type": "error", "code": code})
}

/// Sends a request without an id, with an integer and with a string; the answer must echo it.
pub(crate) fn answers_with_any_id(change: fn(&mut World), request: &Value, expected: &Value) {
    for id in [None, Some(json!(7)), Some(json!("seven"))] {
        let (mut world, ann, _) = pair();
        change(&mut world);
        let (mut request, mut expected) = (request.clone(), expected.clone());
        if let Some(id) = id {
            request["id"] = id.clone();
            expected["id"] = id;
        }
        answers(&mut world, ann, &request, &expected);
    }
}

#[test]
fn welcome_tells_connection_user_ping_interval_and_max_bytes() {
    let mut world = World::new();
    let ann = world.connect("ann", "");
    let connection = world.id(ann).to_string();
    assert_eq!(
        world.messages(ann),
        [json!({
            "type": "welcome", "connection": connection, "user": "ann", "ping_ms": 25_000,
            "max_bytes": 65_536,
        })]
    );
}

#[test]
fn subscribe_is_answered_by_subscribed_and_then_presence() {
    for id in [None, Some(json!(1)), Some(json!("a"))] {
        let (mut world, ann, _) = pair();
        let mut request = json!({"type": "subscribe", "channel": "blue"});
        if let Some(id) = &id {
            request["id"] = id.clone();
        }
        world.says(ann, request);
        let told = world.messages(ann);
        assert_eq!(told.len(), 2);
        assert_eq!(
            (&told[0]["type"], &told[0]["channel"]),
            (&json!("subscribed"), &json!("blue"))
        );
        assert_eq!(
            (told[0].get("id"), &told[0]["seq"]),
            (id.as_ref(), &json!(0))
        );
        assert!(told[0]["epoch"].is_string());
        assert_eq!(told[1]["type"], "presence");
        assert_eq!(told[1].get("id"), None);
    }
}

#[test]
fn unsubscribe_is_answered_by_unsubscribed() {
    let request = json!({"type": "unsubscribe", "channel": "lobby"});
    let expected = json!({"type": "unsubscribed", "channel": "lobby"});
    answers_with_any_id(|_| {}, &request, &expected);
    let request = json!({"type": "unsubscribe", "channel": "nowhere"});
    let mut expected = error("not_in_channel");
    expected["channel"] = json!("nowhere");
    answers_with_any_id(|_| {}, &request, &expected);
}

#[test]
fn a_message_reaches_the_members_but_not_the_sending_connection() {
    let (mut world, ann, bob) = pair_with(|config| config.users = UserPolicy::Allow(2));
    let second = world.connect("ann", "lobby");
    world.advance(millis(300));
    world.forget();
    world.says(
        ann,
        json!({"type": "message", "channel": "lobby", "content": {"a": [1, null]}}),
    );
    let message = json!({
        "type": "message", "channel": "lobby", "content": {"a": [1, null]}, "sender": "ann", "seq": 1,
    });
    assert_eq!(world.last(bob), message);
    assert_eq!(world.messages(second), [message], "the user's other device");
    assert_eq!(world.frames(ann), []);
}

#[test]
fn with_echo_the_sender_gets_its_own_message_too() {
    let (mut world, ann, bob) = pair();
    world.says(
        ann,
        json!({"type": "message", "content": 1, "echo": true, "id": 5}),
    );
    let told = world.messages(ann);
    assert_eq!(told[0]["type"], "message");
    assert_eq!(told[1], json!({"type": "ack", "id": 5, "seq": 1}));
    assert_eq!(world.messages(bob).len(), 1);
}

#[test]
fn a_message_with_an_id_is_acknowledged_with_its_number() {
    let (mut world, ann, _) = pair();
    for (id, seq) in [(json!(9), 1), (json!("x"), 2)] {
        let request = json!({"type": "message", "channel": "lobby", "content": 0, "id": id});
        answers(
            &mut world,
            ann,
            &request,
            &json!({"type": "ack", "id": id, "seq": seq}),
        );
    }
}

#[test]
fn without_a_channel_it_goes_to_the_only_room_or_is_a_bad_request() {
    let (mut world, ann, bob) = pair();
    world.says(ann, json!({"type": "message", "content": 1}));
    assert_eq!(world.last(bob)["channel"], "lobby");
    world.says(ann, json!({"type": "subscribe", "channel": "blue"}));
    world.forget();
    world.says(ann, json!({"type": "message", "content": 1, "id": 3}));
    let told = world.last(ann);
    assert_eq!(
        (&told["code"], &told["id"]),
        (&json!("bad_request"), &json!(3))
    );
    let nowhere = world.connect("cem", "");
    world.says(nowhere, json!({"type": "message", "content": 1}));
    assert_eq!(world.last(nowhere)["code"], "bad_request");
}

#[test]
fn a_member_that_left_while_the_application_was_asked_sends_nothing() {
    let (mut world, ann, bob) = pair();
    let question = world.asks_to(ann, json!({"type": "message", "content": 1}));
    world
        .board
        .leave(world.now, world.id(ann), "lobby")
        .unwrap();
    world.forget();
    world.answer(ann, question.unwrap());
    assert_eq!(world.last(ann)["code"], "not_in_channel");
    assert_eq!(world.messages_of(bob, "message").len(), 0);
}

#[test]
fn content_passes_through_byte_for_byte() {
    for content in [
        r#"{ "b" : 1.0,  "a":1e2 }"#,
        r#""\u00e9 \/ \ud83d\ude00""#,
        "123456789012345678901234567890",
        "-0",
        r#"{"x":1,"x":2}"#,
    ] {
        let (mut world, ann, bob) = pair();
        world.says(
            ann,
            &*format!(r#"{{"type":"message","content":{content}}}"#),
        );
        let frames = world.frames(bob);
        let [Received::Text(text)] = frames.as_slice() else {
            panic!("{content}: {frames:?}");
        };
        assert!(text.contains(&format!(r#""content":{content},"#)), "{text}");
    }
}

#[test]
fn the_sender_is_the_connections_user_whatever_the_client_wrote() {
    let (mut world, ann, bob) = pair();
    world.says(
        ann,
        json!({"type": "message", "content": 1, "sender": "bob", "user": "bob", "from": "bob"}),
    );
    assert_eq!(world.last(bob)["sender"], "ann");
    world.says(
        ann,
        json!({"type": "direct", "to": "bob", "content": 1, "sender": "bob"}),
    );
    assert_eq!(world.last(bob)["sender"], "ann");
}

#[test]
fn a_direct_reaches_all_connections_of_the_user_and_is_acknowledged() {
    let (mut world, ann, bob) = pair_with(|config| config.users = UserPolicy::Allow(2));
    let second = world.connect("bob", "");
    world.forget();
    world.says(ann, json!({"type": "direct", "to": "bob", "content": [1]}));
    let direct = json!({"type": "direct", "content": [1], "sender": "ann"});
    assert_eq!(world.messages(bob)[0], direct);
    assert_eq!(world.messages(second), [direct]);
    assert_eq!(world.messages(ann), Vec::<Value>::new());
    for id in [json!(4), json!("four")] {
        let request = json!({"type": "direct", "to": "bob", "content": [1], "id": id});
        answers(
            &mut world,
            ann,
            &request,
            &json!({"type": "ack", "id": id, "delivered": 2}),
        );
    }
}

#[test]
fn direct_is_asked_about_unless_it_is_open() {
    let (mut world, ann, _) = pair();
    let request = json!({"type": "direct", "to": "bob", "content": 1});
    assert!(world.asks_to(ann, request.clone()).is_some());
    let (mut world, ann, bob) = pair_with(|config| config.direct = Direct::Open);
    assert!(world.asks_to(ann, request).is_none());
    assert_eq!(world.messages(bob).len(), 1);
}

#[test]
fn a_ping_is_answered_by_a_pong_with_the_same_timestamp() {
    answers_with_any_id(|_| {}, &json!({"type": "ping"}), &json!({"type": "pong"}));
    for timestamp in [json!(0), json!(-1.5), json!("now"), json!(u64::MAX)] {
        let request = json!({"type": "ping", "timestamp": timestamp});
        let expected = json!({"type": "pong", "timestamp": timestamp});
        answers_with_any_id(|_| {}, &request, &expected);
    }
}

#[test]
fn auth_is_answered_by_authenticated() {
    let expected = json!({"type": "authenticated", "user": "ann"});
    answers_with_any_id(|_| {}, &json!({"type": "auth", "token": "ann"}), &expected);
}

#[test]
fn unknown_fields_are_ignored() {
    let request = json!({"type": "ping", "x": {"y": [1]}, "trace": "abc"});
    answers_with_any_id(|_| {}, &request, &json!({"type": "pong"}));
}

#[test]
fn ids_are_carried_back_byte_for_byte() {
    for id in ["12345678901234567890123", "-0", r#""\u0041""#] {
        let (mut world, ann, _) = pair();
        world.says(ann, &*format!(r#"{{"type":"ping","id":{id}}}"#));
        let text = format!(r#"{{"type":"pong","id":{id}}}"#);
        assert_eq!(world.frames(ann), [Received::Text(text)]);
    }
}

#[test]
fn a_message_and_a_close_in_one_read_are_a_message_and_then_a_close() {
    let (mut world, ann, bob) = pair();
    world.says(ann, json!({"type": "message", "content": "last words"}));
    world.happens(ann, Event::Close(None));
    assert_eq!(world.messages(bob)[0]["content"], "last words");
    assert!(world.is_gone(ann));
}

#[test]
fn in_raw_mode_nothing_of_the_protocol_is_sent() {
    let mut world = World::with(|config| config.wire = Wire::Raw);
    let ann = world.connect("ann", "lobby");
    world.connect("bob", "lobby");
    world.board.join(world.now, world.id(ann), "more").unwrap();
    world.board.leave(world.now, world.id(ann), "more").unwrap();
    world.advance(secs(1));
    assert_eq!(world.frames(ann), []);
}
