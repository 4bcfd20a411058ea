//! Compressed messages: one form for those who can inflate it, another for the others.

use switchboard_core::protocol::Content;
use switchboard_core::{
    CloseReason, Compression, Config, Deflater, Exclude, Frame, Receipt, RoomMessage, SendError,
    StaleId,
};
use switchboard_kit::Received;

use crate::world::{Client, World, secs, verdict};

fn compressing(config: &mut Config) {
    config.compression = Some(Compression::default());
    config.presence.enabled = false;
}

/// JSON text of about so many bytes that compresses well.
fn words(bytes: usize) -> String {
    let text = "how now brown cow ".repeat(bytes / 18 + 1);
    format!("{:?}", &text[..bytes])
}

fn deflater() -> Deflater {
    Deflater::new(Compression::default().level)
}

impl World {
    /// Sends a message that was compressed before the call.
    fn publish_deflated(&mut self, content: &str) -> Result<Receipt, SendError> {
        let content = Content::parse(content).expect("JSON");
        let mut message = RoomMessage::new("lobby", content).from_user(Some("ann"));
        message.deflate(&mut deflater());
        assert!(message.is_deflated());
        let receipt = self
            .board
            .broadcast_message(self.now, &message, Exclude::NOBODY);
        self.flush();
        receipt
    }

    fn inflated(&self, client: Client) -> usize {
        self.peers[client.0].inflated
    }
}

#[test]
fn who_can_inflate_a_message_gets_it_compressed_and_others_get_the_same_plain() {
    let mut world = World::with(compressing);
    let plain = world.connect("plain", "lobby");
    let large = world.connect_inflating("large", "lobby", 15);
    let small = world.connect_inflating("small", "lobby", 10);
    for client in [plain, large, small] {
        world.frames(client);
    }
    // Numbers of one, two and three digits.
    for number in 1..=120 {
        // The window of 10 bits is for the first only.
        for bytes in [600, 3_000] {
            let receipt = world.publish_deflated(&words(bytes)).expect("sent");
            assert_eq!(receipt.accepted, 3);
        }
        let expected = world.frames(plain);
        assert_eq!(expected.len(), 2);
        for client in [large, small] {
            assert_eq!(world.frames(client), expected);
        }
        assert_eq!(world.inflated(large), 2 * number);
        assert_eq!(world.inflated(small), number);
    }
    let stats = world.board.stats(world.now).compressed;
    assert_eq!((stats.connections, stats.messages), (2, 240));
    assert!(stats.bytes_out < stats.bytes_in / 3, "{stats:?}");
}

#[test]
fn a_small_message_and_one_that_does_not_compress_stay_plain() {
    let mut deflater = deflater();
    let mut is_deflated = |content: &str| {
        let content = Content::parse(content).expect("JSON");
        let mut message = RoomMessage::new("lobby", content);
        message.deflate(&mut deflater);
        message.is_deflated()
    };
    assert!(!is_deflated("1"));
    assert!(is_deflated(&words(600)));
    let mut state = 1_u32;
    let noise: String = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from_u32(0x4E00 + (state >> 16) % 20_000).expect("a character")
    })
    .take(30)
    .collect();
    assert!(!is_deflated(&format!("{noise:?}")));
}

#[test]
fn both_forms_of_what_waits_count_once() {
    let mut world = World::with(compressing);
    let blocked: Vec<_> = (0..3)
        .map(|n| match n {
            0 => world.connect("plain", "lobby"),
            _ => world.connect_inflating(&format!("other-{n}"), "lobby", 15),
        })
        .collect();
    for &client in &blocked {
        world.stops_reading_after(client, 0);
    }
    let before = world.board.stats(world.now);
    assert_eq!(before.queued_bytes, 0);
    // The sockets find out that they are full with the first one.
    for _ in 0..4 {
        world.publish_deflated(&words(2_000)).expect("sent");
    }
    let after = world.board.stats(world.now);
    let forms = after.compressed.bytes_in + after.compressed.bytes_out;
    assert_eq!(after.queued_bytes as u64, forms);
    for &client in &blocked {
        world.frames(client);
        world.reads_all(client);
        assert_eq!(world.messages_of(client, "message").len(), 4);
    }
    assert_eq!(world.board.stats(world.now).queued_bytes, 0);
}

#[test]
fn a_form_that_was_written_in_part_is_finished() {
    for bytes in [600, 40_000, 400_000] {
        let mut world = World::with(compressing);
        let plain = world.connect("plain", "lobby");
        let other = world.connect_inflating("other", "lobby", 15);
        for client in [plain, other] {
            world.frames(client);
            world.stops_reading_after(client, 7);
        }
        for _ in 0..2 {
            world.publish_deflated(&words(bytes)).expect("sent");
        }
        for client in [plain, other] {
            assert_eq!(world.peers[client.0].cut(), 7);
            for _ in 0..20 {
                world.reads(client, 11);
            }
            world.reads_all(client);
        }
        let expected = world.frames(plain);
        assert_eq!(expected.len(), 2);
        assert_eq!(world.frames(other), expected, "{bytes}");
        assert_eq!(world.inflated(other), 2);
    }
}

