//! Members that are slow in rooms that keep the latest value of each key.

use std::collections::BTreeMap;

use super::super::entry::Kind;
use super::super::history::Origin;
use super::super::latest::NotKept;
use super::super::limits::Slow;
use super::super::recovery::StartAt;
use super::super::turn::Turn;
use super::scenarios::{Words, World};
use super::values::keyed;
use crate::Frame;

#[test]
fn who_was_slow_gets_the_latest_value_of_each_key_in_order() {
    let mut world = World::new(2);
    let key = world.room(keyed(Slow::Disconnect), &[0, 1]);
    world.put_all(key, &["a1"]);
    world.write(&[1]);
    for round in 2..500 {
        world.put_all(key, &[&format!("b{round}"), &format!("a{round}")]);
        assert_eq!(world.write(&[1])[0].len(), 2);
    }
    world.put_all(key, &["c1"]);
    world.remove(key, "b").expect("it is not busy");
    world.log.writable(world.ids[1]);
    assert_eq!(world.write(&[])[1], ["a499", "c1", "-b"]);
    assert_eq!(world.log.next_condemned(), None);
    assert_eq!(world.log.leave(world.ids[1], key), Some(0));
}

#[test]
fn removals_make_a_member_slow_and_values_do_not() {
    for slow in [Slow::Disconnect, Slow::DropOldest, Slow::DropNewest] {
        let mut world = World::new(2);
        let key = world.room(keyed(slow), &[0, 1]);
        world.put_all(key, &["a1"]);
        world.write(&[1]);
        for round in 0..100 {
            world.put_all(key, &[&format!("a{round}"), &format!("b{round}")]);
            world.write(&[1]);
        }
        for name in ["a", "b", "x1", "x2"] {
            let removed = world.remove(key, name).expect("it is not busy");
            assert_eq!((removed.accepted, removed.closed), (2, 0));
            world.write(&[1]);
        }
        let removed = world.remove(key, "x3").expect("it is not busy");
        assert_eq!((removed.accepted, removed.closed), (1, 1));
        assert_eq!(world.log.next_condemned(), Some(world.ids[1]));
    }
}

#[test]
fn removals_that_nobody_had_a_turn_to_read_are_refused_and_values_are_not() {
    let mut world = World::new(1);
    let key = world.room(keyed(Slow::Disconnect), &[0]);
    for at in 0..9 {
        let removed = world.remove(key, &format!("x{at}"));
        assert_eq!(removed.map(|it| it.accepted), Ok(1));
    }
    assert_eq!(world.remove(key, "y"), Err(NotKept::Busy));
    assert_eq!(world.log.next_condemned(), None);
    world.put_all(key, &["a1"]);
    assert_eq!(world.write(&[])[0].len(), 10);
    world.remove(key, "y").expect("it is not busy");
}

#[test]
fn a_message_without_a_key_is_for_those_who_are_there_and_is_dropped_where_the_rule_says_so() {
    let mut world = World::new(3);
    let key = world.room(keyed(Slow::DropNewest), &[0, 1]);
    world.put_all(key, &["a1"]);
    world.write(&[1]);
    let sent = (1..=6).map(|number| {
        let frame = Frame::text(&number.to_string());
        let origin = Origin::default();
        let sent = world.log.publish(key, frame, Kind::Numbered, &[], origin);
        world.write(&[1]);
        sent.map(|it| (it.accepted, it.dropped_oldest))
    });
    let sent: Result<Vec<_>, _> = sent.collect();
    let expected = [(2, 0), (2, 0), (2, 0), (2, 0), (2, 1), (2, 1)];
    assert_eq!(sent.as_deref(), Ok(&expected[..]));
    world.join(2, key, StartAt::After(1));
    world.put_all(key, &["b1"]);
    world.log.writable(world.ids[1]);
    let got = world.write(&[]);
    assert_eq!(got[1], ["a1", "3", "4", "5", "6", "b1"]);
    assert_eq!(got[2], ["a1", "b1"]);
    assert_eq!(world.log.range(key), (8, 8), "the messages are not kept");
}

#[test]
fn what_was_dropped_does_not_count_for_those_who_have_a_removal_from_before_to_get() {
    let mut world = World::new(2);
    let mut rule = keyed(Slow::DropOldest);
    rule.lag.bytes = 40;
    let key = world.room(rule, &[0, 1]);
    world.put_all(key, &["a1"]);
    world.write(&[1]);
    world.remove(key, "a").expect("it is not busy");
    for number in 10..40 {
        world.say(key, Kind::Raw, &format!("frame {number}"), &[]);
        assert_eq!(
            world.write(&[1])[0].last(),
            Some(&format!("frame {number}"))
        );
    }
    world.log.writable(world.ids[1]);
    let kept = ["-a", "frame 37", "frame 38", "frame 39"];
    assert_eq!(world.write(&[])[1], kept);
}

