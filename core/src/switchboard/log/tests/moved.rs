//! Members are told that their room goes on in another epoch, and of numbers that there is no message for.

use super::super::entry::Kind;
use super::super::limits::{KeepLatest, LagRule, Rule, Slow};
use super::super::turn::Turn;
use super::scenarios::{Words, World, kept, rule};
use crate::Frame;
use crate::switchboard::log::Published;

impl World {
    fn tell(&mut self, key: u32, kind: Kind, text: &str, excluded: &[u32]) -> Published {
        let told = self
            .log
            .publish_told(key, Frame::text(text), kind, excluded);
        self.log.check(&[]);
        told
    }

    /// The room goes on after this number.
    fn moves(&mut self, key: u32, seq: u64) {
        self.log.renumber(key, seq);
        self.tell(key, Kind::Moved, &format!("at {seq}"), &[]);
    }

    /// There is no message for the numbers up to this one.
    fn spends(&mut self, key: u32, to: u64) {
        self.log.renumber(key, to);
        self.tell(key, Kind::Spent, &format!("spent {to}"), &[]);
    }

    fn say_each(&mut self, key: u32, texts: &[&str], stuck: &[usize]) {
        for text in texts {
            self.say(key, Kind::Numbered, text, &[]);
            self.write(stuck);
        }
    }
}

/// A member may lag behind by two messages, so that they fit among its own frames when it leaves.
fn two() -> Rule {
    Rule {
        lag: LagRule {
            messages: 2,
            ..rule(Slow::DropOldest).lag
        },
        ..rule(Slow::DropOldest)
    }
}

#[test]
fn many_members_are_told_by_one_entry_between_what_comes_before_and_after_it() {
    let members: Vec<usize> = (0..5_000).collect();
    let mut world = World::new(5_000);
    let key = world.room(rule(Slow::Disconnect), &members);
    world.say(key, Kind::Numbered, "a", &[]);
    let visits = world.log.visits;
    world.moves(key, 7);
    // An answer comes in its place.
    let own = world.log.push_own(world.ids[1], Frame::text("own"));
    assert_eq!(own, Ok(()));
    world.say(key, Kind::Numbered, "b", &[]);
    assert_eq!(world.log.visits, visits, "nobody was looked at");
    assert_eq!(world.log.items.len(), 1, "and nobody was given a frame");
    for (at, got) in world.write(&[]).iter().enumerate() {
        if at == 1 {
            assert_eq!(*got, ["a", "at 7", "own", "b"]);
        } else {
            assert_eq!(*got, ["a", "at 7", "b"]);
        }
    }
    assert_eq!(world.log.next_seq(key), 9);
    assert_eq!(world.log.held(), 0);
}

#[test]
fn who_knows_already_is_not_told() {
    let mut world = World::new(2);
    let key = world.room(kept(Slow::Disconnect, 3), &[0, 1]);
    let told = world.tell(key, Kind::Moved, "at 0", &[1]);
    assert_eq!((told.accepted, told.excluded), (1, 1));
    world.say(key, Kind::Numbered, "a", &[]);
    let got = world.write(&[]);
    assert_eq!(got[0], ["at 0", "a"]);
    assert_eq!(got[1], ["a"]);
}

#[test]
fn who_loses_what_tells_of_an_epoch_is_told_it_before_what_comes_later() {
    for leaves in [false, true] {
        let mut world = World::new(2);
        let key = world.room(two(), &[0, 1]);
        world.say_each(key, &["1"], &[1]);
        world.moves(key, 20);
        world.say_each(key, &["21", "22", "23", "24", "25"], &[1]);
        world.log.writable(world.ids[1]);
        if leaves {
            let id = world.ids[1];
            assert_eq!(world.log.leave_flush(id, key, &mut Words), Some(0));
            world.log.check(&[]);
        }
        let got = world.write(&[]);
        assert_eq!(got[1], ["moved 23", "24", "25"], "{leaves}");
        world.say_each(key, &["26"], &[]);
        assert_eq!(world.log.held(), 0);
    }
}

