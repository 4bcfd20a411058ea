//! What becomes of a room takes no longer for many members than for few.

use std::time::Duration;

use allocation_counter::measure;
use switchboard_core::cluster::Output;
use switchboard_core::{Config, ConnectionId, WhenDown};
use switchboard_tests::broker::SimRedis;

use crate::node::{Node, admit, broker};

/// Longer than a node waits for the broker before it goes on alone.
const OUTAGE: Duration = Duration::from_secs(3);

const FEW: usize = 20;
const MANY: usize = 2_000;

fn many(config: &mut Config) {
    admit(2 * MANY, config);
    // That is told to all connections, some at a time.
    if let Some(cluster) = &mut config.cluster {
        cluster.tell_clients = false;
    }
}

impl Node {
    /// Lets time pass. Returns the most bytes that a call of the cluster's side has allocated.
    fn most_allocated(&mut self, redis: &mut SimRedis, time: Duration) -> u64 {
        let (end, mut most) = (self.now + time, 0);
        loop {
            let tick = || self.clustered.tick(self.now, &mut self.board);
            most = most.max(measure(tick).bytes_total);
            self.runs(redis);
            let next = self.clustered.next_deadline();
            if next > end {
                return most;
            }
            self.now = self.now.max(next);
        }
    }
}

/// A room with so many members goes on alone. Returns the most bytes that a call has allocated, and who the
/// members are.
fn go_alone(members: usize) -> (u64, SimRedis, Node, Vec<ConnectionId>) {
    let mut redis = broker();
    let mut node = Node::start_with(&mut redis, "a", WhenDown::Alone, many);
    let ids = node.crowd_comes(&mut redis, &["ann"], members);
    node.says_to_others(&mut redis, ids[0], ("first", 1), None);
    for &id in &ids {
        node.told(id);
    }
    let epoch = node.position().0;
    node.is_cut_off(&mut redis);
    node.gets_stuck();
    let most = node.most_allocated(&mut redis, OUTAGE);
    assert_ne!(node.position().0, epoch);
    (most, redis, node, ids)
}

#[test]
fn a_room_goes_on_in_another_epoch_by_the_same_work_however_many_members_it_has() {
    let (few, ..) = go_alone(FEW);
    let (most, mut redis, mut node, ids) = go_alone(MANY);
    assert!(most <= few + 1_024, "{most} bytes for many, {few} for few");
    node.says(&mut redis, ids[0], ("alone", 2), None);
    node.writes_again(&mut redis);
    for (at, &id) in ids.iter().enumerate() {
        let ack: &[&str] = if at == 0 { &["ack 1"] } else { &[] };
        let told = node.told(id);
        assert_eq!(told[..2], ["at 0 null", "1 \"alone\""]);
        assert_eq!(told[2..], *ack);
    }
}

/// The most connections that enter a room by one call when it opens.
const ENTERS: usize = 32;

#[test]
fn those_who_wait_for_a_room_to_open_enter_it_in_parts_and_all_get_what_is_said_then() {
    let mut redis = broker();
    let mut node = Node::start_with(&mut redis, "a", WhenDown::Alone, many);
    node.becomes_slow();
    let ids: Vec<_> = (0..10 * ENTERS)
        .map(|_| node.comes_without_session(&mut redis, "ann"))
        .collect();
    assert_eq!(node.members(), 0, "the broker has not answered");
    node.becomes_quick(&mut redis);
    let mut before = node.members();
    assert!((1..=ENTERS).contains(&before), "{before} at once");
    while node.goes_on(&mut redis) {
        let now = node.members();
        assert!(now <= before + ENTERS, "{before}, then {now}");
        before = now;
    }
    assert_eq!(before, ids.len());
    for &id in &ids {
        node.told(id);
    }
    node.says(&mut redis, ids[0], ("to all", 1), None);
    for &id in &ids {
        assert_eq!(node.told(id)[0], "1 \"to all\"");
    }
}

/// A node on which so many are logged in loses its link to the broker, and has another one. Returns the bytes
/// that each of the two allocates.
fn lose_the_link(logins: usize) -> [u64; 2] {
    let mut redis = broker();
    let mut node = Node::start_with(&mut redis, "a", WhenDown::Alone, many);
    node.crowd_comes(&mut redis, &["ann"], logins);
    node.passes(&mut redis, Duration::from_secs(1));
    let lost = measure(|| node.clustered.lost(node.now, &mut node.board));
    while !matches!(node.clustered.poll_order(), Some(Output::Connect)) {
        node.now = node.now.max(node.clustered.next_deadline());
        node.clustered.tick(node.now, &mut node.board);
    }
    let life = redis.incarnation();
    let found = || {
        node.clustered.connected(node.now, &mut node.board, &life);
    };
    [lost.bytes_total, measure(found).bytes_total]
}

#[test]
fn the_link_to_the_broker_is_lost_and_found_by_the_same_work_however_many_are_logged_in() {
    let (few, most) = (lose_the_link(FEW), lose_the_link(MANY));
    for (few, most) in few.into_iter().zip(most) {
        assert!(most <= few + 1_024, "{most} bytes for many, {few} for few");
    }
}
