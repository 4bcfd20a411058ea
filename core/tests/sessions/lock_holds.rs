//! How often a read holds the lock.

use switchboard_core::Rate;
use switchboard_core::session::{Call, Reply, Step, Turn};

use super::node::{Node, raw};
use super::support::{ClientFrame, PING, TEXT, frame, wire};

/// A message to the room `blue`, with this number as its id.
fn message(id: usize) -> ClientFrame {
    let text = format!(r#"{{"type":"message","content":0,"id":{id}}}"#);
    frame(TEXT, text)
}

#[test]
fn the_answer_to_a_request_and_the_next_message_of_the_read_take_one_hold_of_the_lock() {
    let mut node = Node::open(|_| {});
    for count in 1..=8 {
        let messages: Vec<_> = (0..count).map(|n| message(10 * count + n)).collect();
        assert_eq!(node.holds_of(&wire(&messages)), count + 1, "{count}");
        let acks: Vec<_> = (0..count)
            .map(|n| node.position(&format!(r#""ack","id":{}"#, 10 * count + n)))
            .collect();
        assert!(acks.is_sorted(), "in the order of the messages");
    }
}

#[test]
fn an_answer_is_given_before_a_violation_in_the_same_read_is_told() {
    let mut node = Node::open(|_| {});
    let unmasked = ClientFrame {
        mask: None,
        ..frame(TEXT, "x")
    };
    let mut bytes = wire(&[message(1), unmasked]);
    let mut turn = Turn::default();
    let received = node.with(|session, node| session.receive(node, &mut bytes, &mut turn));
    let Some(Step::Call(Call::Ask(question))) = received.step else {
        panic!("expected the message");
    };
    let rest = &mut bytes[received.used..];
    let received = node.with(|session, node| {
        session.reply_and_receive(node, Reply::Verdict(question, Ok(())), rest, &mut turn)
    });
    assert!(matches!(received.step, Some(Step::Flush)));
    node.position(r#""ack","id":1"#);
    node.carry_out(received.step);
    assert!(!node.board.is_connected("ann"));
}

#[test]
fn a_request_that_waits_for_a_hook_takes_no_hold_besides_that_of_the_answer() {
    let mut node = Node::open(|_| {});
    let messages: Vec<_> = (0..5).map(message).collect();
    node.say(&messages);
    let before = node.holds;
    for n in 0..5 {
        let Some(Call::Ask(question)) = node.call.take() else {
            panic!("expected message {n}");
        };
        node.reply(Reply::Verdict(question, Ok(())));
        node.position(&format!(r#""ack","id":{n}"#));
    }
    assert_eq!(node.holds - before, 5);
}

#[test]
fn a_read_within_a_message_takes_one_hold_of_the_lock() {
    let mut node = Node::open(|_| {});
    let bytes = wire(&[message(1)]);
    let (begin, rest) = bytes.split_at(10);
    let (middle, end) = rest.split_at(10);
    assert_eq!(node.holds_of(begin), 1);
    assert_eq!(node.holds_of(middle), 1);
    assert_eq!(node.holds_of(end), 2, "one more for the answer");
}

#[test]
fn messages_of_one_read_that_need_no_hook_take_one_hold_of_the_lock_and_are_answered_in_order() {
    let mut node = Node::open(|config| config.rates.strikes = 100);
    for count in 1..=8 {
        let kinds = |n: usize| match n % 4 {
            0 => frame(
                TEXT,
                format!(r#"{{"type":"ping","id":{n},"timestamp":"p{count}-{n}"}}"#),
            ),
            1 => frame(TEXT, format!(r#"{{"type":"nothing","id":"n{count}-{n}"}}"#)),
            2 => frame(PING, format!("c{count}-{n}")),
            _ => frame(TEXT, r#"{"type":"health_pong","timestamp":5}"#),
        };
        let messages: Vec<_> = (0..count).map(kinds).collect();
        assert_eq!(node.holds_of(&wire(&messages)), 1, "{count}");
        let answers: Vec<_> = (0..count)
            .filter(|n| n % 4 < 2)
            .map(|n| node.position(&format!("{}{count}-{n}\"", ["p", "n"][n % 4])))
            .collect();
        assert!(answers.is_sorted(), "{answers:?}");
    }
    node.position("c8-6");
}

#[test]
fn messages_that_need_no_hook_go_with_the_next_one_that_does() {
    let mut node = Node::open(|_| {});
    let ping = || frame(TEXT, r#"{"type":"ping","id":"first"}"#);
    let messages = [ping(), ping(), message(1), ping(), message(2), ping()];
    assert_eq!(node.holds_of(&wire(&messages)), 3);
    assert!(node.position(r#""pong","id":"first""#) < node.position(r#""ack","id":1"#));
    assert!(node.position(r#""ack","id":1"#) < node.position(r#""ack","id":2"#));
}

#[test]
fn messages_beyond_the_rates_take_one_hold_of_the_lock() {
    let mut node = Node::open(|config| {
        config.rates.messages = Some(Rate {
            per_second: 1,
            burst: 1,
        });
        config.rates.strikes = 100;
    });
    let messages: Vec<_> = (0..6).map(message).collect();
    // The first one is asked about, and the others go with its answer.
    assert_eq!(node.holds_of(&wire(&messages)), 2);
    let sent = String::from_utf8_lossy(&node.sent);
    assert_eq!(sent.matches("rate_limited").count(), 5);
}

#[test]
fn a_message_to_the_application_takes_one_hold_of_the_lock() {
    let mut node = Node::open(raw);
    let messages: Vec<_> = (0..5).map(|n| frame(TEXT, n.to_string())).collect();
    assert_eq!(node.holds_of(&wire(&messages)), 5);
}
