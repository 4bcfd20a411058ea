//! Messages to one user, messages to everyone, and kicks, over all nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use switchboard_core::Time;
use switchboard_core::cluster::{Keep, LoginTerms, Output, Question};

use crate::acts::USERS;
use crate::faults::reset_before_it_is_answered_on;
use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);

/// What was asked of others, and what arrived.
#[derive(Default)]
pub(crate) struct Asking {
    /// Questions that nobody has answered, and whom they kick.
    open: BTreeMap<(usize, Question), Option<&'static str>>,
    /// What arrived where: node and message.
    arrived: BTreeSet<(usize, u64)>,
    /// Which node sent it.
    senders: BTreeMap<u64, usize>,
    /// Who was kicked, and when.
    kicks: Vec<(&'static str, Time)>,
    /// The last answer.
    last: Option<Output>,
}

impl World {
    pub(crate) fn direct(&mut self, at: usize, user: &'static str) {
        if self.is_paused(at) {
            return;
        }
        let (id, now) = (self.next_message(at), self.clock(at));
        let machine = &mut self.nodes[at].machine;
        let asked = machine.direct(now, &user.into(), id.to_string().as_bytes());
        self.asking.open.insert((at, asked.unwrap()), None);
        self.carry_out(at);
    }

    pub(crate) fn kick(&mut self, at: usize, user: &'static str) {
        if self.is_paused(at) {
            return;
        }
        let now = self.clock(at);
        let machine = &mut self.nodes[at].machine;
        let asked = machine.kick(now, &user.into(), &"kicked".into());
        self.asking.open.insert((at, asked.unwrap()), Some(user));
        for id in self.connections(at, user) {
            self.log_out(at, id);
        }
        self.carry_out(at);
    }

    pub(crate) fn tell_everyone(&mut self, at: usize) {
        if self.is_paused(at) {
            return;
        }
        let (id, now) = (self.next_message(at), self.clock(at));
        let machine = &mut self.nodes[at].machine;
        machine.tell_everyone(now, id.to_string().as_bytes());
        self.carry_out(at);
    }

    fn next_message(&mut self, at: usize) -> u64 {
        self.messages += 1;
        self.asking.senders.insert(self.messages, at);
        self.messages
    }

    pub(crate) fn asking_told(&mut self, at: usize, output: Output) {
        match &output {
            Output::Direct {
                node,
                question,
                user,
                body,
            } => {
                self.arrived(at, body);
                let queues = self.connections(at, user).len() as u64;
                let now = self.clock(at);
                let machine = &mut self.nodes[at].machine;
                machine.taken(now, node, *question, queues);
                self.witness.count("direct");
            }
            Output::Everyone { body, .. } => {
                self.arrived(at, body);
                self.witness.count("everyone");
            }
            Output::Taken {
                question, complete, ..
            } => {
                let open = self.asking.open.remove(&(at, *question));
                assert_eq!(open, Some(None), "answered twice");
                let what = if *complete { "taken" } else { "not taken" };
                self.witness.count(what);
                self.asking.last = Some(output);
            }
            Output::Kicked {
                question, complete, ..
            } => {
                let open = self.asking.open.remove(&(at, *question));
                let user = open.flatten().expect("answered twice");
                if *complete {
                    self.asking.kicks.push((user, self.now));
                    self.witness.count("kicked");
                }
                self.asking.last = Some(output);
            }
            other => panic!("{other:?} is no answer"),
        }
    }

    fn arrived(&mut self, at: usize, body: &Arc<[u8]>) {
        let id = str::from_utf8(body).unwrap().parse().unwrap();
        let first = self.asking.arrived.insert((at, id));
        assert!(first, "{id} arrives twice on node {at}");
        let sender = self.asking.senders[&id];
        // A node that was killed and came back is another one.
        let is_own = sender == at && self.nodes.len() == self.processes as usize;
        assert!(!is_own, "{id} comes back to its node");
    }

    pub(crate) fn questions_end(&mut self, at: usize) {
        self.asking.open.retain(|(node, _), _| *node != at);
    }

    pub(crate) fn assert_answered(&self) {
        assert!(self.asking.open.is_empty(), "seed {}", self.seed);
    }

