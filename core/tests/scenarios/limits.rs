//! Rates and bounds of input (`docs/behaviour.md`, section 7).

use serde_json::{Value, json};
use switchboard_core::{Event, Limits, Rate, Wire};
use switchboard_kit::Received;

use crate::world::{Client, World, millis, secs};

/// Five messages per second, with a burst of five.
fn limited() -> (World, Client) {
    let mut world = World::with(|config| {
        config.rates.messages = Some(Rate {
            per_second: 5,
            burst: 5,
        });
    });
    let ann = world.connect("ann", "lobby");
    world.forget();
    (world, ann)
}

fn pings(world: &mut World, client: Client, times: usize) -> Vec<Value> {
    for _ in 0..times {
        world.says(client, json!({"type": "ping", "id": 1}));
    }
    world.messages(client)
}

fn begins(world: &mut World, client: Client, bytes: usize) {
    world.happens(client, Event::Heard);
    world.happens(
        client,
        Event::Partial {
            in_message: true,
            bytes,
        },
    );
}

#[test]
fn a_message_over_the_rate_is_not_processed_and_told_when_to_try_again() {
    let (mut world, ann) = limited();
    let answers = pings(&mut world, ann, 6);
    assert!(answers[..5].iter().all(|answer| answer["type"] == "pong"));
    let error = &answers[5];
    assert_eq!(
        (&error["type"], &error["code"]),
        (&json!("error"), &json!("rate_limited"))
    );
    assert_eq!(error["retry_after_ms"], 200);
    assert_eq!(error.get("id"), None);
    world.advance(millis(199));
    assert_eq!(pings(&mut world, ann, 1)[0]["retry_after_ms"], 1);
    world.advance(millis(1));
    assert_eq!(pings(&mut world, ann, 1)[0]["type"], "pong");
}

#[test]
fn it_is_charged_before_the_payload_is_parsed() {
    let (mut world, ann) = limited();
    pings(&mut world, ann, 5);
    for text in [
        "{",
        "",
        r#"{"type":"nonsense"}"#,
        r#"{"type":"subscribe","channel":"x"}"#,
    ] {
        world.says(ann, text);
        assert_eq!(world.last(ann)["code"], "rate_limited", "{text}");
    }
    assert_eq!(world.board.members("x"), []);
}

#[test]
fn ten_strikes_within_10_s_close_4102_and_the_last_error_goes_out() {
    let (mut world, ann) = limited();
    pings(&mut world, ann, 14);
    assert!(world.is_open(ann));
    world.says(ann, json!({"type": "ping"}));
    assert!(!world.is_open(ann));
    let frames = world.frames(ann);
    assert_eq!(frames.len(), 2, "{frames:?}");
    assert!(matches!(&frames[0], Received::Text(text) if text.contains("rate_limited")));
    assert_eq!(world.close(ann), Some((4102, "rate_limited".into())));
}

#[test]
fn nine_strikes_in_every_10_s_are_forgiven() {
    let (mut world, ann) = limited();
    for _ in 0..10 {
        pings(&mut world, ann, 14);
        world.advance(secs(10));
    }
    assert!(world.is_open(ann));
}

#[test]
fn an_unreadable_message_is_a_strike() {
    for text in [
        "not json",
        r#"{"type":"what"}"#,
        r#"{"type":"subscribe","channel":""}"#,
    ] {
        let mut world = World::new();
        let ann = world.connect("ann", "lobby");
        for _ in 0..9 {
            world.says(ann, text);
        }
        assert!(world.is_open(ann), "{text}");
        world.forget();
        world.says(ann, text);
        assert_eq!(
            world.close(ann),
            Some((4102, "rate_limited".into())),
            "{text}"
        );
        assert_eq!(world.last(ann)["type"], "error", "{text}");
    }
}

#[test]
fn a_readable_message_that_is_refused_is_no_strike() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    for _ in 0..50 {
        world.says(ann, json!({"type": "subscribe", "channel": "lobby"}));
        world.says(ann, json!({"type": "unsubscribe", "channel": "nowhere"}));
        world.says(ann, json!({"type": "direct", "to": "nobody", "content": 0}));
        world.advance(millis(100));
    }
    assert!(world.is_open(ann));
}

