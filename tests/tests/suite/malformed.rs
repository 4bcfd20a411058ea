//! Malformed requests: section 2.1 of the catalogue of hostile inputs.

use std::thread;

use super::app::Plain;
use super::catalogue::{Entry, covers, test_path};
use super::frames::{TEXT, frame};
use super::gate::Gate;
use super::malformed_rows::{Row, at, early, extra, first_line, headers, odd};
use super::peer::{End, Peer};
use super::server::Server;
use crate::rt::{
    Application, Config, Connection, Denied, Identity, Message, Rates, Refusal, Request, Wire,
};

covers! {
    a_client_that_vanishes_around_the_101_leaves_nothing:
        "H19", "the end or a reset before, within and just after the request" => "every count is back";
        "L6", "connect and reset, over and over" => "every count is back";
    a_head_of_60_kib_may_come_byte_by_byte:
        "H20", "60 KiB of headers, byte by byte" => "101";
        "CVE-2023-43669", "60 KiB of headers, byte by byte" => "101 before the deadline";
    frames_before_the_101_are_heard_whatever_the_timing:
        "H18", "frames before the 101" => "101, then what they ask for";
    a_refused_client_is_told_so_whatever_it_sent_before_the_101:
        "H18", "frames before a 101 that is a refusal" => "the verdict";
}

/// The catalogue entries of the data rows, in addition to [`covers`].
pub(super) fn covers_rows() -> Vec<Entry> {
    let tables = [
        (
            first_line(),
            test_path!(malformed_first_lines_get_their_status),
        ),
        (headers(), test_path!(malformed_headers_get_their_status)),
        (
            early(),
            test_path!(input_that_comes_too_early_gets_its_status),
        ),
        (odd(), test_path!(legal_requests_that_look_odd_are_upgraded)),
    ];
    let entry = |row: Row, test| {
        let answer = match row.header {
            Some((name, value)) => format!("{}, `{name}: {value}`", row.status),
            None => row.status.to_string(),
        };
        Entry::new(row.name, row.what, answer, test)
    };
    let entries = |(rows, test): (Vec<Row>, _)| rows.into_iter().map(move |row| entry(row, test));
    tables.into_iter().flat_map(entries).collect()
}

fn refused(server: &Server, row: &Row, send: impl Fn(&mut Peer, &[u8])) {
    let mut peer = server.tcp();
    send(&mut peer, &row.input);
    let (name, what) = (row.name, row.what);
    let head = peer
        .try_head()
        .unwrap_or_else(|end| panic!("{name} {what}: {end:?}"));
    assert_eq!(head.status, row.status, "{name} {what}: {}", head.text);
    let options = if row.status == 426 {
        "close, Upgrade"
    } else {
        "close"
    };
    assert_eq!(head.header("Connection"), Some(options), "{name} {what}");
    if let Some((header, value)) = row.header {
        assert_eq!(head.header(header), Some(value), "{name} {what}");
    }
    peer.finish();
    let (body, end) = peer.rest();
    assert_eq!(end, End::Eof, "{name} {what}");
    let body = String::from_utf8(body).expect("text");
    let length = head.header("Content-Length").and_then(|it| it.parse().ok());
    if row.input.starts_with(b"HEAD ") {
        assert!(body.is_empty() && length > Some(0), "{name} {what}");
    } else {
        assert_eq!(length, Some(body.len()), "{name} {what}");
    }
}

fn every_row(rows: &[Row]) {
    let app = Plain::default();
    let config = Config {
        rates: Rates::unlimited(),
        ..Config::default()
    };
    let server = Server::start(config, app.clone());
    for row in rows {
        refused(&server, row, |peer, bytes| {
            peer.try_send(bytes);
        });
    }
    for row in rows.iter().filter(|row| row.input.len() < 4_000) {
        refused(&server, row, Peer::send_bytewise);
    }
    server.until_empty();
    assert_eq!(app.log.lines(), [""; 0], "no hook is called");
}

#[test]
fn malformed_first_lines_get_their_status() {
    every_row(&first_line());
}

#[test]
fn malformed_headers_get_their_status() {
    every_row(&headers());
}

#[test]
fn input_that_comes_too_early_gets_its_status() {
    let rows = early();
    let app = Plain::default();
    let server = Server::start(Config::default(), app.clone());
    for row in &rows {
        refused(&server, row, |peer, bytes| {
            peer.try_send(bytes);
        });
    }
    server.until_empty();
    assert_eq!(app.log.lines(), [""; 0]);
}

