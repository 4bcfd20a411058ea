//! Members that begin in the history of a room.

use super::super::entry::Kind;
use super::super::history::Origin;
use super::super::limits::Slow;
use super::super::recovery::{Identity, NoMarkers, StartAt};
use super::super::turn::Turn;
use super::histories::expire;
use super::scenarios::{Words, World, kept};
use crate::{Frame, Time};

#[test]
fn a_room_without_members_keeps_its_history_until_it_has_lingered() {
    let mut world = World::new(1);
    let key = world.room(kept(Slow::Disconnect, 4), &[]);
    assert!(!world.log.has_too_many_dormant());
    let other = world.room(kept(Slow::Disconnect, 4), &[]);
    assert!(world.log.has_too_many_dormant());
    assert_eq!(world.log.next_deadline(), Some(Time::ZERO), "at once");
    world.log.remove_room(other);
    world.say(key, Kind::Numbered, "1", &[]);
    world.say(key, Kind::Numbered, "2", &[]);
    assert_eq!(world.log.history(key, 2, 9, 10), [(2, Frame::text("2"))]);
    world.join(0, key, StartAt::Last(1));
    assert_eq!(world.write(&[])[0], ["2"]);
    world.log.leave(world.ids[0], key);
    assert_eq!(world.log.next_deadline(), Some(Time::from_millis(10_000)));
    assert!(expire(&mut world.log, 10_000, 8).is_empty());
    assert_eq!((world.log.range(key), world.log.held()), ((3, 2), 0));
    assert_eq!(world.log.next_deadline(), Some(Time::from_millis(20_000)));
    assert_eq!(expire(&mut world.log, 20_000, 8), [key]);
}

/// A room with four messages, of which the second and third are not for who comes back.
fn room_with_exclusions(world: &mut World) -> (u32, Identity) {
    let key = world.room(kept(Slow::Disconnect, 4), &[]);
    let origins = [
        Origin::default(),
        Origin {
            session: 5,
            ..Origin::default()
        },
        Origin {
            not_for: Some(Box::new([77].into_iter().collect())),
            ..Origin::default()
        },
        Origin::default(),
    ];
    for (number, origin) in (1..).zip(origins) {
        let frame = Frame::text(&format!("{number}"));
        let sent = world.log.publish(key, frame, Kind::Numbered, &[], origin);
        sent.expect("it is not full");
    }
    let identity = Identity {
        session: 5,
        user: 77,
    };
    (key, identity)
}

#[test]
fn what_was_excluded_stays_excluded_and_is_told_as_skipped() {
    let mut world = World::new(1);
    let (key, identity) = room_with_exclusions(&mut world);
    let joined = world
        .log
        .join(world.ids[0], key, StartAt::After(0), identity);
    assert_eq!(joined.recovered, Some(true));
    assert_eq!(world.write(&[])[0], ["1", "skip 2-3", "4"]);
}

#[test]
fn who_ends_while_it_recovers_is_told_what_was_not_for_it() {
    let mut world = World::new(2);
    let (key, identity) = room_with_exclusions(&mut world);
    for &id in &world.ids {
        world.log.join(id, key, StartAt::After(0), identity);
    }
    let (told, not) = (world.ids[0], world.ids[1]);
    world.log.close_flush(told, &mut Words);
    world.log.close_flush(not, &mut NoMarkers);
    world
        .log
        .push_own(told, Frame::text("bye"))
        .expect("it fits");
    let got = world.write(&[]);
    assert_eq!(got[0], ["1", "skip 2-3", "4", "bye"]);
    assert_eq!(got[1], ["1", "4"]);
    assert_eq!(world.log.held(), 12, "the history");
}

#[test]
fn who_ends_while_a_writer_tells_it_what_was_not_for_it_is_told_once() {
    for written in [0, 1, usize::MAX] {
        let mut world = World::new(1);
        let (key, identity) = room_with_exclusions(&mut world);
        let id = world.ids[0];
        world.log.join(id, key, StartAt::After(1), identity);
        let mut turn = Turn::default();
        world.log.take(&mut turn, 1, &mut Words);
        let taken = turn.job(0).expect("there is a job").1.len();
        world.log.close_flush(id, &mut Words);
        turn.wrote(0, taken.min(written));
        world.log.report(&mut turn);
        world.log.writable(id);
        world.log.check(&[]);
        let mut rest = 0;
        while world.log.wants_write() {
            world.log.take(&mut turn, 1, &mut Words);
            if let Some((_, bytes)) = turn.job(0) {
                let left = bytes.len();
                rest += left;
                turn.wrote(0, left);
            }
            world.log.report(&mut turn);
        }
        assert_eq!(rest, taken - taken.min(written));
    }
}

#[test]
fn what_recoveries_hold_is_each_cut_message_once() {
    let mut world = World::new(50);
    let key = world.room(kept(Slow::CatchUp, 100), &[]);
    for number in 0..20 {
        world.say(key, Kind::Numbered, &format!("{number:050}"), &[]);
    }
    let history = world.log.held();
    for at in 0..50 {
        world.join(at, key, StartAt::After(0));
    }
    while world.log.wants_write() {
        let mut turn = Turn::default();
        world.log.take(&mut turn, 32, &mut Words);
        for at in 0..turn.len() {
            turn.wrote(at, 1);
        }
        world.log.report(&mut turn);
        world.log.check(&[]);
        assert!(world.log.held() <= history + 52, "H8");
    }
    assert_eq!(world.log.held(), history + 52);
}

#[test]
fn over_the_bound_of_the_node_history_is_given_up_before_a_connection() {
    let mut world = World::new(2);
    let key = world.room(kept(Slow::CatchUp, 100), &[0]);
    let text = "h".repeat(100);
    for _ in 0..40 {
        world.say(key, Kind::Numbered, &text, &[]);
    }
    world.write(&[]);
    assert!(world.log.is_over_bound());
    let own = Frame::text("own");
    world.log.push_own(world.ids[1], own).expect("it fits");
    world.write(&[1]);
    assert_eq!(world.log.next_over_bound(), None, "nobody is closed");
    assert!(!world.log.is_over_bound());
    assert_eq!(world.log.range(key), (2, 40), "no more goes than must");
}
