//! Members that have not got all that they come back for, or that are slow in a room that spares
//! them (`docs/protocol.md`, section 5).

use serde_json::json;
use switchboard_core::{CloseReason, Exclude, Rooms, SlowPolicy};

use crate::recovery::{keeping, publish, short, subscribes};
use crate::world::{Client, millis, secs};

#[test]
fn what_left_the_history_before_it_could_go_out_is_told_as_a_gap() {
    let mut world = keeping(4, |config| {
        config.slow = SlowPolicy::CatchUp;
        config.limits.queue_messages = 2;
    });
    let ann = world.connect("ann", "lobby");
    world.advance(millis(300));
    world.forget();
    world.stops_reading_after(ann, 0);
    publish(&mut world, "lobby", 9);
    world.reads_all(ann);
    assert_eq!(short(&world.messages(ann)), ["gap 1-5", "6", "7", "8", "9"]);
    assert_eq!(world.stats().dropped["drop_oldest"], 5);
}

#[test]
fn leaving_while_recovering_drops_what_is_still_to_come() {
    let mut world = keeping(100, |config| config.rooms = Rooms::Open);
    let [ann, bob] = [world.connect("ann", "lobby"), world.connect("bob", "")];
    let epoch = world.messages_of(ann, "subscribed")[0]["epoch"].clone();
    publish(&mut world, "lobby", 100);
    world.stops_reading_after(bob, 0);
    let before = world.stats().queued_bytes;
    let since = json!({"epoch": epoch, "seq": 0});
    for _ in 0..20 {
        world.says(
            bob,
            json!({"type": "subscribe", "channel": "lobby", "since": since}),
        );
        world.says(bob, json!({"type": "unsubscribe", "channel": "lobby"}));
    }
    assert!(world.is_open(bob));
    assert_eq!(world.stats().dropped["left"], 2_000);
    assert!(world.stats().queued_bytes < before + 20 * 500);
    world.reads_all(bob);
    assert!(world.messages_of(bob, "message").is_empty());
}

#[test]
fn a_member_that_is_closed_while_it_recovers_sees_no_false_gap() {
    let mut world = keeping(10, |_| {});
    let ann = world.connect("ann", "lobby");
    let bob = world.connect("bob", "");
    let epoch = world.messages_of(ann, "subscribed")[0]["epoch"].clone();
    publish(&mut world, "lobby", 1);
    let exclude = Exclude {
        connections: &[],
        users: &["bob"],
    };
    world.broadcast("lobby", "2", exclude);
    publish(&mut world, "lobby", 1);
    world.stops_reading_after(bob, 0);
    world.forget();
    let since = json!({"epoch": epoch, "seq": 0});
    world.says(
        bob,
        json!({"type": "subscribe", "channel": "lobby", "since": since}),
    );
    let id = world.id(bob);
    world
        .board
        .close(world.now, id, CloseReason::TokenExpired)
        .unwrap();
    world.reads_all(bob);
    let told = short(&world.messages(bob));
    assert_eq!(told, ["subscribed true", "presence", "1", "skip 2-2", "3"]);
    assert_eq!(world.close(bob), Some((4202, "token_expired".into())));
}

#[test]
fn a_member_that_is_kicked_or_removed_while_it_recovers_gets_nothing_more() {
    for kicked in [true, false] {
        let mut world = keeping(10, |_| {});
        let [ann, bob] = [world.connect("ann", "lobby"), world.connect("bob", "")];
        let epoch = world.messages_of(ann, "subscribed")[0]["epoch"].clone();
        publish(&mut world, "lobby", 3);
        world.stops_reading_after(bob, 0);
        world.forget();
        let since = json!({"epoch": epoch, "seq": 0});
        world.says(
            bob,
            json!({"type": "subscribe", "channel": "lobby", "since": since}),
        );
        let id = world.id(bob);
        if kicked {
            world
                .board
                .close(world.now, id, CloseReason::Kicked)
                .unwrap();
        } else {
            world.board.leave(world.now, id, "lobby").unwrap();
        }
        world.reads_all(bob);
        assert!(world.messages_of(bob, "message").is_empty());
    }
}

#[test]
fn epochs_are_unique_over_lives_of_a_room_and_over_restarts() {
    let mut epochs = Vec::new();
    for seed in [7, 8] {
        let now = switchboard_core::Time::from_millis(1_000_000);
        let mut world = keeping(10, |config| {
            config.history.age = secs(1);
            config.history.linger = secs(1);
        });
        let config = world.board.config().clone();
        world.board = switchboard_core::Switchboard::new(config, seed, now).unwrap();
        let ann = world.connect("ann", "");
        for _ in 0..3 {
            let told = subscribes(&mut world, ann, "lobby", None);
            epochs.push(told[0]["epoch"].to_string());
            world.says(ann, json!({"type": "unsubscribe", "channel": "lobby"}));
            world.advance(secs(2));
        }
    }
    let all = epochs.len();
    epochs.sort();
    epochs.dedup();
    assert_eq!(epochs.len(), all);
}

