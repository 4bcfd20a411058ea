//! Users with several connections, and connections whose login is pending or expires
//! (docs/behaviour.md, sections 1 and 2).

use std::time::Duration;

use super::app::{Log, Plain, identify};
use super::catalogue::covers;
use super::frames::{BINARY, CLOSE, TEXT, frame};
use super::logs;
use super::peer::{Peer, upgrade};
use super::server::{Server, until};
use crate::rt::{
    Application, CloseReason, Config, Connection, Denied, Entry, Frame, Identity, Limits, Request,
    UserPolicy, Wire,
};

covers! {
    the_newer_connection_replaces_the_older:
        "R1", "a second connection in a full house, while the first closes" =>
            "the first 1000 `replaced`; its end touches nothing of the second";
        "S4", "a new login before the old connection has gone" => "it wins, and takes over the seats";
    a_first_message_that_says_nothing_is_the_last:
        "A1", "no token in time; something else first" => "4103; 1008";
    a_token_expires_and_may_be_refreshed:
        "A2", "a token expires while connected" => "4202; refreshed in time it stays";
        "A2", "a refresh with a bad token or another user's" => "4001";
    a_token_may_come_in_several_places_and_the_first_counts:
        "H21", "a token in two places" => "101, as the first says";
    a_cookie_of_another_program_is_no_token:
        "H21", "a cookie that is called `token`, and ours in the query" => "101, as the query says";
}

fn with(users: UserPolicy) -> Config {
    Config {
        users,
        ..Config::default()
    }
}

#[test]
fn the_newer_connection_replaces_the_older() {
    let app = Plain::default();
    let limits = Limits {
        connections: 1,
        room_members: 1,
        ..Limits::default()
    };
    let config = Config {
        limits,
        ..with(UserPolicy::Replace)
    };
    let server = Server::start(config, app.clone());
    let mut old = server.user("ann", "blue");
    // It takes over the other's seats, so it is admitted by a full node.
    let mut new = server.user("ann", "blue");
    assert_eq!(old.close(), (1000, "replaced".into()));
    // The old connection ends late, which must not touch its successor.
    server.until("one closes, one is in", |stats| {
        (stats.closing, stats.total_connections) == (1, 1)
    });
    drop(old);
    server.until("the old one has gone", |stats| stats.closing == 0);
    assert!(server.hub.is_connected("ann"));
    let sent = server.hub.send_to_user("ann", Frame::text("reached"));
    assert_eq!(sent.expect("sent").accepted, 1);
    assert_eq!(server.hub.broadcast("blue", "1").expect("JSON").accepted, 1);
    loop {
        if new.text() == "reached" {
            break;
        }
    }
    new.leave();
    server.until_empty();
    app.log.until_has("disconnect ann [blue] replaced");
    app.log.until_has("disconnect ann [blue] client_closed");
}

#[test]
fn the_newer_connection_may_be_rejected_instead() {
    let server = Server::start(with(UserPolicy::Reject), Plain::default());
    let old = server.user("ann", "");
    let new = server.client("/ws?token=s3cr3t-ann");
    assert_eq!(new.closed(4005), "already_connected");
    old.leave();
    server.until_empty();
    server.user("ann", "").leave();
}

/// Records the users whose rooms are authorized.
#[derive(Clone, Default)]
struct Asked(Log);

impl Application for Asked {
    async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
        identify(request).unwrap_or(Err(Denied::Unauthorized))
    }

    async fn authorize_join(&self, client: &Connection, _: &str, _: Entry) -> Result<(), Denied> {
        self.0.add(format!("asked {}", client.user()));
        Ok(())
    }
}

#[test]
fn a_name_that_no_user_may_have_is_the_applications_mistake() {
    logs::capture();
    let app = Asked::default();
    let server = Server::start(Config::default(), app.clone());
    let rows = [
        ("anon-1-0".to_owned(), "must not begin with `anon-`"),
        ("x".repeat(129), "at most 128 bytes"),
        (String::new(), "must not be empty"),
    ];
    for (name, rule) in rows {
        let target = format!("/ws/blue?token=s3cr3t-{name}");
        assert_eq!(server.client(&target).closed(1011), "internal");
        server.until_empty();
        assert!(logs::logged(&["ERROR", rule]), "{rule}");
    }
    server.user("ann", "blue").leave();
    assert_eq!(app.0.lines(), ["asked ann"]);
    assert_eq!(server.refused("internal"), 3);
    server.until_empty();
}

/// Time is the subject here: a connection heard within a second is not pinged.
fn until_silent_for_a_second(server: &Server) {
    let silence = || server.hub.last_heard("ann");
    let second = Duration::from_secs(1);
    until(
        "nothing is heard for a second",
        || silence().is_some_and(|silence| silence >= second),
        silence,
    );
}

