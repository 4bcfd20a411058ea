//! Compressed messages and offers of compression with their outcomes: rows D1 to D11 of the catalogue
//! of hostile inputs.

use switchboard_kit::deflate::{Blocks, TAIL, deflate};

use super::frames::{BINARY, CONTINUATION, PING, PONG, TEXT, joined, part};
use super::framing_rows::{Row, answers, closes};

/// FIN and RSV1.
const WHOLE: u8 = 0xC0;
/// RSV1 on a frame that is not the last.
const FIRST: u8 = 0x40;

/// The limit of a message's length in these rows.
pub(super) const LIMIT: usize = 16_384;

/// A compressed text message.
fn text(payload: &[u8]) -> Vec<u8> {
    part(WHOLE | TEXT, payload)
}

/// A compressed binary message.
fn binary(payload: &[u8]) -> Vec<u8> {
    part(WHOLE | BINARY, payload)
}

/// Eight blocks, which end with a byte, this many times.
fn many(add: fn(Blocks) -> Blocks, times: usize) -> Vec<u8> {
    let eight = (0..8).fold(Blocks::new(), |blocks, _| add(blocks));
    binary(&eight.repeat(times).flush().bytes())
}

/// What inflates to too much, or to nothing by too much work.
pub(super) fn bombs() -> Vec<Row> {
    let long = |len| binary(&deflate(&vec![0; len]));
    let stored = Blocks::new().stored(false, b"").bytes().repeat(3_000);
    vec![
        closes("D2", "16 MiB of zeros", long(16 << 20), 1009),
        closes("D2", "one byte over the limit", long(LIMIT + 1), 1009),
        answers(
            "D2",
            "a message as long as the limit",
            long(LIMIT),
            &[(BINARY, &[0; LIMIT])],
        ),
        closes(
            "D2",
            "a compressed payload longer than any message",
            binary(&[0; LIMIT + LIMIT / 64 + 65]),
            1009,
        ),
        closes(
            "D3",
            "empty blocks with short codes",
            many(Blocks::empty_dynamic, 20),
            1008,
        ),
        closes(
            "D3",
            "empty blocks with full codes",
            many(Blocks::empty_full, 10),
            1008,
        ),
        closes(
            "D3",
            "empty blocks with the fixed code",
            many(|it| it.fixed(false, b""), 100),
            1008,
        ),
        closes("D3", "3 000 empty stored blocks", binary(&stored), 1008),
    ]
}

/// What is not a message.
pub(super) fn data() -> Vec<Row> {
    let hello = deflate(b"hello");
    let before = Blocks::new().stored(false, b"abc").copy(3, 4).flush();
    let last = Blocks::new().fixed(true, b"hello").bytes();
    let then = |more: &[u8]| text(&[&last[..], more].concat());
    let middle = [&hello[..], &TAIL, &last, &hello].concat();
    vec![
        closes(
            "D4",
            "a distance to before the message",
            text(&before.bytes()),
            1002,
        ),
        closes("D5", "a last block, then bytes", then(b"\x01\x02"), 1002),
        closes("D5", "two last blocks", then(&last), 1002),
        closes("D5", "a last block in the middle", text(&middle), 1002),
        answers("D5", "a last block", text(&last), &[(TEXT, b"hello")]),
        answers(
            "D5",
            "a last block, then an empty one",
            then(b"\0"),
            &[(TEXT, b"hello")],
        ),
        closes("D6", "a message that is cut", text(&hello[..4]), 1002),
        closes(
            "D6",
            "the whole tail behind a message",
            text(&[&hello[..], &TAIL].concat()),
            1002,
        ),
        closes(
            "D6",
            "half a tail behind a message",
            text(&[&hello[..], &TAIL[..2]].concat()),
            1002,
        ),
        closes("D6", "a payload of no bytes", text(b""), 1002),
        closes("D6", "a block of no type", text(b"\x07"), 1002),
    ]
}

/// RSV1 where it means nothing, and where it does.
pub(super) fn bits() -> Vec<Row> {
    let hello = deflate(b"hello");
    let rsv2 = part(0xA0 | TEXT, &hello);
    vec![
        closes("D7", "RSV1 on a ping", part(WHOLE | PING, b"x"), 1002),
        closes("D7", "RSV1 on a Close", part(WHOLE | 8, &[3, 232]), 1002),
        closes(
            "D7",
            "RSV1 on a continuation",
            joined(&[part(FIRST | TEXT, b""), part(WHOLE | CONTINUATION, &hello)]),
            1002,
        ),
        closes("D7", "RSV2 on text", rsv2, 1002),
        closes(
            "D7",
            "RSV1 and RSV2 on text",
            part(0xE0 | TEXT, &hello),
            1002,
        ),
        answers(
            "D7",
            "a plain message after a compressed one",
            joined(&[text(&hello), part(0x80 | TEXT, b"plain")]),
            &[(TEXT, b"hello"), (TEXT, b"plain")],
        ),
    ]
}

