//! What concerns all connections of a user who has very many is done in parts, like what concerns all
//! members of a room.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use switchboard_core::protocol::Json;
use switchboard_core::recorder::Recording;
use switchboard_core::{
    Config, ConnectionId, Event, Exclude, Frame, Notice, PingResult, PresenceInfo, Receipt, Replay,
    SendError, ToUser, UserPolicy,
};

use crate::parts::{MANY, many, texts};
use crate::world::{Client, World, millis, secs};

/// The most connections that one call or one part looks at.
pub(crate) const PART: usize = 2_048;

pub(crate) fn devices(change: impl FnOnce(&mut Config)) -> (World, Vec<Client>) {
    let mut world = World::with(|config| {
        many(config);
        config.presence.enabled = false;
        config.users = UserPolicy::Allow(2 * MANY);
        change(config);
    });
    let clients = (0..MANY).map(|_| world.connect("ann", "")).collect();
    world.advance(millis(300));
    world.forget();
    (world, clients)
}

pub(crate) fn ids(world: &World, clients: &[Client]) -> Vec<ConnectionId> {
    clients.iter().map(|&it| world.id(it)).collect()
}

fn part(world: &mut World, to: &mut ToUser) -> Result<Option<Receipt>, SendError> {
    world.board.send_to_user_part(world.now, to)
}

fn received(world: &World, clients: &[Client]) -> usize {
    clients.iter().map(|&it| texts(world, it).len()).sum()
}

#[test]
fn a_frame_to_a_user_reaches_each_connection_once_in_several_parts() {
    let (mut world, clients) = devices(|_| {});
    let mut to = ToUser::new("ann", Frame::text("to ann"));
    let (mut before, mut held) = (0, 0);
    let receipt = loop {
        let sent = part(&mut world, &mut to).expect("it fits");
        held = held.max(world.stats().queued_bytes);
        world.flush();
        let now = received(&world, &clients);
        assert!(now - before <= PART, "{before} to {now} by one part");
        before = now;
        if let Some(receipt) = sent {
            break receipt;
        }
    };
    let bytes = Frame::text("to ann").as_bytes().len();
    assert_eq!(held, bytes, "it counts once");
    assert_eq!((receipt.accepted, receipt.closed), (MANY, 0));
    for &client in &clients {
        assert_eq!(texts(&world, client), ["to ann"]);
    }
}

#[test]
fn a_frame_to_a_user_is_for_those_who_were_there_when_it_was_sent_and_still_are() {
    let (mut world, clients) = devices(|_| {});
    let mut to = ToUser::new("ann", Frame::text("to ann"));
    while received(&world, &clients) == 0 {
        assert_eq!(part(&mut world, &mut to), Ok(None));
        world.flush();
    }
    // One who has got it, and one who has not.
    for client in [clients[0], clients[MANY - 1]] {
        world.happens(client, Event::Reset);
    }
    let newcomer = world.connect("ann", "");
    let receipt = loop {
        if let Some(receipt) = part(&mut world, &mut to).expect("it fits") {
            break receipt;
        }
    };
    world.flush();
    assert_eq!(receipt.accepted, MANY - 1);
    for &client in &clients[..MANY - 1] {
        assert_eq!(texts(&world, client), ["to ann"]);
    }
    assert!(texts(&world, newcomer).is_empty());
}

#[test]
fn those_who_come_when_all_are_gone_get_nothing_of_what_was_sent_to_them() {
    let (mut world, clients) = devices(|_| {});
    let mut to = ToUser::new("ann", Frame::text("to ann"));
    while received(&world, &clients) == 0 {
        assert_eq!(part(&mut world, &mut to), Ok(None));
        world.flush();
    }
    let got = received(&world, &clients);
    for &client in &clients {
        world.happens(client, Event::Reset);
    }
    let newcomers: Vec<_> = (0..40).map(|_| world.connect("ann", "")).collect();
    let receipt = part(&mut world, &mut to).expect("it fits");
    world.flush();
    assert_eq!(receipt.map(|it| it.accepted), Some(got));
    assert_eq!(received(&world, &newcomers), 0);
}

#[test]
fn nobody_gets_a_frame_that_one_of_many_connections_has_no_space_for() {
    let (mut world, clients) = devices(|config| config.limits.queue_messages = 2);
    // Nobody has had a turn to write it.
    let last = world.id(clients[MANY - 1]);
    for text in ["1", "2", "3", "4"] {
        let sent = world.board.send(world.now, last, Frame::text(text));
        assert_eq!(sent.map(|it| it.accepted), Ok(1));
    }
    let sent = world
        .board
        .send_to_user(world.now, "ann", Frame::text("to ann"));
    assert_eq!(sent, Err(SendError::Busy));
    world.flush();
    assert_eq!(received(&world, &clients), 4);
    assert_eq!(texts(&world, clients[MANY - 1]), ["1", "2", "3", "4"]);
}

