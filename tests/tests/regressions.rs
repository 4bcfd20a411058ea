//! Bugs that the model found, each as the sentence that was violated.

mod support;

use std::time::Duration;

use support::{World, evictions, ms};
use switchboard_core::protocol::Content;
use switchboard_core::{
    Action, CloseReason, Config, Event, Exclude, Frame, Identity, Notice, ReadMode, Refused, Wire,
    WriteTurn,
};

fn raw() -> Config {
    Config {
        wire: Wire::Raw,
        ..Config::default()
    }
}

#[test]
fn bytes_are_lent_to_a_writer_once() {
    let mut world = World::new(raw());
    let id = world.enter("ann", None);
    let at = world.now;
    for text in ["one", "two", "three"] {
        world
            .board
            .send(at, id, Frame::text(text))
            .expect("an open connection");
    }
    let turn = world.take(id);
    let mut again = WriteTurn::default();
    world.board.take_turn(&mut again, 32);
    assert!(again.is_empty());
    let (_, taken) = turn.job(0).expect("what was taken");
    let mut out = taken.to_vec();
    world.wrote(turn, out.len());
    out.extend(world.read(id));
    let all: Vec<u8> = ["one", "two", "three"]
        .iter()
        .flat_map(|text| Frame::text(text).as_bytes().to_vec())
        .collect();
    assert_eq!(out, all);
}

#[test]
fn an_open_connection_is_not_upgraded_again() {
    let mut world = World::new(raw());
    let id = world.enter("ann", Some("lobby"));
    let request = World::request(1, Some("lobby"));
    let answer = world.board.upgraded(world.now, id, &request);
    assert_eq!(answer, Ok(switchboard_core::RequestOutcome::Refused));
    assert_eq!(world.board.members("lobby"), [id]);
    world.audit();
}

#[test]
fn nothing_overtakes_the_answer_to_a_handshake() {
    let mut world = World::new(raw());
    let id = world.enter_by_http("ann");
    let turn = world.take(id);
    world.wrote(turn, 0);
    world.handle(id, Event::Ping(b"x"));
    let _ = world.board.ping_user(world.now, "ann", ms(500));
    world.handle(id, Event::Writable);
    assert!(world.read(id).starts_with(b"HTTP/1.1 101"));
}

#[test]
fn no_close_frame_goes_out_before_the_answer_to_a_handshake() {
    let mut config = raw();
    config.limits.closing = 1;
    let mut world = World::new(config);
    for user in ["ann", "bob"] {
        let _ = world.enter_by_http(user);
    }
    world.actions();
    // One closing connection too many, which is evicted.
    for user in ["ann", "bob"] {
        let ended = world
            .board
            .disconnect_user(world.now, user, CloseReason::Kicked);
        assert_eq!(ended, 1);
    }
    let last = world.actions().into_iter().find_map(|action| match action {
        Action::Evict { last, .. } => Some(last),
        _ => None,
    });
    assert_eq!(last, Some(None));
}

#[test]
fn a_refused_connection_holds_no_unfinished_message() {
    let mut config = Config::default();
    config.limits.unfinished_bytes = 3_000;
    let mut world = World::new(config);
    let refused = world.arrive(1, None);
    world.admit(refused, Identity::FirstMessage);
    world.handle(
        refused,
        Event::Partial {
            in_message: true,
            bytes: 2_500,
        },
    );
    world
        .board
        .close(world.now, refused, CloseReason::Kicked)
        .expect("a live connection");
    world.audit();
    let open = world.enter("ann", None);
    world.handle(
        open,
        Event::Partial {
            in_message: true,
            bytes: 2_000,
        },
    );
    assert!(world.board.user_of(open).is_some());
}

#[test]
fn an_ending_connection_waits_for_no_message() {
    let mut config = raw();
    config.timeouts.message = ms(500);
    let mut world = World::new(config);
    let id = world.enter("ann", None);
    world.handle(
        id,
        Event::Partial {
            in_message: true,
            bytes: 10,
        },
    );
    world
        .board
        .close(world.now, id, CloseReason::Kicked)
        .expect("a live connection");
    world.wait(ms(1_000));
    world.audit();
}

#[test]
fn a_drain_counts_everybody_whom_it_evicts() {
    let mut world = World::new(raw());
    for name in ["ann", "bob", "cyd"] {
        let _ = world.enter(name, None);
    }
    world.board.drain(world.now, ms(100), ms(200));
    world.wait(ms(300));
    let report = world.actions().into_iter().find_map(|action| match action {
        Action::Notify(Notice::Drained(report)) => Some(report),
        _ => None,
    });
    assert_eq!(report.map(|it| (it.connections, it.evicted)), Some((3, 3)));
}

