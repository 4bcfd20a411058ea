//! Hooks run in the order of arrival, and what waits for them is bounded.

use switchboard_core::session::{BACKLOG, Reply};

use super::node::{Node, raw};
use super::support::{TEXT, frame, wire};

#[test]
fn hooks_run_one_at_a_time_in_the_order_of_arrival() {
    let mut node = Node::open(raw);
    node.say(&[frame(TEXT, "1"), frame(TEXT, "2"), frame(TEXT, "3")]);
    for expected in ["1", "2", "3"] {
        assert_eq!(node.text().as_deref(), Some(expected));
        assert!(node.session.is_calling());
        node.reply(Reply::Delivered(Ok(())));
    }
    assert_eq!(node.text(), None);
    assert!(node.session.is_idle());
}

#[test]
fn reading_pauses_while_a_full_backlog_waits_and_then_goes_on() {
    let mut node = Node::open(raw);
    let frames: Vec<_> = (0..BACKLOG + 2)
        .map(|n| frame(TEXT, n.to_string()))
        .collect();
    let bytes = wire(&frames);
    let used = node.read(&bytes);
    assert_eq!(used, wire(&frames[..=BACKLOG]).len());
    assert!(node.session.is_paused());
    assert!(node.session.backlog_bytes() > 0);
    assert_eq!(node.text().as_deref(), Some("0"));
    node.reply(Reply::Delivered(Ok(())));
    assert!(!node.session.is_paused());
    node.read(&bytes[used..]);
    for n in 1..BACKLOG + 2 {
        assert_eq!(node.text(), Some(n.to_string()));
        node.reply(Reply::Delivered(Ok(())));
    }
    assert_eq!(node.session.backlog_bytes(), 0);
}