#[test]
fn where_the_newer_is_rejected_an_older_connection_that_is_dead_gives_its_place() {
    let app = Plain::default();
    let server = Server::start(with(UserPolicy::Reject), app.clone());
    // It does not read, so it does not answer the ping.
    let old = server.user("ann", "blue");
    until_silent_for_a_second(&server);
    let new = server.user("ann", "blue");
    assert_eq!(old.closed(1000), "replaced");
    assert_eq!(server.refused("already_connected"), 0);
    new.leave();
    server.until_empty();
    assert_eq!(app.log.count("connect ann"), 2);
    assert_eq!(app.log.count("disconnect ann"), 2);
}

#[test]
fn where_the_newer_is_rejected_what_it_sends_waits_for_the_older_to_answer() {
    let server = Server::start(with(UserPolicy::Reject), Plain::first_message());
    let login = frame(TEXT, br#"{"type":"auth","token":"s3cr3t-ann"}"#);
    let mut old = awaiting(&server);
    old.send(&login);
    assert_eq!(old.json()["type"], "authenticated");
    until_silent_for_a_second(&server);
    let mut new = server.client("/ws/blue");
    let message = frame(TEXT, br#"{"type":"message","content":1,"id":2}"#);
    new.send(&[login, message].concat());
    assert_eq!(new.json()["type"], "authenticated");
    assert_eq!(new.find("ack")["id"], 2);
    assert_eq!(old.closed(1000), "replaced");
    new.leave();
    server.until_empty();
}

#[test]
fn where_the_newer_is_rejected_an_older_connection_that_answers_is_kept() {
    let server = Server::start(with(UserPolicy::Reject), Plain::default());
    let mut old = server.user("ann", "blue");
    until_silent_for_a_second(&server);
    // It answers pings until its end.
    let old = std::thread::spawn(move || while old.frame().first != 0x80 | CLOSE {});
    let new = server.client("/ws?token=s3cr3t-ann");
    assert_eq!(new.closed(4005), "already_connected");
    assert_eq!(server.hub.disconnect_user("ann", CloseReason::Kicked), 1);
    old.join().expect("no panic");
    server.until_empty();
}

#[test]
fn a_user_may_have_some_devices_and_the_oldest_goes() {
    let server = Server::start(with(UserPolicy::Allow(2)), Plain::default());
    let first = server.user("ann", "");
    let mut second = server.user("ann", "");
    let mut third = server.user("ann", "");
    assert_eq!(first.closed(1000), "replaced");
    assert_eq!(server.hub.connections_of("ann").len(), 2);
    let sent = server.hub.send_to_user("ann", Frame::text("all devices"));
    assert_eq!(sent.expect("sent").accepted, 2);
    assert_eq!(
        [second.text(), third.text()],
        ["all devices", "all devices"]
    );
    assert_eq!(server.hub.disconnect_user("ann", CloseReason::Kicked), 2);
    second.closed(4004);
    third.closed(4004);
    server.until_empty();
}

#[test]
fn anonymous_connections_are_each_their_own_user() {
    let server = Server::start(with(UserPolicy::Reject), Plain::default());
    let one = server.client("/ws").json();
    let mut two = server.client("/ws");
    let two_welcome = two.json();
    assert_ne!(one["user"], two_welcome["user"]);
    let name = two_welcome["user"].as_str().expect("a name");
    assert_eq!(
        name,
        format!(
            "anon-{}",
            two_welcome["connection"].as_str().expect("an id")
        )
    );
}

fn awaiting(server: &Server) -> Peer {
    let peer = server.client("/ws/blue");
    server.until("it counts as a handshake", |stats| {
        (stats.pending_handshakes, stats.total_connections) == (1, 0)
    });
    peer
}

#[test]
fn the_first_message_may_say_who_it_is() {
    let app = Plain::first_message();
    let server = Server::start(Config::default(), app.clone());
    let mut peer = awaiting(&server);
    let packet = [
        frame(TEXT, br#"{"type":"auth","token":"s3cr3t-ann","id":1}"#),
        frame(TEXT, br#"{"type":"message","content":1,"id":2}"#),
    ];
    peer.send(&packet.concat());
    let authenticated = peer.json();
    assert_eq!(authenticated["type"], "authenticated");
    assert_eq!(
        (&authenticated["user"], &authenticated["id"]),
        (&"ann".into(), &1.into())
    );
    assert_eq!(peer.json()["type"], "welcome");
    assert_eq!(peer.json()["type"], "subscribed");
    assert_eq!(peer.expect("ack")["id"], 2);
    peer.leave();
    server.until_empty();
}

#[test]
fn a_first_message_that_says_nothing_is_the_last() {
    let app = Plain::first_message();
    let mut config = Config::default();
    config.timeouts.auth = Duration::from_millis(150);
    let server = Server::start(config, app.clone());
    assert_eq!(awaiting(&server).closed(4103), "auth_timeout");
    let large = format!(
        r#"{{"type":"auth","token":"s3cr3t-{}"}}"#,
        "x".repeat(5_000)
    );
    let rows = [
        (frame(TEXT, br#"{"type":"auth","token":"wrong"}"#), 4001),
        (
            frame(TEXT, br#"{"type":"auth","token":"s3cr3t-forbidden"}"#),
            4003,
        ),
        (frame(TEXT, br#"{"type":"ping"}"#), 1008),
        (frame(TEXT, b"hello"), 1008),
        (frame(BINARY, b"hello"), 1008),
        (frame(TEXT, large.as_bytes()), 1008),
        (vec![0x01, 0x80, 1, 2, 3, 4, 0x81], 1002),
    ];
    for (input, code) in rows {
        server.until_empty();
        let mut peer = awaiting(&server);
        peer.send(&input);
        let reason = peer.closed(code);
        assert!(!reason.is_empty(), "{code}");
    }
    server.until_empty();
    assert_eq!(app.log.lines(), [""; 0]);
}

#[test]
fn in_raw_mode_there_is_no_first_message() {
    let config = Config {
        wire: Wire::Raw,
        ..Config::default()
    };
    let server = Server::start(config, Plain::first_message());
    server.client("/ws").closed(4001);
}

#[test]
fn a_token_expires_and_may_be_refreshed() {
    let server = Server::start(Config::default(), Plain::default());
    let expires = server.member("/ws?token=s3cr3t-ann,200");
    assert_eq!(expires.closed(4202), "token_expired");
    let mut refreshed = server.member("/ws?token=s3cr3t-ben,400");
    refreshed.say(r#"{"type":"auth","token":"s3cr3t-ben","id":"r"}"#);
    let authenticated = refreshed.expect("authenticated");
    assert_eq!(
        (&authenticated["user"], &authenticated["id"]),
        (&"ben".into(), &"r".into())
    );
    let shortened = server.member("/ws?token=s3cr3t-cat");
    let mut shortened = shortened;
    shortened.say(r#"{"type":"auth","token":"s3cr3t-cat,600"}"#);
    assert_eq!(shortened.closed(4202), "token_expired");
    refreshed.roundtrip();
    for token in ["s3cr3t-ann", "wrong", "s3cr3t-forbidden"] {
        let mut peer = server.user("ben", "");
        peer.say(&format!(r#"{{"type":"auth","token":"{token}"}}"#));
        assert_eq!(peer.closed(4001), "unauthorized", "{token}");
    }
    assert_eq!(refreshed.close().0, 1000, "replaced by the next");
}

const BEARER: &str = "Sec-WebSocket-Protocol: switchboard.v1.json, \
                      base64url.bearer.switchboard.czNjcjN0LWFubg";

/// Returns the user for which the server welcomes such a request.
fn welcomed(server: &Server, path: &str, headers: &[&str]) -> String {
    let mut peer = server.tcp();
    peer.send(&upgrade(path, headers));
    let head = peer.head();
    assert_eq!(head.status, 101, "{headers:?}");
    assert!(!head.text.contains("czNj"), "the token is not echoed");
    let user = peer.expect("welcome")["user"]
        .as_str()
        .expect("a name")
        .to_owned();
    peer.leave();
    user
}

#[test]
fn a_token_may_come_in_several_places_and_the_first_counts() {
    let header = "Authorization: Bearer s3cr3t-ann";
    let cookie = "Cookie: a=b; sid=s3cr3t-ann";
    let others = "Cookie: sid=s3cr3t-ben";
    let mut config = Config::default();
    config.tokens.cookie = Some("sid".into());
    let server = Server::start(config, Plain::default());
    let cases: [(&str, &[&str]); 8] = [
        ("/ws?token=s3cr3t-ann", &[]),
        ("/ws", &[header]),
        ("/ws", &[cookie]),
        ("/ws", &[BEARER]),
        ("/ws?token=s3cr3t-ben", &[header]),
        (
            "/ws?token=s3cr3t-ben",
            &[others, "Authorization: Bearer s3cr3t-ben", BEARER],
        ),
        ("/ws?token=s3cr3t-ann", &[others]),
        ("/ws?token=s3cr3t-ann&token=s3cr3t-ben", &[]),
    ];
    for (path, headers) in cases {
        assert_eq!(
            welcomed(&server, path, headers),
            "ann",
            "{path} {headers:?}"
        );
    }
    server.until_empty();
}

#[test]
fn a_cookie_of_another_program_is_no_token() {
    let server = Server::start(Config::default(), Plain::default());
    let theirs = "Cookie: token=theirs; token=once more";
    assert_eq!(welcomed(&server, "/ws?token=s3cr3t-ann", &[theirs]), "ann");
    let user = welcomed(&server, "/ws", &[theirs]);
    assert!(user.starts_with("anon-"), "{user}");
    server.until_empty();
}