#[test]
fn what_is_sent_to_a_user_is_received_in_that_order() {
    let (mut world, clients) = devices(|_| {});
    let ends = [clients[0], clients[MANY - 1]];
    for text in ["1", "2", "3"] {
        let (now, frame) = (world.now, Frame::text(text));
        if text == "2" {
            for client in ends {
                let sent = world.board.send(now, world.id(client), frame.clone());
                assert_eq!(sent.map(|it| it.accepted), Ok(1));
            }
        } else {
            let sent = world.board.send_to_user(now, "ann", frame);
            assert_eq!(sent.map(|it| it.accepted), Ok(MANY));
        }
    }
    world.flush();
    for client in ends {
        assert_eq!(texts(&world, client), ["1", "2", "3"]);
    }
    assert_eq!(texts(&world, clients[1]), ["1", "3"]);
}

#[test]
fn connections_that_are_full_for_a_frame_to_their_user_are_closed_and_counted() {
    let (mut world, clients) = devices(|config| config.limits.queue_messages = 2);
    let full = &clients[MANY - 300..];
    for &client in full {
        world.stops_reading_after(client, 0);
        for _ in 0..2 {
            world.send(client, "x");
        }
    }
    let mut to = ToUser::new("ann", Frame::text("to ann"));
    let receipt = loop {
        let before = world.stats().total_connections;
        let sent = part(&mut world, &mut to).expect("it fits");
        let closed = before - world.stats().total_connections;
        assert!(closed <= 48, "{closed} by one part");
        if let Some(receipt) = sent {
            break receipt;
        }
    };
    world.advance(millis(300));
    assert_eq!((receipt.accepted, receipt.closed), (MANY - 300, 300));
    assert_eq!(world.stats().closes["slow_consumer"], 300);
    assert!(full.iter().all(|&it| texts(&world, it).is_empty()));
}

#[test]
fn who_stays_is_among_the_connections_that_are_read_in_parts_while_others_come_and_go() {
    let (mut world, clients) = devices(|_| {});
    let ids = ids(&world, &clients);
    assert_eq!(world.board.connections_of("ann"), ids);
    let (mut seen, mut next, mut at) = (Vec::new(), Some(0), 0);
    while let Some(after) = next {
        let (part, following) = world.board.connections_of_after("ann", after, 700);
        assert!(part.len() <= 700);
        seen.extend(part);
        next = following;
        world.happens(clients[at], Event::Reset);
        world.happens(clients[MANY - 1 - at], Event::Reset);
        world.connect("ann", "");
        at += 1;
    }
    let distinct: BTreeSet<_> = seen.iter().collect();
    assert_eq!(distinct.len(), seen.len(), "none is seen twice");
    let stayed = &ids[at..MANY - at];
    let of_them: Vec<_> = seen.into_iter().filter(|it| stayed.contains(it)).collect();
    assert_eq!(of_them, stayed, "the oldest first");
}

#[test]
fn the_time_since_anything_was_heard_of_a_user_is_found_in_parts() {
    let (mut world, clients) = devices(|_| {});
    world.now = world.now + secs(1);
    world.happens(clients[MANY - 1], Event::Pong(b""));
    world.now = world.now + millis(20);
    let (mut heard, mut next) = (Vec::new(), Some(0));
    while let Some(after) = next {
        let (part, following) = world.board.last_heard_after(world.now, "ann", after, PART);
        heard.extend(part);
        next = following;
    }
    assert!(heard.len() > 1);
    assert_eq!(heard.into_iter().min(), Some(millis(20)));
    assert_eq!(world.board.last_heard(world.now, "ann"), Some(millis(20)));
}

/// Returns how many were asked since the last time.
fn asked(world: &mut World, clients: &[Client]) -> usize {
    let pings = clients.iter();
    pings
        .filter(|&&it| !world.messages_of(it, "health_ping").is_empty())
        .count()
}

fn results(world: &World, ticket: u64) -> Option<Vec<PingResult>> {
    world.notices.iter().find_map(|notice| match notice {
        Notice::Pinged {
            ticket: of,
            results,
        } if *of == ticket => Some(results.clone()),
        _ => None,
    })
}

#[test]
fn many_connections_of_a_user_are_asked_some_at_a_time() {
    let (mut world, clients) = devices(|_| {});
    let ticket = world.board.ping_user(world.now, "ann", Duration::ZERO);
    world.flush();
    let mut all = asked(&mut world, &clients);
    assert!(all <= PART, "{all} by the call");
    // One that is not asked yet goes, and another one comes, which is not asked.
    world.happens(clients[MANY - 1], Event::Reset);
    let newcomer = world.connect("ann", "");
    while all < MANY - 1 {
        assert_eq!(results(&world, ticket), None);
        let next = world.board.next_deadline().expect("more is due");
        assert!(next <= world.now + millis(1), "not at once: {next:?}");
        world.now = next;
        world.tick();
        let some = asked(&mut world, &clients);
        assert!((1..=PART).contains(&some), "{some} by one tick");
        all += some;
    }
    assert_eq!(asked(&mut world, &[newcomer]), 0);
    world.advance(millis(1));
    let found = results(&world, ticket).expect("its time is over");
    assert!(found.iter().all(|result| result.rtt.is_none()));
    let expected = clients[..MANY - 1].iter().map(|&it| world.id(it));
    assert!(found.iter().map(|result| result.id).eq(expected));
}

