//! Single rules, each in a few steps.

use std::time::Duration;

use super::super::Log;
use super::super::class::Class;
use super::super::entry::Kind;
use super::super::history::Origin;
use super::super::limits::{Keep, LagRule, Limits, Rule, Slow};
use super::super::recovery::{Identity, Markers, StartAt};
use super::super::turn::Turn;
use crate::{ConnectionId, Frame};

const LIMITS: Limits = Limits {
    own_bytes: 1_000,
    own_messages: 8,
    held: 4_000,
    history_bytes: 100_000,
    dormant_rooms: 1,
    contexts: 0,
};

pub(super) fn rule(slow: Slow) -> Rule {
    Rule {
        lag: LagRule {
            slow,
            messages: 4,
            bytes: 100_000,
        },
        history: None,
        latest: None,
        contexts: false,
    }
}

pub(super) fn kept(slow: Slow, messages: usize) -> Rule {
    Rule {
        history: Some(Keep {
            messages,
            bytes: 100_000,
            age: Duration::from_secs(10),
            linger: Duration::from_secs(20),
        }),
        ..rule(slow)
    }
}

pub(super) struct Words;

impl Markers for Words {
    fn skip(&mut self, _: u32, from: u64, to: u64) -> Option<Frame> {
        Some(Frame::text(&format!("skip {from}-{to}")))
    }

    fn gap(&mut self, _: u32, from: u64, to: u64) -> Option<Frame> {
        Some(Frame::text(&format!("gap {from}-{to}")))
    }

    fn moved(&mut self, _: u32, seq: u64) -> Option<Frame> {
        Some(Frame::text(&format!("moved {seq}")))
    }
}

pub(super) struct World {
    pub(super) log: Log,
    pub(super) ids: Vec<ConnectionId>,
}

impl World {
    pub(super) fn new(connections: u32) -> Self {
        let mut log = Log::new(LIMITS);
        let ids = (0..connections).map(|slot| ConnectionId {
            slot,
            generation: slot + 7,
        });
        let ids: Vec<_> = ids.collect();
        for &id in &ids {
            log.open(id);
        }
        Self { log, ids }
    }

    pub(super) fn room(&mut self, rule: Rule, members: &[usize]) -> u32 {
        let key = self.log.create_room(rule);
        for &at in members {
            self.join(at, key, StartAt::End);
        }
        key
    }

    pub(super) fn join(&mut self, at: usize, key: u32, from: StartAt) {
        self.log.join(self.ids[at], key, from, Identity::default());
    }

    pub(super) fn say(
        &mut self,
        key: u32,
        kind: Kind,
        text: &str,
        excluded: &[u32],
    ) -> (usize, usize) {
        let frame = Frame::text(text);
        let published = self
            .log
            .publish(key, frame, kind, excluded, Origin::default())
            .expect("the room is not full");
        (published.accepted, published.dropped)
    }

    /// Writes everything but what goes to `stuck`; returns what each connection got.
    pub(super) fn write(&mut self, stuck: &[usize]) -> Vec<Vec<String>> {
        let mut got = vec![Vec::new(); self.ids.len()];
        while self.log.wants_write() {
            let mut turn = Turn::default();
            self.log.take(&mut turn, 32, &mut Words);
            for at in 0..turn.len() {
                let (id, bytes) = turn.job(at).expect("there is a job");
                let slot = id.slot as usize;
                if !stuck.contains(&slot) {
                    let mut rest = bytes;
                    while let [_, len, ..] = *rest {
                        let (frame, more) = rest.split_at(2 + len as usize);
                        got[slot].push(String::from_utf8_lossy(&frame[2..]).into_owned());
                        rest = more;
                    }
                    let all = bytes.len();
                    turn.wrote(at, all);
                }
            }
            self.log.report(&mut turn);
            self.log.check(&[]);
        }
        got
    }
}

#[test]
fn a_member_that_moves_to_a_place_behind_the_walk_is_not_forgotten() {
    let mut world = World::new(4);
    let key = world.room(rule(Slow::Disconnect), &[0, 1, 2, 3]);
    world.say(key, Kind::Numbered, "a", &[]);
    let mut turn = Turn::default();
    world.log.take(&mut turn, 2, &mut Words);
    assert_eq!(world.log.leave(world.ids[1], key), Some(0));
    // The writer that has taken it reports what becomes of it.
    world.log.report(&mut turn);
    world.log.check(&[]);
    assert_eq!(world.write(&[])[3], ["a"]);
}

