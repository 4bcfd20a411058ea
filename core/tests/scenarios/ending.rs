//! Ends of connections (`docs/behaviour.md`, section 5).

use serde_json::json;
use switchboard_core::{
    CloseReason, Event, Exclude, Frame, Notice, ProtocolError, ReadMode, SlowPolicy, WriteTurn,
    protocol,
};
use switchboard_kit::Received;

use crate::world::{Client, World, millis, secs};

/// A client with three queued messages, the first of which is partly written.
pub(crate) fn with_three_queued() -> (World, Client) {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    world.advance(millis(300));
    world.forget();
    world.stops_reading_after(ann, 5);
    for n in 0..3 {
        world.send(ann, &format!("message {n}"));
    }
    (world, ann)
}

pub(crate) fn close(world: &mut World, client: Client, reason: CloseReason) {
    world
        .board
        .close(world.now, world.id(client), reason)
        .unwrap();
    world.flush();
}

pub(crate) fn texts(frames: &[Received]) -> usize {
    let is_text = |frame: &&Received| matches!(frame, Received::Text(_));
    frames.iter().filter(is_text).count()
}

#[test]
fn close_now_finishes_the_cut_frame_discards_the_rest_and_counts_it() {
    for reason in [
        CloseReason::Kicked,
        CloseReason::SlowConsumer,
        CloseReason::ProtocolError,
        CloseReason::Policy,
        CloseReason::TooBig,
        CloseReason::RateLimited,
    ] {
        let (mut world, ann) = with_three_queued();
        close(&mut world, ann, reason);
        world.reads_all(ann);
        let frames = world.frames(ann);
        assert_eq!(frames[0], Received::Text("message 0".into()), "{reason}");
        let close = (reason.code().unwrap(), reason.as_str().to_owned());
        assert_eq!(frames[1..], [Received::Close(Some(close))], "{reason}");
        assert_eq!(world.stats().dropped[reason.as_str()], 2);
        assert!(world.is_gone(ann));
    }
}

#[test]
fn close_flush_sends_what_is_queued_first() {
    for reason in [
        CloseReason::Draining,
        CloseReason::Replaced,
        CloseReason::TokenExpired,
        CloseReason::application(4_400).unwrap(),
    ] {
        let (mut world, ann) = with_three_queued();
        close(&mut world, ann, reason);
        world.reads_all(ann);
        let frames = world.frames(ann);
        assert_eq!(texts(&frames), 3, "{reason}");
        assert_eq!(world.close(ann).unwrap().0, reason.code().unwrap());
        assert_eq!(world.stats().dropped.len(), 0, "{reason}");
    }
}

#[test]
fn all_ends_are_bounded_by_the_close_timeout_and_count_what_did_not_go_out() {
    for (reason, dropped) in [
        (CloseReason::Kicked, 3),
        (CloseReason::Replaced, 3),
        (CloseReason::ClientClosed, 3),
    ] {
        let (mut world, ann) = with_three_queued();
        if reason == CloseReason::ClientClosed {
            world.happens(ann, Event::Close(None));
            world.happens(ann, Event::Eof);
        } else {
            close(&mut world, ann, reason);
        }
        world.advance(millis(4_999));
        assert!(!world.is_gone(ann));
        world.advance(millis(1));
        assert!(world.is_gone(ann));
        assert_eq!(world.stats().dropped[reason.as_str()], dropped);
        assert_eq!(world.stats().closing, 0);
        assert_eq!(world.stats().queued_bytes, 0);
    }
}

#[test]
fn a_close_that_is_never_answered_ends_after_the_close_timeout() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    world.falls_silent(ann);
    close(&mut world, ann, CloseReason::Kicked);
    assert!(
        world.peer(ann).shut,
        "the write side is shut down after the last byte"
    );
    assert_eq!(world.board.read_mode(world.id(ann)), Ok(ReadMode::Discard));
    world.advance(millis(4_999));
    assert!(!world.is_gone(ann));
    world.advance(millis(1));
    assert!(world.is_gone(ann));
}

#[test]
fn from_the_decision_on_it_is_out_of_everything_and_its_seats_are_free() {
    let mut world = World::with(|config| {
        config.limits.connections = 1;
        config.limits.per_ip = 1;
    });
    let home = "192.0.2.1".parse().unwrap();
    let ann = world.tries_from(home, "ann", "lobby");
    world.falls_silent(ann);
    world
        .board
        .close(world.now, world.id(ann), CloseReason::Kicked)
        .unwrap();
    let stats = world.stats();
    assert_eq!(
        (stats.total_connections, stats.users, stats.active_rooms),
        (0, 0, 0)
    );
    assert_eq!((stats.closing, stats.closes["kicked"]), (1, 1));
    world.flush();
    let bob = world.tries_from(home, "bob", "lobby");
    assert!(world.is_open(bob));
    assert!(!world.is_gone(ann));
}

