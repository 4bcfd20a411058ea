//! Rooms that keep the latest value of each key.

use std::time::Duration;

use super::super::class::Class;
use super::super::entry::Kind;
use super::super::entry::Published;
use super::super::history::Origin;
use super::super::latest::NotKept;
use super::super::limits::{KeepLatest, Rule, Slow};
use super::super::recovery::{Identity, Resent, StartAt};
use super::super::removed::AT_ONCE;
use super::histories::expire;
use super::scenarios::{World, rule};
use crate::{Frame, Time};

/// Of four keys, where members may lag four messages behind.
pub(super) fn keyed(slow: Slow) -> Rule {
    Rule {
        latest: Some(KeepLatest {
            keys: 4,
            linger: Duration::from_secs(20),
        }),
        ..rule(slow)
    }
}

impl World {
    pub(super) fn put(&mut self, key: u32, name: &str, text: &str) -> Result<Published, NotKept> {
        self.put_from(key, name, text, Origin::default())
    }

    fn put_from(
        &mut self,
        key: u32,
        name: &str,
        text: &str,
        origin: Origin,
    ) -> Result<Published, NotKept> {
        let frame = Frame::text(text);
        let put = self
            .log
            .publish_key(key, name, frame, Kind::Value, (&[], origin));
        self.log.check(&[]);
        put
    }

    pub(super) fn remove(&mut self, key: u32, name: &str) -> Result<Published, NotKept> {
        let frame = Frame::text(&format!("-{name}"));
        let origin = Origin::default();
        let removed = self
            .log
            .publish_key(key, name, frame, Kind::Removal, (&[], origin));
        self.log.check(&[]);
        removed
    }

    pub(super) fn put_all(&mut self, key: u32, values: &[&str]) {
        for value in values {
            self.put(key, &value[..1], value).expect("it is kept");
        }
    }
}

#[test]
fn a_newcomer_gets_the_present_values_then_what_changes() {
    let mut world = World::new(3);
    let key = world.room(keyed(Slow::Disconnect), &[0]);
    world.put_all(key, &["a1", "b1", "c1", "a2"]);
    world.remove(key, "c").expect("it is not busy");
    world.join(1, key, StartAt::Present(0));
    world.join(2, key, StartAt::End);
    world.put_all(key, &["b2", "d1"]);
    let got = world.write(&[]);
    assert_eq!(got[1], ["a2", "b2", "d1"]);
    assert_eq!(got[2], ["b2", "d1"]);
}

#[test]
fn a_newcomer_whose_values_are_forgotten_has_nothing_left_to_get() {
    for own in [&[][..], &["own"]] {
        let mut world = World::new(2);
        let key = world.room(keyed(Slow::Disconnect), &[0]);
        world.put_all(key, &["a1", "b1"]);
        world.write(&[]);
        world.join(1, key, StartAt::Present(0));
        world.log.clear_values(key);
        for text in own {
            let frame = Frame::text(text);
            world
                .log
                .push_class(world.ids[1], frame, Class::MESSAGE)
                .expect("it has room");
        }
        assert_eq!(world.write(&[])[1], own);
        let latest = world.log.rooms[key].latest.as_ref();
        assert!(latest.is_some_and(|latest| latest.newcomers().is_empty()));
        let audited = world.log.audit_rooms(0, usize::MAX);
        assert_eq!(audited, Ok(None), "nobody is behind");
        world.put_all(key, &["c1"]);
        assert_eq!(world.write(&[])[1], ["c1"]);
    }
}

#[test]
fn what_was_not_for_a_user_is_not_for_it_when_it_comes_later() {
    let mut world = World::new(2);
    let key = world.room(keyed(Slow::Disconnect), &[]);
    let origin = Origin {
        session: 5,
        request: 9,
        not_for: Some(Box::new([77].into_iter().collect())),
    };
    world.put_from(key, "a", "a1", origin).expect("it is kept");
    world.put_all(key, &["b1"]);
    let excluded = Identity {
        session: 0,
        user: 77,
    };
    let sender = Identity {
        session: 5,
        user: 0,
    };
    world
        .log
        .join(world.ids[0], key, StartAt::Present(0), excluded);
    world
        .log
        .join(world.ids[1], key, StartAt::Present(0), sender);
    let got = world.write(&[]);
    assert_eq!(got[0], ["b1"]);
    assert_eq!(got[1], ["a1", "b1"], "it has nothing, not even its own");
    world.log.leave(world.ids[1], key);
    world.log.join(world.ids[1], key, StartAt::After(0), sender);
    assert_eq!(world.write(&[])[1], ["b1"], "it has its own");
}

