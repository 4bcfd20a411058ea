//! Messages that are compressed after others, for clients that keep what they have inflated.

use serde_json::json;
use switchboard_core::protocol::Content;
use switchboard_core::{
    Compression, Config, Deflater, Exclude, Frame, RoomMessage, RoomRule, SendError, SlowPolicy,
};

use crate::world::{Client, World, secs};

/// Messages of a context.
const CONTEXT: usize = 64;

pub(crate) fn contexts(config: &mut Config) {
    config.compression = Some(Compression {
        room_contexts: 4,
        ..Compression::default()
    });
    config.presence.enabled = false;
}

/// A line of a chat.
pub(crate) fn line(number: usize) -> String {
    const WORDS: [&str; 8] = [
        "who is coming to lunch",
        "has anyone looked at the build",
        "it works on my machine",
        "the deploy is at three o'clock",
        "can you review this today please",
        "let us move that to tomorrow",
        "I'll be there in five minutes",
        "did you see the figures of last week",
    ];
    let (one, other) = (WORDS[number * 7 % 8], WORDS[number / 8 % 8]);
    format!("\"{one}, {other} {number}\"")
}

impl World {
    /// Publishes a message to a room as the hub does, compressed by itself where it is long.
    pub(crate) fn publishes(&mut self, room: &str, content: &str, exclude: Exclude<'_>) {
        let parsed = Content::parse(content).expect("JSON");
        let mut message = RoomMessage::new(room, parsed).from_user(Some("somebody"));
        if self.board.config().compresses(room, content.len()) && self.board.has_inflating() {
            message.deflate(&mut Deflater::new(2));
        }
        let sent = self.board.broadcast_message(self.now, &message, exclude);
        assert!(matches!(sent, Ok(_) | Err(SendError::Busy)), "{sent:?}");
        self.flush();
    }

    fn chats(&mut self, room: &str, lines: usize) {
        for number in 0..lines {
            self.publishes(room, &line(number), Exclude::NOBODY);
        }
    }

    /// Returns how many messages came compressed since the last call.
    pub(crate) fn inflated_by(&mut self, client: Client) -> usize {
        std::mem::take(&mut self.peer_mut(client).inflated)
    }

    fn contexts(&self) -> (usize, u64, u64, u64) {
        let it = self.board.stats(self.now).contexts;
        (it.rooms, it.messages, it.bytes_in, it.bytes_out)
    }
}

#[test]
fn short_lines_are_a_third_for_those_in_step_and_the_same_for_all() {
    let mut world = World::with(contexts);
    let plain = world.connect("plain", "lobby");
    let single = world.connect_inflating("single", "lobby", 10);
    let keeping: Vec<_> = (0..3)
        .map(|n| world.connect_keeping(&format!("keeping-{n}"), "lobby"))
        .collect();
    for &client in [plain, single].iter().chain(&keeping) {
        world.frames(client);
    }
    world.chats("lobby", 300);
    let expected = world.frames(plain);
    assert_eq!(expected.len(), 300);
    assert_eq!(world.frames(single), expected);
    assert_eq!(world.inflated_by(single), 0);
    for client in keeping {
        assert_eq!(world.frames(client), expected);
        assert_eq!(world.inflated_by(client), 300);
    }
    let (rooms, messages, bytes_in, bytes_out) = world.contexts();
    assert_eq!((rooms, messages), (1, 300));
    assert!(bytes_out * 100 < bytes_in * 40, "{bytes_out} of {bytes_in}");
}

#[test]
fn who_comes_later_is_in_step_from_the_next_context_on() {
    let mut world = World::with(contexts);
    let first = world.connect_keeping("first", "lobby");
    let others: Vec<_> = (0..9)
        .map(|n| world.connect_keeping(&format!("other-{n}"), "lobby"))
        .collect();
    world.chats("lobby", 60);
    let late = world.connect_keeping("late", "lobby");
    for client in [first, late] {
        world.frames(client);
        world.inflated_by(client);
    }
    world.chats("lobby", CONTEXT - 60);
    assert_eq!(world.inflated_by(first), 4);
    assert_eq!(world.inflated_by(late), 0);
    world.chats("lobby", 10);
    assert_eq!(world.inflated_by(first), 10);
    assert_eq!(world.inflated_by(late), 10);
    assert_eq!(world.frames(first), world.frames(late));
    // A room of which most have come since does not wait for the end.
    for number in 0..10 {
        world.connect_keeping(&format!("later-{number}"), "lobby");
    }
    let last = world.connect_keeping("last", "lobby");
    world.chats("lobby", 20);
    assert!(world.inflated_by(last) > 10);
    assert_eq!(world.inflated_by(others[0]), 60 + 4 + 10 + 20);
}

