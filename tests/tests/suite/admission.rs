//! Admission and refusals (docs/behaviour.md, section 1).

use std::thread;
use std::time::{Duration, Instant};

use super::app::Plain;
use super::catalogue::{Entry, covers, test_path};
use super::frames::{BINARY, frame};
use super::peer::{End, PATIENCE, Peer, upgrade};
use super::server::Server;
use crate::rt::{Config, Limits, Origins, Rate, Rates, Refusal, UserPolicy};

covers! {
    a_refusal_is_told_by_close_or_by_status:
        "H17", "a full server, a full lobby" => "Close 4002 or 503 with `Retry-After`, as configured";
        "H17", "too many connections of an address, or too fast" =>
            "Close 4100 or 429 with `Retry-After`, as configured";
        "L5", "a second connection, a second connect of an address at a limit of one" =>
            "Close 4100 or 429";
        "A1", "a bad token" => "Close 4001 or 401, as configured";
        "A1", "a token of somebody who may not" => "Close 4003 or 403, as configured";
    handshakes_have_seats_and_a_deadline:
        "H9", "nothing is said, or half a request" =>
            "408 at the deadline; one more than there are seats: 503";
    one_byte_now_and_then_is_no_handshake:
        "H9", "a byte every 20 ms" => "408 at the deadline";
    the_answer_is_read_by_who_still_sends:
        "H11", "a megabyte behind a refused request" => "405 is read, and the rest by nobody";
    behind_a_trusted_proxy_the_client_counts:
        "L5", "`X-Forwarded-For` of anybody" => "not believed: 429";
        "L5", "`X-Forwarded-For` of a trusted proxy" => "the rightmost address counts: 101, then 429";
        "L5", "many addresses of one IPv6 /64, or one address written in two ways" => "429";
    pages_of_other_origins_are_refused:
        "A4", "no Origin" => "101";
        "A4", "two Origins" => "403";
}

fn limited(limits: Limits, refusal: Refusal) -> Config {
    Config {
        limits,
        refusal,
        ..Config::default()
    }
}

/// A way to be refused.
struct Row {
    refused: &'static str,
    code: u16,
    status: u16,
    config: Config,
    /// The user that is already connected.
    first: &'static str,
    /// The request that is refused.
    second: &'static str,
}

fn rows() -> Vec<Row> {
    let row = |refused, code, status, config, first, second| Row {
        refused,
        code,
        status,
        config,
        first,
        second,
    };
    let with = |limits| limited(limits, Refusal::Close);
    let one = with(Limits {
        connections: 1,
        ..Limits::default()
    });
    let lonely = with(Limits {
        room_members: 1,
        ..Limits::default()
    });
    let per_ip = with(Limits {
        per_ip: 1,
        ..Limits::default()
    });
    let rate = Config {
        rates: Rates {
            connects: Some(Rate {
                per_second: 1,
                burst: 1,
            }),
            ..Rates::default()
        },
        ..Config::default()
    };
    let reject = Config {
        users: UserPolicy::Reject,
        ..Config::default()
    };
    let open = Config::default;
    let (ann, ben) = ("/ws/blue?token=s3cr3t-ann", "/ws/blue?token=s3cr3t-ben");
    vec![
        row("server_full", 4002, 503, one, ann, ben),
        row("lobby_full", 4002, 503, lonely, ann, ben),
        row("ip_limit", 4100, 429, per_ip, ann, ben),
        row("ip_limit", 4100, 429, rate, ann, ben),
        row("already_connected", 4005, 409, reject, ann, ann),
        row("unauthorized", 4001, 401, open(), ann, "/ws?token=wrong"),
        row(
            "unauthorized",
            4001,
            401,
            open(),
            ann,
            "/ws?token=s3cr3t-unauthorized",
        ),
        row(
            "forbidden",
            4003,
            403,
            open(),
            ann,
            "/ws?token=s3cr3t-forbidden",
        ),
        row(
            "forbidden",
            4003,
            403,
            open(),
            ann,
            "/ws/private?token=s3cr3t-ben",
        ),
    ]
}

#[test]
fn a_refusal_is_told_by_close_or_by_status() {
    for row in rows() {
        let app = Plain::default();
        let server = Server::start(row.config.clone(), app.clone());
        let first = server.member(row.first);
        let second = server.client(row.second);
        assert_eq!(second.closed(row.code), row.refused);
        assert_eq!(server.refused(row.refused), 1);
        assert_eq!(server.hub.stats().total_connections, 1);
        first.leave();
        server.until_empty();
        assert_eq!(app.log.count("connect"), 1, "{}", row.refused);

        let config = Config {
            refusal: Refusal::Http,
            ..row.config
        };
        let server = Server::start(config, Plain::default());
        let first = server.member(row.first);
        let mut second = server.tcp();
        second.send(&upgrade(row.second, &[]));
        let head = second.head();
        assert_eq!(head.status, row.status, "{}", row.refused);
        let waits = [429, 503].contains(&row.status);
        assert_eq!(head.header("Retry-After").is_some(), waits);
        assert_eq!(second.rest().1, End::Eof);
        drop(second);
        first.leave();
        server.until_empty();
    }
}

