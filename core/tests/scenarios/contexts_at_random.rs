//! Rooms with contexts and clients that do anything: each can inflate what it gets.

use serde_json::json;
use switchboard_core::{Deflater, Exclude, Frame, SlowPolicy};
use switchboard_kit::Received;

use crate::contexts::{contexts, line};
use crate::world::{Client, World, millis, secs};

/// A client of the random test: what it has received, by room, is compared with what a plain one has.
struct Member {
    client: Client,
    rooms: Vec<&'static str>,
}

#[test]
fn whatever_happens_each_client_can_inflate_what_it_gets() {
    const ROOMS: [&str; 3] = ["lobby", "other", "third"];
    let slow = [
        SlowPolicy::Disconnect,
        SlowPolicy::DropOldest,
        SlowPolicy::DropNewest,
        SlowPolicy::CatchUp,
    ];
    let mut inflated = 0;
    for seed in 0..16 {
        let mut rng = Random(seed + 1);
        let mut world = World::with(|config| {
            contexts(config);
            let compression = config.compression.as_mut().expect("compression");
            compression.room_contexts = 1 + seed as usize % 3;
            config.slow = slow[seed as usize % 4];
            config.limits.queue_messages = 30;
            config.history.messages = if seed % 8 < 3 { 0 } else { 40 };
            config.history.on_join = 5.min(config.history.messages);
            config.history.on_join_max = config.history.messages;
            config.rates = switchboard_core::Rates::unlimited();
        });
        // It reads everything, and each message names its place in its room.
        let witness = world.connect("witness", "");
        for room in ROOMS {
            world.says(witness, json!({"type": "subscribe", "channel": room}));
        }
        let mut members: Vec<Member> = Vec::new();
        for step in 0..600 {
            act(&mut world, &mut rng, &mut members, step, &ROOMS);
        }
        for member in &members {
            world.reads_all(member.client);
        }
        let texts = |frames: Vec<Received>| {
            frames.into_iter().filter_map(|frame| match frame {
                Received::Text(text) if text.starts_with("{\"type\":\"message\"") => Some(text),
                _ => None,
            })
        };
        let said: std::collections::BTreeSet<String> = texts(world.frames(witness)).collect();
        for member in members {
            for text in texts(world.frames(member.client)) {
                assert!(said.contains(&text), "seed {seed}: {text}");
            }
            inflated += world.inflated_by(member.client);
        }
    }
    assert!(inflated > 1_500, "{inflated}");
}

fn act(
    world: &mut World,
    rng: &mut Random,
    members: &mut Vec<Member>,
    step: usize,
    rooms: &[&'static str; 3],
) {
    if members.len() < 3 {
        let room = rooms[rng.below(3)];
        let name = format!("user-{step}");
        let client = match rng.below(4) {
            0 => world.connect_inflating(&name, room, 11),
            _ => world.connect_keeping(&name, room),
        };
        members.push(Member {
            client,
            rooms: vec![room],
        });
        return;
    }
    let at = rng.below(members.len());
    let (client, room) = (members[at].client, rooms[rng.below(3)]);
    match rng.below(40) {
        0 if members.len() < 12 => {
            let name = format!("user-{step}");
            let client = world.connect_keeping(&name, room);
            members.push(Member {
                client,
                rooms: vec![room],
            });
        }
        1 => {
            let member = members.swap_remove(at);
            let id = world.id(member.client);
            let reason = switchboard_core::CloseReason::Kicked;
            let _ = world.board.close(world.now, id, reason);
            world.reads_all(member.client);
            world.advance(secs(10));
        }
        2 if members[at].rooms.contains(&room) => {
            world.says(client, json!({"type": "unsubscribe", "channel": room}));
            members[at].rooms.retain(|it| *it != room);
        }
        2 | 3 => {
            let last = rng.below(20);
            let subscribe = json!({"type": "subscribe", "channel": room, "last": last});
            world.says(client, subscribe);
            members[at].rooms.push(room);
        }
        4 => world.stops_reading_after(client, rng.below(300)),
        5..=7 => world.reads(client, rng.below(500)),
        8 => world.reads_all(client),
        10 => {
            let long = format!("\"{}{step}\"", "many words ".repeat(20 + rng.below(300)));
            world.publishes(room, &long, Exclude::NOBODY);
        }
        11 => {
            let text = format!("\"{}{step}\"", "other words ".repeat(100));
            let frame = Deflater::new(2).frame(Frame::text(&text));
            let id = world.id(client);
            let _ = world.board.send(world.now, id, frame);
            world.flush();
        }
        12 => {
            let id = world.id(client);
            let others = [id];
            let exclude = Exclude {
                connections: &others,
                users: &[],
            };
            world.publishes(room, &line(step), exclude);
        }
        13..=16 => {
            let text = format!(
                "{{\"type\":\"message\",\"channel\":\"{room}\",\"content\":{}}}",
                line(step)
            );
            world.says(client, &text[..]);
        }
        17 => world.advance(millis(50)),
        _ => world.publishes(room, &line(step), Exclude::NOBODY),
    }
}

/// A linear congruential generator.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}