#[test]
fn a_member_that_is_visited_in_one_room_is_not_forgotten_in_another_one() {
    let mut world = World::new(4);
    let one = world.room(rule(Slow::Disconnect), &[0]);
    let other = world.room(rule(Slow::Disconnect), &[0]);
    world.say(one, Kind::Numbered, "a", &[]);
    let mut turn = Turn::default();
    world.log.take(&mut turn, 4, &mut Words);
    turn.wrote(0, 0);
    world.log.report(&mut turn);
    // It waits for a turn behind so many others that one for it in the other room comes first.
    for at in 1..4 {
        let own = Frame::text("own");
        let pushed = world.log.push_own(world.ids[at], own);
        pushed.expect("it fits");
    }
    world.log.writable(world.ids[0]);
    world.say(other, Kind::Numbered, "b", &[]);
    let mut turns = [Turn::default(), Turn::default()];
    for turn in &mut turns {
        world.log.take(turn, 4, &mut Words);
    }
    let mut got = Vec::new();
    for turn in &mut turns {
        for at in 0..turn.len() {
            let (id, bytes) = turn.job(at).expect("there is a job");
            if id == world.ids[0] {
                got.extend_from_slice(bytes);
            }
            let all = bytes.len();
            turn.wrote(at, all);
        }
        world.log.report(turn);
    }
    let rest = world.write(&[]).swap_remove(0).concat();
    let got = String::from_utf8_lossy(&got) + rest.as_str();
    assert!(got.contains('a') && got.contains('b'), "{got:?}");
}

#[test]
fn who_loses_a_change_of_presence_is_named() {
    let mut world = World::new(2);
    let key = world.room(rule(Slow::DropOldest), &[0, 1]);
    world.say(key, Kind::Numbered, "a", &[]);
    world.write(&[1]);
    world.say(key, Kind::Presence, "p", &[]);
    for text in ["b", "c", "d", "e", "f"] {
        world.say(key, Kind::Numbered, text, &[]);
        world.write(&[1]);
    }
    assert_eq!(world.log.next_uninformed(), None);
    world.log.writable(world.ids[1]);
    assert_eq!(world.write(&[])[1], ["c", "d", "e", "f"]);
    assert_eq!(world.log.next_uninformed(), Some((key, world.ids[1])));
    assert_eq!(world.log.next_uninformed(), None);
}

#[test]
fn who_catches_up_is_told_exactly_what_is_not_kept_any_more() {
    let mut world = World::new(2);
    let key = world.room(kept(Slow::CatchUp, 6), &[0, 1]);
    world.say(key, Kind::Numbered, "1", &[]);
    world.write(&[1]);
    world.say(key, Kind::Raw, "raw", &[]);
    for number in 2..=9 {
        world.say(key, Kind::Numbered, &number.to_string(), &[]);
        world.write(&[1]);
    }
    world.log.writable(world.ids[1]);
    let got = world.write(&[]);
    assert_eq!(got[1], ["gap 1-3", "4", "5", "6", "7", "8", "9"]);
}

#[test]
fn of_the_pongs_that_wait_for_a_stuck_socket_the_latest_is_sent() {
    let mut world = World::new(1);
    let id = world.ids[0];
    world.log.push_pong(id, Frame::text("1"));
    world.log.push_pong(id, Frame::text("2"));
    assert_eq!(world.write(&[])[0], ["1", "2"]);
    world.log.push_pong(id, Frame::text("3"));
    world.log.push_pong(id, Frame::text("4"));
    world.write(&[0]);
    world.log.push_pong(id, Frame::text("5"));
    world.log.push_own(id, Frame::text("own")).expect("it fits");
    world.log.writable(id);
    assert_eq!(world.write(&[])[0], ["5", "own"]);
    for number in 0..40 {
        world.log.push_pong(id, Frame::text(&number.to_string()));
    }
    let got = world.write(&[]);
    assert_eq!((got[0].len(), got[0][31].as_str()), (32, "39"));
}