#[test]
fn handshakes_have_seats_and_a_deadline() {
    let limits = Limits {
        handshakes: 3,
        ..Limits::default()
    };
    let mut config = limited(limits, Refusal::Close);
    config.timeouts.handshake = Duration::from_millis(400);
    let server = Server::start(config, Plain::default());
    let begun = Instant::now();
    let mut silent: Vec<Peer> = (0..3).map(|_| server.tcp()).collect();
    silent[1].send(&upgrade("/ws", &[])[..30]);
    server.until("three wait", |stats| stats.pending_handshakes == 3);
    let mut fourth = server.tcp();
    assert_eq!(fourth.head().status, 503);
    for mut peer in silent {
        assert_eq!(peer.head().status, 408);
        assert_eq!(peer.rest().1, End::Eof);
    }
    assert!(begun.elapsed() >= Duration::from_millis(400));
    drop(fourth);
    server.until_empty();
    assert_eq!(server.closes("handshake_timeout"), 3);
    assert_eq!(server.refused("handshakes_full"), 1);
}

#[test]
fn one_byte_now_and_then_is_no_handshake() {
    let mut config = Config::default();
    config.timeouts.handshake = Duration::from_millis(200);
    let server = Server::start(config, Plain::default());
    let mut slow = server.tcp();
    let mut request = upgrade("/ws", &[]).into_iter().cycle();
    let begun = Instant::now();
    while server.closes("handshake_timeout") == 0 {
        assert!(begun.elapsed() < PATIENCE, "the connection has a deadline");
        slow.try_send(&[request.next().expect("a byte")]);
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(slow.head().status, 408);
    drop(slow);
    server.until_empty();
}

#[test]
fn refused_connections_do_not_hold_more_than_their_seats() {
    let limits = Limits {
        connections: 1,
        handshakes: 4,
        ..Limits::default()
    };
    let mut config = limited(limits, Refusal::Close);
    config.timeouts.refusal = Duration::from_millis(300);
    let server = Server::start(config, Plain::default());
    let first = server.member("/ws");
    // They are refused and linger.
    let mut waiting: Vec<Peer> = (0..2).map(|_| server.client("/ws")).collect();
    for peer in &mut waiting {
        assert_eq!(peer.close().0, 4002);
    }
    let mut more = server.tcp();
    more.send(&upgrade("/ws", &[]));
    assert_eq!(
        more.head().status,
        503,
        "half of the seats are for lingering connections"
    );
    server.until("lingering connections are gone", |stats| {
        stats.pending_handshakes == 0
    });
    first.leave();
    server.until_empty();
}

#[test]
fn the_answer_is_read_by_who_still_sends() {
    // 1 MB of unread input must not turn the answer into a reset.
    let megabyte = frame(BINARY, &vec![7; 1 << 20]);
    let limits = Limits {
        connections: 1,
        ..Limits::default()
    };
    let server = Server::start(limited(limits, Refusal::Close), Plain::default());
    let first = server.member("/ws");
    let mut refused = server.client("/ws");
    refused.try_send(&megabyte);
    assert_eq!(refused.close().0, 4002);
    drop(refused);
    let mut malformed = server.tcp();
    malformed.try_send(b"POST /ws HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    malformed.try_send(&vec![b'x'; 1_000_000]);
    assert_eq!(malformed.head().status, 405);
    let mut illegal = first;
    illegal.try_send(&[0xff; 6]);
    illegal.try_send(&megabyte);
    assert_eq!(illegal.close().0, 1002);
    drop((malformed, illegal));
    server.until_empty();
}

/// The allowed origins, an origin, and the expected status.
fn origins() -> Vec<(Origins, &'static str, u16)> {
    let good = || Origins::List(vec!["https://good.com".into()]);
    vec![
        (Origins::Same, "http://localhost", 101),
        (Origins::Same, "http://localhost:80", 101),
        (Origins::Same, "HTTP://LOCALHOST", 101),
        (Origins::Same, "http://localhost:8080", 403),
        (Origins::Same, "http://evil", 403),
        (Origins::Same, "http://localhost.evil", 403),
        (Origins::Same, "http://evil/localhost", 403),
        (Origins::Same, "null", 403),
        (Origins::Same, "*", 403),
        (Origins::Any, "http://evil", 101),
        (good(), "https://good.com", 101),
        (good(), "https://good.com:443", 101),
        (good(), "https://good.com:8443", 403),
        (good(), "https://good.com.evil", 403),
        (good(), "http://good.com", 403),
        (good(), "https://evilgood.com", 403),
        (good(), "https://sub.good.com", 403),
        (good(), "null", 403),
    ]
}

/// The catalogue entries of the data rows, in addition to [`covers`].
pub(super) fn covers_rows() -> Vec<Entry> {
    let rows = origins().into_iter().map(|(origins, origin, status)| {
        let allowed = match origins {
            Origins::Any => "any".to_owned(),
            Origins::List(list) => list.join(", "),
            Origins::Same => "http://localhost".to_owned(),
            other => panic!("unknown to this test: {other:?}"),
        };
        let input = format!("{origin} where {allowed} may");
        Entry::new(
            "A4",
            input,
            status.to_string(),
            test_path!(pages_of_other_origins_are_refused),
        )
    });
    rows.collect()
}

#[test]
fn a_trusted_proxy_says_which_host_was_asked_for() {
    let headers = [
        "Origin: https://good.example:8443",
        "X-Forwarded-Host: good.example:8443",
    ];
    for (trusted, status) in [("127.0.0.0/8", 101), ("10.0.0.0/8", 403)] {
        let config = Config {
            trusted_proxies: vec![trusted.parse().expect("a network")],
            ..Config::default()
        };
        let server = Server::start(config, Plain::default());
        let mut peer = server.tcp();
        peer.send(&upgrade("/ws", &headers));
        assert_eq!(peer.head().status, status, "{trusted}");
    }
}

#[test]
fn pages_of_other_origins_are_refused() {
    for (origins, origin, status) in origins() {
        let config = Config {
            origins: origins.clone(),
            ..Config::default()
        };
        let server = Server::start(config, Plain::default());
        let mut peer = server.tcp();
        peer.send(&upgrade("/ws", &[&format!("Origin: {origin}")]));
        assert_eq!(peer.head().status, status, "{origins:?} {origin}");
        if status == 403 {
            let (body, _) = peer.rest();
            let why = if origin.starts_with("http://localhost:") {
                "the port of Origin is not that of Host"
            } else {
                "Origin"
            };
            let body = String::from_utf8(body).expect("text");
            assert!(body.starts_with("origin: ") && body.contains(why), "{body}");
        }
    }
    let server = Server::start(Config::default(), Plain::default());
    let good = "Origin: http://localhost";
    for (origins, status) in [
        (&[][..], 101),
        (&[good, good], 403),
        (&[good, "Origin: null"], 403),
    ] {
        let mut peer = server.tcp();
        peer.send(&upgrade("/ws", origins));
        assert_eq!(peer.head().status, status, "{origins:?}");
    }
}

#[test]
fn behind_a_trusted_proxy_the_client_counts() {
    let limits = Limits {
        per_ip: 1,
        ..Limits::default()
    };
    let mut config = limited(limits, Refusal::Http);
    let status = |server: &Server, address: &str| {
        let mut peer = server.tcp();
        peer.send(&upgrade("/ws", &[&format!("X-Forwarded-For: {address}")]));
        (peer.head().status, peer)
    };
    let server = Server::start(config.clone(), Plain::default());
    let _first = status(&server, "192.0.2.1");
    assert_eq!(status(&server, "192.0.2.2").0, 429, "the header is ignored");
    config.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    let server = Server::start(config, Plain::default());
    let first = status(&server, "192.0.2.1");
    let second = status(&server, "192.0.2.2");
    assert_eq!((first.0, second.0), (101, 101));
    assert_eq!(
        status(&server, "6.6.6.6, 192.0.2.2").0,
        429,
        "the rightmost address counts"
    );
    for same in [
        "2001:db8::1",
        "2001:db8:0:0:ffff::2",
        "::ffff:192.0.2.3",
        "192.0.2.3",
    ]
    .chunks(2)
    {
        let first = status(&server, same[0]);
        assert_eq!(
            (first.0, status(&server, same[1]).0),
            (101, 429),
            "{same:?}"
        );
    }
}

#[test]
fn the_application_may_ask_first() {
    let limits = Limits {
        connections: 2,
        room_members: 1,
        ..Limits::default()
    };
    let server = Server::start(limited(limits, Refusal::Close), Plain::default());
    assert_eq!(server.hub.can_accept(Some("blue")), Ok(()));
    let first = server.member("/ws/blue");
    assert_eq!(
        server.hub.can_accept(Some("blue")),
        Err(crate::rt::Refused::LobbyFull)
    );
    assert_eq!(server.hub.can_accept(None), Ok(()));
    let second = server.member("/ws");
    assert_eq!(
        server.hub.can_accept(None),
        Err(crate::rt::Refused::ServerFull)
    );
    second.leave();
    first.leave();
}
