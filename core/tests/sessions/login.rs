//! Logins, and what happens while they are checked.

use std::time::Duration;

use switchboard_core::session::{Call, Reply, Session};
use switchboard_core::{Denied, Identity, ReadMode, Request};

use super::node::{HEAD, Node, PEER};
use super::support::{TEXT, frame, wire};

/// A connection whose `auth` message is being checked.
fn logging_in() -> Node {
    let mut node = Node::new(|_| {});
    let head = String::from_utf8_lossy(HEAD).replace("?token=ann", "");
    node.read(head.as_bytes());
    let Some(Call::Authenticate(login)) = node.call.take() else {
        panic!("expected authentication");
    };
    node.reply(Reply::Identity(login, Ok(Identity::FirstMessage.into())));
    node.say(&[frame(TEXT, r#"{"type":"auth","token":"ann"}"#)]);
    node.pending();
    node
}

/// The bytes of a message of about this length.
fn message(bytes: usize, id: u32) -> Vec<u8> {
    let content = "x".repeat(bytes);
    let text = format!(r#"{{"type":"message","content":"{content}","id":{id}}}"#);
    wire(&[frame(TEXT, text)])
}

#[test]
fn what_follows_a_login_under_way_waits_for_it() {
    let mut node = logging_in();
    node.read(&message(3_000, 7));
    node.let_in();
    let Some(Call::Ask(question)) = node.call.take() else {
        panic!("expected the message");
    };
    node.reply(Reply::Verdict(question, Ok(())));
    assert!(node.has_sent(r#"{"type":"ack","id":7,"seq":1}"#));
    // Now it may be as long as any.
    node.read(&message(8 << 10, 8));
    assert!(matches!(node.call, Some(Call::Ask(_))));
}

#[test]
fn until_a_login_has_succeeded_no_message_is_longer_than_4_kib() {
    let long = message(5_000, 7);
    // Complete, and incomplete.
    for part in [long.len(), 4_200] {
        let mut node = logging_in();
        node.read(&long[..part]);
        assert_eq!(node.board.stats(node.now).closes["policy"], 1, "{part}");
    }
}

#[test]
fn while_4_kib_wait_for_a_login_nothing_more_is_read() {
    let mut node = logging_in();
    for id in 0..20 {
        if node.session.is_paused() {
            break;
        }
        node.read(&message(1_000, id));
    }
    assert!(node.session.is_paused());
    let bytes = node.session.backlog_bytes();
    assert!((4 << 10..6 << 10).contains(&bytes), "{bytes} bytes wait");
    node.let_in();
    assert!(!node.session.is_paused());
}

#[test]
fn a_login_by_first_message_has_the_request_and_the_token() {
    let mut node = Node::new(|_| {});
    let head = String::from_utf8_lossy(HEAD).replace("?token=ann", "");
    node.read(head.as_bytes());
    let Some(Call::Authenticate(login)) = node.call.take() else {
        panic!("expected authentication");
    };
    assert!(login.request.token().is_none());
    node.reply(Reply::Identity(login, Ok(Identity::FirstMessage.into())));
    assert_eq!(node.session.mode(), ReadMode::Frames);
    node.say(&[frame(TEXT, r#"{"type":"auth","token":"ann","id":1}"#)]);
    let Some(Call::Authenticate(login)) = &node.call else {
        panic!("expected authentication again");
    };
    assert_eq!(login.request.path(), "/ws/blue");
    node.let_in();
    assert!(node.has_sent(r#"{"type":"authenticated","user":"ann","id":1}"#));
}

#[test]
fn a_client_whose_identity_is_stated_is_not_authenticated_again() {
    let mut node = Node::new(|_| {});
    node.session = Session::upgraded(node.id, PEER);
    let request = Request::upgraded("/chat?token=eve", Some("blue".into()), [("host", "h")]);
    let request = request.expect("a request");
    let step =
        node.with(|session, node| session.begin_as(node, request, Identity::user("ann").into()));
    node.carry_out(step);
    let Some(Call::Lobby(lobby)) = node.call.take() else {
        panic!("expected authorization of the lobby");
    };
    assert_eq!((&*lobby.user, &*lobby.room), ("ann", "blue"));
    node.reply(Reply::Lobby(lobby, Ok(())));
    assert!(matches!(node.call.take(), Some(Call::Connect)));
    node.reply(Reply::Connected);
    assert_eq!(node.board.members("blue"), [node.id]);
}

#[test]
fn a_lobby_that_is_denied_is_a_refusal() {
    let mut node = Node::new(|_| {});
    node.read(HEAD);
    let Some(Call::Authenticate(login)) = node.call.take() else {
        panic!("expected authentication");
    };
    node.reply(Reply::Identity(login, Ok(Identity::user("ann").into())));
    let Some(Call::Lobby(lobby)) = node.call.take() else {
        panic!("expected authorization of the lobby");
    };
    node.reply(Reply::Lobby(lobby, Err(Denied::Forbidden)));
    assert!(!node.board.is_connected("ann"));
    assert_eq!(node.board.stats(node.now).refused["forbidden"], 1);
    assert!(node.session.is_idle(), "the application is not notified");
}

#[test]
fn the_call_for_a_client_that_is_refused_meanwhile_is_dropped() {
    let mut node = Node::new(|_| {});
    node.read(HEAD);
    assert!(matches!(node.call, Some(Call::Authenticate(_))));
    node.with(|_, node| {
        let (now, window) = (node.now, Duration::from_secs(1));
        node.switchboard.drain(now, window, window);
    });
    assert!(node.call.is_none() && !node.session.is_calling());
    assert_eq!(node.board.stats(node.now).refused["restart"], 1);
}