#[test]
fn who_comes_back_gets_what_has_changed_unless_a_later_removal_is_forgotten() {
    let mut world = World::new(1);
    let key = world.room(keyed(Slow::Disconnect), &[]);
    world.put_all(key, &["a1", "b1", "c1", "a2"]);
    world.remove(key, "c").expect("it is not busy");
    let back = |world: &mut World, after: u64| {
        let (id, who) = (world.ids[0], Identity::default());
        let joined = world.log.join(id, key, StartAt::After(after), who);
        let got = world.write(&[]).remove(0);
        world.log.leave(id, key);
        (joined.recovered, got)
    };
    assert_eq!(back(&mut world, 5), (Some(true), vec![]));
    let missed = ["a2", "-c"].map(str::to_owned).to_vec();
    assert_eq!(back(&mut world, 3), (Some(true), missed));
    let (recovered, _) = back(&mut world, 6);
    assert_eq!(recovered, Some(false), "the room has not come so far");
    // Four removals are kept; "c" is the fifth.
    for name in ["d", "e", "f", "g"] {
        world.put(key, name, name).expect("it is kept");
        world.remove(key, name).expect("it is not busy");
    }
    assert_eq!(world.log.range(key), (6, 13));
    let present = ["b1", "a2"].map(str::to_owned).to_vec();
    assert_eq!(back(&mut world, 4), (Some(false), present));
    let (recovered, got) = back(&mut world, 5);
    assert_eq!(recovered, Some(true));
    assert_eq!(got, ["-d", "-e", "-f", "-g"]);
}

#[test]
fn a_key_too_many_is_refused_until_another_is_removed() {
    let mut world = World::new(1);
    let key = world.room(keyed(Slow::Disconnect), &[0]);
    world.put_all(key, &["a1", "b1", "c1", "d1"]);
    assert_eq!(world.put(key, "e", "e1"), Err(NotKept::TooManyKeys(4)));
    assert_eq!(world.log.next_seq(key), 5, "no number is spent");
    world.put_all(key, &["a2"]);
    world.remove(key, "b").expect("it is not busy");
    world.put_all(key, &["e1"]);
    assert_eq!(world.put(key, "b", "b2"), Err(NotKept::TooManyKeys(4)));
    assert_eq!(world.write(&[])[0], ["c1", "d1", "a2", "-b", "e1"]);
}

#[test]
fn more_bytes_than_may_be_kept_over_all_rooms_are_refused() {
    let mut world = World::new(1);
    let rooms = [0; 2].map(|_| world.room(keyed(Slow::Disconnect), &[]));
    let large = "x".repeat(30_000);
    world.put(rooms[0], "a", &large).expect("it is kept");
    world.put(rooms[0], "b", &large).expect("it is kept");
    world.put(rooms[1], "a", &large).expect("it is kept");
    let refused = world.put(rooms[1], "b", &large);
    assert_eq!(refused, Err(NotKept::TooManyBytes(100_000)));
    world.put(rooms[1], "a", &large).expect("it is no more");
    world.remove(rooms[0], "a").expect("a removal is kept");
    world
        .put(rooms[1], "b", &large)
        .expect("there is room again");
}

#[test]
fn a_volatile_message_is_not_for_a_newcomer_that_has_not_got_all_values() {
    let mut world = World::new(2);
    let key = world.room(keyed(Slow::Disconnect), &[0]);
    world.put_all(key, &["a1"]);
    world.write(&[]);
    world.join(1, key, StartAt::Present(0));
    assert_eq!(world.say(key, Kind::Volatile, "v", &[]), (1, 1));
    let got = world.write(&[]);
    assert_eq!(
        (&got[0][..], &got[1][..]),
        (&["v".into()][..], &["a1".into()][..])
    );
    assert_eq!(world.say(key, Kind::Volatile, "w", &[]), (2, 0));
}

#[test]
fn of_changes_of_presence_that_wait_the_latest_goes_out_and_who_missed_one_is_named() {
    let mut world = World::new(2);
    let key = world.room(keyed(Slow::Disconnect), &[0, 1]);
    world.put_all(key, &["a1"]);
    world.write(&[1]);
    for round in 0..50 {
        world.say(key, Kind::Presence, &format!("p{round}"), &[]);
        world.write(&[1]);
    }
    assert_eq!(world.log.next_uninformed(), None);
    world.log.writable(world.ids[1]);
    assert_eq!(world.write(&[])[1], ["a1", "p49"]);
    assert_eq!(world.log.next_uninformed(), Some((key, world.ids[1])));
    assert_eq!(world.log.next_uninformed(), None);
}