#[test]
fn legal_requests_that_look_odd_are_upgraded() {
    let server = Server::start(Config::default(), Plain::default());
    for row in odd() {
        let mut peer = server.tcp();
        peer.send(&row.input);
        let head = peer.head();
        let what = row.what;
        assert_eq!(head.status, row.status, "{what}: {}", head.text);
        assert_eq!(head.header("Sec-WebSocket-Extensions"), None, "{what}");
        let protocol = row.header.map(|(_, value)| value);
        assert_eq!(head.header("Sec-WebSocket-Protocol"), protocol, "{what}");
        peer.expect("welcome");
        peer.leave();
    }
}

/// Its authentication hook waits.
#[derive(Clone, Default)]
struct Hesitant {
    app: Plain,
    answers: Gate,
}

impl Application for Hesitant {
    async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
        self.app.log.add("asked");
        self.answers.wait().await;
        self.app.authenticate(request).await
    }

    async fn on_message(&self, client: &Connection, message: Message) -> Result<(), Denied> {
        self.app.on_message(client, message).await
    }
}

#[test]
fn frames_before_the_101_are_heard_whatever_the_timing() {
    let config = || Config {
        wire: Wire::Raw,
        ..Config::default()
    };
    let heard = |mut peer: Peer| {
        assert_eq!(peer.head().status, 101);
        assert_eq!([peer.text(), peer.text()], ["one", "two"]);
        peer.leave();
    };
    let frames = [frame(TEXT, b"one"), frame(TEXT, b"two")].concat();
    let request = at("/ws");
    let all = [request.clone(), frames.clone()].concat();
    for cut in [request.len(), request.len() + 1, request.len() + 12] {
        // All or some of them in one packet with the request, and the application answers at once.
        let server = Server::start(config(), Plain::default());
        for end in [all.len(), cut] {
            let mut peer = server.tcp();
            peer.send(&all[..end]);
            peer.send(&all[end..]);
            heard(peer);
        }
        server.until_empty();
        // The same during authentication.
        let app = Hesitant::default();
        let server = Server::start(config(), app.clone());
        let mut peer = server.tcp();
        peer.send(&all[..cut]);
        app.app.log.until(&["asked"]);
        peer.send(&all[cut..]);
        app.answers.open();
        heard(peer);
        server.until_empty();
    }
    // A first message is a frame too.
    let server = Server::start(Config::default(), Plain::first_message());
    let mut peer = server.tcp();
    let auth = frame(TEXT, br#"{"type":"auth","token":"s3cr3t-ann"}"#);
    peer.send(&[request, auth].concat());
    assert_eq!(peer.head().status, 101);
    peer.expect("authenticated");
    peer.expect("welcome");
    peer.leave();
    server.until_empty();
}

#[test]
fn a_refused_client_is_told_so_whatever_it_sent_before_the_101() {
    for (refusal, status) in [(Refusal::Close, 101), (Refusal::Http, 403)] {
        let config = Config {
            refusal,
            ..Config::default()
        };
        let server = Server::start(config, Plain::default());
        let mut peer = server.tcp();
        let request = at("/ws?token=s3cr3t-forbidden");
        let frames = frame(TEXT, b"hello").repeat(1_000);
        peer.send(&[request, frames].concat());
        assert_eq!(peer.head().status, status);
        if refusal == Refusal::Close {
            assert_eq!(peer.close(), (4003, "forbidden".into()));
        }
        peer.finish();
        assert_eq!(peer.rest().1, End::Eof);
        server.until_empty();
    }
}

#[test]
fn a_head_of_60_kib_may_come_byte_by_byte() {
    let server = Server::start(Config::default(), Plain::default());
    let mut peer = server.tcp();
    let large = format!("X: {}", "a".repeat(60 << 10));
    peer.send_bytewise(&extra(&[&large]));
    assert_eq!(peer.head().status, 101);
    peer.expect("welcome");
    peer.leave();
    server.until_empty();
}

#[test]
fn a_client_that_vanishes_around_the_101_leaves_nothing() {
    let server = Server::start(Config::default(), Plain::default());
    let request = at("/ws/blue");
    for round in 0..20 {
        for cut in [0, 1, request.len() / 2, request.len()] {
            let mut peer = server.tcp();
            peer.send(&request[..cut]);
            if round % 2 == 0 {
                peer.reset();
            } else {
                peer.finish();
                if round % 3 == 0 {
                    peer.rest();
                }
            }
        }
        let mut peer = server.client("/ws/blue");
        if round % 2 == 0 {
            peer.reset();
        } else {
            peer.finish();
        }
        thread::yield_now();
    }
    server.until_empty();
    let stats = server.hub.stats();
    assert!(
        stats
            .closes
            .keys()
            .all(|key| ["eof", "reset"].contains(key)),
        "{stats:?}"
    );
}
