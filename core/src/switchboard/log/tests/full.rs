//! Rooms whose members lose the newest messages.

use super::super::entry::Kind;
use super::super::limits::Slow;
use super::scenarios::{World, kept, rule};

#[test]
fn a_full_member_takes_all_that_it_had_before_it_gets_something_new() {
    let mut world = World::new(2);
    let key = world.room(rule(Slow::DropNewest), &[0, 1]);
    world.say(key, Kind::Numbered, "1", &[]);
    world.write(&[1]);
    for text in ["2", "3", "4"] {
        assert_eq!(world.say(key, Kind::Numbered, text, &[]), (2, 0));
        world.write(&[1]);
    }
    assert_eq!(world.say(key, Kind::Numbered, "5", &[]), (1, 1));
    assert_eq!(world.say(key, Kind::Numbered, "6", &[1]), (1, 0));
    assert_eq!(world.write(&[1])[0], ["5", "6"]);
    world.log.writable(world.ids[1]);
    assert_eq!(world.say(key, Kind::Numbered, "7", &[]), (1, 1));
    assert_eq!(world.write(&[])[1], ["1", "2", "3", "4"]);
    assert_eq!(world.say(key, Kind::Numbered, "8", &[]), (2, 0));
    assert_eq!(world.write(&[])[1], ["8"]);
    assert_eq!(world.log.held(), 0);
}

#[test]
fn what_full_members_hold_back_is_bounded_whatever_is_sent() {
    for rule in [rule(Slow::DropNewest), kept(Slow::DropNewest, 3)] {
        let mut world = World::new(3);
        let key = world.room(rule, &[0, 1]);
        for number in 0..1_000 {
            world.say(key, Kind::Numbered, &format!("{number:08}"), &[]);
            world.write(&[1, 2]);
            if number == 500 {
                world.join(2, key, super::super::recovery::StartAt::End);
            }
            // 4 for each of both, 3 as history, and as much again until they are compacted.
            assert!(world.log.held() <= (2 * 11 + 4 + 1) * 10);
        }
        world.log.writable(world.ids[1]);
        world.log.writable(world.ids[2]);
        let got = world.write(&[]);
        assert_eq!(got[1], ["00000000", "00000001", "00000002", "00000003"]);
        assert_eq!(got[2], ["00000501", "00000502", "00000503", "00000504"]);
        world.say(key, Kind::Numbered, "last", &[]);
        assert_eq!(world.write(&[])[1], ["last"]);
    }
}