    /// Nobody stays who had been logged in for long when they were kicked.
    pub(crate) fn assert_kicked(&self) {
        for (user, at) in &self.asking.kicks {
            let before = at.before(5 * SECOND);
            let stays = self.logged_in_before(user, before);
            assert!(!stays, "seed {}: {user} was kicked at {at:?}", self.seed);
        }
    }
}

/// Ann is on two of three nodes, twice on the first one.
fn ann_is_on_two_nodes() -> World {
    let terms = LoginTerms {
        most: 5,
        keep: Keep::Newest,
        ..LoginTerms::default()
    };
    let mut world = World::with_terms(1, 3, 100, terms);
    world.run(SECOND);
    for at in [0, 0, 1] {
        world.log_in(at, USERS[0]);
    }
    world.run(SECOND);
    world
}

fn taken(world: &World) -> (u32, u64, bool) {
    match world.asking.last {
        Some(Output::Taken {
            nodes,
            queues,
            complete,
            ..
        }) => (nodes, queues, complete),
        _ => panic!("no answer"),
    }
}

#[test]
fn a_direct_message_reaches_all_connections_of_its_user_and_says_how_many() {
    let mut world = ann_is_on_two_nodes();
    world.direct(2, "ann");
    world.run(SECOND / 10);
    assert_eq!(taken(&world), (2, 3, true));
    world.direct(0, "ann");
    world.run(SECOND / 10);
    assert_eq!(taken(&world), (1, 1, true));
    world.direct(0, "bob");
    world.run(SECOND / 10);
    assert_eq!(taken(&world), (0, 0, true));
    assert_eq!(world.witness.seen["direct"], 3);
}

#[test]
fn a_node_that_does_not_answer_is_waited_for_a_second() {
    let mut world = ann_is_on_two_nodes();
    world.nodes[1].paused_until = world.now + 2 * SECOND;
    world.direct(2, "ann");
    world.run(SECOND / 2);
    assert!(world.asking.last.is_none());
    world.run(SECOND);
    assert_eq!(taken(&world), (1, 2, false));
}

#[test]
fn a_message_for_everyone_reaches_each_other_node_once() {
    let mut world = ann_is_on_two_nodes();
    world.tell_everyone(2);
    world.run(SECOND);
    assert_eq!(world.witness.seen["everyone"], 2);
}

#[test]
fn a_kick_closes_all_connections_of_a_user() {
    let mut world = ann_is_on_two_nodes();
    world.kick(2, "ann");
    world.run(SECOND);
    let Some(Output::Kicked {
        nodes, connections, ..
    }) = world.asking.last
    else {
        panic!("no answer");
    };
    assert_eq!((nodes, connections), (2, 3));
    assert_eq!(world.witness.seen["closed"], 3);
    world.assert_logins();
    world.log_in(0, "ann");
    world.run(SECOND);
    assert_eq!(world.connections(0, "ann").len(), 1);
}

/// Neither the message nor the claim is there when the node comes back.
#[test]
fn a_kick_reaches_a_node_that_was_away() {
    for pause in [2, 20] {
        let mut world = ann_is_on_two_nodes();
        world.nodes[0].paused_until = world.now + pause * SECOND;
        world.run(SECOND);
        if pause > 10 {
            // Its claims have been dropped before the kick, for it is dead.
            world.run(5 * SECOND);
            world.log_in(1, "ann");
            world.run(SECOND);
        }
        world.kick(2, "ann");
        world.run(SECOND / 2);
        reset_before_it_is_answered_on(&mut world, 0);
        world.run(Duration::from_secs(30));
        assert!(world.connections(0, "ann").is_empty(), "{pause}");
        world.assert_logins();
    }
}

/// Where the oldest stay, its claims are as of when it came back, but the kick is not missed.
#[test]
fn a_kick_reaches_a_node_that_was_away_where_the_oldest_stay() {
    for is_elsewhere in [false, true] {
        let terms = LoginTerms {
            most: 1,
            keep: Keep::Oldest,
            ..LoginTerms::default()
        };
        let mut world = World::with_terms(1, 2, 100, terms);
        world.run(SECOND);
        world.log_in(0, "ann");
        world.run(SECOND);
        world.nodes[0].paused_until = world.now + 120 * SECOND;
        world.run(6 * SECOND);
        if is_elsewhere {
            let id = world.log_in(1, "ann").expect("the other node is dead");
            world.run(SECOND);
            world.log_out(1, id);
            // Nothing is left of the claims, that of the dead node included.
            world.run(70 * SECOND);
        }
        world.kick(1, "ann");
        world.run(120 * SECOND);
        assert!(world.connections(0, "ann").is_empty(), "{is_elsewhere}");
        world.assert_logins();
    }
}
