//! What would take long is done in parts (`docs/architecture.md`), and comes to the same.

use std::collections::BTreeSet;
use std::time::Duration;

use switchboard_core::protocol::Content;
use switchboard_core::{CloseReason, Config, ConnectionId, Exclude, Frame, Notice, Rooms, ToAll};
use switchboard_kit::Received;

use crate::world::{Client, World, millis, secs};

/// More connections than one part of anything has.
pub(crate) const MANY: usize = 5_000;

pub(crate) fn many(config: &mut Config) {
    config.rates.connects = None;
    config.limits.connections = 2 * MANY;
    config.limits.per_ip = 2 * MANY;
    config.limits.room_members = 2 * MANY;
}

fn room_of(users: usize, change: impl FnOnce(&mut Config)) -> (World, Vec<Client>) {
    let mut world = World::with(|config| {
        many(config);
        change(config);
    });
    let clients = (0..users)
        .map(|n| world.connect(&format!("u{n:04}"), "lobby"))
        .collect();
    world.advance(secs(1));
    world.forget();
    (world, clients)
}

fn without_presence(config: &mut Config) {
    config.presence.enabled = false;
}

pub(crate) fn texts(world: &World, client: Client) -> Vec<&str> {
    let frames = world.peers[client.0].frames.iter();
    frames
        .filter_map(|frame| match frame {
            Received::Text(text) if !text.starts_with('{') => Some(&**text),
            _ => None,
        })
        .collect()
}

#[test]
fn a_frame_to_all_reaches_each_connection_once_in_several_parts() {
    let (mut world, clients) = room_of(MANY, without_presence);
    let excluded = [world.id(clients[3]), world.id(clients[4_999])];
    let exclude = Exclude {
        connections: &excluded,
        users: &[],
    };
    let mut all = ToAll::new(Frame::text("to all"));
    let (mut parts, mut held) = (0, 0);
    let receipt = loop {
        parts += 1;
        let now = world.now;
        let part = world.board.broadcast_all_part(now, &mut all, exclude);
        held = held.max(world.board.stats(now).queued_bytes);
        if let Some(receipt) = part.expect("it fits") {
            break receipt;
        }
    };
    assert!(parts > 1);
    assert_eq!(
        held,
        Frame::text("to all").as_bytes().len(),
        "it counts once"
    );
    assert_eq!((receipt.accepted, receipt.excluded), (MANY - 2, 2));
    world.flush();
    for (at, &client) in clients.iter().enumerate() {
        let expected: &[&str] = if at == 3 || at == 4_999 {
            &[]
        } else {
            &["to all"]
        };
        assert_eq!(texts(&world, client), expected, "{at}");
    }
}

#[test]
fn what_is_sent_before_and_after_a_frame_to_all_is_received_in_that_order() {
    let (mut world, clients) = room_of(MANY, without_presence);
    for text in ["1", "2", "3"] {
        let (now, frame) = (world.now, Frame::text(text));
        if text == "2" {
            let all = world.board.broadcast_all(now, frame, Exclude::NOBODY);
            assert_eq!(all.expect("it fits").accepted, MANY);
            continue;
        }
        for &client in [&clients[0], &clients[MANY - 1]] {
            let sent = world.board.send(now, world.id(client), frame.clone());
            assert_eq!(sent.expect("it fits").accepted, 1);
        }
    }
    world.flush();
    for client in [clients[0], clients[MANY - 1]] {
        assert_eq!(texts(&world, client), ["1", "2", "3"]);
    }
}

#[test]
fn who_stays_is_among_the_members_that_are_read_in_parts_while_others_leave() {
    let (mut world, clients) = room_of(300, without_presence);
    let (mut seen, mut before, mut left) = (Vec::new(), usize::MAX, BTreeSet::new());
    let mut next = clients.iter().step_by(3);
    while before > 0 {
        let (part, from) = world.board.members_before("lobby", before, 20);
        assert!(part.len() <= 20 && from < before);
        seen.extend(part);
        before = from;
        for &client in next.by_ref().take(5) {
            let id = world.id(client);
            left.insert(id);
            assert_eq!(world.board.leave(world.now, id, "lobby"), Ok(true));
        }
    }
    let seen: BTreeSet<ConnectionId> = seen.into_iter().collect();
    let all: BTreeSet<_> = clients.iter().map(|&client| world.id(client)).collect();
    assert!(!left.is_empty());
    assert!(all.difference(&left).all(|id| seen.contains(id)));
    assert!(seen.is_subset(&all));
}