#[test]
fn bytes_are_limited_as_messages_are() {
    let mut world = World::with(|config| {
        config.limits.message_bytes = 1_000;
        config.rates.bytes = Some(Rate {
            per_second: 1_000,
            burst: 2_000,
        });
    });
    let ann = world.connect("ann", "lobby");
    world.forget();
    let text = |bytes: usize| format!(r#"{{"type":"ping"{}}}"#, " ".repeat(bytes - 15));
    world.says(ann, &*text(1_000));
    world.says(ann, &*text(900));
    world.says(ann, &*text(300));
    let answers = world.messages(ann);
    assert_eq!(
        (&answers[1]["type"], &answers[2]["code"]),
        (&json!("pong"), &json!("rate_limited"))
    );
    assert_eq!(answers[2]["retry_after_ms"], 200);
    world.advance(millis(200));
    world.says(ann, &*text(300));
    assert_eq!(world.last(ann)["type"], "pong");
}

#[test]
fn a_connection_over_its_limit_costs_the_others_nothing() {
    let (mut world, ann) = limited();
    let bob = world.connect("bob", "lobby");
    pings(&mut world, ann, 9);
    world.forget();
    assert_eq!(pings(&mut world, bob, 5).len(), 5);
}

#[test]
fn control_frames_are_charged_but_the_pong_to_our_ping_and_close_are_free() {
    let (mut world, ann) = limited();
    for _ in 0..3 {
        world.happens(ann, Event::Ping(b"x"));
    }
    world.happens(ann, Event::Pong(b"unasked"));
    world.happens(ann, Event::Pong(b"unasked"));
    world.forget();
    assert_eq!(pings(&mut world, ann, 1)[0]["code"], "rate_limited");
    // Ten minutes of pings are answered from a budget of five.
    world.advance(secs(600));
    assert!(world.is_open(ann));
    let (mut world, ann) = limited();
    pings(&mut world, ann, 5);
    world.happens(ann, Event::Close(None));
    assert_eq!(world.close(ann), Some((1005, String::new())));
}

#[test]
fn a_flood_of_pings_ends_with_4102() {
    let (mut world, ann) = limited();
    world.stops_reading_after(ann, 0);
    for _ in 0..15 {
        world.happens(ann, Event::Ping(b"flood"));
    }
    assert_eq!(world.stats().closes["rate_limited"], 1);
}

#[test]
fn without_rate_limits_nothing_is_limited() {
    let mut world = World::with(|config| config.rates = switchboard_core::Rates::unlimited());
    let ann = world.connect("ann", "lobby");
    for _ in 0..1_000 {
        world.says(ann, "{}");
    }
    assert!(world.is_open(ann));
}

#[test]
fn a_message_must_be_complete_within_30_s_of_its_first_byte() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    begins(&mut world, ann, 1);
    for second in 1..30 {
        world.advance(secs(1));
        begins(&mut world, ann, second);
    }
    world.advance(millis(999));
    assert!(world.is_open(ann));
    world.advance(millis(1));
    assert_eq!(world.close(ann), Some((1008, "policy".into())));
}

#[test]
fn a_large_upload_byte_by_byte_is_not_killed_by_the_heartbeat() {
    let mut world = World::with(|config| config.timeouts.message = secs(600));
    let ann = world.connect("ann", "lobby");
    world.peer_mut(ann).answers = false;
    for bytes in 1..500 {
        begins(&mut world, ann, bytes);
        world.advance(secs(1));
    }
    assert!(world.is_open(ann));
}

#[test]
fn each_message_has_30_s_of_its_own_however_the_reads_fall() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    begins(&mut world, ann, 100);
    for _ in 0..60 {
        world.advance(secs(1));
        // One read contains the end of a message and the beginning of the next.
        world.says(ann, json!({"type": "ping"}));
        begins(&mut world, ann, 100);
    }
    assert!(world.is_open(ann));
    world.says(ann, json!({"type": "ping"}));
    world.happens(
        ann,
        Event::Partial {
            in_message: false,
            bytes: 0,
        },
    );
    world.advance(secs(60));
    assert!(world.is_open(ann), "between messages there is no deadline");
}

#[test]
fn a_message_over_max_bytes_and_one_in_too_many_fragments_end_with_their_codes() {
    for (violation, code, reason) in [
        (switchboard_core::ProtocolError::TooBig, 1009, "too_big"),
        (
            switchboard_core::ProtocolError::TooManyFragments,
            1008,
            "policy",
        ),
    ] {
        let mut world = World::new();
        let ann = world.connect("ann", "lobby");
        world.happens(ann, Event::Violation(violation));
        assert_eq!(world.close(ann), Some((code, reason.into())));
        assert_eq!(world.stats().closes[reason], 1);
    }
    let limits = Limits::default();
    assert_eq!((limits.message_bytes, limits.fragments), (64 << 10, 1_024));
}

