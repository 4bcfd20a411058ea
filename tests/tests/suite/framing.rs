//! Illegal frames: section 2.2 of the catalogue of hostile inputs.

use std::thread;
use std::time::Duration;

use super::app::Plain;
use super::catalogue::{Entry, covers, test_path};
use super::frames::{BINARY, CONTINUATION, PONG, TEXT, close, frame, long, part};
use super::framing_rows::{Outcome, Row, closing, fragments, headers, text};
use super::peer::{End, Peer};
use super::server::{Server, raw};
use crate::rt::{CloseReason, Config, Wire};

covers! {
    every_cut_point_gives_the_same:
        "F26", "each short row of this section, cut in two at each byte" => "the same as uncut";
    a_message_that_never_ends_is_given_up:
        "F9", "a header, a first byte, a first fragment, then silence" => "1008 when its time is over";
        "S3", "a message is not complete in time" => "1008";
    unfinished_messages_have_a_budget_over_all:
        "F12", "unfinished messages of many over the budget" => "1008 to the largest";
    a_message_cut_by_the_end_of_its_stream_is_not_delivered:
        "F22", "the end or a reset within a frame or between fragments" =>
            "`eof` or `reset` to the application, and no message";
    binary_where_json_is_spoken_is_closed:
        "J9", "binary" => "1003";
    one_message_and_a_close_in_one_packet_are_heard_in_this_order:
        "R11", "a message and Close in one packet" => "the application hears the message, then one disconnect";
    an_end_of_the_application_is_legal_on_the_wire:
        "F25", "a reason of 300 bytes of emoji" => "the code, and the reason cut to 123 bytes or less";
        "F25", "code 1000, 1005, 1006, 1015, 4399, 5000 by the application" => "an error to it";
}

/// The catalogue entries of the data rows, in addition to [`covers`].
pub(super) fn covers_rows() -> Vec<Entry> {
    let tables = [
        (headers(), test_path!(illegal_headers_close_with_their_code)),
        (fragments(), test_path!(fragments_follow_the_rules)),
        (text(), test_path!(text_is_utf8_or_closes_with_1007)),
        (
            closing(),
            test_path!(close_frames_are_answered_with_their_code),
        ),
    ];
    let entry = |row: Row, test| {
        let answer = match &row.outcome {
            Outcome::Closes(code) if row.name == "F19" && *code != 1005 => "the same code".into(),
            _ => answer_of(&row),
        };
        Entry::new(row.name, row.what, answer, test)
    };
    let entries = |(rows, test): (Vec<Row>, _)| rows.into_iter().map(move |row| entry(row, test));
    tables.into_iter().flat_map(entries).collect()
}

/// Returns the outcome of a row in words.
pub(super) fn answer_of(row: &Row) -> String {
    match &row.outcome {
        Outcome::Closes(1005) => "an empty Close".to_owned(),
        Outcome::Closes(code) => format!("Close {code}"),
        Outcome::Answers(frames) => {
            let frames = frames.iter().map(|frame| match frame.first & 0x0f {
                PONG => "a pong",
                _ => "the echo",
            });
            frames.collect::<Vec<_>>().join(", ")
        }
    }
}

/// Sends the input of a row, and checks the outcome.
pub(super) fn play(mut peer: Peer, row: &Row, send: impl Fn(&mut Peer, &[u8])) {
    send(&mut peer, &row.input);
    let (name, what) = (row.name, &row.what);
    match &row.outcome {
        Outcome::Closes(code) => {
            let given = peer.try_close();
            let given = given.unwrap_or_else(|end| panic!("{name} {what}: {end:?}"));
            assert_eq!(given.0, *code, "{name} {what}: {given:?}");
            peer.try_send(&close(1000, b""));
            peer.finish();
            assert_eq!(peer.rest(), (Vec::new(), End::Eof), "{name} {what}");
        }
        Outcome::Answers(expected) => {
            for expected in expected {
                assert_eq!(peer.try_frame().as_ref(), Ok(expected), "{name} {what}");
            }
            peer.send(&frame(TEXT, b"still there"));
            assert_eq!(peer.text(), "still there", "{name} {what}");
            peer.leave();
        }
    }
}

fn small() -> Config {
    let mut config = raw();
    config.limits.message_bytes = 4_096;
    config.limits.fragments = 32;
    config
}

fn every_row(rows: &[Row]) {
    let app = Plain::default();
    let server = Server::start(small(), app.clone());
    for row in rows {
        play(server.client("/ws/blue"), row, |peer, bytes| {
            peer.try_send(bytes);
        });
        play(server.client("/ws/blue"), row, Peer::send_bytewise);
    }
    server.until_empty();
    assert_eq!(app.log.count("connect"), 2 * rows.len());
    assert_eq!(app.log.count("disconnect"), 2 * rows.len());
}

#[test]
fn illegal_headers_close_with_their_code() {
    every_row(&headers());
}