#[test]
fn a_thousand_clients_that_recover_and_do_not_read_hold_next_to_nothing() {
    let mut world = keeping(100, |config| {
        config.limits.room_members = 2_000;
        config.limits.queued_bytes = 2 << 20;
        config.presence.enabled = false;
    });
    let ann = world.connect("ann", "lobby");
    let epoch = world.messages_of(ann, "subscribed")[0]["epoch"].clone();
    let epoch = epoch.as_str().unwrap();
    for _ in 0..100 {
        world.broadcast("lobby", &format!("{:?}", "x".repeat(500)), Exclude::NOBODY);
    }
    let kept = world.stats().history.bytes;
    let target = format!("/ws/lobby?since={epoch}.0");
    let clients: Vec<Client> = (0..1_000)
        .map(|n| {
            let (client, _) = world.asks(world.new_address(), &target, "");
            world.stops_reading_after(client, 700);
            world.authenticate(client, crate::world::verdict(&format!("u{n}")));
            client
        })
        .collect();
    let stats = world.stats();
    assert_eq!((stats.recoveries.ok, stats.lagging), (1_000, 1_000));
    assert!(
        stats.queued_bytes <= kept + (1 << 20),
        "H8: {}",
        stats.queued_bytes
    );
    assert!(clients.iter().all(|&client| world.is_open(client)));
    for &client in &clients {
        world.reads_all(client);
        let numbers = world.messages_of(client, "message").into_iter();
        assert!(numbers.map(|it| it["seq"].as_u64().unwrap()).eq(1..=100));
    }
    assert_eq!(world.stats().lagging, 0);
    assert_eq!(world.stats().queued_bytes, 0);
}

#[test]
fn what_is_kept_for_who_catches_up_is_at_most_half_of_the_bound() {
    let mut world = keeping(1_000, |config| {
        config.slow = SlowPolicy::CatchUp;
        config.history.room_bytes = 1 << 20;
        config.limits.queue_bytes = 64 << 10;
        config.limits.queued_bytes = 128 << 10;
    });
    let (ann, bob) = (world.connect("ann", "lobby"), world.connect("bob", "lobby"));
    world.forget();
    world.stops_reading_after(bob, 0);
    for _ in 0..200 {
        world.broadcast(
            "lobby",
            &format!("{:?}", "x".repeat(1_000)),
            Exclude::NOBODY,
        );
        let stats = world.stats();
        assert!(stats.history.bytes <= 64 << 10, "{}", stats.history.bytes);
        assert!(stats.queued_bytes <= 66 << 10, "{}", stats.queued_bytes);
    }
    assert_eq!(world.messages_of(ann, "message").len(), 200);
    assert!(world.is_open(bob));
    world.reads_all(bob);
    let told = world.messages(bob);
    assert_eq!(told[0]["type"], "gap");
    let first = told[0]["to"].as_u64().unwrap() + 1;
    let numbers = told[1..].iter().map(|it| it["seq"].as_u64().unwrap());
    assert!(numbers.eq(first..=200), "{first}: {told:?}");
}

#[test]
fn clients_that_come_back_at_once_and_get_a_part_of_a_message_are_not_closed_for_the_bound() {
    let mut world = keeping(1_000, |config| {
        config.slow = SlowPolicy::CatchUp;
        config.presence.enabled = false;
        config.limits.queue_bytes = 64 << 10;
        config.limits.queued_bytes = 128 << 10;
    });
    let content = format!("{:?}", "x".repeat(2_000));
    for _ in 0..20 {
        world.broadcast("lobby", &content, Exclude::NOBODY);
    }
    let epoch = world.board.position("lobby").unwrap().epoch;
    let target = format!("/ws/lobby?since={epoch}.0");
    let clients: Vec<Client> = (0..300)
        .map(|n| {
            let (client, _) = world.asks(world.new_address(), &target, "");
            world.stops_reading_after(client, 1_000);
            world.authenticate(client, crate::world::verdict(&format!("u{n}")));
            client
        })
        .collect();
    let stats = world.stats();
    assert_eq!((stats.recoveries.ok, stats.lagging), (300, 300));
    assert!(stats.queued_bytes <= 64 << 10, "{}", stats.queued_bytes);
    for &client in &clients {
        assert!(world.is_open(client));
        world.reads_all(client);
        let numbers = world.messages_of(client, "message").into_iter();
        assert!(numbers.map(|it| it["seq"].as_u64().unwrap()).eq(1..=20));
    }
}

#[test]
fn a_member_that_is_replaced_while_it_recovers_large_messages_gets_them_all() {
    for taken in [0, 300, 40_000, 100_000] {
        let mut world = keeping(100, |config| config.history.room_bytes = 16 << 20);
        let content = format!("{:?}", "x".repeat(32 << 10));
        for _ in 0..20 {
            world.broadcast("lobby", &content, Exclude::NOBODY);
        }
        let epoch = world.board.position("lobby").unwrap().epoch;
        let target = format!("/ws/lobby?since={epoch}.0");
        let (ann, _) = world.asks(world.new_address(), &target, "");
        world.stops_reading_after(ann, taken);
        world.authenticate(ann, crate::world::verdict("ann"));
        world.connect("ann", "");
        world.reads_all(ann);
        let numbers = world.messages_of(ann, "message").into_iter();
        let numbers: Vec<u64> = numbers.map(|it| it["seq"].as_u64().unwrap()).collect();
        assert!(numbers.iter().copied().eq(1..=20), "{taken}: {numbers:?}");
        assert_eq!(world.close(ann), Some((1000, "replaced".into())));
    }
}