#[test]
fn who_leaves_while_a_writer_tells_it_of_an_epoch_is_told_once() {
    for written in [true, false] {
        let mut world = World::new(2);
        let key = world.room(two(), &[0, 1]);
        world.say_each(key, &["1"], &[1]);
        world.moves(key, 20);
        world.say_each(key, &["21", "22", "23", "24", "25"], &[1]);
        let id = world.ids[1];
        world.log.writable(id);
        let mut turn = Turn::default();
        world.log.take(&mut turn, 2, &mut Words);
        assert_eq!(world.log.leave_flush(id, key, &mut Words), Some(0));
        let taken = String::from_utf8_lossy(turn.job(0).expect("it is there").1).into_owned();
        assert!(
            taken.contains("moved 23") && taken.contains("25"),
            "{taken}"
        );
        turn.write_each(|_, bytes| if written { bytes.len() } else { 0 });
        world.log.report(&mut turn);
        world.log.check(&[]);
        world.log.writable(id);
        let all = ["moved 23", "24", "25"];
        let rest: &[&str] = if written { &[] } else { &all };
        assert_eq!(world.write(&[])[1], rest);
        assert_eq!(world.log.held(), 0);
    }
}

#[test]
fn who_catches_up_is_told_the_epoch_in_place_of_numbers_that_it_does_not_know() {
    let mut world = World::new(2);
    let key = world.room(kept(Slow::CatchUp, 3), &[0, 1]);
    world.say_each(key, &["1"], &[1]);
    world.moves(key, 20);
    world.say_each(key, &["21", "22", "23", "24", "25"], &[1]);
    world.log.writable(world.ids[1]);
    assert_eq!(world.write(&[])[1], ["moved 21", "22", "23", "24", "25"]);
    // From now on it knows them.
    world.say_each(key, &["26"], &[1]);
    world.say_each(key, &["27", "28", "29", "30", "31"], &[1]);
    world.log.writable(world.ids[1]);
    assert_eq!(world.write(&[])[1], ["gap 26-27", "28", "29", "30", "31"]);
}

#[test]
fn numbers_that_were_told_and_lost_with_others_are_in_the_gap() {
    let mut world = World::new(2);
    let key = world.room(kept(Slow::CatchUp, 3), &[0, 1]);
    world.say_each(key, &["1", "2"], &[1]);
    world.spends(key, 10);
    world.say_each(key, &["11", "12", "13", "14", "15"], &[1]);
    world.log.writable(world.ids[1]);
    assert_eq!(world.write(&[])[1], ["gap 1-11", "12", "13", "14", "15"]);
}

#[test]
fn a_full_member_that_misses_an_epoch_is_named_when_it_has_got_what_it_had() {
    let mut world = World::new(2);
    let key = world.room(rule(Slow::DropNewest), &[0, 1]);
    world.say_each(key, &["1", "2", "3", "4"], &[1]);
    world.moves(key, 20);
    world.say_each(key, &["21"], &[1]);
    assert_eq!(world.log.next_unmoved(), None);
    world.log.writable(world.ids[1]);
    assert_eq!(world.write(&[])[1], ["1", "2", "3", "4"]);
    assert_eq!(world.log.next_unmoved(), Some((key, world.ids[1])));
    assert_eq!(world.log.next_unmoved(), None);
    world.say_each(key, &["22", "23", "24", "25", "26"], &[1]);
    world.log.writable(world.ids[1]);
    world.write(&[]);
    assert_eq!(world.log.next_unmoved(), None, "it knows the epoch");
}

#[test]
fn of_epochs_that_wait_where_values_are_kept_the_latest_is_told() {
    let keep = KeepLatest {
        keys: 3,
        linger: std::time::Duration::from_secs(20),
    };
    let mut world = World::new(2);
    let by_key = Rule {
        latest: Some(keep),
        ..rule(Slow::DropOldest)
    };
    let key = world.room(by_key, &[0, 1]);
    for seq in 0..100 {
        world.moves(key, seq);
        world.write(&[1]);
        assert!(world.log.held() <= Frame::text("at 99").len());
    }
    world.log.writable(world.ids[1]);
    assert_eq!(world.write(&[])[1], ["at 99"]);
}