/// Messages in fragments, text, and sizes.
pub(super) fn shapes() -> Vec<Row> {
    let word = "gr\u{fc}\u{df}e \u{1f600}".as_bytes();
    let compressed = deflate(&word.repeat(2));
    let (last, most) = compressed.split_last().expect("bytes");
    let single = |(at, byte): (usize, &u8)| {
        let first = if at == 0 { FIRST | TEXT } else { CONTINUATION };
        part(first, &[*byte])
    };
    let mut bytes: Vec<_> = most.iter().enumerate().map(single).collect();
    bytes.push(part(0x80 | CONTINUATION, &[*last]));
    let (head, tail) = compressed.split_at(compressed.len() / 2);
    let between = joined(&[
        part(FIRST | BINARY, head),
        part(0x80 | PING, b"p"),
        part(0x80 | CONTINUATION, tail),
    ]);
    let blocks = |cut: usize| {
        let (head, tail) = word.split_at(cut);
        Blocks::new()
            .fixed(false, head)
            .stored(false, tail)
            .flush()
            .bytes()
    };
    let doubled = word.repeat(2);
    vec![
        answers(
            "D8",
            "fragments of one byte",
            joined(&bytes),
            &[(TEXT, &doubled)],
        ),
        answers(
            "D8",
            "a ping between two fragments",
            between,
            &[(PONG, b"p"), (BINARY, &doubled)],
        ),
        closes(
            "D9",
            "text that is not UTF-8",
            text(&deflate(b"a\xFF")),
            1007,
        ),
        closes(
            "D9",
            "text with half a character",
            text(&deflate(&word[..3])),
            1007,
        ),
        answers(
            "D9",
            "a block ends within a character",
            text(&blocks(3)),
            &[(TEXT, word)],
        ),
        answers(
            "D9",
            "binary that is not UTF-8",
            binary(&deflate(b"\xFF")),
            &[(BINARY, b"\xFF")],
        ),
        answers(
            "D10",
            "a payload longer than what it stands for",
            binary(
                &Blocks::new()
                    .stored(false, b"x")
                    .stored(false, b"y")
                    .flush()
                    .bytes(),
            ),
            &[(BINARY, b"xy")],
        ),
        answers("D10", "an empty message", text(b"\0"), &[(TEXT, b"")]),
        answers(
            "D10",
            "another empty message",
            text(b"\x02\0"),
            &[(TEXT, b"")],
        ),
    ]
}

/// An offer of a client: the row, what it is, the path and the headers, and the answer, if the offer is
/// accepted.
pub(super) struct Offer {
    pub(super) row: &'static str,
    pub(super) what: &'static str,
    pub(super) path: &'static str,
    pub(super) headers: Vec<String>,
    pub(super) answer: Option<&'static str>,
}

pub(super) fn offers() -> Vec<Offer> {
    const PLAIN: Option<&str> =
        Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover");
    const EIGHT: Option<&str> = Some(
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
         server_max_window_bits=8",
    );
    const TEN: Option<&str> = Some(
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
         server_max_window_bits=10",
    );
    let offer = |row, what, path, offers: &[&str], answer| Offer {
        row,
        what,
        path,
        headers: offers
            .iter()
            .map(|offer| format!("Sec-WebSocket-Extensions: {offer}"))
            .collect(),
        answer,
    };
    let of = |what, parameters: &str, answer| {
        let one = format!("permessage-deflate; {parameters}");
        offer("D1", what, "/ws/blue", &[&one], answer)
    };
    let hundred = vec!["permessage-deflate; mux"; 99].join(", ") + ", permessage-deflate";
    let unknown = "permessage-deflate; mux, permessage-deflate; server_max_window_bits=10";
    let both = &[
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate",
    ];
    let junk = &["permessage-deflate", "permessage-deflate; =\""];
    vec![
        of("an offer of a browser", "client_max_window_bits", PLAIN),
        of(
            "no context on either side",
            "server_no_context_takeover; client_no_context_takeover",
            PLAIN,
        ),
        of("a window of 10 bits", "server_max_window_bits=10", TEN),
        of(
            "a window of 10 bits in quotes",
            "server_max_window_bits=\"10\"",
            TEN,
        ),
        of("a window of 8 bits", "server_max_window_bits=8", EIGHT),
        of("a window of 7 bits", "server_max_window_bits=7", None),
        of("a window of 16 bits", "server_max_window_bits=16", None),
        of("a window of 015 bits", "server_max_window_bits=015", None),
        of("a window of no size", "server_max_window_bits", None),
        of(
            "a window of the client of 0 bits",
            "client_max_window_bits=0",
            None,
        ),
        of(
            "a parameter twice",
            "client_max_window_bits; client_max_window_bits",
            None,
        ),
        offer(
            "D1",
            "100 offers, the last acceptable",
            "/ws/blue",
            &[&hundred],
            PLAIN,
        ),
        offer(
            "D1",
            "an unknown parameter first",
            "/ws/blue",
            &[unknown],
            TEN,
        ),
        offer("D1", "offers in two headers", "/ws/blue", both, PLAIN),
        offer(
            "D1",
            "a malformed header behind a good one",
            "/ws/blue",
            junk,
            None,
        ),
        offer("D1", "no offer", "/ws/blue", &[], None),
        offer(
            "D11",
            "`deflate=off`",
            "/ws?deflate=off",
            &["permessage-deflate"],
            None,
        ),
        offer(
            "D11",
            "`deflate=off` twice",
            "/ws?deflate=off&deflate=off",
            &["permessage-deflate"],
            None,
        ),
    ]
}