#[test]
fn what_waits_in_a_room_does_not_pause_reading() {
    let mut config = raw();
    config.limits.pause_reading = Some(100);
    let mut world = World::new(config);
    let id = world.enter("ann", Some("lobby"));
    let frame = Frame::text(&"x".repeat(120));
    let sent = world
        .board
        .broadcast_raw(world.now, "lobby", frame.clone(), Exclude::NOBODY);
    assert_eq!(sent.map(|receipt| receipt.accepted), Ok(1));
    assert_eq!(world.board.read_mode(id), Ok(ReadMode::Frames));
    let _ = world.board.send(world.now, id, frame);
    assert_eq!(world.board.read_mode(id), Ok(ReadMode::Wait));
}

#[test]
fn a_client_that_goes_before_it_logs_in_is_gone_at_once() {
    let mut world = World::new(Config::default());
    let id = world.arrive(1, None);
    world.admit(id, Identity::FirstMessage);
    world.actions();
    world.handle(id, Event::Eof);
    assert_eq!(evictions(&world.actions()), [id]);
}

#[test]
fn leaving_a_room_drops_nothing_of_another_room() {
    let mut world = World::new(raw());
    let id = world.enter("ann", None);
    let at = world.now;
    world.board.join(at, id, "first").expect("it may");
    let sent = world
        .board
        .broadcast_raw(at, "first", Frame::text("kept"), Exclude::NOBODY);
    assert_eq!(sent.map(|receipt| receipt.accepted), Ok(1));
    world.unsubscribe(id, "first");
    world.board.join(at, id, "second").expect("it may");
    assert_eq!(world.board.leave(at, id, "second"), Ok(true));
    assert_eq!(world.board.leave(at, id, "first"), Ok(false));
    assert_eq!(world.read(id), Frame::text("kept").as_bytes());
}

#[test]
fn an_orderly_end_sends_what_was_queued_even_if_the_room_is_left_again() {
    let mut world = World::new(raw());
    let id = world.enter("ann", Some("lobby"));
    let other = world.enter("bob", Some("lobby"));
    let at = world.now;
    let sent = world
        .board
        .broadcast_raw(at, "lobby", Frame::text("kept"), Exclude::NOBODY);
    assert_eq!(sent.map(|receipt| receipt.accepted), Ok(2));
    world
        .board
        .close(at, id, CloseReason::application(4400).unwrap())
        .expect("a live connection");
    assert_eq!(world.board.leave(at, id, "lobby"), Ok(false));
    assert!(world.read(id).starts_with(Frame::text("kept").as_bytes()));
    assert_eq!(world.board.members("lobby"), [other]);
}

#[test]
fn every_queued_byte_counts_against_the_bound_of_the_node() {
    let mut config = Config::default();
    config.limits.name_bytes = 8;
    config.limits.queue_bytes = 600;
    config.limits.queued_bytes = 600;
    let mut world = World::new(config);
    let ids: Vec<_> = ["ann", "bob", "cyd", "dan", "eve"]
        .into_iter()
        .map(|name| {
            let id = world.enter(name, Some("lobby"));
            world.block(id);
            world.actions();
            world.audit();
            id
        })
        .collect();
    for payload in [[0; 120], [1; 120]] {
        for &id in &ids {
            let _ = world.board.handle(world.now, id, Event::Ping(&payload));
            world.actions();
            world.audit();
        }
    }
    let stats = world.board.stats(world.now);
    assert!(stats.queued_bytes <= 600, "{stats:?}");
    assert!(stats.closes["slow_consumer"] > 0, "{stats:?}");
}

#[test]
fn the_end_of_one_connection_does_not_break_the_bound_of_the_node() {
    let mut config = raw();
    config.limits.queue_bytes = 100;
    config.limits.queued_bytes = 100;
    let mut world = World::new(config);
    let ids = ["ann", "bob", "cyd", "dan"].map(|name| world.enter(name, None));
    let at = world.now;
    for id in ids {
        let _ = world
            .board
            .send(at, id, Frame::text("0123456789012345678901"));
        let turn = world.take(id);
        world.wrote(turn, 5);
        world.audit();
    }
    for id in ids {
        let _ = world.board.close(at, id, CloseReason::Kicked);
        world.actions();
        world.audit();
    }
    let held = world.board.stats(at).queued_bytes;
    assert!(held <= 100, "{held}");
}

#[test]
fn a_lobby_has_a_legal_name_whoever_upgraded_the_connection() {
    let mut world = World::new(raw());
    let name = "x".repeat(129);
    let id = world.arrive(1, Some(&name));
    world.admit(id, Identity::Anonymous);
    assert!(world.board.members(&name).is_empty());
    let refused = world.actions().into_iter().any(|action| {
        matches!(
            action,
            Action::Notify(Notice::Refused {
                refused: Refused::Malformed(_),
                ..
            })
        )
    });
    assert!(refused);
}