#[test]
fn memory_is_bounded_by_the_keys_however_much_is_published() {
    let mut world = World::new(2);
    let key = world.room(keyed(Slow::Disconnect), &[0, 1]);
    world.put_all(key, &["a1"]);
    world.write(&[1]);
    for round in 0..5_000 {
        let name = ["a", "b", "c", "d"][round % 4];
        world
            .put(key, name, &format!("{round:08}"))
            .expect("it is kept");
        if round % 3 == 0 {
            world.write(&[1]);
        }
        assert!(world.log.held() <= 4 * 10);
    }
    assert_eq!(world.log.history(key, 0, u64::MAX, 10).len(), 4);
}

#[test]
fn a_slow_member_gets_each_key_while_it_reads_as_much_as_all_keys_take() {
    let mut world = World::new(2);
    let key = world.room(keyed(Slow::Disconnect), &[0, 1]);
    world.put_all(key, &["a1", "b1", "c1", "d1"]);
    let (mut rounds, mut since) = (BTreeMap::new(), BTreeMap::new());
    world.write(&[1]);
    for round in 0..200 {
        // "d" changes all the time, the others now and then.
        let value = |name| format!("{name}{round:06}");
        world.put_all(key, &[&value("d")]);
        world.put_all(key, &[&value(["a", "b", "c"][round % 3])]);
        world.put_all(key, &[&value("d")]);
        world.write(&[1]);
        // It takes one message in each round.
        world.log.writable(world.ids[1]);
        let mut turn = Turn::default();
        world.log.take(&mut turn, 1, &mut Words);
        let (_, bytes) = turn.job(0).expect("something waits");
        let name = char::from(bytes[2]);
        let one = 2 + usize::from(bytes[1]);
        turn.wrote(0, one);
        world.log.report(&mut turn);
        world.log.check(&[]);
        if let Some(last) = since.insert(name, round) {
            let longest: &mut usize = rounds.entry(name).or_default();
            *longest = (*longest).max(round - last);
        }
    }
    assert_eq!(rounds.len(), 4);
    assert!(rounds.values().all(|&longest| longest <= 8), "{rounds:?}");
}

#[test]
fn who_becomes_slow_a_second_time_is_closed_although_a_removal_was_overwritten_meanwhile() {
    let mut world = World::new(1);
    let key = world.room(keyed(Slow::Disconnect), &[0]);
    for name in ["a", "b", "c", "d", "e"] {
        world.remove(key, name).expect("it is not busy");
    }
    world.put_all(key, &["a1", "b1"]);
    world.write(&[0]);
    assert_eq!(world.log.next_condemned(), None);
    world.remove(key, "f").expect("it is not busy");
    assert_eq!(world.log.next_condemned(), None);
    world.remove(key, "g").expect("it is not busy");
    assert_eq!(world.log.next_condemned(), Some(world.ids[0]));
}

#[test]
fn who_turns_out_to_be_blocked_after_too_many_removals_is_closed() {
    let mut world = World::new(1);
    let key = world.room(keyed(Slow::DropOldest), &[0]);
    for name in ["a", "b", "c", "d", "e"] {
        world.remove(key, name).expect("it is not busy");
    }
    assert_eq!(world.log.next_condemned(), None);
    world.write(&[0]);
    assert_eq!(world.log.next_condemned(), Some(world.ids[0]));
}

#[test]
fn a_volatile_message_is_not_for_who_stood_at_a_value_that_was_swept() {
    let mut world = World::new(2);
    let key = world.room(keyed(Slow::Disconnect), &[0, 1]);
    world.put_all(key, &["a1"]);
    let mut turn = Turn::default();
    world.log.take(&mut turn, 1, &mut Words);
    assert_eq!(turn.job(0).map(|(id, _)| id), Some(world.ids[0]));
    turn.write_each(|_, bytes| bytes.len());
    world.log.report(&mut turn);
    assert_eq!(world.say(key, Kind::Volatile, "v", &[]), (1, 1));
    for round in 2..20 {
        world.put_all(key, &[&format!("a{round}")]);
    }
    let got = world.write(&[]);
    assert_eq!(
        (&got[0][..], &got[1][..]),
        (&["v".into(), "a19".into()][..], &["a19".into()][..])
    );
}

#[test]
fn what_is_not_kept_is_not_lost_by_who_came_back_later() {
    let mut world = World::new(2);
    let key = world.room(keyed(Slow::DropOldest), &[0]);
    world.put_all(key, &["a1"]);
    world.write(&[0]);
    for _ in 0..4 {
        world.say(key, Kind::Raw, "raw", &[]);
    }
    world.join(1, key, StartAt::After(0));
    let frame = Frame::text("raw");
    let origin = Origin::default();
    let sent = world.log.publish(key, frame, Kind::Raw, &[], origin);
    assert_eq!(sent.map(|it| it.dropped_oldest), Ok(1));
    let got = world.write(&[0]);
    assert_eq!(got[1], ["a1", "raw"]);
}