#[test]
fn the_users_of_a_room_that_are_read_in_parts_are_in_the_order_of_joining() {
    let (mut world, clients) = room_of(300, |_| {});
    let (mut seen, mut next) = (Vec::new(), Some(0));
    while let Some(after) = next {
        let part = world.board.room_users_after("lobby", after, 20);
        let (part, following) = part.expect("there is presence");
        assert!(part.len() <= 20);
        seen.extend(part);
        next = following;
        // One that was read before leaves, and one comes.
        if let Some(&client) = clients.get(seen.len() / 20) {
            let _ = world.board.leave(world.now, world.id(client), "lobby");
        }
    }
    let expected: Vec<_> = (0..300).map(|n| format!("u{n:04}").into()).collect();
    assert_eq!(seen, expected);
    assert_eq!(world.board.room_users_after("nowhere", 0, 20), None);
}

/// Makes the ticks of two intervals of presence; returns of how many rooms each told the changes.
fn told_by_each_tick(world: &mut World) -> Vec<usize> {
    let until = world.now + 2 * world.board.config().presence.interval;
    let mut told = Vec::new();
    while let Some(next) = world.board.next_deadline().filter(|&at| at <= until) {
        world.notices.clear();
        world.now = world.now.max(next);
        world.tick();
        let notices = world.notices.iter();
        told.push(
            notices
                .filter(|it| matches!(it, Notice::Presence { .. }))
                .count(),
        );
    }
    told
}

#[test]
fn what_a_user_of_many_rooms_changes_is_told_in_some_of_them_at_a_time() {
    const ROOMS: usize = 60;
    for (users, most) in [(2, 26), (40, 15)] {
        let (mut world, clients) = room_of(users, |config| config.rooms = Rooms::Open);
        for room in 1..ROOMS {
            for &client in &clients {
                let joined = world
                    .board
                    .join(world.now, world.id(client), &format!("r{room}"));
                joined.expect("there is room");
            }
            if room % 10 == 0 {
                world.advance(secs(1));
            }
        }
        world.advance(secs(5));
        let gone = world.id(clients[0]);
        let kicked = world.board.close(world.now, gone, CloseReason::Kicked);
        assert_eq!(kicked, Ok(()));
        let told = told_by_each_tick(&mut world);
        assert_eq!(told.iter().sum::<usize>(), ROOMS);
        let longest = told.into_iter().max();
        assert!(longest <= Some(most), "{longest:?} with {users} users");
    }
}

#[test]
fn connections_that_a_drain_closes_at_once_are_closed_some_at_a_time() {
    let (mut world, clients) = room_of(300, without_presence);
    let open = |world: &World| {
        let open = clients.iter().filter(|&&client| world.is_open(client));
        open.count()
    };
    world.board.drain(world.now, secs(1), secs(5));
    world.flush();
    world.now = world.now + secs(1);
    let mut before = open(&world);
    while before > 0 {
        world.tick();
        let left = open(&world);
        assert!(before - left <= 48, "{before} to {left}");
        before = left;
        let next = world.board.next_deadline().expect("there is more to do");
        assert!(before == 0 || next <= world.now + millis(1), "at once");
    }
}

#[test]
fn connections_that_are_left_at_the_end_of_a_drain_are_evicted_some_at_a_time() {
    let (mut world, clients) = room_of(300, without_presence);
    for &client in &clients {
        world.stops_reading_after(client, 0);
    }
    world.board.drain(world.now, secs(1), secs(2));
    world.advance(millis(1_999));
    world.now = world.now + millis(1);
    let gone = |world: &World| world.peers.iter().filter(|peer| peer.gone).count();
    let mut before = gone(&world);
    while before < 300 {
        world.tick();
        let now = gone(&world);
        assert!(before < now && now - before <= 48, "{before} to {now}");
        before = now;
    }
    let reports = world.notices.iter().filter_map(|notice| match notice {
        Notice::Drained(report) => Some((report.connections, report.evicted)),
        _ => None,
    });
    assert_eq!(reports.collect::<Vec<_>>(), [(300, 300)]);
}

#[test]
fn a_drain_of_many_connections_closes_each_once_and_refuses_those_that_log_in() {
    let (mut world, _) = room_of(MANY, without_presence);
    let late = world.arrives_to_stay();
    let from = world.new_address();
    world.asks_on(late, from, "/ws/lobby?token=late", "");
    world.board.drain(world.now, secs(10), secs(20));
    assert!(world.board.can_accept(None).is_err());
    world.advance(secs(11));
    let reports = world.notices.iter().filter_map(|notice| match notice {
        Notice::Drained(report) => Some((report.connections, report.evicted)),
        _ => None,
    });
    assert_eq!(reports.collect::<Vec<_>>(), [(MANY, 0)]);
    assert_eq!(world.board.stats(world.now).refused["restart"], 1);
}

