//! What members are told of users who are on other nodes.

use std::time::Duration;

use serde_json::{Value, json};
use switchboard_tests::broker::Kept;

use crate::node::{BARE, LOCAL, ROOM};
use crate::pair::Pair;

const SECOND: Duration = Duration::from_secs(1);

/// Before bob came to the lobby, this was told of ann.
fn pair(info: &str) -> Pair {
    Pair::start_after(|redis, one, _| {
        one.tells_of(redis, "ann", Some(info));
        one.passes(redis, SECOND);
    })
}

impl Pair {
    /// What bob was told last of who is in a room.
    fn last(&mut self, room: &str) -> Value {
        let told = self.other.told_of_users(self.bob, room);
        told.last().cloned().unwrap_or_default()
    }
}

#[test]
fn who_joins_is_told_of_users_on_other_nodes_and_of_each_change() {
    let mut it = pair("{\"colour\": \"teal\"}");
    it.passes(SECOND);
    let teal = json!({"colour": "teal"});
    let list = json!({"count": 2, "users": ["bob", "ann"], "info": {"ann": teal}});
    assert_eq!(it.last(ROOM), list);
    assert_eq!(
        it.other.info_in(ROOM, "ann"),
        Some("{\"colour\": \"teal\"}")
    );
    it.one.tells_of(&mut it.redis, "ann", Some("[1,\n2]"));
    it.passes(SECOND);
    let told = it.other.told_of_users(it.bob, ROOM);
    assert_eq!(told, [json!({"count": 2, "info": {"ann": [1, 2]}})]);
    it.one.tells_of(&mut it.redis, "ann", None);
    it.passes(SECOND);
    let told = it.other.told_of_users(it.bob, ROOM);
    assert_eq!(told, [json!({"count": 2, "info": {"ann": null}})]);
    assert_eq!(it.other.info_in(ROOM, "ann"), None);
}

#[test]
fn a_member_is_told_of_a_user_who_comes_to_another_node() {
    let mut it = pair("1");
    it.one.loses(&mut it.redis, it.ann);
    it.passes(5 * SECOND);
    assert_eq!(it.last(ROOM), json!({"count": 1, "users": ["bob"]}));
    it.ann = it.one.comes(&mut it.redis, "ann", None);
    it.one.tells_of(&mut it.redis, "ann", Some("2"));
    it.passes(SECOND);
    let list = json!({"count": 2, "users": ["bob", "ann"], "info": {"ann": 2}});
    assert_eq!(it.last(ROOM), list);
}

#[test]
fn what_is_told_of_users_crosses_where_messages_have_no_common_order() {
    let mut it = pair("1");
    it.one.enters(&mut it.redis, it.ann, LOCAL);
    it.other.enters(&mut it.redis, it.bob, LOCAL);
    it.passes(SECOND);
    let list = json!({"count": 2, "users": ["bob", "ann"], "info": {"ann": 1}});
    assert_eq!(it.last(LOCAL), list);
}

#[test]
fn where_members_are_told_nothing_of_users_it_does_not_cross() {
    let mut it = pair("1");
    it.one.enters(&mut it.redis, it.ann, BARE);
    it.other.enters(&mut it.redis, it.bob, BARE);
    it.passes(SECOND);
    assert_eq!(it.last(BARE), json!({"count": 2, "users": ["bob", "ann"]}));
    assert_eq!(it.other.info_in(BARE, "ann"), None);
}

#[test]
fn a_user_on_two_nodes_is_told_of_as_was_said_last() {
    let mut it = pair("1");
    // One connection takes the place of the other, so ann is on both in the grace period of the first.
    let here = it.other.comes(&mut it.redis, "ann", None);
    it.other.tells_of(&mut it.redis, "ann", Some("2"));
    it.passes(SECOND);
    assert_eq!(it.other.info_in(ROOM, "ann"), Some("2"));
    it.other.loses(&mut it.redis, here);
    it.passes(5 * SECOND);
    assert_eq!(it.last(ROOM), json!({"count": 1, "users": ["bob"]}));
}

#[test]
fn what_is_told_of_users_outlives_the_data_of_the_broker_and_ends_with_their_node() {
    let mut it = pair("1");
    it.passes(SECOND);
    assert_eq!(it.other.info_in(ROOM, "ann"), Some("1"));
    it.redis.restart(Kept::Nothing);
    it.redis.load_scripts();
    it.one.connects_anew(&mut it.redis);
    it.other.connects_anew(&mut it.redis);
    it.passes(5 * SECOND);
    assert_eq!(it.other.info_in(ROOM, "ann"), Some("1"));
    it.one.is_cut_off(&mut it.redis);
    for _ in 0..100 {
        it.other.passes(&mut it.redis, SECOND / 10);
    }
    assert_eq!(it.other.info_in(ROOM, "ann"), None);
    assert_eq!(it.last(ROOM), json!({"count": 1, "users": ["bob"]}));
}

#[test]
fn of_a_user_who_leaves_one_of_two_nodes_is_told_only_what_has_changed() {
    let mut it = pair("1");
    it.one.enters(&mut it.redis, it.ann, BARE);
    it.other.enters(&mut it.redis, it.bob, BARE);
    let cem = it.one.comes(&mut it.redis, "cem", None);
    it.passes(SECOND);
    let here = it.other.comes(&mut it.redis, "ann", None);
    it.other.enters(&mut it.redis, here, BARE);
    it.other.tells_of(&mut it.redis, "ann", Some("2"));
    it.other.comes(&mut it.redis, "cem", None);
    it.passes(SECOND);
    it.other.told_of_users(it.bob, ROOM);
    it.other.told_of_users(it.bob, BARE);
    // Now they leave the first node for good.
    it.one.loses(&mut it.redis, it.ann);
    it.one.loses(&mut it.redis, cem);
    it.passes(10 * SECOND);
    assert_eq!(it.other.told_of_users(it.bob, ROOM), [Value::Null; 0]);
    assert_eq!(it.other.told_of_users(it.bob, BARE), [Value::Null; 0]);
}

/// As when a node registers anew: the users of one registration leave, and those of the other come.
#[test]
fn of_a_user_who_goes_and_is_back_at_once_is_told_what_is_new() {
    let mut it = pair("1");
    it.passes(SECOND);
    it.other.told_of_users(it.bob, ROOM);
    it.one.is_cut_off(&mut it.redis);
    it.one.tells_of(&mut it.redis, "ann", Some("2"));
    // That is longer than its lease, and shorter than the grace of its users.
    it.one.passes(&mut it.redis, 4 * SECOND);
    it.one.connects_anew(&mut it.redis);
    it.passes(SECOND);
    let told = it.other.told_of_users(it.bob, ROOM);
    assert_eq!(told, [json!({"count": 2, "info": {"ann": 2}})]);
}