#[test]
fn a_room_without_members_keeps_its_values_until_it_has_lingered() {
    let mut world = World::new(1);
    let key = world.room(keyed(Slow::Disconnect), &[]);
    world.put_all(key, &["a1", "a2"]);
    assert_eq!(world.log.next_deadline(), Some(Time::from_millis(20_000)));
    world.join(0, key, StartAt::Present(0));
    assert_eq!(world.write(&[])[0], ["a2"]);
    world.log.advance_clock(Time::from_millis(5_000));
    world.log.leave(world.ids[0], key);
    assert!(expire(&mut world.log, 24_999, 8).is_empty());
    assert_eq!(expire(&mut world.log, 25_000, 8), [key]);
    assert_eq!((world.log.held(), world.log.kept_by_key()), (0, (0, 0)));
}

#[test]
fn a_room_with_many_keys_ends_at_once_and_is_freed_in_parts() {
    const KEYS: usize = 100;
    let mut world = World::new(0);
    let mut rule = keyed(Slow::Disconnect);
    rule.latest = rule.latest.map(|keep| KeepLatest { keys: KEYS, ..keep });
    let key = world.room(rule, &[]);
    for number in 0..KEYS {
        let (name, value) = (format!("k{number:02}"), "v");
        world
            .put_from(key, &name, value, Origin::default())
            .expect("it is kept");
    }
    let (held, at) = (world.log.held(), 1_000_000);
    let mut parts = vec![expire(&mut world.log, at, 20)];
    let mut before = world.log.held();
    assert_eq!(world.log.kept_by_key(), (0, 0));
    assert!(before > held / 2, "{before} of {held}");
    while world.log.next_deadline().is_some() {
        parts.push(expire(&mut world.log, at, 20));
        let each = (before - world.log.held()) * KEYS / held;
        assert!(each <= 20, "{each} messages");
        before = world.log.held();
    }
    assert_eq!(before, 0);
    // As many messages and keys.
    assert_eq!(parts.len(), 1 + (2 * KEYS - AT_ONCE + 1).div_ceil(20));
    assert_eq!(parts.concat(), [key]);
}

#[test]
fn a_resend_is_found_unless_it_may_have_been_overwritten() {
    let mut world = World::new(1);
    let key = world.room(keyed(Slow::Disconnect), &[]);
    let request = |request| Origin {
        session: 1,
        request,
        ..Origin::default()
    };
    world
        .put_from(key, "a", "a1", request(7))
        .expect("it is kept");
    world
        .put_from(key, "b", "b1", request(8))
        .expect("it is kept");
    assert_eq!(world.log.find_request(key, 7, 0), Resent::Duplicate(1));
    assert_eq!(world.log.find_request(key, 9, 1), Resent::New);
    world.put_all(key, &["a2"]);
    assert_eq!(world.log.find_request(key, 7, 0), Resent::Unrecoverable);
    assert_eq!(world.log.find_request(key, 8, 0), Resent::Duplicate(2));
    assert_eq!(world.log.find_request(key, 9, 1), Resent::New);
}

#[test]
fn a_newcomer_is_done_when_what_came_after_the_values_was_swept() {
    let mut world = World::new(2);
    let key = world.room(keyed(Slow::Disconnect), &[0]);
    world.put_all(key, &["a1"]);
    for _ in 0..8 {
        world.say(key, Kind::Volatile, "v", &[]);
        world.write(&[]);
    }
    world.log.leave(world.ids[0], key);
    world.join(1, key, StartAt::Present(0));
    for _ in 0..8 {
        assert_eq!(world.say(key, Kind::Volatile, "w", &[]), (0, 1));
    }
    assert_eq!(world.write(&[])[1], ["a1"]);
    assert!(!world.log.recovers(world.ids[1], key));
    assert_eq!(world.say(key, Kind::Volatile, "x", &[]), (1, 0));
}

#[test]
fn who_may_have_no_present_value_begins_at_the_end() {
    let mut world = World::new(2);
    let key = world.room(keyed(Slow::Disconnect), &[]);
    world.put_all(key, &["a1", "b1"]);
    world
        .log
        .join(world.ids[0], key, StartAt::End, Identity::default());
    for _ in 0..9 {
        world.say(key, Kind::Numbered, "not kept", &[]);
        world.write(&[]);
    }
    world.log.leave(world.ids[0], key);
    for _ in 0..9 {
        // What is not kept is swept meanwhile.
        world.say(key, Kind::Volatile, "v", &[]);
    }
    world.join(1, key, StartAt::Present(11));
    assert!(!world.log.recovers(world.ids[1], key));
    world.put_all(key, &["b2"]);
    assert_eq!(world.write(&[])[1], ["b2"]);
}
