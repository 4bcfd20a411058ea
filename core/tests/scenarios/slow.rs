//! Slow consumers (`docs/behaviour.md`, section 4).

use serde_json::json;
use switchboard_core::{
    Config, Direct, Event, Exclude, Frame, RoomPresence, RoomRule, Rooms, SendError, SlowPolicy,
};
use switchboard_kit::Received;

use crate::world::{Client, World, millis, secs};

/// A member of `lobby` that reads nothing more, with a queue for four messages.
fn stalled(slow: SlowPolicy) -> (World, Client) {
    stalled_with(|config| config.slow = slow)
}

fn stalled_with(change: impl FnOnce(&mut Config)) -> (World, Client) {
    let mut world = World::with(|config| {
        config.limits.queue_messages = 4;
        change(config);
    });
    let ann = world.connect("ann", "lobby");
    world.advance(millis(300));
    world.forget();
    world.stops_reading_after(ann, 0);
    (world, ann)
}

fn seqs(world: &mut World, client: Client) -> Vec<u64> {
    let messages = world.messages_of(client, "message").into_iter();
    messages
        .filter_map(|message| message["seq"].as_u64())
        .collect()
}

#[test]
fn by_default_a_slow_member_is_closed_4101_and_the_others_lose_nothing() {
    let (mut world, ann) = stalled(SlowPolicy::Disconnect);
    let bob = world.connect("bob", "lobby");
    world.stops_reading_after(ann, 0);
    world.forget();
    let mut closed = 0;
    for _ in 0..6 {
        closed += world.broadcast("lobby", "0", Exclude::NOBODY).closed;
    }
    assert_eq!(closed, 1);
    assert_eq!(world.stats().closes["slow_consumer"], 1);
    assert_eq!(seqs(&mut world, bob), [1, 2, 3, 4, 5, 6]);
    world.reads_all(ann);
    assert_eq!(world.close(ann), Some((4101, "slow_consumer".into())));
    assert_eq!(world.stats().dropped["slow_consumer"], 5);
}

#[test]
fn drop_oldest_keeps_the_newest_and_spends_the_numbers() {
    let (mut world, ann) = stalled(SlowPolicy::DropOldest);
    let dropped: usize = (0..10)
        .map(|_| {
            world
                .broadcast("lobby", "0", Exclude::NOBODY)
                .dropped_oldest
        })
        .sum();
    assert_eq!(dropped, 6);
    assert_eq!(world.stats().dropped["drop_oldest"], 6);
    world.reads_all(ann);
    assert_eq!(seqs(&mut world, ann), [7, 8, 9, 10]);
    assert!(world.is_open(ann));
}

#[test]
fn drop_newest_keeps_the_oldest_and_spends_the_numbers() {
    let (mut world, ann) = stalled(SlowPolicy::DropNewest);
    let receipts: Vec<_> = (0..10)
        .map(|_| world.broadcast("lobby", "0", Exclude::NOBODY))
        .collect();
    assert_eq!((receipts[9].accepted, receipts[9].dropped_newest), (0, 1));
    assert_eq!(world.stats().dropped["drop_newest"], 6);
    world.reads_all(ann);
    assert_eq!(seqs(&mut world, ann), [1, 2, 3, 4]);
    world.broadcast("lobby", "0", Exclude::NOBODY);
    assert_eq!(seqs(&mut world, ann), [11]);
}

#[test]
fn a_frame_that_is_partly_written_is_never_dropped() {
    let (mut world, ann) = stalled(SlowPolicy::DropOldest);
    world.stops_reading_after(ann, 5);
    for _ in 0..10 {
        world.broadcast("lobby", "0", Exclude::NOBODY);
    }
    world.reads_all(ann);
    assert_eq!(seqs(&mut world, ann), [1, 7, 8, 9, 10]);
}