#[test]
fn what_is_due_at_the_end_comes_in_the_form_of_the_client() {
    let mut world = World::with(compressing);
    let plain = world.connect("plain", "lobby");
    let other = world.connect_inflating("other", "lobby", 15);
    for client in [plain, other] {
        world.frames(client);
        world.stops_reading_after(client, 100);
    }
    for _ in 0..3 {
        world.publish_deflated(&words(50_000)).expect("sent");
    }
    world.board.drain(world.now, secs(0), secs(5));
    for client in [plain, other] {
        world.reads_all(client);
        assert_eq!(world.messages_of(client, "message").len(), 3);
        assert_eq!(world.close(client).map(|close| close.0), Some(1001));
    }
    assert_eq!(world.inflated(other), 3);
}

#[test]
fn history_is_sent_compressed_to_those_who_can_inflate_it() {
    let mut world = World::with(|config| {
        compressing(config);
        config.history.messages = 10;
        config.history.on_join = 10;
        config.history.on_join_max = 10;
    });
    let plain = world.connect("plain", "lobby");
    for _ in 0..5 {
        world.publish_deflated(&words(1_000)).expect("sent");
    }
    let late = world.connect("late", "lobby");
    let other = world.connect_inflating("other", "lobby", 15);
    let expected = world.messages_of(plain, "message");
    assert_eq!(expected.len(), 5);
    assert_eq!(world.messages_of(late, "message"), expected);
    assert_eq!(world.messages_of(other, "message"), expected);
    assert_eq!(world.inflated(other), 5);
}

#[test]
fn a_frame_of_the_application_goes_out_in_both_forms() {
    let mut world = World::with(compressing);
    let plain = world.connect("plain", "lobby");
    let other = world.connect_inflating("other", "lobby", 15);
    for client in [plain, other] {
        world.frames(client);
    }
    let text = words(1_000);
    for frame in [Frame::text(&text), Frame::binary(text.as_bytes())] {
        let frame = deflater().frame(frame);
        let (now, nobody) = (world.now, Exclude::NOBODY);
        for client in [plain, other] {
            let id = world.id(client);
            world.board.send(now, id, frame.clone()).expect("sent");
        }
        let sent = world.board.broadcast_all(now, frame.clone(), nobody);
        assert_eq!(sent.map(|receipt| receipt.accepted), Ok(2));
        let sent = world.board.broadcast_raw(now, "lobby", frame, nobody);
        assert_eq!(sent.map(|receipt| receipt.accepted), Ok(2));
        let expected = world.frames(plain);
        assert_eq!(expected.len(), 3);
        assert_eq!(world.frames(other), expected);
    }
    assert_eq!(world.inflated(other), 6);
    let close = Frame::close(1000, &"x".repeat(100)).expect("a code");
    assert_eq!(deflater().frame(close.clone()).deflated_len(), None);
}

#[test]
fn answers_and_notices_are_never_compressed() {
    let mut world = World::with(|config| {
        compressing(config);
        config.presence.enabled = true;
    });
    let other = world.connect_inflating(&"long-name-".repeat(12), "lobby", 15);
    for number in 0..30 {
        world.connect(&format!("{}{number}", "long-name-".repeat(12)), "lobby");
    }
    world.advance(secs(1));
    let frames = world.frames(other);
    let longest = frames.iter().map(|frame| match frame {
        Received::Text(text) => text.len(),
        _ => 0,
    });
    assert!(longest.max() > Some(3_000), "a list of who is present");
    assert_eq!(world.inflated(other), 0);
}

#[test]
fn a_connection_gets_plain_messages_once_the_application_says_so() {
    let mut world = World::with(compressing);
    let client = world.connect_inflating("ann", "lobby", 15);
    world.publish_deflated(&words(2_000)).expect("sent");
    assert_eq!(world.inflated(client), 1);
    let id = world.id(client);
    assert_eq!(world.board.stop_compressing(id), Ok(()));
    assert!(!world.board.has_inflating());
    world.publish_deflated(&words(2_000)).expect("sent");
    assert_eq!(world.messages_of(client, "message").len(), 2);
    assert_eq!(world.inflated(client), 1);
    let _ = world.board.close(world.now, id, CloseReason::Kicked);
    world.advance(secs(10));
    assert_eq!(world.board.stop_compressing(id), Err(StaleId(id)));
}

#[test]
fn who_can_inflate_is_counted_from_its_admission_until_it_is_gone() {
    let mut world = World::with(compressing);
    let client = world.offers_to_inflate("lobby", 15);
    world.connect("bob", "lobby");
    assert!(!world.board.has_inflating(), "it is not admitted");
    world.authenticate(client, verdict("ann"));
    assert!(world.board.has_inflating());
    assert_eq!(world.board.stats(world.now).compressed.connections, 1);
    let id = world.id(client);
    let _ = world.board.close(world.now, id, CloseReason::Kicked);
    world.advance(secs(10));
    assert!(!world.board.has_inflating());
}
