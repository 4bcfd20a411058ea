//! Coming back to a room that keeps a history (`docs/protocol.md`, section 5).

use serde_json::{Value, json};
use switchboard_core::{Config, Exclude, Reach, Time};
use switchboard_kit::Received;

use crate::world::{Client, World, secs};

/// A world whose rooms keep this many messages.
pub(crate) fn keeping(messages: usize, change: impl FnOnce(&mut Config)) -> World {
    World::with(|config| {
        config.history.messages = messages;
        change(config);
    })
}

pub(crate) fn publish(world: &mut World, room: &str, times: u64) {
    for n in 0..times {
        world.broadcast(room, &n.to_string(), Exclude::NOBODY);
    }
}

/// Subscribes, from a position on if there is one, and returns all that comes.
pub(crate) fn subscribes(
    world: &mut World,
    client: Client,
    room: &str,
    since: Option<Value>,
) -> Vec<Value> {
    let mut request = json!({"type": "subscribe", "channel": room});
    if let Some(since) = since {
        request["since"] = since;
    }
    world.forget();
    world.says(client, request);
    world.messages(client)
}

/// What came, in short: the type, and the numbers.
pub(crate) fn short(messages: &[Value]) -> Vec<String> {
    let one = |message: &Value| {
        let kind = message["type"].as_str().unwrap();
        match kind {
            "skip" | "gap" => format!("{kind} {}-{}", message["from"], message["to"]),
            "message" => message["seq"].to_string(),
            "subscribed" => format!("{kind} {}", message["recovered"]),
            _ => kind.to_owned(),
        }
    };
    messages.iter().map(one).collect()
}

