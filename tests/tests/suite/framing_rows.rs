//! Illegal and unusual frames with their outcomes: rows F1 to F21 of the catalogue of hostile
//! inputs.

use std::borrow::Cow;

use super::frames::{
    BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close, frame, joined, long, medium, part,
};
use super::peer::Received;

/// Some frames and their outcome.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) what: Cow<'static, str>,
    pub(super) input: Vec<u8>,
    pub(super) outcome: Outcome,
}

#[derive(Clone)]
pub(super) enum Outcome {
    /// A Close frame with this code, and nothing before it.
    Closes(u16),
    /// These frames, and the connection stays open.
    Answers(Vec<Received>),
}

pub(super) fn closes(
    name: &'static str,
    what: impl Into<Cow<'static, str>>,
    input: Vec<u8>,
    code: u16,
) -> Row {
    let outcome = Outcome::Closes(code);
    Row {
        name,
        what: what.into(),
        input,
        outcome,
    }
}

pub(super) fn answers(
    name: &'static str,
    what: &'static str,
    input: Vec<u8>,
    answers: &[(u8, &[u8])],
) -> Row {
    let answers = answers.iter().map(|(opcode, payload)| Received {
        first: 0x80 | opcode,
        payload: payload.to_vec(),
    });
    Row {
        name,
        what: what.into(),
        input,
        outcome: Outcome::Answers(answers.collect()),
    }
}

pub(super) fn headers() -> Vec<Row> {
    let unmasked = vec![0x81, 5, b'h', b'e', b'l', b'l', b'o'];
    let mut rows = vec![
        closes("F1", "unmasked text", unmasked, 1002),
        closes("F1", "unmasked empty Close", vec![0x88, 0], 1002),
        closes("F2", "RSV1", part(0xc1, b"x"), 1002),
        closes("F2", "RSV2", part(0xa1, b"x"), 1002),
        closes("F2", "RSV3", part(0x91, b"x"), 1002),
        closes("F2", "RSV1 on a ping", part(0xc9, b"x"), 1002),
        closes("F4", "ping without FIN", part(PING, b"x"), 1002),
        closes("F4", "Close without FIN", part(CLOSE, &[3, 232]), 1002),
        closes("F5", "ping of 126 bytes", frame(PING, &[0; 126]), 1002),
        closes("F5", "ping of 64 KiB", long(0x89, 65_536, b""), 1002),
        closes("F5", "ping of 16 MiB", long(0x89, 16 << 20, b""), 1002),
        closes("F5", "Close of 126 bytes", frame(CLOSE, &[65; 126]), 1002),
        closes("F6", "a frame over the limit", long(0x82, 4_097, b""), 1009),
        closes("F7", "2^63 - 1 bytes", long(0x82, (1 << 63) - 1, b""), 1009),
        closes("F7", "the top bit", long(0x82, 1 << 63, b""), 1002),
        closes(
            "F7",
            "2^32 + 5 bytes",
            long(0x82, (1 << 32) + 5, b"hello"),
            1009,
        ),
        answers(
            "F8",
            "5 bytes in two",
            medium(0x82, 5, b"hello"),
            &[(BINARY, b"hello")],
        ),
        answers(
            "F8",
            "5 bytes in eight",
            long(0x82, 5, b"hello"),
            &[(BINARY, b"hello")],
        ),
    ];
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        rows.push(closes(
            "F3",
            format!("opcode {opcode}"),
            frame(opcode, b""),
            1002,
        ));
    }
    rows
}

