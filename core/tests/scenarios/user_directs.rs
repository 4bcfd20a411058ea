//! Direct messages of clients to a user who has very many connections.

use serde_json::json;
use switchboard_core::{CloseReason, Direct};

use crate::parts::MANY;
use crate::user_parts::{PART, devices, ids};
use crate::world::{Client, World, millis};

fn directs(world: &mut World, client: Client) -> Vec<serde_json::Value> {
    let messages = world.messages_of(client, "direct").into_iter();
    messages.map(|message| message["content"].clone()).collect()
}

#[test]
fn a_clients_message_to_a_user_with_many_connections_goes_in_parts_and_is_answered_at_the_end() {
    let (mut world, clients) = devices(|config| config.direct = Direct::Open);
    let ben = world.connect("ben", "");
    for id in [1, 2] {
        world.says(
            ben,
            json!({"type": "direct", "to": "ann", "content": id, "id": id}),
        );
    }
    let mut parts = 0;
    loop {
        let got: Vec<_> = clients.iter().map(|&it| directs(&mut world, it)).collect();
        let some: usize = got.iter().map(Vec::len).sum();
        assert!(some <= PART, "{some} by one call");
        let acks = world.messages_of(ben, "ack");
        if let [ack] = acks.as_slice() {
            assert_eq!(ack["delivered"], MANY);
            parts += 1;
            assert_eq!(ack["id"], parts, "in the order of sending");
        }
        if parts == 2 {
            break;
        }
        let next = world.board.next_deadline().expect("more is due");
        assert!(next <= world.now + millis(1), "not at once: {next:?}");
        world.now = next;
        world.tick();
    }
}

#[test]
fn each_of_many_connections_gets_the_messages_of_a_client_once_in_their_order() {
    let (mut world, clients) = devices(|config| config.direct = Direct::Open);
    let ben = world.connect("ben", "");
    for content in [1, 2] {
        let direct = json!({"type": "direct", "to": "ann", "content": content});
        world.says(ben, direct);
        world.tick();
    }
    // Few are left, to whom it still goes behind those before.
    let gone = ids(&world, &clients[8..]);
    for id in gone {
        let _ = world.board.close(world.now, id, CloseReason::Kicked);
    }
    world.says(ben, json!({"type": "direct", "to": "ann", "content": 3}));
    world.advance(millis(100));
    for &client in &clients[..8] {
        assert_eq!(directs(&mut world, client), [1, 2, 3]);
    }
}

#[test]
fn a_client_is_told_when_nobody_is_left_or_too_much_is_under_way() {
    let (mut world, clients) = devices(|config| config.direct = Direct::Open);
    let ben = world.connect("ben", "");
    let direct = json!({"type": "direct", "to": "ann", "content": 1, "id": 1});
    for _ in 0..64 {
        world.says(ben, direct.clone());
    }
    assert!(world.messages_of(ben, "error").is_empty());
    world.says(ben, direct);
    assert_eq!(world.messages_of(ben, "error")[0]["code"], "rate_limited");
    for id in ids(&world, &clients) {
        let _ = world.board.close(world.now, id, CloseReason::Kicked);
    }
    world.advance(millis(100));
    let errors = world.messages_of(ben, "error");
    assert_eq!(errors.len(), 64);
    assert!(errors.iter().all(|it| it["code"] == "not_connected"));
}