#[test]
fn the_next_deadline_lies_after_the_last_tick() {
    let mut world = World::new(Config::default());
    let id = world.arrive(1, None);
    world.admit(id, Identity::FirstMessage);
    world.handle(id, Event::HookStarted);
    world.wait(ms(6_000));
    let ticked = world.now;
    world.handle(id, Event::HookDone);
    world.audit();
    assert!(world.board.next_deadline().is_none_or(|at| at > ticked));
    let _ = world.board.ping_user(ticked, "nobody", Duration::ZERO);
    let user = world.enter("ann", None);
    let _ = world.board.ping_user(ticked, "ann", Duration::ZERO);
    assert!(world.board.user_of(user).is_some());
    assert!(world.board.next_deadline().is_none_or(|at| at > ticked));
}

#[test]
fn a_room_of_which_the_last_member_is_slow_is_gone() {
    let mut config = Config::default();
    config.limits.queue_messages = 4;
    let mut world = World::new(config);
    let id = world.enter("ann", Some("lobby"));
    world.block(id);
    let content = Content::parse("1").expect("JSON");
    for _ in 0..5 {
        let _ = world
            .board
            .broadcast(world.now, "lobby", content, None, Exclude::NOBODY);
        world.audit();
    }
    assert!(world.board.user_of(id).is_none());
    assert!(world.board.members("lobby").is_empty());
}

#[test]
fn the_clock_of_clients_never_goes_back() {
    let mut world = World::new(raw());
    let id = world.enter("ann", None);
    let _ = world.arrive(1, None);
    let due = world.board.next_deadline().expect("a pending hook");
    let late = due + ms(900);
    world
        .board
        .handle(late, id, Event::Heard)
        .expect("a live connection");
    let much_later = due + ms(1_500);
    world
        .board
        .handle(much_later, id, Event::Writable)
        .expect("a live connection");
    assert_eq!(world.board.last_heard(much_later, "ann"), Some(ms(600)));
}

#[test]
fn a_device_that_cannot_even_be_told_that_it_joined_takes_no_other_out_of_the_presence() {
    let mut config = Config {
        users: switchboard_core::UserPolicy::Allow(2),
        ..Config::default()
    };
    config.limits.queue_messages = 3;
    let mut world = World::new(config);
    let _ = world.enter("ann", Some("lobby"));
    let slow = world.enter("ann", None);
    // Beside its welcome, up to twice the limit, as nobody has had a turn to write.
    for _ in 0..5 {
        world
            .board
            .send(world.now, slow, Frame::text("x"))
            .expect("space in the queue");
    }
    let _ = world.board.join(world.now, slow, "lobby");
    assert!(world.board.user_of(slow).is_none());
    world.audit();
    assert_eq!(world.board.room_users("lobby"), ["ann".into()]);
}

#[test]
fn telling_who_is_there_survives_the_end_of_the_room() {
    let mut config = Config::default();
    (config.limits.queue_bytes, config.limits.queued_bytes) = (10_000, 10_000);
    let mut world = World::new(config);
    let id = world.enter("ann", Some("lobby"));
    world.block(id);
    let other = world.enter("bob", Some("lobby"));
    let _ = world
        .board
        .close(world.now, other, CloseReason::application(4400).unwrap());
    // So little is free that the list for the remaining member exceeds the node's bound.
    let queued = world.board.stats(world.now).queued_bytes;
    let frame = Frame::text(&"x".repeat(10_000 - queued - 40));
    world
        .board
        .send(world.now, id, frame)
        .expect("space in the queue");
    world.wait(ms(300));
    world.actions();
    world.audit();
    assert!(world.board.members("lobby").is_empty());
}

#[test]
fn a_shorter_waiting_pong_reports_that_reading_resumes() {
    let mut config = raw();
    config.limits.pause_reading = Some(60);
    let mut world = World::new(config);
    let id = world.enter("ann", None);
    // The socket is blocked, so only the latest pong is queued.
    world.handle(id, Event::Ping(&[]));
    let turn = world.take(id);
    world.wrote(turn, 0);
    world.handle(id, Event::Ping(&[1; 100]));
    assert_eq!(world.board.read_mode(id), Ok(ReadMode::Wait));
    world.actions();
    world.handle(id, Event::Ping(&[]));
    assert_eq!(world.board.read_mode(id), Ok(ReadMode::Frames));
    assert!(world.actions().contains(&Action::ReadMode(id)));
}