#[test]
fn over_the_bound_on_unfinished_bytes_the_largest_is_closed_1008() {
    let mut world = World::with(|config| config.limits.unfinished_bytes = 1_000);
    let clients: Vec<_> = (0..3)
        .map(|n| world.connect(&format!("u{n}"), ""))
        .collect();
    begins(&mut world, clients[0], 300);
    begins(&mut world, clients[1], 500);
    begins(&mut world, clients[2], 200);
    assert!(
        clients.iter().all(|&client| world.is_open(client)),
        "at the bound"
    );
    begins(&mut world, clients[2], 201);
    assert_eq!(world.close(clients[1]), Some((1008, "policy".into())));
    assert!(world.is_open(clients[0]) && world.is_open(clients[2]));
    begins(&mut world, clients[0], 790);
    assert!(
        world.is_open(clients[0]),
        "what the closed one held is free again"
    );
}

#[test]
fn unfinished_first_messages_count_and_are_given_back() {
    let mut world = World::with(|config| config.limits.unfinished_bytes = 5_000);
    let waiting = world.connect_to_log_in("");
    world.keeps_its_side_open(waiting);
    begins(&mut world, waiting, 4_097);
    assert!(world.close(waiting).is_some());
    let other = world.connect_to_log_in("");
    world.keeps_its_side_open(other);
    begins(&mut world, other, 4_096);
    let ann = world.connect("ann", "");
    begins(&mut world, ann, 905);
    assert_eq!(world.close(other), Some((1008, "policy".into())));
    assert!(world.is_open(ann));
    begins(&mut world, ann, 5_000);
    assert!(world.is_open(ann));
}

#[test]
fn a_message_that_never_ends_is_forgotten_with_its_connection() {
    let mut world = World::with(|config| config.timeouts.close = secs(60));
    let ann = world.connect("ann", "");
    world.falls_silent(ann);
    begins(&mut world, ann, 100);
    let reason = switchboard_core::CloseReason::Kicked;
    world.board.close(world.now, world.id(ann), reason).unwrap();
    world.advance(secs(59));
    assert_eq!(world.stats().closes.len(), 1);
}

#[test]
fn binary_is_1003_where_json_is_spoken_and_a_message_where_it_is_not() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    assert!(!world.sends_binary(ann, 10));
    assert_eq!(world.close(ann), Some((1003, "unsupported_data".into())));
    let mut world = World::with(|config| config.wire = Wire::Raw);
    let ann = world.connect("ann", "lobby");
    assert!(world.sends_binary(ann, 10));
    assert_eq!(world.stats().messages_in, 1);
}

#[test]
fn in_raw_mode_the_rate_is_enforced_without_a_word() {
    let mut world = World::with(|config| {
        config.wire = Wire::Raw;
        config.rates.messages = Some(Rate {
            per_second: 1,
            burst: 1,
        });
    });
    let ann = world.connect("ann", "");
    assert!(world.sends_binary(ann, 1));
    for _ in 0..10 {
        assert!(!world.sends_binary(ann, 1));
    }
    assert_eq!(
        world.frames(ann),
        [Received::Close(Some((4102, "rate_limited".into())))]
    );
}

#[test]
fn the_10_s_of_a_hook_end_in_1011_for_that_connection_only() {
    for panics in [true, false] {
        let mut world = World::new();
        let [ann, bob] = [world.connect("ann", "lobby"), world.connect("bob", "lobby")];
        world.happens(ann, Event::HookStarted);
        if panics {
            world.happens(ann, Event::HookFailed);
        } else {
            world.advance(millis(9_999));
            assert!(world.is_open(ann));
            world.advance(millis(1));
        }
        assert_eq!(world.close(ann), Some((1011, "internal".into())));
        assert!(world.is_open(bob));
    }
}

#[test]
fn a_hook_that_answers_in_time_has_no_deadline_left() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    for _ in 0..5 {
        world.happens(ann, Event::HookStarted);
        world.advance(secs(9));
        world.happens(ann, Event::HookDone);
    }
    world.advance(secs(60));
    assert!(world.is_open(ann));
}