#[test]
fn leaving_a_room_makes_nobody_slow_however_much_waits_there() {
    for slow in [
        SlowPolicy::DropOldest,
        SlowPolicy::DropNewest,
        SlowPolicy::CatchUp,
    ] {
        let (mut world, ann) = stalled_with(|config| {
            config.rooms = Rooms::Open;
            config.slow = slow;
            config.history.messages = 100;
        });
        for _ in 0..20 {
            world.broadcast("lobby", "0", Exclude::NOBODY);
        }
        world.says(ann, json!({"type": "unsubscribe", "channel": "lobby"}));
        assert!(world.is_open(ann), "{slow:?}");
        let dropped = world.stats().dropped;
        let lost: u64 = ["drop_oldest", "drop_newest", "left"]
            .iter()
            .filter_map(|reason| dropped.get(reason))
            .sum();
        world.reads_all(ann);
        let told = world.messages(ann);
        let count = |kind: &str| told.iter().filter(|it| it["type"] == kind).count() as u64;
        assert_eq!(count("message") + lost, 20, "{slow:?}: {lost} are counted");
        assert_eq!(count("unsubscribed"), 1, "{slow:?}");
    }
}

#[test]
fn what_waits_in_a_room_that_is_left_comes_as_far_as_it_fits() {
    let (mut world, ann) = stalled_with(|config| {
        config.rooms = Rooms::Open;
        config.limits.queue_messages = 8;
    });
    world.reads_all(ann);
    for room in ["a", "b"] {
        world.says(ann, json!({"type": "subscribe", "channel": room}));
    }
    world.advance(millis(300));
    world.forget();
    world.stops_reading_after(ann, 0);
    for _ in 0..4 {
        world.broadcast("a", "\"a\"", Exclude::NOBODY);
        world.broadcast("b", "\"b\"", Exclude::NOBODY);
    }
    for room in ["a", "b"] {
        world.says(ann, json!({"type": "unsubscribe", "channel": room}));
    }
    world.reads_all(ann);
    let told = world.messages(ann);
    let told: Vec<&str> = told
        .iter()
        .map(|it| it["content"].as_str().or(it["type"].as_str()).unwrap_or(""))
        .collect();
    assert_eq!(told, ["a", "a", "a", "a", "unsubscribed", "unsubscribed"]);
    assert_eq!(world.stats().dropped["left"], 4);
}