#[test]
fn each_of_many_connections_has_the_result_of_its_own_answer() {
    let (mut world, clients) = devices(|_| {});
    let ticket = world.board.ping_user(world.now, "ann", secs(2));
    // Another call meanwhile is not held up by it.
    let ben = world.connect("ben", "");
    let other = world.board.ping_user(world.now, "ben", secs(2));
    world.flush();
    assert_eq!(asked(&mut world, &[ben]), 1);
    world.advance(millis(100));
    let answered = |at: usize| at.is_multiple_of(3);
    for (at, &client) in clients.iter().enumerate().rev() {
        let asked = world.messages_of(client, "health_ping").remove(0);
        if answered(at) {
            let pong = json!({"type": "health_pong", "timestamp": asked["timestamp"]});
            world.says(client, pong);
        }
    }
    world.advance(secs(2));
    let found = results(&world, ticket).expect("its time is over");
    assert_eq!(found.len(), MANY);
    for (at, result) in found.into_iter().enumerate() {
        assert_eq!(result.id, world.id(clients[at]));
        assert_eq!(result.rtt.is_some(), answered(at), "{at}");
    }
    assert_eq!(results(&world, other).map(|it| it.len()), Some(1));
}

#[test]
fn the_logins_of_some_connections_of_a_user_are_prolonged_and_counted() {
    let (mut world, clients) = devices(|_| {});
    let ids = ids(&world, &clients);
    world.happens(clients[1], Event::Reset);
    let now = world.now;
    let extended = world.board.extend_each(now, &ids[..4], Some(secs(1)));
    assert_eq!(extended, 3, "one is gone");
    world.advance(secs(2));
    assert_eq!(world.stats().closes["token_expired"], 3);
    assert!(clients[4..].iter().all(|&it| world.is_open(it)));
}

#[test]
fn what_was_done_in_parts_is_done_again_by_a_replay() {
    let (mut world, clients) = devices(|config| {
        config.recorder.bytes = 64 << 20;
        config.limits.queue_messages = 2;
    });
    for &client in &clients[MANY - 60..] {
        world.stops_reading_after(client, 0);
        for _ in 0..2 {
            world.send(client, "x");
        }
    }
    let mut frames = ["1", "2"].map(|text| ToUser::new("ann", Frame::text(text)));
    let mut through = [false; 2];
    while through != [true; 2] {
        for (to, through) in frames.iter_mut().zip(&mut through) {
            if !*through {
                *through = part(&mut world, to).expect("it fits").is_some();
                world.flush();
            }
        }
    }
    world.board.ping_user(world.now, "ann", secs(1));
    world.advance(secs(2));
    assert_eq!(received(&world, &clients), 2 * (MANY - 60));
    let dump = world.board.dump(world.now).expect("a recorder");
    let recording = Recording::read(&dump.to_string()).expect("a recording");
    let replayed = Replay::run(&recording).expect("a legal configuration");
    assert_eq!(replayed.unlike, None);
    assert_eq!(replayed.audit, Ok(()));
    assert!(recording.ends().eq(&replayed.ends));
    assert_eq!(replayed.ends.len(), 60);
}

#[test]
fn all_connections_of_a_user_are_excluded_from_a_frame_to_all() {
    let (mut world, clients) = devices(|_| {});
    let ben = world.connect("ben", "");
    let exclude = Exclude {
        connections: &[],
        users: &["ann", "nobody"],
    };
    let (now, frame) = (world.now, Frame::text("to all"));
    let receipt = world.board.broadcast_all(now, frame, exclude);
    let receipt = receipt.expect("it fits");
    assert_eq!((receipt.accepted, receipt.excluded), (1, MANY));
    world.flush();
    assert_eq!(texts(&world, ben), ["to all"]);
    assert_eq!(received(&world, &clients), 0);
}

#[test]
fn the_rooms_of_many_connections_of_a_user_are_told_something_else_of_the_user_in_parts() {
    let mut world = World::with(|config| {
        many(config);
        config.users = UserPolicy::Allow(2 * MANY);
    });
    let room = |at: usize| format!("room{}", at / 20);
    let watchers = [0, MANY / 2, MANY - 1];
    let watchers = watchers.map(|at| world.connect(&format!("w{at}"), &room(at)));
    for at in 0..MANY {
        world.connect("ann", &room(at));
    }
    world.advance(secs(1));
    world.forget();
    for n in 0..3 {
        let json = n.to_string();
        let info = PresenceInfo::new(Json::parse(&json).expect("JSON"));
        let info = info.expect("a short one");
        assert!(world.board.set_user_presence(world.now, "ann", Some(info)));
        let next = world.board.next_deadline().expect("more is due");
        assert!(next <= world.now + millis(1), "not at once: {next:?}");
        world.now = next;
        world.tick();
    }
    world.advance(millis(300));
    for watcher in watchers {
        let told = world.messages_of(watcher, "presence");
        let infos: Vec<_> = told.iter().map(|it| &it["info"]).collect();
        assert_eq!(infos, [&json!({"ann": 2})]);
    }
}
