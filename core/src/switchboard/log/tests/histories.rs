//! The bound over the histories of all rooms.

use std::time::Duration;

use super::super::Log;
use super::super::entry::Kind;
use super::super::history::Origin;
use super::super::limits::{Keep, LagRule, Limits, Rule, Slow};
use crate::{Frame, Time};

/// Room for four entries of 112 bytes and a frame of 10.
const LIMITS: Limits = Limits {
    own_bytes: 1_000,
    own_messages: 8,
    held: 100_000,
    history_bytes: 4 * 122,
    dormant_rooms: 10,
    contexts: 0,
};

/// Room for any number of them.
const ROOMY: Limits = Limits {
    history_bytes: 100_000,
    ..LIMITS
};

/// Frees and removes what is due, about so much. Returns the rooms that ended.
pub(super) fn expire(log: &mut Log, millis: u64, most: usize) -> Vec<u32> {
    let (now, mut share) = (Time::from_millis(millis), most);
    log.expire(now, &mut share);
    let mut ended = Vec::new();
    while let Some(key) = log.next_to_end(now, &mut share) {
        log.remove_room(key);
        ended.push(key);
    }
    log.free_removed(&mut share);
    ended
}

fn room(log: &mut Log, messages: usize, age: u64) -> u32 {
    log.create_room(Rule {
        lag: LagRule {
            slow: Slow::Disconnect,
            messages: 100,
            bytes: 100_000,
        },
        history: Some(Keep {
            messages,
            bytes: 100_000,
            age: Duration::from_secs(age),
            linger: Duration::from_secs(1_000),
        }),
        latest: None,
        contexts: false,
    })
}

fn say(log: &mut Log, key: u32, at: u64) {
    log.advance_clock(Time::from_millis(at * 1_000));
    let frame = Frame::text("12345678");
    log.publish(key, frame, Kind::Numbered, &[], Origin::default())
        .expect("it is not full");
}

#[test]
fn over_the_bound_of_all_histories_what_would_expire_first_goes_first() {
    let mut log = Log::new(LIMITS);
    let (lasting, brief) = (room(&mut log, 10, 100), room(&mut log, 10, 10));
    for at in 0..3 {
        say(&mut log, lasting, at);
    }
    say(&mut log, brief, 3);
    assert_eq!((log.range(lasting), log.range(brief)), ((1, 3), (1, 1)));
    say(&mut log, lasting, 4);
    assert_eq!((log.range(lasting), log.range(brief)), ((1, 4), (2, 1)));
    say(&mut log, lasting, 5);
    assert_eq!((log.range(lasting), log.kept().1), ((2, 5), 4 * 122));
}

#[test]
fn a_message_that_has_gone_does_not_make_its_room_the_first_to_give_up_another() {
    let mut log = Log::new(LIMITS);
    let (busy, quiet) = (room(&mut log, 2, 100), room(&mut log, 10, 90));
    say(&mut log, busy, 0);
    say(&mut log, quiet, 20);
    say(&mut log, quiet, 21);
    // The first of the busy room, which would have expired first, goes by its count.
    say(&mut log, busy, 40);
    say(&mut log, busy, 41);
    say(&mut log, quiet, 42);
    assert_eq!((log.range(busy), log.range(quiet)), ((2, 3), (2, 3)));
}

#[test]
fn messages_that_have_become_too_old_go_some_at_a_time() {
    let mut log = Log::new(ROOMY);
    let keys = [room(&mut log, 100, 10), room(&mut log, 100, 10)];
    for key in keys {
        for _ in 0..100 {
            say(&mut log, key, 0);
        }
    }
    let due = Time::from_millis(10_000);
    let (mut before, mut calls) = (log.kept().0, 0);
    assert_eq!(before, 200);
    while log.next_deadline().is_some_and(|at| at <= due) {
        assert!(expire(&mut log, 10_000, 30).is_empty());
        let kept = log.kept().0;
        assert!((1..=30).contains(&(before - kept)), "{before} to {kept}");
        (before, calls) = (kept, calls + 1);
    }
    assert_eq!((before, log.held(), calls), (0, 0, 8));
}

#[test]
fn rooms_that_have_lingered_go_some_at_a_time_and_large_ones_are_freed_in_parts() {
    let mut log = Log::new(ROOMY);
    let (large, small) = (room(&mut log, 100, 2_000), room(&mut log, 100, 2_000));
    for _ in 0..100 {
        say(&mut log, large, 0);
    }
    for _ in 0..20 {
        say(&mut log, small, 1);
    }
    let each = log.held() / 120;
    let due = Time::from_millis(1_001_000);
    let mut parts = Vec::new();
    while log.next_deadline().is_some_and(|at| at <= due) {
        let ended = expire(&mut log, 1_001_000, 50);
        parts.push((log.kept().0, log.held() / each, ended));
    }
    let expected = [
        // The first 32 messages go with a room. What is left of the share goes to the other one.
        (0, 68, vec![large, small]),
        (0, 18, vec![]),
        (0, 0, vec![]),
    ];
    assert_eq!(parts, expected);
    assert_eq!(
        (log.kept(), log.held(), log.waiting_bytes()),
        ((0, 0), 0, 0)
    );
}

#[test]
fn rooms_without_members_that_are_too_many_go_some_at_a_time_the_oldest_first() {
    let mut log = Log::new(ROOMY);
    let rooms: Vec<u32> = (0..14).map(|_| room(&mut log, 100, 2_000)).collect();
    for (at, &key) in rooms.iter().enumerate() {
        for _ in 0..10 {
            say(&mut log, key, at as u64);
        }
    }
    let mut ended = Vec::new();
    while log.has_too_many_dormant() {
        assert_eq!(
            log.next_deadline(),
            Some(Time::from_millis(13_000)),
            "at once"
        );
        let some = expire(&mut log, 13_000, 50);
        assert!(some.len() <= 2, "{some:?}");
        ended.extend(some);
    }
    assert_eq!(ended, rooms[..4]);
    assert!(log.next_deadline() > Some(Time::from_millis(13_000)));
    assert!(expire(&mut log, 13_000, 50).is_empty());
}