#[test]
fn fragments_follow_the_rules() {
    every_row(&fragments());
}

#[test]
fn text_is_utf8_or_closes_with_1007() {
    every_row(&text());
}

#[test]
fn close_frames_are_answered_with_their_code() {
    every_row(&closing());
}

#[test]
fn every_cut_point_gives_the_same() {
    let server = Server::start(small(), Plain::default());
    for row in [headers(), fragments(), text(), closing()].concat() {
        if row.input.len() > 24 {
            continue;
        }
        for cut in 1..row.input.len() {
            play(server.client("/ws/blue"), &row, |peer, bytes| {
                peer.try_send(&bytes[..cut]);
                thread::yield_now();
                peer.try_send(&bytes[cut..]);
            });
        }
    }
    server.until_empty();
}

#[test]
fn a_message_that_never_ends_is_given_up() {
    let mut config = Config {
        wire: Wire::Raw,
        ..Config::default()
    };
    config.timeouts.message = Duration::from_millis(150);
    let server = Server::start(config, Plain::default());
    let mut declares = server.client("/ws");
    declares.send(&long(0x82, 65_536, b"x"));
    let mut parks = server.client("/ws");
    parks.send(&part(TEXT, b"x"));
    let mut header = server.client("/ws");
    header.send(&[0x82]);
    assert_eq!(declares.closed(1008), "policy");
    parks.closed(1008);
    header.closed(1008);
    server.until_empty();
}

#[test]
fn unfinished_messages_have_a_budget_over_all() {
    let mut config = raw();
    config.limits.unfinished_bytes = 20_000;
    let server = Server::start(config, Plain::default());
    let mut small = server.client("/ws");
    small.send(&part(TEXT, &[b'x'; 1_000]));
    let mut largest = server.client("/ws");
    largest.send(&part(TEXT, &[b'x'; 12_000]));
    let mut last = server.client("/ws");
    last.send(&part(TEXT, &[b'x'; 9_000]));
    largest.closed(1008);
    for mut peer in [small, last] {
        peer.send(&frame(CONTINUATION, b""));
        peer.text();
    }
}

#[test]
fn a_message_cut_by_the_end_of_its_stream_is_not_delivered() {
    let app = Plain::default();
    let config = Config {
        wire: Wire::Raw,
        ..Config::default()
    };
    let server = Server::start(config, app.clone());
    let whole = frame(TEXT, b"never");
    for cut in [1, 2, 6, whole.len() - 1] {
        let mut peer = server.client("/ws?token=s3cr3t-fin");
        peer.send(&whole[..cut]);
        peer.finish();
        peer.gone();
        let mut peer = server.client("/ws?token=s3cr3t-rst");
        peer.send(&whole[..cut]);
        peer.reset();
        server.until_empty();
    }
    let mut parked = server.client("/ws?token=s3cr3t-fin");
    parked.send(&part(TEXT, b"never"));
    parked.finish();
    parked.gone();
    server.until_closed("eof", 5);
    server.until_closed("reset", 4);
    assert_eq!(app.log.count("text"), 0);
    server.until_empty();
}

#[test]
fn binary_where_json_is_spoken_is_closed() {
    let server = Server::start(Config::default(), Plain::default());
    let mut peer = server.member("/ws");
    peer.send(&frame(BINARY, b"x"));
    assert_eq!(peer.closed(1003), "unsupported_data");
}

#[test]
fn one_message_and_a_close_in_one_packet_are_heard_in_this_order() {
    let app = Plain::default();
    let config = Config {
        wire: Wire::Raw,
        ..Config::default()
    };
    let server = Server::start(config, app.clone());
    let mut peer = server.client("/ws?token=s3cr3t-ann");
    peer.send(&[frame(TEXT, b"last"), close(1000, b"")].concat());
    peer.closed(1000);
    app.log.until(&[
        "connect ann",
        "text ann 4",
        "disconnect ann [] client_closed",
    ]);
}

#[test]
fn an_end_of_the_application_is_legal_on_the_wire() {
    let server = Server::start(Config::default(), Plain::default());
    for code in [0, 999, 1000, 1005, 1006, 1015, 3000, 4001, 4399, 5000] {
        assert!(CloseReason::application(code).is_err(), "{code}");
    }
    let Ok(CloseReason::Application(code)) = CloseReason::application(4999) else {
        panic!("a code");
    };
    for text in [
        "😀".repeat(75),
        format!("x{}", "☃".repeat(60)),
        "x".repeat(123),
        String::new(),
    ] {
        let peer = server.user("ann", "");
        let id = server.hub.connections_of("ann")[0];
        server
            .hub
            .close_with(id, code, &text)
            .expect("a live connection");
        let reason = peer.closed(4999);
        assert!(text.starts_with(&reason), "{reason}");
        assert!(
            reason.len() <= 123 && reason.len() + 4 > text.len().min(123),
            "{reason}"
        );
    }
    server.until_empty();
}