#[test]
fn the_first_reason_counts_and_is_told_once() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    world.falls_silent(ann);
    close(&mut world, ann, CloseReason::Kicked);
    close(&mut world, ann, CloseReason::Replaced);
    world.happens(ann, Event::Violation(ProtocolError::InvalidUtf8));
    world.happens(ann, Event::Close(None));
    world.happens(ann, Event::HookFailed);
    world.happens(ann, Event::Reset);
    assert_eq!(world.stats().closes.len(), 1);
    assert_eq!(world.close(ann), Some((4004, "kicked".into())));
    let closed = |notice: &&Notice| matches!(notice, Notice::Closed { .. });
    assert_eq!(world.notices.iter().filter(closed).count(), 1);
}

#[test]
fn the_notice_of_an_end_tells_user_rooms_and_reason() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    let id = world.id(ann);
    world.board.join(world.now, id, "more").unwrap();
    world.forget();
    close(&mut world, ann, CloseReason::Kicked);
    let closed = Notice::Closed {
        id,
        user: "ann".into(),
        rooms: vec!["lobby".into(), "more".into()],
        reason: CloseReason::Kicked,
    };
    assert!(world.notices.contains(&closed), "{:?}", world.notices);
}

#[test]
fn more_than_the_limit_of_closing_connections_are_evicted() {
    let mut world = World::with(|config| config.limits.closing = 2);
    let clients: Vec<_> = (0..4)
        .map(|n| world.connect(&format!("u{n}"), "lobby"))
        .collect();
    for &client in &clients {
        world.falls_silent(client);
        close(&mut world, client, CloseReason::Kicked);
    }
    assert_eq!(world.stats().closing, 2);
    for &client in &clients[2..] {
        assert!(world.is_gone(client));
        assert_eq!(
            world.close(client),
            Some((4004, "kicked".into())),
            "one attempt is made"
        );
    }
    assert_eq!(world.stats().closes["kicked"], 4);
}

#[test]
fn an_eviction_never_writes_into_a_cut_frame_or_before_the_answer_101() {
    let mut world = World::with(|config| config.limits.closing = 1);
    let first = world.connect("first", "");
    world.falls_silent(first);
    close(&mut world, first, CloseReason::Kicked);
    let cut = world.connect("cut", "");
    world.stops_reading_after(cut, 3);
    world.send(cut, "message");
    world.peer_mut(cut).room = None;
    close(&mut world, cut, CloseReason::Kicked);
    assert!(world.is_gone(cut));
    assert_eq!(world.peer(cut).cut(), 3);
    let (early, _) = world.asks(world.new_address(), "/ws", "");
    world.stops_reading_after(early, 0);
    world.authenticate(early, crate::world::verdict("early"));
    world.peer_mut(early).room = None;
    close(&mut world, early, CloseReason::Kicked);
    assert!(world.is_gone(early));
    assert_eq!(
        world.peer(early).cut(),
        0,
        "a Close frame is no answer to a request"
    );
}

#[test]
fn a_closing_connection_discards_256_kib_and_then_reads_nothing() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    world.falls_silent(ann);
    close(&mut world, ann, CloseReason::Kicked);
    world.happens(ann, Event::Discarded(256 << 10));
    assert_eq!(world.board.read_mode(world.id(ann)), Ok(ReadMode::Discard));
    world.happens(ann, Event::Discarded(1));
    // The socket stays open, so that she can read the Close frame before the reset.
    assert_eq!(world.board.read_mode(world.id(ann)), Ok(ReadMode::Wait));
    assert!(!world.is_gone(ann));
    world.advance(secs(5));
    assert!(world.is_gone(ann));
}

#[test]
fn messages_of_who_is_closing_are_not_processed() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    world.falls_silent(ann);
    close(&mut world, ann, CloseReason::Kicked);
    world.forget();
    world.says(ann, json!({"type": "subscribe", "channel": "more"}));
    world.happens(ann, Event::Ping(b"x"));
    assert_eq!(world.frames(ann), []);
    assert_eq!(world.stats().active_rooms, 0);
}

#[test]
fn messages_before_the_applications_close_arrive_in_order() {
    let mut world = World::new();
    let ann = world.connect("ann", "");
    world.forget();
    for n in 0..100 {
        world
            .board
            .send(world.now, world.id(ann), Frame::text(&n.to_string()))
            .unwrap();
    }
    close(&mut world, ann, CloseReason::application(4_400).unwrap());
    let frames = world.frames(ann);
    assert_eq!(texts(&frames), 100);
    assert_eq!(frames[99], Received::Text("99".into()));
    assert_eq!(world.close(ann).unwrap().0, 4_400);
}

