//! A connection that ends while a hook runs.

use std::sync::Arc;
use std::time::Duration;

use switchboard_core::session::{Call, Reply};
use switchboard_core::{CloseReason, Config, Denied, Event, UserPolicy};

use super::node::{HEAD, Node, raw};
use super::support::{ClientFrame, TEXT, close, frame};

#[test]
fn a_violation_is_told_after_what_came_before_it_and_a_flush() {
    let mut node = Node::open(raw);
    let unmasked = ClientFrame {
        mask: None,
        ..frame(TEXT, "x")
    };
    node.say(&[frame(TEXT, "1"), unmasked]);
    assert_eq!(node.text().as_deref(), Some("1"));
    assert!(node.board.is_connected("ann") && node.flushes == 0);
    node.reply(Reply::Delivered(Ok(())));
    assert_eq!(node.flushes, 1);
    assert!(!node.board.is_connected("ann"));
    let Some(Call::Disconnect(ended)) = node.call.take() else {
        panic!("expected the application to be notified");
    };
    assert_eq!(ended.reason, CloseReason::ProtocolError);
    assert_eq!(*ended.rooms, [Arc::from("blue")]);
}

#[test]
fn a_close_waits_for_the_hook_before_it_but_only_for_the_close_timeout() {
    let mut node = Node::open(raw);
    node.say(&[frame(TEXT, "1"), frame(TEXT, "2"), close(1000, "")]);
    let due = node.pending().expect("the close is bounded");
    assert_eq!(due, node.now + Config::default().timeouts.close);
    assert!(node.session.is_paused(), "nothing counts after a close");
    node.now = due;
    node.time_out();
    assert!(!node.board.is_connected("ann"));
    assert!(node.session.is_calling(), "the hook still runs");
    // Its answer has no effect, the second message is not passed on, and the end is reported.
    assert_eq!(node.text().as_deref(), Some("1"));
    node.reply(Reply::Delivered(Err(Denied::Forbidden)));
    let Some(Call::Disconnect(ended)) = node.call.take() else {
        panic!("expected the application to be notified");
    };
    assert_eq!(ended.reason, CloseReason::ClientClosed);
}

#[test]
fn a_violation_waits_no_longer_than_a_close() {
    let mut node = Node::open(raw);
    let unmasked = ClientFrame {
        mask: None,
        ..frame(TEXT, "x")
    };
    node.say(&[frame(TEXT, "1"), frame(TEXT, "2"), unmasked]);
    let due = node.pending().expect("the violation is bounded");
    node.now = due;
    node.time_out();
    assert!(!node.board.is_connected("ann"));
    assert_eq!(node.text().as_deref(), Some("1"));
    node.reply(Reply::Delivered(Ok(())));
    let Some(Call::Disconnect(ended)) = node.call.take() else {
        panic!("the application is told");
    };
    assert_eq!(ended.reason, CloseReason::ProtocolError);
}

#[test]
fn a_close_is_answered_after_a_hook_that_returns_in_time() {
    let mut node = Node::open(raw);
    node.say(&[frame(TEXT, "1"), close(1000, "")]);
    assert!(node.board.is_connected("ann"));
    assert_eq!(node.text().as_deref(), Some("1"));
    node.reply(Reply::Delivered(Ok(())));
    assert!(!node.board.is_connected("ann"));
    assert!(matches!(node.call, Some(Call::Disconnect(_))));
}

#[test]
fn a_connection_that_leaves_once_its_hook_returns_gives_its_place_to_a_newcomer() {
    let unmasked = ClientFrame {
        mask: None,
        ..frame(TEXT, "x")
    };
    let reject = |config: &mut Config| {
        raw(config);
        config.users = UserPolicy::Reject;
    };
    for last in [Some(close(1000, "")), Some(unmasked), None] {
        let mut node = Node::open(reject);
        node.say(&[frame(TEXT, "1")]);
        assert!(!node.admits_another(), "it was heard just now");
        if let Some(last) = last {
            node.say(&[last]);
        } else {
            let step = node.with(|session, node| session.end_of_input(node));
            node.carry_out(step);
        }
        assert!(node.board.is_connected("ann") && node.session.is_calling());
        assert!(node.admits_another());
        node.drive();
        assert_eq!(node.text().as_deref(), Some("1"), "the hook goes on");
        node.reply(Reply::Delivered(Ok(())));
        let Some(Call::Disconnect(ended)) = node.call.take() else {
            panic!("expected the application to be notified");
        };
        assert_eq!(ended.reason, CloseReason::Replaced);
    }
}

