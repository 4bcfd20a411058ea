//! Message delivery: order, numbers and receipts (`docs/behaviour.md`, section 3).

use serde_json::{Value, json};
use switchboard_core::{Event, Exclude, Frame, Receipt, SendError, UserPolicy};
use switchboard_kit::Received;

use crate::world::World;

fn seqs(messages: &[Value]) -> Vec<u64> {
    messages
        .iter()
        .filter_map(|message| message["seq"].as_u64())
        .collect()
}

#[test]
fn a_broadcast_is_a_message_with_a_number_and_no_sender_unless_given() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    world.forget();
    let receipt = world.broadcast("lobby", r#"{"x": 1.0}"#, Exclude::NOBODY);
    let mut expected = Receipt::default();
    (expected.seq, expected.accepted) = (Some(1), 1);
    assert_eq!(receipt, expected);
    let text = r#"{"type":"message","channel":"lobby","content":{"x": 1.0},"seq":1}"#;
    assert_eq!(world.frames(ann), [Received::Text(text.into())]);
    let content = switchboard_core::protocol::Content::parse("null").unwrap();
    let sender = Some("the house");
    let sent = world
        .board
        .broadcast(world.now, "lobby", content, sender, Exclude::NOBODY);
    assert_eq!(sent.unwrap().seq, Some(2));
    assert_eq!(world.last(ann)["sender"], "the house");
}

#[test]
fn raw_broadcasts_and_sends_go_out_unchanged_and_unnumbered() {
    let mut world = World::new();
    let [ann, bob] = [world.connect("ann", "lobby"), world.connect("bob", "")];
    world.forget();
    let now = world.now;
    let (raw, all) = (Frame::binary(&[1, 2]), Frame::text("to all"));
    let receipt = world
        .board
        .broadcast_raw(now, "lobby", raw, Exclude::NOBODY)
        .unwrap();
    assert_eq!((receipt.seq, receipt.accepted), (None, 1));
    let receipt = world
        .board
        .broadcast_all(now, all, Exclude::NOBODY)
        .unwrap();
    assert_eq!((receipt.seq, receipt.accepted), (None, 2));
    world
        .board
        .send(now, world.id(bob), Frame::text("to one"))
        .unwrap();
    let text = |text: &str| Received::Text(text.into());
    assert_eq!(
        world.frames(ann),
        [Received::Binary(vec![1, 2]), text("to all")]
    );
    assert_eq!(world.frames(bob), [text("to all"), text("to one")]);
    assert_eq!(world.broadcast("lobby", "0", Exclude::NOBODY).seq, Some(1));
}

#[test]
fn exclude_takes_connections_and_users() {
    let mut world = World::with(|config| config.users = UserPolicy::Allow(2));
    let a1 = world.connect("ann", "lobby");
    let a2 = world.connect("ann", "lobby");
    let bob = world.connect("bob", "lobby");
    let cem = world.connect("cem", "lobby");
    for (connections, users, heard) in [
        (vec![a1], vec![], [false, true, true, true]),
        (vec![], vec!["ann"], [false, false, true, true]),
        (vec![bob], vec!["ann"], [false, false, false, true]),
        (vec![bob, cem], vec!["nobody"], [true, true, false, false]),
        (vec![a1], vec!["ann"], [false, false, true, true]),
    ] {
        world.forget();
        let ids: Vec<_> = connections.iter().map(|&client| world.id(client)).collect();
        let exclude = Exclude {
            connections: &ids,
            users: &users,
        };
        let receipt = world.broadcast("lobby", "0", exclude);
        let got = [a1, a2, bob, cem].map(|client| !world.messages_of(client, "message").is_empty());
        assert_eq!(got, heard);
        assert_eq!(receipt.accepted, heard.iter().filter(|&&it| it).count());
        assert_eq!(receipt.accepted + receipt.excluded, 4);
    }
}

#[test]
fn an_excluded_connection_that_is_gone_excludes_nobody_who_has_its_slot() {
    let mut world = World::new();
    let old = world.connect("old", "lobby");
    let stale = world.id(old);
    world.happens(old, Event::Eof);
    let new = world.connect("new", "lobby");
    assert_eq!(world.id(new).slot(), stale.slot());
    let exclude = Exclude {
        connections: &[stale],
        users: &[],
    };
    assert_eq!(world.broadcast("lobby", "0", exclude).accepted, 1);
    let exclude = Exclude {
        connections: &[stale, stale],
        users: &["old"],
    };
    assert_eq!(world.broadcast("lobby", "0", exclude).accepted, 1);
}

#[test]
fn numbers_count_a_rooms_messages_from_1_and_a_gap_is_what_was_not_for_you() {
    let mut world = World::new();
    let [ann, bob] = [world.connect("ann", "lobby"), world.connect("bob", "lobby")];
    world.forget();
    for sender in [ann, bob, ann] {
        world.says(
            sender,
            json!({"type": "message", "channel": "lobby", "content": 0, "id": 1}),
        );
    }
    let (at_ann, at_bob) = (world.messages(ann), world.messages(bob));
    assert_eq!(seqs(&at_ann), [1, 2, 3], "its own numbers come in the acks");
    assert_eq!(at_ann[0], json!({"type": "ack", "id": 1, "seq": 1}));
    assert_eq!(seqs(&at_bob), [1, 2, 3]);
}

