//! Compressed messages: bombs, blocks without content, and nothing that stays.

use switchboard_core::protocol::Content;
use switchboard_core::{
    Compression, Decoder, DecoderLimits, Deflater, Exclude, Identity, Incoming, Inflater,
    PerMessageDeflate, ProtocolError, RoomMessage,
};
use switchboard_kit::deflate::{Blocks, deflate};
use switchboard_kit::{ClientFrame, TEXT, frame};

use crate::heap::Heap;
use crate::world::{World, config};

const LIMIT: usize = 65_536;
/// The state of an inflater.
const STATE: i64 = 50 << 10;

/// Decodes and inflates a message that arrives in pieces of 100 bytes.
fn receive(
    heap: &mut Heap,
    decoder: &mut Decoder,
    inflater: &mut Inflater,
    payload: &[u8],
) -> Result<usize, ProtocolError> {
    let message = ClientFrame {
        rsv: 4,
        ..frame(TEXT, payload)
    };
    let mut bytes = message.bytes();
    for piece in bytes.chunks_mut(100) {
        let cost = heap.during(|| {
            let incoming = decoder.decode(piece)?.incoming;
            let Some(Incoming::Deflated(message)) = incoming else {
                return Ok(None);
            };
            inflater.inflate(message, LIMIT).map(|it| Some(it.cost))
        });
        if let Some(cost) = cost.transpose() {
            heap.during(|| {
                let _ = decoder.decode(&mut []);
                inflater.give_back();
            });
            return cost;
        }
    }
    panic!("the message is complete");
}

fn hostile() -> Vec<Vec<u8>> {
    let eight = |add: fn(Blocks) -> Blocks| (0..8).fold(Blocks::new(), |blocks, _| add(blocks));
    let many = |add| eight(add).repeat(50).flush().bytes();
    vec![
        deflate(&vec![0; 10 << 20]),
        deflate(&vec![b'x'; LIMIT]),
        deflate(&vec![b'x'; LIMIT + 1]),
        many(Blocks::empty_dynamic),
        many(Blocks::empty_full),
        many(|blocks| blocks.fixed(false, b"")),
        Blocks::new().stored(false, b"").bytes().repeat(13_000),
        Blocks::new()
            .stored(false, &vec![b'x'; 60_000])
            .flush()
            .bytes(),
    ]
}

#[test]
fn inflating_holds_no_more_than_the_limit_and_a_state_whatever_arrives() {
    for payload in hostile() {
        let mut heap = Heap::default();
        let mut decoder = heap.during(|| {
            let limits = DecoderLimits {
                message_bytes: LIMIT,
                fragments: 1_024,
            };
            Decoder::new(limits).accepting_deflate(true)
        });
        let mut inflater = Inflater::default();
        let _ = receive(&mut heap, &mut decoder, &mut inflater, &payload);
        // While a block grows it exists twice, for the message and then for its content.
        let buffered = 4 * payload.len().min(2 * LIMIT) + 3 * LIMIT;
        let most = STATE + buffered.cast_signed() as i64;
        assert!(heap.peak() <= most, "{} bytes of {most}", heap.peak());
    }
}

#[test]
fn nothing_stays_of_a_message_but_what_a_thread_shares() {
    let mut heap = Heap::default();
    let limits = DecoderLimits {
        message_bytes: LIMIT,
        fragments: 1_024,
    };
    let mut inflater = Inflater::default();
    let mut decoders: Vec<_> = (0..100)
        .map(|_| Decoder::new(limits).accepting_deflate(true))
        .collect();
    for payload in hostile() {
        for decoder in &mut decoders {
            let _ = receive(&mut heap, decoder, &mut inflater, &payload);
            assert_eq!(decoder.buffered(), 0);
        }
    }
    let shared = STATE + (LIMIT + 1).cast_signed() as i64;
    assert!(heap.held() <= shared, "{} bytes are held", heap.held());
    heap.during(|| drop(inflater));
    heap.check_empty();
}

/// Returns the blocks and bytes that a compressed message to `members` costs after the first ones, and the
/// bytes that stay. Every second member inflates it, after those before it or by itself.
fn costs(members: u32, content: &str, in_context: bool) -> (u64, u64, i64) {
    let mut config = config();
    config.presence.enabled = false;
    config.compression = Some(Compression {
        room_contexts: 1,
        ..Compression::default()
    });
    let mut world = World::new(config);
    for number in 0..members {
        let id = world.connect(number);
        let mut request = World::request(number, Some("room"));
        if number % 2 == 0 {
            request = request.with_deflate(Some(PerMessageDeflate {
                server_context_takeover: in_context,
                ..PerMessageDeflate::default()
            }));
        }
        let answer = world.board.upgraded(world.now, id, &request);
        answer.expect("a live connection");
        world.admit(id, Identity::user(format!("user-{number}")));
        world.forget();
    }
    world.flush();
    let mut deflater = Deflater::new(2);
    let mut publish = |world: &mut World| {
        let content = Content::parse(content).expect("JSON");
        let mut message = RoomMessage::new("room", content);
        if !in_context {
            message.deflate(&mut deflater);
            assert!(message.is_deflated());
        }
        let sent = world
            .board
            .broadcast_message(world.now, &message, Exclude::NOBODY);
        world.flush();
        assert_eq!(sent.map(|receipt| receipt.accepted), Ok(members as usize));
    };
    for _ in 0..2 {
        publish(&mut world);
    }
    let mut heap = Heap::default();
    heap.during(|| publish(&mut world));
    let contexts = world.board.stats(world.now).contexts;
    assert_eq!(contexts.messages, if in_context { 3 } else { 0 });
    (heap.blocks(), heap.bytes(), heap.held())
}

#[test]
fn a_compressed_broadcast_allocates_nothing_per_member_and_nothing_stays_of_it() {
    let small = format!("\"{}\"", "x".repeat(600));
    let large = format!("\"{}\"", "how now brown cow ".repeat(2_000));
    for content in [small, large] {
        let few = costs(10, &content, false);
        let many = costs(1_000, &content, false);
        assert_eq!(few, many, "blocks and bytes of ten and of a thousand");
        let (blocks, bytes, held) = many;
        assert!(blocks <= 9, "{blocks} blocks");
        assert!(bytes <= 4 * content.len() as u64 + 2_048, "{bytes} bytes");
        assert_eq!(held, 0, "bytes are still held");
    }
}

#[test]
fn a_broadcast_in_a_context_allocates_nothing_per_member_and_nothing_stays_of_it() {
    let content = format!("\"{}\"", "a line of a chat ".repeat(6));
    let few = costs(10, &content, true);
    let many = costs(1_000, &content, true);
    assert_eq!(few, many, "blocks and bytes of ten and of a thousand");
    let (blocks, bytes, held) = many;
    assert!(blocks <= 9, "{blocks} blocks");
    assert!(bytes <= 4 * content.len() as u64 + 2_048, "{bytes} bytes");
    assert_eq!(held, 0, "bytes are still held");
}