#[test]
fn of_the_devices_of_a_user_the_one_that_is_leaving_gives_its_place_to_a_newcomer() {
    let mut node = Node::new(|config| {
        raw(config);
        config.users = UserPolicy::Allow(2);
    });
    assert!(node.admits_another());
    let oldest = node.board.connections_of("ann")[0];
    node.read(HEAD);
    node.let_in();
    node.say(&[frame(TEXT, "1"), close(1000, "")]);
    assert!(node.session.is_calling() && node.board.connections_of("ann").len() == 2);
    assert!(node.admits_another());
    assert!(node.board.connections_of("ann").contains(&oldest));
    let mine = node.session.id();
    assert!(!node.board.connections_of("ann").contains(&mine));
}

#[test]
fn the_hook_of_a_connection_that_has_ended_is_given_up_after_its_time() {
    let mut node = Node::open(raw);
    node.say(&[frame(TEXT, "1")]);
    assert_eq!(node.pending(), None, "the node has the deadline");
    let id = node.id;
    node.with(|_, node| {
        let now = node.now;
        let board = &mut *node.switchboard;
        board.handle(now, id, Event::Reset).expect("it is there");
    });
    let due = node.pending().expect("the session has the deadline");
    assert_eq!(due, node.now + Config::default().timeouts.hook);
    node.time_out();
    assert_eq!(node.text().as_deref(), Some("1"), "not yet");
    node.now = due;
    node.time_out();
    assert!(matches!(node.call, Some(Call::Disconnect(_))));
    let last = node.pending().expect("this one too");
    node.now = last;
    node.time_out();
    assert!(node.session.is_idle() && node.session.user().is_none());
}

#[test]
fn a_hook_that_fails_ends_the_connection_and_the_application_hears_of_it() {
    let mut node = Node::open(raw);
    node.say(&[frame(TEXT, "1")]);
    node.call = None;
    node.with(|session, node| session.failed(node));
    node.carry_out(None);
    let Some(Call::Disconnect(ended)) = node.call.take() else {
        panic!("expected the application to be notified");
    };
    assert_eq!(ended.reason, CloseReason::Internal);
}

#[test]
fn a_hook_may_end_after_its_connection_is_closed_for_whatever_reason() {
    for reason in [CloseReason::Kicked, CloseReason::Internal] {
        let mut node = Node::open(raw);
        node.say(&[frame(TEXT, "1")]);
        node.pending();
        let id = node.id;
        node.with(|_, node| {
            let now = node.now;
            node.switchboard
                .close(now, id, reason)
                .expect("it is there");
        });
        assert_eq!(node.text().as_deref(), Some("1"), "{reason}");
        node.reply(Reply::Delivered(Ok(())));
        let Some(Call::Disconnect(ended)) = node.call.take() else {
            panic!("expected the application to be notified");
        };
        assert_eq!(ended.reason, reason);
    }
}

#[test]
fn a_hook_that_takes_too_long_is_dropped() {
    let mut node = Node::open(raw);
    node.say(&[frame(TEXT, "1")]);
    node.pending();
    // In steps, so that the host does not seem to stall.
    while node.board.is_connected("ann") {
        node.now = node.now + Duration::from_millis(100);
        node.with(|_, node| node.switchboard.tick(node.now));
    }
    node.carry_out(None);
    let Some(Call::Disconnect(ended)) = node.call.take() else {
        panic!("expected the application to be notified");
    };
    assert_eq!(ended.reason, CloseReason::Internal);
}