#[test]
fn a_sender_without_echo_is_in_step_again_before_long() {
    let mut world = World::with(contexts);
    let all: Vec<_> = (0..10)
        .map(|n| world.connect_keeping(&format!("user-{n}"), "lobby"))
        .collect();
    for number in 0..400 {
        let sender = all[number * 7 % all.len()];
        let text = format!("{{\"type\":\"message\",\"content\":{}}}", line(number));
        world.says(sender, &text[..]);
    }
    let received: Vec<_> = all
        .iter()
        .map(|&client| world.messages_of(client, "message").len())
        .collect();
    assert_eq!(received, [360; 10]);
    let inflated: usize = all.iter().map(|&client| world.inflated_by(client)).sum();
    assert!(inflated > 3_600 / 2, "{inflated} of 3600");
}

#[test]
fn all_else_goes_plain_to_those_in_step() {
    let mut world = World::with(contexts);
    let client = world.connect_keeping("ann", "lobby");
    let single = world.connect_inflating("bob", "lobby", 11);
    let long = format!("{:?}", "many words ".repeat(100));
    let id = world.id(client);
    let send = |world: &mut World| {
        let frame = Deflater::new(2).frame(Frame::text(&long));
        for id in [id, world.id(single)] {
            world
                .board
                .send(world.now, id, frame.clone())
                .expect("sent");
        }
        let now = world.now;
        let sent = world
            .board
            .broadcast_raw(now, "lobby", frame, Exclude::NOBODY);
        sent.expect("sent");
        world.flush();
    };
    // It is in no context yet, and is in step afterwards all the same.
    send(&mut world);
    assert_eq!(world.inflated_by(client), 2);
    world.chats("lobby", 10);
    assert_eq!(world.inflated_by(client), 10);
    send(&mut world);
    assert_eq!(world.inflated_by(client), 0);
    assert_eq!(world.inflated_by(single), 4);
    world.chats("lobby", 10);
    assert_eq!(world.inflated_by(client), 10);
    assert_eq!(world.frames(client).len(), 24 + 2);
}

#[test]
fn a_long_message_is_a_context_of_its_own() {
    let mut world = World::with(contexts);
    let plain = world.connect("plain", "lobby");
    let client = world.connect_keeping("ann", "lobby");
    for client in [plain, client] {
        world.frames(client);
    }
    let long = format!("{:?}", "many words ".repeat(500));
    for _ in 0..3 {
        world.chats("lobby", 5);
        world.publishes("lobby", &long, Exclude::NOBODY);
    }
    assert_eq!(world.inflated_by(client), 18);
    let expected = world.frames(plain);
    assert_eq!(expected.len(), 18);
    assert_eq!(world.frames(client), expected);
    let compressed = world.board.stats(world.now).compressed;
    assert_eq!(compressed.messages, 3);
    // Its forms are held once.
    assert_eq!(world.board.stats(world.now).queued_bytes, 0);
}

#[test]
fn a_message_is_compressed_once_at_most() {
    let mut world = World::with(contexts);
    let keeping = world.connect_keeping("ann", "lobby");
    let single = world.connect_inflating("bob", "lobby", 15);
    for client in [keeping, single] {
        world.frames(client);
    }
    // Long enough to be compressed by itself, and short enough for a context.
    let long = format!("{:?}", "many words ".repeat(60));
    for _ in 0..20 {
        world.publishes("lobby", &long, Exclude::NOBODY);
    }
    let (_, in_context, ..) = world.contexts();
    assert_eq!(in_context, 0);
    assert_eq!(world.board.stats(world.now).compressed.messages, 20);
    assert_eq!(world.inflated_by(keeping), 20);
    assert_eq!(world.inflated_by(single), 20);
    let expected = world.frames(single);
    assert_eq!(expected.len(), 20);
    assert_eq!(world.frames(keeping), expected);
}