pub(super) fn fragments() -> Vec<Row> {
    let start = |payload: &[u8]| part(TEXT, payload);
    let more = |payload: &[u8]| part(CONTINUATION, payload);
    let last = |payload: &[u8]| frame(CONTINUATION, payload);
    let half = vec![b'x'; 3_000];
    let empties: Vec<Vec<u8>> = (0..40).map(|_| more(b"")).collect();
    let endless = [start(b""), joined(&empties)].concat();
    let ones: Vec<Vec<u8>> = (0..40).map(|_| more(b"x")).collect();
    let crumbs = [start(b"x"), joined(&ones)].concat();
    let pinged = joined(&[start(b"a"), frame(PING, b"p"), more(b"b"), last(b"c")]);
    let unasked = joined(&[start(b"a"), frame(PONG, b"p"), last(b"c")]);
    let closed = joined(&[start(b"a"), close(1000, b"")]);
    vec![
        closes(
            "F6",
            "fragments over the limit",
            joined(&[start(&half), more(&half)]),
            1009,
        ),
        answers("F10", "empty text", frame(TEXT, b""), &[(TEXT, b"")]),
        answers("F10", "empty binary", frame(BINARY, b""), &[(BINARY, b"")]),
        answers("F10", "empty ping", frame(PING, b""), &[(PONG, b"")]),
        answers(
            "F10",
            "empty parts",
            joined(&[start(b""), more(b""), last(b"")]),
            &[(TEXT, b"")],
        ),
        closes("F11", "empty fragments without end", endless, 1008),
        closes("F11", "fragments of one byte without end", crumbs, 1008),
        closes("F15", "continuation of nothing", last(b"x"), 1002),
        closes("F15", "part of nothing", more(b"x"), 1002),
        closes(
            "F15",
            "text inside a text",
            joined(&[start(b"a"), frame(TEXT, b"b")]),
            1002,
        ),
        closes(
            "F15",
            "binary inside a text",
            joined(&[start(b"a"), part(BINARY, b"b")]),
            1002,
        ),
        answers(
            "F16",
            "ping between fragments",
            pinged,
            &[(PONG, b"p"), (TEXT, b"abc")],
        ),
        answers("F16", "pong between fragments", unasked, &[(TEXT, b"ac")]),
        closes("F21", "Close between fragments", closed, 1000),
    ]
}

pub(super) fn text() -> Vec<Row> {
    let bad = |what: &'static str, bytes: &[u8]| closes("F13", what, frame(TEXT, bytes), 1007);
    let snowman = "☃".as_bytes();
    let cut = joined(&[
        part(TEXT, &snowman[..1]),
        part(CONTINUATION, b""),
        frame(CONTINUATION, &snowman[1..]),
    ]);
    let face = joined(&[
        part(TEXT, &"😀".as_bytes()[..3]),
        frame(CONTINUATION, &"😀".as_bytes()[3..]),
    ]);
    let late = joined(&[part(TEXT, b"fine"), frame(CONTINUATION, &[0xff])]);
    let unfinished = joined(&[part(TEXT, b"a"), frame(CONTINUATION, &snowman[..2])]);
    vec![
        bad("overlong slash", &[0xc0, 0x80]),
        bad("a surrogate", &[b'a', 0xed, 0xa0, 0x80]),
        bad("beyond the last", &[0xf4, 0x90, 0x80, 0x80]),
        bad("a lone continuation byte", &[0x80]),
        bad("an unfinished character", &snowman[..2]),
        closes("F13", "bad in the second fragment", late, 1007),
        closes("F13", "unfinished in the last fragment", unfinished, 1007),
        answers("F14", "a character cut by frames", cut, &[(TEXT, snowman)]),
        answers(
            "F14",
            "a wide character cut by frames",
            face,
            &[(TEXT, "😀".as_bytes())],
        ),
    ]
}

pub(super) fn closing() -> Vec<Row> {
    let mut rows = vec![
        closes("F17", "one byte", frame(CLOSE, &[3]), 1002),
        closes(
            "F17",
            "a reason of 124 bytes",
            close(1000, &[b'x'; 124]),
            1002,
        ),
        closes("F18", "reason not UTF-8", close(1000, &[0xff]), 1007),
        closes("F19", "empty", frame(CLOSE, b""), 1005),
        closes("F19", "with a reason", close(1000, b"bye"), 1000),
        closes(
            "F19",
            "reason of 123 bytes",
            close(1000, &[b'x'; 123]),
            1000,
        ),
        closes(
            "F20",
            "text after Close",
            joined(&[close(1000, b""), frame(TEXT, b"x")]),
            1000,
        ),
        closes(
            "F20",
            "two Closes",
            joined(&[close(1001, b""), close(1000, b"")]),
            1001,
        ),
        closes(
            "F20",
            "junk after Close",
            joined(&[close(1000, b""), vec![255; 99]]),
            1000,
        ),
    ];
    for code in [
        0, 999, 1004, 1005, 1006, 1014, 1015, 1016, 1100, 2000, 2999, 5000,
    ] {
        rows.push(closes(
            "F17",
            format!("code {code}"),
            close(code, b""),
            1002,
        ));
    }
    for code in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999,
    ] {
        rows.push(closes(
            "F19",
            "a legal code, echoed",
            close(code, b""),
            code,
        ));
    }
    rows
}