#[test]
fn all_members_receive_one_order() {
    let mut world = World::new();
    let clients: Vec<_> = (0..4)
        .map(|n| world.connect(&format!("u{n}"), "lobby"))
        .collect();
    world.forget();
    for n in 0..40 {
        let sender = clients[n % 4];
        world.says(
            sender,
            json!({"type": "message", "content": n, "echo": true}),
        );
    }
    let order: Vec<_> = (1..=40).collect();
    for client in clients {
        assert_eq!(seqs(&world.messages(client)), order);
    }
}

#[test]
fn subscribed_tells_the_last_number_and_the_epoch() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    let first = world.messages_of(ann, "subscribed").remove(0);
    assert_eq!(first["seq"], 0);
    world.broadcast("lobby", "0", Exclude::NOBODY);
    let bob = world.connect("bob", "lobby");
    let second = world.messages_of(bob, "subscribed").remove(0);
    assert_eq!(second["seq"], 1);
    assert_eq!(first["epoch"], second["epoch"]);
}

#[test]
fn the_epoch_is_another_after_a_re_creation_and_after_a_restart() {
    let epoch = |world: &mut World, room: &str| {
        let ann = world.connect("ann", room);
        let told = world.messages_of(ann, "subscribed").remove(0);
        world.happens(ann, Event::Eof);
        (told["epoch"].clone(), told["seq"].clone())
    };
    let mut world = World::new();
    let first = epoch(&mut world, "lobby");
    let second = epoch(&mut world, "lobby");
    let other = epoch(&mut world, "other");
    assert_ne!(first.0, second.0);
    assert_ne!(second.0, other.0);
    assert_eq!(second.1, 0);
    let config = switchboard_core::Config::default();
    world.board = switchboard_core::Switchboard::new(config, 8, world.now).unwrap();
    assert_ne!(epoch(&mut world, "lobby").0, first.0);
}

#[test]
fn a_broadcast_larger_than_any_queue_is_too_large_and_spends_no_number() {
    let mut world = World::with(|config| config.limits.queue_bytes = 1_000);
    let ann = world.connect("ann", "lobby");
    let big = Frame::text(&"x".repeat(1_000));
    let too_large = SendError::TooLarge {
        bytes: 1_004,
        limit: 1_000,
    };
    let (now, id) = (world.now, world.id(ann));
    let board = &mut world.board;
    assert_eq!(board.send(now, id, big.clone()), Err(too_large));
    assert_eq!(board.send_to_user(now, "ann", big.clone()), Err(too_large));
    assert_eq!(
        board.broadcast_all(now, big.clone(), Exclude::NOBODY),
        Err(too_large)
    );
    assert_eq!(
        board.broadcast_raw(now, "lobby", big, Exclude::NOBODY),
        Err(too_large)
    );
    let text = format!(r#""{}""#, "x".repeat(1_000));
    let content = switchboard_core::protocol::Content::parse(&text).unwrap();
    let sent = board.broadcast(now, "lobby", content, None, Exclude::NOBODY);
    assert!(matches!(sent, Err(SendError::TooLarge { .. })));
    assert!(world.is_open(ann));
    assert_eq!(world.broadcast("lobby", "0", Exclude::NOBODY).seq, Some(1));
}

#[test]
fn a_connection_receives_in_the_order_of_sending_whatever_the_socket_takes() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    world.forget();
    world.stops_reading_after(ann, 0);
    for n in 0..50 {
        world.send(ann, &n.to_string());
    }
    for _ in 0..400 {
        world.reads(ann, 1);
    }
    let numbers: Vec<_> = (0..50)
        .map(|n: u32| Received::Text(n.to_string()))
        .collect();
    assert_eq!(world.frames(ann), numbers);
    assert_eq!(world.stats().queued_bytes, 0);
}

#[test]
fn large_and_small_frames_keep_their_order_byte_by_byte() {
    let mut world = World::new();
    let ann = world.connect("ann", "");
    world.forget();
    world.stops_reading_after(ann, 0);
    let texts: Vec<_> = (0..9)
        .map(|n| n.to_string().repeat([3, 20_000, 7][n % 3]))
        .collect();
    for text in &texts {
        world.send(ann, text);
    }
    while world.peer(ann).blocked {
        world.reads(ann, 777);
    }
    let expected: Vec<_> = texts.into_iter().map(Received::Text).collect();
    assert_eq!(world.frames(ann), expected);
}

#[test]
fn a_broadcast_is_one_turn_of_writing_per_member_however_much_waits() {
    let mut world = World::new();
    for n in 0..10 {
        world.connect(&format!("u{n}"), "lobby");
    }
    let sends = world.sends;
    let content = switchboard_core::protocol::Content::parse("0").unwrap();
    for _ in 0..20 {
        let sent = world
            .board
            .broadcast(world.now, "lobby", content, None, Exclude::NOBODY);
        assert_eq!(sent.unwrap().accepted, 10);
    }
    world.flush();
    assert_eq!(world.sends - sends, 10);
}
