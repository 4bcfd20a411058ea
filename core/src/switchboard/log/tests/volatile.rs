//! Volatile messages.

use super::super::entry::Kind;
use super::super::limits::Slow;
use super::super::turn::Turn;
use super::scenarios::{Words, World, kept, rule};

#[test]
fn a_volatile_message_goes_only_to_those_for_whom_nothing_waits() {
    let mut world = World::new(3);
    let key = world.room(rule(Slow::Disconnect), &[0, 1, 2]);
    world.say(key, Kind::Numbered, "a", &[]);
    world.write(&[2]);
    assert_eq!(world.say(key, Kind::Volatile, "v", &[0]), (1, 1));
    assert_eq!(world.say(key, Kind::Volatile, "w", &[]), (0, 3));
    world.say(key, Kind::Numbered, "b", &[]);
    let got = world.write(&[]);
    assert_eq!(got[0], ["b"]);
    assert_eq!(got[1], ["v", "b"]);
    world.log.writable(world.ids[2]);
    assert_eq!(world.write(&[])[2], ["a", "b"]);
    assert_eq!(world.log.held(), 0);
}

#[test]
fn who_has_a_volatile_message_ahead_when_its_socket_takes_no_more_loses_it() {
    let mut world = World::new(2);
    let key = world.room(rule(Slow::Disconnect), &[0, 1]);
    world.say(key, Kind::Volatile, "v", &[]);
    let mut turn = Turn::default();
    world.log.take(&mut turn, 32, &mut Words);
    turn.write_each(|id, bytes| if id.slot == 0 { bytes.len() } else { 0 });
    let missed = world.log.report(&mut turn).iter().map(|it| it.missed);
    assert_eq!(missed.sum::<u32>(), 1);
    world.log.check(&[]);
    assert_eq!(world.log.held(), 0);
    world.say(key, Kind::Numbered, "a", &[]);
    world.log.writable(world.ids[1]);
    assert_eq!(world.write(&[])[1], ["a"]);
}

#[test]
fn a_volatile_message_that_has_begun_is_finished() {
    let mut world = World::new(1);
    let key = world.room(rule(Slow::Disconnect), &[0]);
    world.say(key, Kind::Volatile, "vvvv", &[]);
    let mut turn = Turn::default();
    world.log.take(&mut turn, 32, &mut Words);
    turn.write_each(|_, _| 3);
    let missed = world.log.report(&mut turn).iter().map(|it| it.missed);
    assert_eq!(missed.sum::<u32>(), 0);
    world.log.writable(world.ids[0]);
    let mut turn = Turn::default();
    world.log.take(&mut turn, 32, &mut Words);
    assert_eq!(turn.job(0).map(|(_, bytes)| bytes), Some(&b"vvv"[..]));
}

#[test]
fn however_much_is_volatile_nobody_is_closed_or_loses_anything_else_for_it() {
    let policies = [
        rule(Slow::Disconnect),
        rule(Slow::DropOldest),
        rule(Slow::DropNewest),
        kept(Slow::Disconnect, 4),
        kept(Slow::CatchUp, 4),
    ];
    for rule in policies {
        let mut world = World::new(2);
        let key = world.room(rule, &[0, 1]);
        for number in 1..=4 {
            world.say(key, Kind::Numbered, &number.to_string(), &[]);
            world.write(&[1]);
            for _ in 0..200 {
                assert_eq!(world.say(key, Kind::Volatile, "v", &[]), (1, 1));
                assert_eq!(world.write(&[1])[0], ["v"]);
            }
        }
        assert_eq!(world.log.next_condemned(), None);
        let entries = world.log.rooms[key].ring.len();
        assert!(entries <= 2 * 4 + 10, "{entries} entries");
        world.log.writable(world.ids[1]);
        assert_eq!(world.write(&[])[1], ["1", "2", "3", "4"]);
    }
}

#[test]
fn a_gap_is_told_exactly_where_volatile_messages_went_between() {
    let mut world = World::new(2);
    let key = world.room(kept(Slow::CatchUp, 3), &[0, 1]);
    world.say(key, Kind::Numbered, "1", &[]);
    world.write(&[1]);
    for number in 2..=9 {
        for _ in 0..20 {
            world.say(key, Kind::Volatile, "v", &[]);
            world.write(&[1]);
        }
        world.say(key, Kind::Numbered, &number.to_string(), &[]);
        world.write(&[1]);
    }
    world.log.writable(world.ids[1]);
    assert_eq!(world.write(&[])[1], ["gap 1-5", "6", "7", "8", "9"]);
}

#[test]
fn what_is_volatile_is_dropped_and_not_refused_where_nobody_has_had_a_turn() {
    let mut world = World::new(2);
    let key = world.room(rule(Slow::Disconnect), &[0, 1]);
    for _ in 0..9 {
        world.say(key, Kind::Numbered, "x", &[]);
    }
    assert!(world.log.is_full(key, Kind::Numbered));
    assert_eq!(world.say(key, Kind::Volatile, "v", &[1]), (0, 1));
}
