//! Who is logged in where, as the nodes' connections live it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use switchboard_core::cluster::{Answer, Command, Keep, LoginTerms, Lookup, Output};
use switchboard_core::{ConnectionId, Time};

use crate::acts::USERS;
use crate::world::World;

/// The connections of all nodes.
#[derive(Default)]
pub(crate) struct Logins {
    live: BTreeMap<(usize, ConnectionId), Login>,
    count: u32,
}

#[derive(Clone)]
struct Login {
    user: &'static str,
    /// Counts all logins.
    number: u32,
    at: Time,
    /// It has not been decided whether it may stay.
    waits: bool,
}

/// Terms that differ from seed to seed.
pub(crate) fn terms(seed: u64) -> LoginTerms {
    let (most, keep) = match seed % 3 {
        0 => (1, Keep::Newest),
        1 => (1, Keep::Oldest),
        _ => (2, Keep::Newest),
    };
    LoginTerms {
        most,
        keep,
        ..LoginTerms::default()
    }
}

impl World {
    /// A user logs in on a node, which applies the policy to its own connections.
    pub(crate) fn log_in(&mut self, at: usize, user: &'static str) -> Option<ConnectionId> {
        if self.is_paused(at) {
            return None;
        }
        let here = self.connections(at, user);
        let is_full = here.len() >= self.terms.most as usize;
        if is_full && self.terms.keep == Keep::Oldest {
            return None;
        }
        self.logins.count += 1;
        let number = self.logins.count;
        let id = ConnectionId::from_parts(number, self.processes);
        let login = Login {
            user,
            number,
            at: self.now,
            waits: self.terms.keep == Keep::Oldest,
        };
        self.logins.live.insert((at, id), login);
        let now = self.clock(at);
        let machine = &mut self.nodes[at].machine;
        machine.logged_in(now, &user.into(), id);
        if is_full {
            self.log_out(at, here[0]);
        }
        self.carry_out(at);
        Some(id)
    }

    /// A connection ends by itself.
    pub(crate) fn log_out(&mut self, at: usize, id: ConnectionId) {
        if self.is_paused(at) {
            return;
        }
        let now = self.clock(at);
        if let Some(login) = self.logins.live.remove(&(at, id)) {
            let machine = &mut self.nodes[at].machine;
            machine.logged_out(now, &login.user.into(), id);
        }
        self.carry_out(at);
    }

    pub(crate) fn log_in_or_out(&mut self, at: usize, user: &'static str) {
        let here = self.connections(at, user);
        if here.is_empty() || self.rng.bool() {
            self.log_in(at, user);
        } else {
            let id = here[self.rng.usize(0..here.len())];
            self.log_out(at, id);
        }
    }

    /// The connections of a user on a node, the oldest first.
    pub(crate) fn connections(&self, at: usize, user: &str) -> Vec<ConnectionId> {
        let live = self.logins.live.iter();
        let mut here: Vec<_> = live
            .filter(|((node, _), login)| *node == at && login.user == user)
            .map(|((_, id), login)| (login.number, *id))
            .collect();
        here.sort_unstable();
        here.into_iter().map(|(_, id)| id).collect()
    }

    /// Whether a user has a connection that was made before.
    pub(crate) fn logged_in_before(&self, user: &str, before: Time) -> bool {
        let mut live = self.logins.live.values();
        live.any(|login| login.user == user && login.at < before)
    }

    /// Carries out what a machine says about connections.
    pub(crate) fn connection_told(&mut self, at: usize, output: Output) {
        let (id, stays, what) = match output {
            Output::Admission {
                connection,
                admitted,
                ..
            } => {
                let login = self.logins.live.get_mut(&(at, connection));
                let login = login.expect("a connection that is gone is admitted");
                assert!(login.waits, "{connection} is decided about twice");
                login.waits = false;
                let what = if admitted { "admitted" } else { "refused" };
                (connection, admitted, what)
            }
            Output::Close {
                user, connection, ..
            } => {
                let login = self.logins.live.get(&(at, connection));
                let login = login.expect("a connection that is gone is closed");
                assert!(!login.waits, "{connection} is closed before it is admitted");
                assert_eq!(login.user, &*user);
                (connection, false, "closed")
            }
            other => panic!("{other:?} is about no connection"),
        };
        self.witness.count(what);
        if !stays {
            self.log_out(at, id);
        }
    }

    /// The connections of a process end with it.
    pub(crate) fn connections_end(&mut self, at: usize) {
        self.logins.live.retain(|(node, _), _| *node != at);
    }

    /// Nobody has more connections than allowed, and the broker has the claims of them all.
    pub(crate) fn assert_logins(&mut self) {
        for user in USERS {
            let mut live = BTreeSet::new();
            for at in 0..self.nodes.len() {
                for id in self.connections(at, user) {
                    assert!(!self.logins.live[&(at, id)].waits, "{id} waits for ever");
                    let registration = self.nodes[at].machine.registration();
                    live.insert((Arc::clone(registration), id.to_string()));
                }
            }
            let most = self.terms.most as usize;
            assert!(live.len() <= most, "seed {}: {live:?}", self.seed);
            let claimed = self.claims(user);
            assert_eq!(claimed, live, "seed {}, user {user}", self.seed);
        }
    }

    /// The claims of registrations that live.
    fn claims(&mut self, user: &str) -> BTreeSet<(Arc<str>, String)> {
        let lookup = Command::Lookup(Lookup {
            user: user.into(),
            incarnation: self.sim.incarnation().into(),
            expiry: std::time::Duration::from_secs(60),
        });
        let Ok(Answer::Lookup(claims)) = self.sim.apply(&lookup) else {
            panic!("the broker does not answer");
        };
        let mut found = BTreeSet::new();
        for claim in claims.into_iter().flatten() {
            let mut nodes = self.nodes.iter();
            if nodes.any(|node| *node.machine.registration() == claim.registration) {
                found.insert((claim.registration, claim.connection.to_string()));
            }
        }
        found
    }
}
