//! Compression: offers, compressed messages, and bombs.

use switchboard_kit::deflate::{Blocks, deflate};

use super::app::Plain;
use super::catalogue::{Entry, covers, test_path};
use super::compression_rows::{LIMIT, bits, bombs, data, offers, shapes};
use super::frames::{BINARY, TEXT, frame, part};
use super::framing::{answer_of, play};
use super::framing_rows::Row;
use super::peer::{Peer, upgrade};
use super::server::{Server, raw};
use crate::rt::{Compression, Config, Rate};

covers! {
    a_context_that_a_client_keeps_ends_its_connection:
        "D4", "a distance into the message before" => "Close 1002";
    compressed_messages_over_the_rates_are_strikes:
        "D12", "bombs over the rate of bytes" => "`rate_limited`, and 4102 after ten within ten seconds";
        "D12", "blocks without content over the rate of bytes" => "the same";
    nothing_stays_of_those_who_send_bombs:
        "D2", "bombs of many connections at once" => "1009 to each, and every seat is back";
}

/// The entries of the data rows, in addition to [`covers`].
pub(super) fn covers_rows() -> Vec<Entry> {
    let tables = [
        (bombs(), test_path!(bombs_end_their_connection)),
        (data(), test_path!(data_that_is_no_message_is_a_violation)),
        (
            bits(),
            test_path!(the_bit_means_something_on_the_first_frame_only),
        ),
        (
            shapes(),
            test_path!(compressed_messages_of_any_shape_arrive),
        ),
    ];
    let entry = |row: Row, test| Entry::new(row.name, row.what.clone(), answer_of(&row), test);
    let rows = |(rows, test): (Vec<Row>, _)| rows.into_iter().map(move |row| entry(row, test));
    let offered = offers().into_iter().map(|offer| {
        let answer = match offer.answer {
            None => "101 without the extension".into(),
            Some(answer) => format!("101, `{answer}`"),
        };
        let test = test_path!(the_first_acceptable_offer_is_accepted);
        Entry::new(offer.row, offer.what, answer, test)
    });
    tables.into_iter().flat_map(rows).chain(offered).collect()
}

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits";

fn compressing() -> Config {
    let mut config = raw();
    config.compression = Some(Compression::default());
    config
}

fn client(server: &Server) -> Peer {
    let mut peer = server.tcp();
    peer.send(&upgrade("/ws/blue", &[OFFER]));
    let head = peer.head();
    assert_eq!(head.status, 101, "{}", head.text);
    let agreed = head.header("Sec-WebSocket-Extensions");
    assert!(agreed.is_some(), "{}", head.text);
    peer
}

fn every_row(rows: &[Row]) {
    let mut config = compressing();
    config.limits.message_bytes = LIMIT;
    let server = Server::start(config, Plain::default());
    for row in rows {
        play(client(&server), row, |peer, bytes| {
            peer.try_send(bytes);
        });
        if row.input.len() < 3_000 {
            play(client(&server), row, Peer::send_bytewise);
        }
    }
    server.until_empty();
}

#[test]
fn bombs_end_their_connection() {
    every_row(&bombs());
}

#[test]
fn data_that_is_no_message_is_a_violation() {
    every_row(&data());
}

#[test]
fn the_bit_means_something_on_the_first_frame_only() {
    every_row(&bits());
}

#[test]
fn compressed_messages_of_any_shape_arrive() {
    every_row(&shapes());
}

#[test]
fn the_first_acceptable_offer_is_accepted() {
    let server = Server::start(compressing(), Plain::default());
    for offer in offers() {
        let mut peer = server.tcp();
        let headers: Vec<_> = offer.headers.iter().map(String::as_str).collect();
        peer.send(&upgrade(offer.path, &headers));
        let head = peer.head();
        assert_eq!(head.status, 101, "{}", offer.what);
        let answer = head.header("Sec-WebSocket-Extensions");
        assert_eq!(answer, offer.answer, "{}", offer.what);
        let hello = deflate(b"hello");
        peer.send(&part(0xC0 | TEXT, &hello));
        if offer.answer.is_some() {
            assert_eq!(peer.text(), "hello", "{}", offer.what);
            peer.leave();
        } else {
            peer.closed(1002);
        }
    }
    server.until_empty();
}

#[test]
fn a_context_that_a_client_keeps_ends_its_connection() {
    let server = Server::start(compressing(), Plain::default());
    let mut peer = client(&server);
    peer.send(&part(0xC0 | TEXT, &deflate(b"hello")));
    assert_eq!(peer.text(), "hello");
    let refers = Blocks::new().copy(5, 5).flush().bytes();
    peer.send(&part(0xC0 | TEXT, &refers));
    assert_eq!(peer.closed(1002), "protocol_error");
    server.until_empty();
}

#[test]
fn compressed_messages_over_the_rates_are_strikes() {
    let empty = Blocks::new().stored(false, b"").bytes().repeat(60);
    for payload in [deflate(&vec![0; 65_000]), [&empty[..], b"\0"].concat()] {
        let mut config = compressing();
        config.rates.bytes = Some(Rate {
            per_second: 1,
            burst: 65_536,
        });
        let app = Plain::default();
        let server = Server::start(config, app.clone());
        let mut peer = client(&server);
        for _ in 0..14 {
            peer.try_send(&part(0xC0 | BINARY, &payload));
        }
        assert_eq!(peer.close().0, 4102);
        server.until_closed("rate_limited", 1);
        assert!(app.log.count("binary") <= 3);
    }
}

#[test]
fn nothing_stays_of_those_who_send_bombs() {
    let server = Server::with_threads(2, compressing(), Plain::default());
    let bomb = part(0xC0 | BINARY, &deflate(&vec![0; 1 << 20]));
    let mut peers: Vec<_> = (0..30).map(|_| client(&server)).collect();
    let mut other = client(&server);
    for peer in &mut peers {
        peer.send(&bomb);
    }
    other.send(&frame(TEXT, b"still there"));
    assert_eq!(other.text(), "still there");
    for peer in peers {
        assert_eq!(peer.closed(1009), "too_big");
    }
    other.leave();
    server.until_empty();
    assert_eq!(server.closes("too_big"), 30);
}