#[test]
fn frames_in_a_writers_hands_are_discarded_when_it_lets_go() {
    let mut world = World::new();
    let ann = world.connect("ann", "");
    world.forget();
    let id = world.id(ann);
    for n in 0..3 {
        world
            .board
            .send(world.now, id, Frame::text(&n.to_string()))
            .unwrap();
    }
    let mut turn = WriteTurn::default();
    world.board.take_turn(&mut turn, 1);
    world
        .board
        .close(world.now, id, CloseReason::Kicked)
        .unwrap();
    // The socket took one frame and a byte of the second, which is finished; the third is not sent.
    let taken = turn.job(0).expect("what was sent").1[..4].to_vec();
    world.peer_mut(ann).receive(&taken);
    turn.wrote(0, 4);
    world.board.report(world.now, &mut turn);
    world.flush();
    world.reads_all(ann);
    let text = |text: &str| Received::Text(text.into());
    let kicked = Received::Close(Some((4004, "kicked".into())));
    assert_eq!(world.frames(ann), [text("0"), text("1"), kicked]);
    assert_eq!(world.stats().dropped["kicked"], 1);
}

#[test]
fn a_slow_member_is_closed_without_harm_to_the_broadcast_that_found_it() {
    let mut world = World::with(|config| {
        config.limits.queue_messages = 4;
        config.slow = SlowPolicy::Disconnect;
    });
    let clients: Vec<_> = (0..6)
        .map(|n| world.connect(&format!("u{n}"), "lobby"))
        .collect();
    world.advance(millis(300));
    for slow in [clients[0], clients[2], clients[5]] {
        world.stops_reading_after(slow, 0);
    }
    world.forget();
    for _ in 0..4 {
        world.broadcast("lobby", "0", Exclude::NOBODY);
    }
    let receipt = world.broadcast("lobby", "0", Exclude::NOBODY);
    assert_eq!((receipt.accepted, receipt.closed), (3, 3));
    for client in [clients[1], clients[3], clients[4]] {
        assert_eq!(world.messages_of(client, "message").len(), 5);
    }
    world.advance(secs(10));
    assert_eq!(world.board.members("lobby").len(), 3);
}

#[test]
fn what_a_writer_has_of_a_room_that_was_left_counts_as_dropped_where_an_end_flushes_others() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    world.says(ann, json!({"type": "subscribe", "channel": "news"}));
    world.advance(millis(300));
    world.forget();
    let (id, now) = (world.id(ann), world.now);
    for (room, text) in [("lobby", "first"), ("news", "second")] {
        let sent = world
            .board
            .broadcast_raw(now, room, Frame::text(text), Exclude::NOBODY);
        assert_eq!(sent.unwrap().accepted, 1);
    }
    let mut turn = WriteTurn::default();
    world.board.take_turn(&mut turn, 1);
    let taken = turn.job(0).expect("both").1.to_vec();
    world.board.leave(now, id, "news").unwrap();
    let reason = CloseReason::application(4_400).unwrap();
    world.board.close(now, id, reason).unwrap();
    // The socket takes the message of the room that was left by the end.
    let first = Frame::text("first").len();
    world.peer_mut(ann).receive(&taken[..first]);
    turn.wrote(0, first);
    world.board.report(now, &mut turn);
    world.happens(ann, Event::Writable);
    let frames = world.frames(ann);
    assert_eq!(frames[0], Received::Text("first".into()));
    assert!(!frames.contains(&Received::Text("second".into())));
    assert_eq!(world.close(ann).unwrap().0, 4_400);
    let dropped = world.stats().dropped;
    assert_eq!(
        dropped.into_iter().collect::<Vec<_>>(),
        [("application", 1)]
    );
}

#[test]
fn what_a_writer_has_of_a_room_that_was_left_counts_once_where_an_end_discards() {
    // How many messages of the turn the socket takes, and how many count as dropped in the end.
    for (taken, dropped) in [(2, 2), (1, 3), (0, 4)] {
        let mut world = World::new();
        let ann = world.connect("ann", "lobby");
        world.advance(millis(300));
        world.forget();
        let (id, now) = (world.id(ann), world.now);
        let publish = |world: &mut World, text| {
            let frame = Frame::text(text);
            let board = &mut world.board;
            let sent = board.broadcast_raw(now, "lobby", frame, Exclude::NOBODY);
            assert_eq!(sent.unwrap().accepted, 1);
        };
        publish(&mut world, "first");
        publish(&mut world, "second");
        let mut turn = WriteTurn::default();
        world.board.take_turn(&mut turn, 1);
        let bytes = turn.job(0).expect("both").1.to_vec();
        publish(&mut world, "third");
        // What was published so far is to go out before the answer.
        let command = protocol::parse(r#"{"type":"unsubscribe","channel":"lobby"}"#);
        world.board.command(now, id, command).unwrap();
        world.board.close(now, id, CloseReason::Kicked).unwrap();
        assert_eq!(world.stats().dropped["kicked"], 2, "the third, the answer");
        let ends = [0, Frame::text("first").len(), bytes.len()];
        world.peer_mut(ann).receive(&bytes[..ends[taken]]);
        turn.wrote(0, ends[taken]);
        world.board.report(now, &mut turn);
        world.happens(ann, Event::Writable);
        assert_eq!(texts(&world.frames(ann)), taken);
        assert_eq!(world.stats().dropped["kicked"], dropped, "{taken} went out");
    }
}
