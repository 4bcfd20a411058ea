//! Ends that the client causes (`docs/behaviour.md`, section 5).

use switchboard_core::{CloseFrame, CloseReason, Event, Exclude, ProtocolError};
use switchboard_kit::Received;

use crate::ending::{close, texts, with_three_queued};
use crate::world::World;

#[test]
fn messages_ready_before_a_clients_close_are_sent_before_it_is_answered() {
    let (mut world, ann) = with_three_queued();
    world.happens(ann, Event::Ping(b"first"));
    world.happens(ann, Event::Close(None));
    world.reads_all(ann);
    let frames = world.frames(ann);
    assert_eq!(texts(&frames), 3);
    assert!(frames.contains(&Received::Pong(b"first".into())));
    assert_eq!(frames.last(), Some(&Received::Close(None)));
    assert_eq!(world.stats().dropped.len(), 0);
    assert_eq!(world.stats().closes["client_closed"], 1);
}

#[test]
fn queued_bytes_outlive_the_end_of_the_peers_side() {
    for (reason, messages) in [
        (CloseReason::ClientClosed, 3),
        (CloseReason::Replaced, 3),
        (CloseReason::Kicked, 1),
    ] {
        let (mut world, ann) = with_three_queued();
        if reason == CloseReason::ClientClosed {
            world.happens(ann, Event::Close(None));
        } else {
            close(&mut world, ann, reason);
        }
        // Only her side of the stream has ended: she may still read.
        world.happens(ann, Event::Eof);
        assert!(!world.is_gone(ann), "{reason}");
        world.reads_all(ann);
        assert_eq!(texts(&world.frames(ann)), messages, "{reason}");
        assert!(world.close(ann).is_some(), "{reason}");
        assert!(world.is_gone(ann), "{reason}");
    }
}

#[test]
fn a_refusal_outlives_the_end_of_the_peers_side() {
    let mut world = World::new();
    let (ann, _) = world.asks(world.new_address(), "/ws", "");
    world.stops_reading_after(ann, 5);
    world.authenticate(ann, crate::world::verdict("wrong"));
    world.happens(ann, Event::Eof);
    assert!(!world.is_gone(ann));
    world.reads_all(ann);
    assert_eq!(world.close(ann), Some((4001, "unauthorized".into())));
    assert!(world.is_gone(ann));
}

#[test]
fn a_clients_close_is_answered_with_its_code() {
    for (body, answer) in [
        (
            Some(CloseFrame {
                code: 1000,
                reason: "bye",
            }),
            (1000, String::new()),
        ),
        (
            Some(CloseFrame {
                code: 4_321,
                reason: "",
            }),
            (4_321, String::new()),
        ),
        (None, (1005, String::new())),
    ] {
        let mut world = World::new();
        let ann = world.connect("ann", "lobby");
        world.happens(ann, Event::Close(body));
        assert_eq!(world.close(ann), Some(answer));
        assert_eq!(world.stats().closes["client_closed"], 1);
        assert!(world.is_gone(ann));
    }
}

#[test]
fn the_end_of_the_stream_and_a_reset_end_it_at_once() {
    for (event, reason) in [(Event::Eof, "eof"), (Event::Reset, "reset")] {
        let mut world = World::new();
        let ann = world.connect("ann", "lobby");
        world.stops_reading_after(ann, 0);
        world.broadcast("lobby", "0", Exclude::NOBODY);
        world.happens(ann, event);
        assert!(world.is_gone(ann));
        assert_eq!(world.stats().closes[reason], 1);
        assert_eq!(world.stats().dropped[reason], 1);
        assert_eq!(world.stats().total_connections, 0);
    }
}

#[test]
fn each_violation_is_closed_with_its_code() {
    for (violation, code) in [
        (ProtocolError::InvalidUtf8, 1007),
        (ProtocolError::TooBig, 1009),
        (ProtocolError::TooManyFragments, 1008),
        (ProtocolError::CloseCode, 1002),
    ] {
        let mut world = World::new();
        let ann = world.connect("ann", "lobby");
        world.happens(ann, Event::Violation(violation));
        assert_eq!(world.close(ann).unwrap().0, code);
    }
}

#[test]
fn the_end_of_the_peers_side_ends_a_close_as_soon_as_all_is_written() {
    let (mut world, ann) = with_three_queued();
    world.keeps_its_side_open(ann);
    close(&mut world, ann, CloseReason::Replaced);
    world.reads_all(ann);
    assert!(!world.is_gone(ann));
    world.happens(ann, Event::Eof);
    assert!(world.is_gone(ann));
}