#[test]
fn a_drain_looks_at_some_of_many_connections_at_a_time() {
    const LOOK: usize = 1_024;
    let (mut world, _) = room_of(MANY, without_presence);
    world.board.drain(world.now, secs(1_000), secs(2_000));
    let mut calls = 1;
    while let Some(next) = world.board.next_deadline()
        && next <= world.now + Duration::from_micros(1)
    {
        calls += 1;
        world.now = next;
        world.tick();
    }
    assert_eq!(calls, MANY.div_ceil(LOOK));
}

#[test]
fn logins_that_expire_at_once_end_some_at_a_time() {
    let (mut world, clients) = room_of(300, without_presence);
    for &client in &clients {
        let id = world.id(client);
        let extended = world.board.extend(world.now, id, Some(secs(1)));
        assert_eq!(extended, Ok(()));
    }
    world.now = world.now + secs(1);
    let mut before = 300;
    while before > 0 {
        world.tick();
        let open = clients.iter().filter(|&&client| world.is_open(client));
        let left = open.count();
        assert!(left < before && before - left <= 48, "{before} to {left}");
        before = left;
    }
}

#[test]
fn of_many_joins_at_once_members_are_told_the_number_once_and_the_application_the_names() {
    let (mut world, clients) = room_of(100, |_| {});
    let ids: Vec<_> = (0..1_000)
        .map(|n| world.connect(&format!("new{n:04}"), "lobby"))
        .collect();
    world.notices.clear();
    world.advance(secs(1));
    let told = |world: &mut World, client| {
        let messages = world.messages_of(client, "presence").into_iter();
        messages
            .filter(|message| message["users"].is_null())
            .map(|message| (message["count"].clone(), message["joined"].is_null()))
            .collect::<Vec<_>>()
    };
    for client in [clients[0], clients[99], ids[0], ids[999]] {
        assert_eq!(told(&mut world, client), [(1_100.into(), true)]);
    }
    let joined = world.notices.iter().flat_map(|notice| match notice {
        Notice::Presence { joined, .. } => joined.clone(),
        _ => Vec::new(),
    });
    let names: BTreeSet<_> = joined.clone().collect();
    assert_eq!((joined.count(), names.len()), (1_000, 1_000));
    assert_eq!(world.board.room_users("lobby").len(), 1_100);
    // Afterwards changes are told by name again.
    world.forget();
    world.connect("latest", "lobby");
    world.advance(secs(1));
    let last = world.messages_of(clients[0], "presence");
    assert_eq!(last[0]["joined"], serde_json::json!(["latest"]));
}

#[test]
fn rooms_without_members_that_are_too_many_end_some_at_a_time() {
    /// Rooms of the connection, as many as may be without members.
    const ROOMS: usize = 400;
    /// Messages of a room.
    const EACH: usize = 4;
    /// What one call may free, where a room counts as 16 messages more.
    const MOST: usize = 2_048 / (16 + EACH) + 1;
    let mut world = World::with(|config| {
        config.rooms = Rooms::Open;
        config.limits.rooms_per_connection = ROOMS;
        config.history.messages = EACH;
        config.history.rooms = ROOMS;
    });
    let ann = world.connect("ann", "");
    for generation in ["old", "new"] {
        for at in 0..ROOMS {
            let room = format!("{generation}{at}");
            if generation == "new" {
                let joined = world.board.join(world.now, world.id(ann), &room);
                joined.expect("there is room");
            }
            for _ in 0..EACH {
                let (now, content) = (world.now, Content::parse("0").expect("JSON"));
                let sent = world
                    .board
                    .broadcast(now, &room, content, None, Exclude::NOBODY);
                sent.expect("it fits");
            }
        }
        world.flush();
    }
    let kept = |world: &World| world.stats().history.rooms;
    assert_eq!(kept(&world), 2 * ROOMS);
    world.happens(ann, switchboard_core::Event::Reset);
    let mut before = kept(&world);
    assert!((1..=MOST).contains(&(2 * ROOMS - before)), "{before}");
    while before > ROOMS {
        let next = world.board.next_deadline().expect("more is due");
        assert!(next <= world.now + millis(1), "not at once: {next:?}");
        world.now = next;
        world.board.tick(next);
        let left = kept(&world);
        assert!((1..=MOST).contains(&(before - left)), "{before} to {left}");
        before = left;
    }
    assert_eq!(before, ROOMS);
    let old = world.board.position("old399");
    assert_eq!(
        (old, world.board.position("new0").map(|it| it.seq)),
        (None, Some(EACH as u64))
    );
}
