//! Sessions of clients: which connections belong together (`docs/protocol.md`, section 5).

use serde_json::json;
use switchboard_core::{Exclude, UserPolicy};

use crate::recovery::{keeping, publish, short};
use crate::world::{World, millis, secs};

#[test]
fn what_a_session_sent_it_does_not_get_by_recovery_even_after_two_losses() {
    for (session, told) in [("&session=s", "skip 1-2"), ("", "1")] {
        let mut world = keeping(10, |_| {});
        let first = world.comes("ann", "/ws/lobby?session=s");
        let epoch = world.messages_of(first, "subscribed")[0]["epoch"].clone();
        let epoch = epoch.as_str().unwrap();
        world.says(first, json!({"type": "message", "content": 1}));
        world.happens(first, switchboard_core::Event::Reset);
        let second = world.comes("ann", &format!("/ws/lobby?since={epoch}.0{session}"));
        world.says(second, json!({"type": "message", "content": 2}));
        world.happens(second, switchboard_core::Event::Reset);
        let third = world.comes("ann", &format!("/ws/lobby?since={epoch}.0{session}"));
        assert_eq!(short(&world.messages(third))[3], told);
    }
}

#[test]
fn a_message_that_its_sender_wants_too_is_recovered() {
    let mut world = keeping(10, |_| {});
    let ann = world.comes("ann", "/ws/lobby?session=s");
    let epoch = world.messages_of(ann, "subscribed")[0]["epoch"].clone();
    let epoch = epoch.as_str().unwrap();
    world.says(ann, json!({"type": "message", "content": 1, "echo": true}));
    world.happens(ann, switchboard_core::Event::Reset);
    let ann = world.comes("ann", &format!("/ws/lobby?since={epoch}.0&session=s"));
    assert_eq!(short(&world.messages(ann))[3..], ["1"]);
}

#[test]
fn who_was_excluded_by_user_or_by_connection_stays_excluded() {
    let mut world = keeping(10, |config| config.users = UserPolicy::Allow(5));
    let ann = world.comes("ann", "/ws/lobby?session=s");
    let other = world.comes("ann", "/ws/lobby?session=t");
    let bob = world.comes("bob", "/ws/lobby");
    let epoch = world.messages_of(ann, "subscribed")[0]["epoch"].clone();
    let epoch = epoch.as_str().unwrap();
    let id = world.id(ann);
    let by_connection = Exclude {
        connections: &[id],
        users: &[],
    };
    let by_user = Exclude {
        connections: &[],
        users: &["bob", "ann"],
    };
    world.broadcast("lobby", "1", by_connection);
    world.broadcast("lobby", "2", by_user);
    publish(&mut world, "lobby", 1);
    for client in [ann, other, bob] {
        world.happens(client, switchboard_core::Event::Reset);
    }
    let come = |world: &mut World, user: &str, session: &str| {
        let target = format!("/ws/lobby?since={epoch}.0&session={session}");
        let client = world.comes(user, &target);
        short(&world.messages(client))[3..].to_vec()
    };
    assert_eq!(come(&mut world, "ann", "s"), ["skip 1-2", "3"]);
    assert_eq!(come(&mut world, "ann", "t"), ["1", "skip 2-2", "3"]);
    assert_eq!(come(&mut world, "bob", "s"), ["1", "skip 2-2", "3"]);
    assert_eq!(come(&mut world, "cid", "s"), ["1", "2", "3"]);
}

#[test]
fn a_newer_connection_of_a_session_ends_the_older_one_whatever_the_policy() {
    for policy in [
        UserPolicy::Replace,
        UserPolicy::Reject,
        UserPolicy::Allow(3),
    ] {
        let mut world = keeping(10, |config| config.users = policy);
        let older = world.comes("ann", "/ws/lobby?session=s");
        if policy == UserPolicy::Allow(3) {
            for session in ["x", "y"] {
                let other = world.comes("ann", &format!("/ws/lobby?session={session}"));
                assert!(world.is_open(other));
            }
        }
        let newer = world.comes("ann", "/ws/lobby?session=s");
        assert!(world.is_open(newer), "{policy:?}");
        assert_eq!(
            world.close(older),
            Some((1000, "replaced".into())),
            "{policy:?}"
        );
        let expected = if policy == UserPolicy::Allow(3) { 3 } else { 1 };
        assert_eq!(world.stats().total_connections, expected);
        assert_eq!(world.stats().closes["replaced"], 1);
    }
}

#[test]
fn the_session_of_another_user_is_another_session() {
    let mut world = keeping(10, |config| config.users = UserPolicy::Allow(3));
    let clients = ["ann", "bob", "", ""].map(|user| world.comes(user, "/ws/lobby?session=s"));
    assert!(clients.iter().all(|&client| world.is_open(client)));
    let gone = clients[0];
    world.happens(gone, switchboard_core::Event::Eof);
    let again = world.comes("ann", "/ws/lobby?session=s");
    assert!(world.is_open(again));
    assert_eq!(world.stats().closes.get("replaced"), None);
}

#[test]
fn what_a_replaced_connection_had_not_processed_has_no_effect() {
    let mut world = keeping(10, |_| {});
    let older = world.comes("ann", "/ws/lobby?session=s");
    let asked = json!({"type": "message", "channel": "lobby", "content": 1, "id": 1});
    let question = world.asks_to(older, asked.clone()).unwrap();
    let newer = world.comes("ann", "/ws/lobby?session=s");
    world.answer(older, question);
    world.says(older, asked);
    assert_eq!(world.stats().history.messages, 0);
    world.advance(millis(300));
    assert!(world.messages_of(newer, "message").is_empty());
}

#[test]
fn two_connections_of_one_session_that_wait_for_the_same_place_end_as_one() {
    let mut world = keeping(10, |config| config.users = UserPolicy::Reject);
    let holder = world.comes("ann", "/ws/lobby");
    world.falls_silent(holder);
    world.advance(secs(2));
    let newcomers = [(); 2].map(|()| world.comes("ann", "/ws/lobby?session=s"));
    world.advance(secs(2));
    assert_eq!(world.close(holder), Some((1000, "replaced".into())));
    assert!(world.is_open(newcomers[1]));
    assert_eq!(world.close(newcomers[0]), Some((1000, "replaced".into())));
}

#[test]
fn a_session_with_an_illegal_name_is_refused_with_400() {
    let mut world = World::new();
    let long = "x".repeat(65);
    for bad in [
        "session=",
        "session=a.b",
        "session=%00",
        "session=%C3%A9",
        "session=a&session=a",
    ] {
        let client = world.comes("ann", &format!("/ws/lobby?{bad}"));
        assert_eq!(world.told(client), (400, None), "{bad}");
    }
    let client = world.comes("ann", &format!("/ws/lobby?session={long}"));
    assert_eq!(world.told(client), (400, None));
    let client = world.comes("ann", &format!("/ws/lobby?session={}", &long[1..]));
    assert!(world.is_open(client));
    let mut raw = World::with(|config| config.wire = switchboard_core::Wire::Raw);
    let client = raw.comes("ann", "/ws/lobby?session=a.b");
    assert!(
        raw.is_open(client),
        "in raw mode the parameter is the application's"
    );
}