#[test]
fn what_was_missed_follows_the_answer_byte_for_byte_then_what_is_new() {
    let mut world = keeping(10, |_| {});
    let [ann, bob] = [world.connect("ann", "lobby"), world.connect("bob", "")];
    let subscribed = world.messages_of(ann, "subscribed").remove(0);
    assert_eq!(
        (&subscribed["first"], &subscribed["seq"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(subscribed.get("recovered"), None);
    publish(&mut world, "lobby", 5);
    let live: Vec<Received> = world.frames(ann);
    let since = json!({"epoch": subscribed["epoch"], "seq": 2});
    let told = subscribes(&mut world, bob, "lobby", Some(since));
    assert_eq!(short(&told), ["subscribed true", "presence", "3", "4", "5"]);
    assert_eq!((&told[0]["first"], &told[0]["seq"]), (&json!(1), &json!(5)));
    let peer = world.peer(bob);
    assert_eq!(peer.frames[peer.frames.len() - 3..], live[2..]);
    publish(&mut world, "lobby", 1);
    assert_eq!(short(&world.messages(bob)), ["6"]);
    assert_eq!(world.stats().recoveries.ok, 1);
}

#[test]
fn nothing_is_recovered_in_part() {
    let mut world = keeping(3, |_| {});
    let [ann, bob] = [world.connect("ann", "lobby"), world.connect("bob", "")];
    let epoch = world.messages_of(ann, "subscribed")[0]["epoch"].clone();
    publish(&mut world, "lobby", 5);
    let mut come = |epoch: &Value, seq: u64| {
        let since = json!({"epoch": epoch, "seq": seq});
        let told = short(&subscribes(&mut world, bob, "lobby", Some(since)));
        world.says(bob, json!({"type": "unsubscribe", "channel": "lobby"}));
        told[0] == "subscribed true" && {
            let numbers = told[2..].iter().map(|told| told.parse::<u64>().unwrap());
            assert!(numbers.eq(seq + 1..=5));
            true
        }
    };
    assert_eq!(
        [1, 2, 3, 5, 6].map(|seq| come(&epoch, seq)),
        [false, true, true, true, false]
    );
    assert!(!come(&json!(""), 5) && !come(&json!("1-1"), 5));
    let recoveries = world.stats().recoveries;
    let counted = (
        recoveries.ok,
        recoveries.gone,
        recoveries.epoch,
        recoveries.ahead,
    );
    assert_eq!(counted, (3, 1, 2, 1));
}

#[test]
fn what_is_too_old_is_not_given_out() {
    let mut world = keeping(10, |_| {});
    let [ann, bob] = [world.connect("ann", "lobby"), world.connect("bob", "")];
    let epoch = world.messages_of(ann, "subscribed")[0]["epoch"].clone();
    publish(&mut world, "lobby", 1);
    // Without a tick.
    world.freeze(secs(300));
    let told = subscribes(
        &mut world,
        bob,
        "lobby",
        Some(json!({"epoch": epoch, "seq": 0})),
    );
    assert_eq!(short(&told)[0], "subscribed false");
    assert_eq!(told[0]["first"], 2);
}

#[test]
fn a_stall_of_the_host_ages_messages_and_a_clock_that_stands_or_goes_back_does_not() {
    let mut world = keeping(10, |_| {});
    let [ann, bob] = [world.connect("ann", "lobby"), world.connect("bob", "")];
    let epoch = world.messages_of(ann, "subscribed")[0]["epoch"].clone();
    let since = |seq: u64| Some(json!({"epoch": epoch, "seq": seq}));
    publish(&mut world, "lobby", 2);
    world.freeze(secs(299));
    publish(&mut world, "lobby", 1);
    let before = world.now;
    world.now = Time::ZERO;
    publish(&mut world, "lobby", 1);
    let told = subscribes(&mut world, bob, "lobby", since(1));
    let expected = ["subscribed true", "presence", "2", "3", "4"];
    assert_eq!(short(&told), expected, "all are younger than the age");
    world.says(bob, json!({"type": "unsubscribe", "channel": "lobby"}));
    world.now = before;
    // The first two are too old when the host is back, before any tick, and the others are not.
    world.freeze(secs(2));
    let told = subscribes(&mut world, bob, "lobby", since(1));
    assert_eq!(short(&told)[0], "subscribed false");
    assert_eq!(told[0]["first"], 3);
    world.says(bob, json!({"type": "unsubscribe", "channel": "lobby"}));
    let told = subscribes(&mut world, bob, "lobby", since(2));
    assert_eq!(short(&told), ["subscribed true", "presence", "3", "4"]);
    world.says(bob, json!({"type": "unsubscribe", "channel": "lobby"}));
    world.freeze(secs(3_600));
    publish(&mut world, "lobby", 1);
    let told = subscribes(&mut world, bob, "lobby", since(3));
    assert_eq!(short(&told)[0], "subscribed false");
    assert_eq!((&told[0]["first"], &told[0]["seq"]), (&json!(5), &json!(5)));
    assert_eq!(world.stats().history.messages, 1);
}

#[test]
fn a_room_without_history_knows_no_positions() {
    let mut world = World::new();
    let [ann, bob] = [world.connect("ann", "lobby"), world.connect("bob", "")];
    let epoch = world.messages_of(ann, "subscribed")[0]["epoch"].clone();
    publish(&mut world, "lobby", 2);
    let told = subscribes(
        &mut world,
        bob,
        "lobby",
        Some(json!({"epoch": epoch, "seq": 0})),
    );
    assert_eq!(short(&told), ["subscribed null", "presence"]);
    assert_eq!(told[0].get("first"), None);
    assert_eq!(world.stats().recoveries.ok, 0);
}

#[test]
fn a_lobby_recovers_from_the_position_in_the_url() {
    let mut world = keeping(10, |_| {});
    let ann = world.connect("ann", "lobby");
    let epoch = world.messages_of(ann, "subscribed")[0]["epoch"].clone();
    let epoch = epoch.as_str().unwrap().to_owned();
    publish(&mut world, "lobby", 3);
    for (since, told) in [
        (
            format!("{epoch}.1"),
            &["welcome", "subscribed true", "presence", "2", "3"][..],
        ),
        (
            format!("{epoch}.3"),
            &["welcome", "subscribed true", "presence"],
        ),
        (
            format!("{epoch}.4"),
            &["welcome", "subscribed false", "presence"],
        ),
        (
            format!("{epoch}.-1"),
            &["welcome", "subscribed false", "presence"],
        ),
        (
            format!("{epoch}.%2B1"),
            &["welcome", "subscribed false", "presence"],
        ),
        (
            format!("{epoch}.1.5"),
            &["welcome", "subscribed false", "presence"],
        ),
        (
            format!("{epoch}.18446744073709551616"),
            &["welcome", "subscribed false", "presence"],
        ),
        (epoch.clone(), &["welcome", "subscribed false", "presence"]),
        (".1".into(), &["welcome", "subscribed false", "presence"]),
        (
            format!("{}.1", "e".repeat(4_000)),
            &["welcome", "subscribed false", "presence"],
        ),
        (String::new(), &["welcome", "subscribed false", "presence"]),
        (
            format!("{epoch}.1&since={epoch}.1"),
            &["welcome", "subscribed false", "presence"],
        ),
    ] {
        let bob = world.comes("bob", &format!("/ws/lobby?since={since}"));
        assert_eq!(short(&world.messages(bob)), told, "{since}");
    }
}

#[test]
fn a_request_with_a_bad_position_is_a_bad_request_and_changes_nothing() {
    let mut world = keeping(10, |config| config.rates.strikes = 1_000);
    let ann = world.connect("ann", "");
    for bad in [
        json!({"since": {"epoch": "e", "seq": -1}}),
        json!({"since": {"epoch": "e", "seq": 1.5}}),
        json!({"since": {"epoch": "e", "seq": "1"}}),
        json!({"since": {"epoch": "e"}}),
        json!({"since": {"seq": 1}}),
        json!({"since": {"epoch": "e".repeat(4_000), "seq": 1}}),
        json!({"since": "e.1"}),
        json!({"last": -1}),
        json!({"last": 1, "since": {"epoch": "e", "seq": 1}}),
    ] {
        let mut request = json!({"type": "subscribe", "channel": "blue", "id": 1});
        request
            .as_object_mut()
            .unwrap()
            .extend(bad.as_object().unwrap().clone());
        world.says(ann, request);
        let told = world.last(ann);
        assert_eq!(
            (&told["code"], &told["id"]),
            (&json!("bad_request"), &json!(1)),
            "{bad}"
        );
        assert!(world.board.members("blue").is_empty());
    }
}

#[test]
fn who_is_in_the_room_already_is_told_so_and_recovers_nothing() {
    let mut world = keeping(10, |_| {});
    let ann = world.connect("ann", "lobby");
    let epoch = world.messages_of(ann, "subscribed")[0]["epoch"].clone();
    publish(&mut world, "lobby", 2);
    let told = subscribes(
        &mut world,
        ann,
        "lobby",
        Some(json!({"epoch": epoch, "seq": 0})),
    );
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["code"], "already_subscribed");
}

#[test]
fn a_newcomer_begins_with_the_last_messages_however_it_comes_in() {
    let mut world = keeping(10, |config| {
        (config.history.on_join, config.history.on_join_max) = (2, 4);
    });
    publish(&mut world, "lobby", 6);
    let ann = world.connect("ann", "lobby");
    assert_eq!(
        short(&world.messages(ann))[1..],
        ["subscribed null", "presence", "5", "6"]
    );
    let bob = world.connect("bob", "");
    let told = subscribes(&mut world, bob, "lobby", None);
    assert_eq!(short(&told), ["subscribed null", "presence", "5", "6"]);
    world
        .board
        .leave(world.now, world.id(bob), "lobby")
        .unwrap();
    world.forget();
    world.board.join(world.now, world.id(bob), "lobby").unwrap();
    assert_eq!(
        short(&world.messages(bob)),
        ["subscribed null", "presence", "5", "6"]
    );
    for (last, told) in [
        (0, &[][..]),
        (1, &["6"]),
        (3, &["4", "5", "6"]),
        (9, &["3", "4", "5", "6"]),
    ] {
        world
            .board
            .leave(world.now, world.id(bob), "lobby")
            .unwrap();
        world.forget();
        world.says(
            bob,
            json!({"type": "subscribe", "channel": "lobby", "last": last}),
        );
        assert_eq!(short(&world.messages(bob))[2..], *told, "{last}");
    }
    // Whoever names a position gets what follows that, and no less.
    world
        .board
        .leave(world.now, world.id(bob), "lobby")
        .unwrap();
    let told = subscribes(
        &mut world,
        bob,
        "lobby",
        Some(json!({"epoch": "e", "seq": 6})),
    );
    assert_eq!(short(&told), ["subscribed false", "presence"]);
}

#[test]
fn the_application_may_say_how_far_back_a_client_reaches() {
    for (reach, told) in [
        (
            Reach::All,
            &["subscribed true", "presence", "2", "3", "4"][..],
        ),
        (
            Reach::From(1),
            &["subscribed true", "presence", "2", "3", "4"],
        ),
        (
            Reach::From(3),
            &["subscribed true", "presence", "skip 2-2", "3", "4"],
        ),
        (Reach::From(5), &["subscribed false", "presence"]),
        (Reach::From(u64::MAX), &["subscribed false", "presence"]),
        (Reach::Now, &["subscribed false", "presence"]),
    ] {
        let mut world = keeping(10, |_| {});
        let [ann, bob] = [world.connect("ann", "lobby"), world.connect("bob", "")];
        let epoch = world.messages_of(ann, "subscribed")[0]["epoch"].clone();
        publish(&mut world, "lobby", 4);
        let since = json!({"epoch": epoch, "seq": 1});
        world.forget();
        let request = json!({"type": "subscribe", "channel": "lobby", "since": since});
        let mut question = world.asks_to(bob, request).unwrap();
        question.limit(reach);
        world.answer(bob, question);
        assert_eq!(short(&world.messages(bob)), told, "{reach:?}");
    }
}

#[test]
fn numbers_out_of_reach_need_not_be_kept() {
    let mut world = keeping(2, |config| config.history.on_join = 2);
    let [ann, bob] = [world.connect("ann", "lobby"), world.connect("bob", "")];
    let epoch = world.messages_of(ann, "subscribed")[0]["epoch"].clone();
    publish(&mut world, "lobby", 5);
    let since = json!({"epoch": epoch, "seq": 1});
    for (from, told) in [
        (
            Some(&since),
            &["subscribed true", "presence", "skip 2-4", "5"][..],
        ),
        (None, &["subscribed null", "presence", "5"]),
    ] {
        world.forget();
        let mut request = json!({"type": "subscribe", "channel": "lobby"});
        if let Some(since) = from {
            request["since"] = since.clone();
        }
        let mut question = world.asks_to(bob, request).unwrap();
        question.limit(Reach::From(5));
        world.answer(bob, question);
        assert_eq!(short(&world.messages(bob)), told);
        world
            .board
            .leave(world.now, world.id(bob), "lobby")
            .unwrap();
    }
}

#[test]
fn the_place_of_joining_is_that_of_the_answer_of_the_application() {
    let mut world = keeping(10, |_| {});
    let [ann, bob] = [world.connect("ann", "lobby"), world.connect("bob", "")];
    let epoch = world.messages_of(ann, "subscribed")[0]["epoch"].clone();
    publish(&mut world, "lobby", 2);
    let since = json!({"epoch": epoch, "seq": 1});
    let request = json!({"type": "subscribe", "channel": "lobby", "since": since});
    world.forget();
    let question = world.asks_to(bob, request).unwrap();
    publish(&mut world, "lobby", 2);
    world.answer(bob, question);
    let told = world.messages(bob);
    assert_eq!(short(&told), ["subscribed true", "presence", "2", "3", "4"]);
    assert_eq!(told[0]["seq"], 4);
}