#[test]
fn what_nobody_in_step_gets_is_not_compressed() {
    let mut world = World::with(contexts);
    let [ann, bob] = ["ann", "bob"].map(|name| world.connect_keeping(name, "lobby"));
    let plain = world.connect("plain", "lobby");
    let both = [ann, bob].map(|client| world.id(client));
    for number in 0..5 {
        let exclude = Exclude {
            connections: &both,
            users: &[],
        };
        world.publishes("lobby", &line(number), exclude);
    }
    // Nor has the room a compressor, which another may need.
    assert_eq!(world.contexts(), (0, 0, 0, 0));
    // Bob stays in step while Ann is told what he has said: it is not in the context.
    let say = |world: &mut World, by, number| {
        let exclude = Exclude {
            connections: &[by],
            users: &[],
        };
        world.publishes("lobby", &line(number), exclude);
    };
    for number in 0..2 {
        say(&mut world, both[0], 2 * number);
        say(&mut world, both[1], 2 * number + 1);
    }
    assert_eq!(world.contexts().1, 2);
    assert_eq!(world.inflated_by(bob), 2);
    assert_eq!(world.inflated_by(ann), 0);
    for number in 4..400 {
        say(&mut world, both[number % 2], number);
    }
    let inflated = world.inflated_by(ann) + world.inflated_by(bob);
    assert_eq!(world.contexts().1, inflated as u64 + 2);
    assert!(inflated > 150, "{inflated} of 396");
    let messages = |world: &mut World, client| world.messages_of(client, "message").len();
    assert_eq!(messages(&mut world, ann), 200);
    assert_eq!(messages(&mut world, bob), 200);
    assert_eq!(messages(&mut world, plain), 405);
}

#[test]
fn a_member_of_several_rooms_is_in_step_with_one_of_them() {
    let mut world = World::with(contexts);
    let client = world.connect_keeping("ann", "lobby");
    world.says(client, json!({"type": "subscribe", "channel": "other"}));
    world.chats("lobby", 10);
    assert_eq!(world.inflated_by(client), 10);
    world.chats("other", 10);
    assert_eq!(world.inflated_by(client), 0);
    world.chats("lobby", 10);
    assert_eq!(world.inflated_by(client), 10);
    // Where nothing more is said in the first one, it is in step with the other.
    world.chats("other", 3 * CONTEXT);
    assert!(world.inflated_by(client) >= CONTEXT);
    world.chats("other", 10);
    assert_eq!(world.inflated_by(client), 10);
    world.says(client, json!({"type": "unsubscribe", "channel": "other"}));
    world.chats("lobby", 10);
    world.chats("lobby", CONTEXT);
    assert!(world.inflated_by(client) >= 10);
    assert_eq!(
        world.messages_of(client, "message").len(),
        40 + 4 * CONTEXT + 10
    );
}

#[test]
fn who_has_lost_messages_or_reads_late_gets_what_it_can_inflate() {
    for slow in [
        SlowPolicy::DropOldest,
        SlowPolicy::DropNewest,
        SlowPolicy::CatchUp,
    ] {
        let mut world = World::with(|config| {
            contexts(config);
            config.slow = slow;
            config.limits.queue_messages = 20;
            config.history.messages = 30;
        });
        let client = world.connect_keeping("ann", "lobby");
        let reads = world.connect_keeping("bob", "lobby");
        for _ in 0..6 {
            world.stops_reading_after(client, 7);
            world.chats("lobby", 50);
            for _ in 0..20 {
                world.reads(client, 11);
            }
            world.reads_all(client);
            world.chats("lobby", 30);
        }
        assert_eq!(world.messages_of(reads, "message").len(), 480);
        let inflated = world.inflated_by(client);
        assert!(inflated > 100, "{slow:?}: {inflated}");
        world.chats("lobby", 2 * CONTEXT);
        assert!(world.inflated_by(client) > CONTEXT, "{slow:?}");
    }
}

#[test]
fn who_recovers_and_who_begins_in_the_history_is_in_step_when_it_has_come_to_a_context() {
    let mut world = World::with(|config| {
        contexts(config);
        config.history.messages = 300;
        config.history.on_join_max = 300;
    });
    let reads = world.connect_keeping("bob", "lobby");
    world.chats("lobby", 200);
    world.frames(reads);
    let client = world.connect_keeping("ann", "");
    let target = json!({"type": "subscribe", "channel": "lobby", "last": 200});
    world.says(client, target);
    let messages = world.messages_of(client, "message");
    assert_eq!(messages.len(), 200);
    assert_eq!(world.inflated_by(client), 200);
    world.chats("lobby", 10);
    assert_eq!(world.inflated_by(client), 10);
}

#[test]
fn what_is_due_at_the_end_goes_plain() {
    let mut world = World::with(contexts);
    let client = world.connect_keeping("ann", "lobby");
    world.chats("lobby", 5);
    world.stops_reading_after(client, 40);
    world.chats("lobby", 5);
    world.board.drain(world.now, secs(0), secs(5));
    world.reads_all(client);
    assert_eq!(world.messages_of(client, "message").len(), 10);
    assert_eq!(world.close(client).map(|close| close.0), Some(1001));
    assert!((5..10).contains(&world.inflated_by(client)));
}