#[test]
fn answers_notices_and_the_messages_of_other_rooms_are_never_dropped() {
    let (mut world, ann) = stalled_with(|config| {
        config.room_rules = vec![RoomRule {
            prefix: "ticker".into(),
            slow: Some(SlowPolicy::DropOldest),
            presence: RoomPresence::off(),
            ..RoomRule::default()
        }];
    });
    world
        .board
        .join(world.now, world.id(ann), "ticker/eur")
        .unwrap();
    world.reads_all(ann);
    world.forget();
    world.stops_reading_after(ann, 0);
    world.broadcast("ticker/eur", "1", Exclude::NOBODY);
    world.says(ann, json!({"type": "ping", "id": 1}));
    world.broadcast("lobby", "2", Exclude::NOBODY);
    world.send(ann, r#"{"mine":1}"#);
    for n in 2..=7 {
        let receipt = world.broadcast("ticker/eur", "3", Exclude::NOBODY);
        assert_eq!(receipt.dropped_oldest, usize::from(n > 4));
    }
    world.reads_all(ann);
    let kinds: Vec<_> = world.messages(ann);
    assert_eq!(kinds.len(), 7);
    assert_eq!(kinds[0], json!({"type": "pong", "id": 1}));
    assert_eq!(
        (&kinds[1]["channel"], &kinds[2]["mine"]),
        (&json!("lobby"), &json!(1))
    );
    assert_eq!(
        (&kinds[3]["channel"], &kinds[3]["seq"]),
        (&json!("ticker/eur"), &json!(4))
    );
    assert_eq!(kinds[6]["seq"], json!(7));
}

#[test]
fn messages_of_a_room_and_a_members_own_have_limits_of_their_own() {
    let (mut world, ann) = stalled(SlowPolicy::DropOldest);
    world.broadcast("lobby", "0", Exclude::NOBODY);
    for n in 0..4 {
        world.says(ann, json!({"type": "ping", "id": n}));
    }
    assert!(world.is_open(ann), "four of each wait at most");
    assert_eq!(world.stats().dropped.get("drop_oldest"), None);
    world.says(ann, json!({"type": "ping"}));
    assert!(!world.is_open(ann));
    assert_eq!(world.stats().closes["slow_consumer"], 1);
}

/// Sends a numbered text without letting anybody write.
fn send_unwritten(world: &mut World, client: Client, n: usize) -> Result<usize, SendError> {
    let (now, id) = (world.now, world.id(client));
    let sent = world.board.send(now, id, Frame::text(&n.to_string()));
    sent.map(|receipt| receipt.accepted)
}

#[test]
fn a_burst_that_nobody_had_a_turn_to_write_closes_nobody_and_is_refused_at_twice_the_limit() {
    let (mut world, ann) = stalled(SlowPolicy::Disconnect);
    world.peer_mut(ann).room = None;
    for n in 0..8 {
        assert_eq!(send_unwritten(&mut world, ann, n), Ok(1));
    }
    assert_eq!(send_unwritten(&mut world, ann, 8), Err(SendError::Busy));
    let to_user = world.board.send_to_user(world.now, "ann", Frame::text("8"));
    assert_eq!(to_user, Err(SendError::Busy));
    world.flush();
    assert_eq!(send_unwritten(&mut world, ann, 8), Ok(1));
    let texts = world.frames(ann);
    let expected = (0..9).map(|n: usize| Received::Text(n.to_string()));
    assert_eq!(texts, expected.collect::<Vec<_>>());
    assert!(world.is_open(ann));
}

#[test]
fn who_takes_no_bytes_of_such_a_burst_is_closed() {
    let (mut world, ann) = stalled(SlowPolicy::Disconnect);
    for n in 0..6 {
        assert_eq!(send_unwritten(&mut world, ann, n), Ok(1));
    }
    assert!(world.is_open(ann), "no writer has come to it");
    world.flush();
    assert!(!world.is_open(ann));
    assert_eq!(world.stats().closes["slow_consumer"], 1);
    world.reads_all(ann);
    assert_eq!(world.close(ann), Some((4101, "slow_consumer".into())));
}

#[test]
fn a_direct_message_to_who_had_no_turn_is_refused_and_closes_nobody() {
    let (mut world, ann) = stalled_with(|config| config.direct = Direct::Open);
    world.peer_mut(ann).room = None;
    let bob = world.connect("bob", "");
    world.forget();
    for n in 0..8 {
        assert_eq!(send_unwritten(&mut world, ann, n), Ok(1));
    }
    let direct = json!({"type": "direct", "to": "ann", "content": 1, "id": 7});
    world.says(bob, direct.clone());
    let answer = world.last(bob);
    assert_eq!(answer["code"], "rate_limited");
    assert_eq!(
        (&answer["id"], &answer["retry_after_ms"]),
        (&json!(7), &json!(100))
    );
    assert!(world.is_open(ann) && world.is_open(bob));
    world.says(bob, direct);
    assert_eq!(world.last(bob)["delivered"], 1);
}

#[test]
fn the_queue_is_bounded_in_bytes_too() {
    let (mut world, ann) = stalled_with(|config| {
        config.limits.queue_messages = 1_000;
        config.limits.queue_bytes = 1_000;
    });
    for _ in 0..9 {
        world.send(ann, &"x".repeat(98));
    }
    assert_eq!(world.stats().queued_bytes, 900);
    world.send(ann, &"x".repeat(98));
    assert!(world.is_open(ann), "at the limit is not over it");
    world.send(ann, "x");
    assert!(!world.is_open(ann));
}

#[test]
fn a_reader_that_swings_below_the_limit_stays_and_loses_nothing() {
    let (mut world, ann) = stalled(SlowPolicy::Disconnect);
    for _ in 0..50 {
        for _ in 0..4 {
            world.broadcast("lobby", "0", Exclude::NOBODY);
        }
        world.reads_all(ann);
        world.stops_reading_after(ann, 0);
        assert_eq!(world.stats().queued_bytes, 0);
    }
    assert_eq!(seqs(&mut world, ann), (1..=200).collect::<Vec<_>>());
}

#[test]
fn a_rule_for_a_room_overrides_the_hubs_policy() {
    let (mut world, ann) = stalled_with(|config| {
        config.slow = SlowPolicy::DropOldest;
        config.room_rules = vec![RoomRule {
            prefix: "lob".into(),
            slow: Some(SlowPolicy::DropNewest),
            ..RoomRule::default()
        }];
    });
    for _ in 0..6 {
        world.broadcast("lobby", "0", Exclude::NOBODY);
    }
    world.reads_all(ann);
    assert_eq!(seqs(&mut world, ann), [1, 2, 3, 4]);
}

#[test]
fn bytes_that_wait_for_30_s_without_one_going_out_make_a_connection_slow() {
    let (mut world, ann) = stalled(SlowPolicy::Disconnect);
    world.broadcast("lobby", "0", Exclude::NOBODY);
    for _ in 0..29 {
        world.advance(secs(1));
        world.happens(ann, Event::Heard);
    }
    world.advance(millis(999));
    assert!(world.is_open(ann));
    world.advance(millis(1));
    assert!(!world.is_open(ann));
    assert_eq!(world.stats().closes["slow_consumer"], 1);
}

#[test]
fn a_reader_of_one_byte_in_29_s_is_not_stalled() {
    let (mut world, ann) = stalled(SlowPolicy::Disconnect);
    world.broadcast("lobby", r#""some text""#, Exclude::NOBODY);
    for _ in 0..20 {
        world.advance(secs(9));
        world.happens(ann, Event::Heard);
        world.advance(secs(9));
        world.happens(ann, Event::Heard);
        world.advance(secs(9));
        world.happens(ann, Event::Heard);
        world.reads(ann, 1);
    }
    assert!(world.is_open(ann));
}

#[test]
fn an_empty_queue_is_never_stalled() {
    let (mut world, ann) = stalled(SlowPolicy::Disconnect);
    world.peer_mut(ann).room = None;
    world.advance(secs(1_000));
    assert!(world.is_open(ann));
}

#[test]
fn a_broadcast_to_stalled_members_waits_for_nobody() {
    let mut world = World::new();
    let clients: Vec<_> = (0..20)
        .map(|n| world.connect(&format!("u{n}"), "lobby"))
        .collect();
    world.advance(millis(300));
    world.forget();
    for &client in &clients[1..] {
        world.stops_reading_after(client, 3);
    }
    world.broadcast("lobby", "0", Exclude::NOBODY);
    assert_eq!(seqs(&mut world, clients[0]), [1]);
    for &client in &clients[1..] {
        assert_eq!(world.peer(client).cut(), 3);
        world.reads_all(client);
        assert_eq!(seqs(&mut world, client), [1]);
    }
}

#[test]
fn an_answer_to_an_http_request_is_not_overtaken_by_a_ping() {
    let mut world = World::new();
    let (ann, _) = world.asks(world.new_address(), "/ws/lobby", "");
    world.stops_reading_after(ann, 0);
    world.authenticate(ann, crate::world::verdict("ann"));
    assert!(world.peer(ann).blocked);
    world.board.ping_user(world.now, "ann", secs(2));
    world.reads_all(ann);
    assert_eq!(world.peer(ann).status, Some(101));
    world.peer_mut(ann).seen = 0;
    assert_eq!(world.frames(ann).len(), 4);
}

#[test]
fn only_the_latest_of_many_waiting_pings_is_answered() {
    let (mut world, ann) = stalled(SlowPolicy::Disconnect);
    for n in 0..100_u8 {
        world.happens(ann, Event::Ping(&[n]));
        world.reads(ann, 0);
    }
    assert!(
        world.stats().queued_bytes <= 3,
        "{}",
        world.stats().queued_bytes
    );
    world.reads_all(ann);
    assert_eq!(world.frames(ann), [Received::Pong(vec![99])]);
}

#[test]
fn a_pong_that_is_cut_is_finished_and_then_the_latest_follows() {
    let (mut world, ann) = stalled(SlowPolicy::Disconnect);
    world.stops_reading_after(ann, 1);
    for n in 0..50_u8 {
        world.happens(ann, Event::Ping(&[n, n, n]));
    }
    world.reads_all(ann);
    let pongs = [Received::Pong(vec![0; 3]), Received::Pong(vec![49; 3])];
    assert_eq!(world.frames(ann), pongs);
}

#[test]
fn pings_and_pongs_go_ahead_of_data() {
    let (mut world, ann) = stalled_with(|config| config.wire = switchboard_core::Wire::Raw);
    world.peer_mut(ann).answers = false;
    world.send(ann, "data");
    world.send(ann, "more");
    world.happens(ann, Event::Ping(b"hello"));
    world.board.ping_user(world.now, "ann", secs(2));
    world.flush();
    world.reads_all(ann);
    let frames = world.frames(ann);
    let text = |text: &str| Received::Text(text.into());
    assert_eq!(frames.len(), 4, "{frames:?}");
    assert_eq!(frames[2..], [text("data"), text("more")]);
    assert!(frames[..2].contains(&Received::Pong(b"hello".to_vec())));
}