#[test]
fn an_http_response_is_not_overtaken_and_a_cut_frame_is_finished() {
    let mut world = World::new(1);
    let id = world.ids[0];
    let response = Frame::text("response");
    world
        .log
        .push_class(id, response, Class::HTTP)
        .expect("it is there");
    assert!(!world.log.may_be_overtaken(id));
    world.log.push_urgent(id, Frame::text("ping"), Class::PING);
    assert_eq!(world.write(&[])[0], ["response", "ping"]);
    assert!(world.log.may_be_overtaken(id));
    world.log.push_own(id, Frame::text("own")).expect("it fits");
    let mut turn = Turn::default();
    world.log.take(&mut turn, 1, &mut Words);
    assert!(world.log.is_writing(id));
    turn.wrote(0, 3);
    world.log.report(&mut turn);
    assert!(!world.log.may_be_overtaken(id));
    assert_eq!(world.log.discard(id), 0);
    assert_eq!(world.log.own_bytes(id), 2);
}

#[test]
fn a_message_to_several_connections_is_held_once() {
    let mut world = World::new(3);
    let frame = Frame::text("all");
    // No socket has refused to take bytes, so it may be twice as many.
    for round in 0..2 * LIMITS.own_messages {
        let full = world.log.push_shared(world.ids.clone(), &frame);
        assert!(full.is_empty());
        assert_eq!(world.log.held(), (round + 1) * frame.len());
    }
    assert_eq!(world.log.push_shared(world.ids.clone(), &frame), world.ids);
    world.write(&[]);
    assert_eq!(world.log.held(), 0);
}

#[test]
fn over_the_bound_of_the_node_those_go_whose_sockets_take_no_bytes() {
    let mut world = World::new(3);
    let key = world.room(rule(Slow::Disconnect), &[0, 1]);
    let own = "o".repeat(100);
    world
        .log
        .push_own(world.ids[2], Frame::text(&own))
        .expect("it fits");
    world.say(key, Kind::Numbered, &"a".repeat(2_500), &[]);
    world.say(key, Kind::Numbered, &"b".repeat(2_500), &[]);
    assert!(world.log.is_over_bound());
    assert_eq!(
        world.log.next_over_bound(),
        None,
        "nobody was asked to take bytes"
    );
    let mut turn = Turn::default();
    world.log.take(&mut turn, 32, &mut Words);
    for at in 0..turn.len() {
        let (id, bytes) = turn.job(at).expect("there is a job");
        let all = bytes.len();
        turn.wrote(at, if id.slot == 0 { all } else { 0 });
    }
    world.log.report(&mut turn);
    assert_eq!(
        world.log.next_over_bound(),
        Some(world.ids[1]),
        "it holds back most"
    );
    world.log.drop_connection(world.ids[1]);
    assert_eq!(world.log.next_over_bound(), None);
    assert!(!world.log.is_over_bound());
}

#[test]
fn a_room_in_which_nobody_has_had_a_turn_is_full_at_twice_its_limit() {
    let mut world = World::new(2);
    let key = world.room(rule(Slow::Disconnect), &[0, 1]);
    assert!(!world.log.is_congested());
    let frame = Frame::text("x");
    let mut sent = 0;
    while world
        .log
        .publish(key, frame.clone(), Kind::Numbered, &[], Origin::default())
        .is_ok()
    {
        sent += 1;
    }
    assert_eq!(sent, 9, "what waits may be at twice the limit before");
    assert!(world.log.is_congested());
    assert_eq!(world.log.next_condemned(), None);
    assert_eq!(world.write(&[])[1].len(), 9);
    assert!(!world.log.is_congested());
}

#[test]
fn a_writer_keeps_no_room_full_after_it_has_reported() {
    let mut world = World::new(2);
    let key = world.room(rule(Slow::DropOldest), &[0, 1]);
    world.say(key, Kind::Numbered, "1", &[]);
    let mut turn = Turn::default();
    world.log.take(&mut turn, 32, &mut Words);
    for number in 2..=9 {
        world.say(key, Kind::Numbered, &number.to_string(), &[]);
    }
    assert!(world.log.is_full(key, Kind::Numbered), "the writer is late");
    // Neither socket takes anything.
    world.log.report(&mut turn);
    world.log.check(&[]);
    assert!(!world.log.is_full(key, Kind::Numbered));
    assert_eq!(world.log.take_late_drops(), 10, "five for each");
    for id in world.ids.clone() {
        world.log.writable(id);
    }
    let kept = ["6", "7", "8", "9"];
    assert_eq!(world.write(&[]), [kept, kept]);
}