#[test]
fn messages_rooms_and_connections_can_do_without() {
    let mut world = World::with(|config| {
        contexts(config);
        config.room_rules.push(RoomRule {
            prefix: "secret".into(),
            compress: Some(false),
            ..RoomRule::default()
        });
    });
    let secret = world.connect_keeping("ann", "secret");
    world.chats("secret", 10);
    assert_eq!(world.inflated_by(secret), 0);
    let client = world.connect_keeping("bob", "lobby");
    world.chats("lobby", 5);
    let content = line(1);
    let message = RoomMessage::new("lobby", Content::parse(&content).expect("JSON"));
    let message = message.uncompressed();
    let sent = world
        .board
        .broadcast_message(world.now, &message, Exclude::NOBODY);
    sent.expect("sent");
    world.flush();
    world.chats("lobby", 5);
    assert_eq!(world.inflated_by(client), 10);
    assert_eq!(world.messages_of(client, "message").len(), 11);
    let id = world.id(client);
    assert_eq!(world.board.stop_compressing(id), Ok(()));
    assert_eq!(world.contexts().0, 0);
    world.chats("lobby", 5);
    assert_eq!(world.inflated_by(client), 0);
    assert_eq!(world.messages_of(client, "message").len(), 5);
}

#[test]
fn only_clients_that_offer_it_keep_what_they_have_inflated() {
    let agreed = |change: fn(&mut Config), parameters: &str| {
        let mut world = World::with(change);
        let offer = format!("Sec-WebSocket-Extensions: permessage-deflate{parameters}\r\n");
        let address = world.new_address();
        let (client, _) = world.asks(address, "/ws/lobby", &offer);
        world.authenticate(client, crate::world::verdict("ann"));
        let head = &world.peer(client).head;
        let line = head
            .lines()
            .find(|line| line.starts_with("Sec-WebSocket-Extensions"));
        line.expect("the extension").to_owned()
    };
    let line =
        |parameters: &str| format!("Sec-WebSocket-Extensions: permessage-deflate{parameters}");
    let kept = "; client_no_context_takeover";
    let both = "; server_no_context_takeover; client_no_context_takeover";
    assert_eq!(agreed(contexts, ""), line(kept));
    assert_eq!(agreed(contexts, "; client_max_window_bits"), line(kept));
    assert_eq!(agreed(contexts, "; server_no_context_takeover"), line(both));
    for (bits, parameters) in [(11, both), (12, kept), (15, kept)] {
        let size = format!("; server_max_window_bits={bits}");
        assert_eq!(
            agreed(contexts, &size),
            line(&format!("{parameters}{size}"))
        );
    }
    let without = |config: &mut Config| config.compression = Some(Compression::default());
    assert_eq!(agreed(without, ""), line(both));
}

#[test]
fn few_rooms_have_a_context_and_leave_it_to_busier_ones() {
    let mut world = World::with(contexts);
    let clients: Vec<_> = (0..5)
        .map(|n| world.connect_keeping(&format!("user-{n}"), &format!("room-{n}")))
        .collect();
    for round in 0..10 {
        for (n, _) in clients.iter().enumerate() {
            world.publishes(&format!("room-{n}"), &line(round), Exclude::NOBODY);
        }
    }
    assert_eq!(world.contexts().0, 4);
    let inflated: Vec<_> = clients.iter().map(|&it| world.inflated_by(it)).collect();
    assert_eq!(inflated, [10, 10, 10, 10, 0]);
    // The other ones fall silent.
    for number in 0..5_000 {
        world.publishes("room-4", &line(number), Exclude::NOBODY);
    }
    assert!(world.inflated_by(clients[4]) > 800);
    assert_eq!(world.contexts().0, 4);
    // One that still has its own goes on, one that has lost it takes that of another and begins anew.
    for (at, inflated) in [(3, 1), (0, 1), (1, 1), (2, 0), (3, 1)] {
        world.publishes(&format!("room-{at}"), &line(1), Exclude::NOBODY);
        assert_eq!(world.inflated_by(clients[at]), inflated, "room-{at}");
    }
    assert_eq!(world.contexts().0, 4);
    for client in clients {
        let id = world.id(client);
        let _ = world
            .board
            .close(world.now, id, switchboard_core::CloseReason::Kicked);
    }
    world.advance(secs(10));
    assert_eq!(world.contexts().0, 0);
}
