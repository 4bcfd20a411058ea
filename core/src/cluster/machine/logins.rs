//! Logins: applies the policy for several connections of a user over all nodes.

use std::sync::Arc;

use super::asked::Asked;
use super::claims::{Claim, Key, Stage, is_leaving};
use super::cluster::Cluster;
use super::output::Output;
use super::pipeline::Pipeline;
use super::timers::Timer;
use crate::cluster::answer::{self, Answer, Failure};
use crate::cluster::command::{BrokerTime, Command, Keep, Login, Logout, Lookup};
use crate::{ConnectionId, Time};

/// Questions about a user's claims that may wait.
const LOOKUPS: usize = 1000;

impl Cluster {
    /// A user has logged in here. The connections that are then too many are closed by
    /// [`Output::Close`], wherever they are.
    ///
    /// Where those that are there already stay ([`Keep::Oldest`]), the connection waits for
    /// [`Output::Admission`], which comes within [`ClusterConfig::wait`](super::ClusterConfig::wait). The
    /// caller has applied the policy to its own connections before.
    pub fn logged_in(&mut self, now: Time, user: &Arc<str>, connection: ConnectionId) {
        let key = (Arc::clone(user), connection);
        let stamp = if self.link.works() {
            None
        } else {
            self.clock.estimate(now)
        };
        self.claims.make(&key, stamp);
        if self.config.logins.keep == Keep::Oldest
            && let Some(claim) = self.claims.get_mut(&key)
        {
            let at = Some(now + self.config.wait);
            let timer = Timer::Admission(key.0, key.1);
            self.timers.set(&mut claim.admission, at, timer);
        }
        self.send(now);
    }

    /// A connection of a user is gone.
    pub fn logged_out(&mut self, now: Time, user: &Arc<str>, connection: ConnectionId) {
        self.give_up(&(Arc::clone(user), connection));
        self.send(now);
    }

    /// Gives a claim up, at the broker too if it may be there.
    fn give_up(&mut self, key: &Key) {
        let Some(claim) = self.claims.get_mut(key) else {
            return;
        };
        if claim.was_sent && !is_leaving(claim) {
            for timer in timers(key, claim) {
                self.timers.clear(timer.0, timer.1);
            }
            (claim.admission, claim.touch) = (None, None);
            self.claims.set(key, Stage::Leaving);
        } else if !claim.was_sent {
            self.remove_claim(key);
        }
    }

    fn remove_claim(&mut self, key: &Key) {
        if let Some(claim) = self.claims.remove(key) {
            for (at, timer) in timers(key, &claim) {
                self.timers.clear(at, timer);
            }
        }
    }

    /// The broker has removed a claim, or refuses it.
    fn is_put_out(&mut self, key: &Key, reason: &Arc<str>) {
        let Some(claim) = self.claims.get_mut(key) else {
            return;
        };
        if is_leaving(claim) {
            return;
        }
        let (user, connection) = key.clone();
        let output = if claim.admission.is_some() {
            Output::Admission {
                user,
                connection,
                admitted: false,
            }
        } else {
            Output::Close {
                user,
                connection,
                reason: Arc::clone(reason),
            }
        };
        self.outputs.push_back(output);
    }

    /// Claims of connections of a user were removed, as a push to the node's inbox reports.
    pub(super) fn close_arrived(
        &mut self,
        registration: &str,
        reason: &str,
        user: &str,
        connections: &[&str],
    ) {
        if !self.is_own(registration) {
            return;
        }
        for connection in connections {
            let Some(connection) = ConnectionId::parse(connection) else {
                self.figures.bad_pushes += 1;
                continue;
            };
            let key = (user.into(), connection);
            self.is_put_out(&key, &reason.into());
            let is_present = *registration == **self.lease.registration();
            if is_present && self.claims.is_held(&key) {
                self.remove_claim(&key);
            } else {
                // A command that is on its way may bring the claim back.
                self.give_up(&key);
            }
        }
    }

    /// A connection has waited for long enough: this node decides alone.
    pub(super) fn admission_is_due(&mut self, user: Arc<str>, connection: ConnectionId) {
        if let Some(claim) = self.claims.get_mut(&(Arc::clone(&user), connection)) {
            claim.admission = None;
            self.outputs.push_back(Output::Admission {
                user,
                connection,
                admitted: true,
            });
        }
    }

    pub(super) fn touch_is_due(&mut self, now: Time, key: &Key) {
        if let Some(claim) = self.claims.get_mut(key) {
            claim.touch = None;
            if claim.stage == Stage::Held {
                self.claims.set(key, Stage::Wanted);
            }
        }
        self.send(now);
    }

    /// Asks for at most so many claims.
    pub(super) fn ask_for_claims(&mut self, now: Time, most: usize, pipeline: &mut Pipeline) {
        if self.claims.first().is_none() && self.lookups.is_empty() {
            return;
        }
        let dead = self.peers.dead();
        for _ in 0..most {
            if pipeline.is_full() {
                return;
            }
            if let Some(user) = self.lookups.pop_front() {
                let lookup = Lookup {
                    user,
                    incarnation: Arc::clone(&self.incarnation),
                    expiry: self.config.memory,
                };
                pipeline.push(Command::Lookup(lookup), Asked::Lookup);
                continue;
            }
            let Some(key) = self.claims.first() else {
                return;
            };
            self.ask_for_claim(now, key, dead.clone(), pipeline);
        }
    }

    fn ask_for_claim(&mut self, now: Time, key: Key, dead: Vec<Arc<str>>, pipeline: &mut Pipeline) {
        let writer = self.writer();
        let registration = Arc::clone(self.lease.registration());
        let estimate = self.clock.estimate(now);
        let Some(claim) = self.claims.get_mut(&key) else {
            return;
        };
        let (user, connection) = (Arc::clone(&key.0), key.1.to_string().into());
        claim.was_sent = true;
        let command = if is_leaving(claim) {
            self.claims.set(&key, Stage::LeavingAsked);
            Command::Logout(Logout {
                user,
                writer,
                registration: Arc::clone(&registration),
                connection,
                rest: self.config.rest,
            })
        } else {
            let (at, since) = (claim.stamp, claim.since);
            // A repeat must not remove claims that were made in the meantime.
            claim.stamp = at.or(estimate);
            self.claims.set(&key, Stage::Asked);
            let terms = &self.config.logins;
            Command::Login(Login {
                user,
                writer,
                registration: Arc::clone(&registration),
                connection,
                at,
                since,
                most: terms.most,
                keep: terms.keep,
                expiry: self.config.memory,
                reason: Arc::clone(&terms.reason),
                dead,
            })
        };
        pipeline.push(command, Asked::Claim { key, registration });
    }

    pub(super) fn claim_answered(
        &mut self,
        now: Time,
        key: &Key,
        registration: &Arc<str>,
        answer: Answer,
    ) -> Result<(), Failure> {
        let is_present = registration == self.lease.registration();
        match answer {
            Answer::Login { stamp, put_out, at } => {
                self.clock.heard(now, at);
                let name = key.1.to_string();
                let is_own = |claim: &answer::Claim| {
                    claim.registration == *registration && *claim.connection == *name
                };
                let is_out = put_out.iter().any(is_own);
                for claim in put_out.iter().filter(|claim| !is_own(claim)) {
                    let reason = Arc::clone(&self.config.logins.reason);
                    let (registration, connection) = (&claim.registration, &claim.connection);
                    self.close_arrived(registration, &reason, &key.0, &[connection]);
                }
                if is_present {
                    self.claim_decided(now, key, stamp, is_out);
                }
            }
            Answer::Logout(_) => {
                let claim = self.claims.get_mut(key);
                let is_over = claim.is_some_and(|claim| claim.stage == Stage::LeavingAsked);
                if is_present && is_over {
                    self.remove_claim(key);
                }
            }
            _ => return Err(Failure::Malformed),
        }
        Ok(())
    }

    fn claim_decided(&mut self, now: Time, key: &Key, stamp: BrokerTime, is_out: bool) {
        let touch = now + self.config.touch.mul_f64(0.5 + self.rng.f64() / 2.0);
        let Some(claim) = self.claims.get_mut(key) else {
            return;
        };
        if is_out {
            if self.config.logins.keep == Keep::Oldest && self.lookups.len() < LOOKUPS {
                // The others may be held by a node that is forgotten.
                self.lookups.push_back(Arc::clone(&key.0));
            }
            let reason = Arc::clone(&self.config.logins.reason);
            self.is_put_out(key, &reason);
            self.remove_claim(key);
            return;
        }
        if claim.stage != Stage::Asked {
            return;
        }
        claim.stamp = Some(stamp);
        let (user, connection) = key.clone();
        let timer = Timer::Touch(Arc::clone(&user), connection);
        self.timers.set(&mut claim.touch, Some(touch), timer);
        if claim.admission.is_some() {
            let timer = Timer::Admission(Arc::clone(&user), connection);
            self.timers.set(&mut claim.admission, None, timer);
            self.outputs.push_back(Output::Admission {
                user,
                connection,
                admitted: true,
            });
        }
        self.claims.set(key, Stage::Held);
    }

    /// The claims of a user were read, to learn of registrations.
    pub(super) fn claims_read(&mut self, now: Time, claims: Option<Vec<answer::Claim>>) {
        for claim in claims.into_iter().flatten() {
            self.names_peer(now, &claim.registration);
        }
    }
}

/// What is due about a claim, and when.
pub(super) fn timers(key: &Key, claim: &Claim) -> [(Option<Time>, Timer); 2] {
    let (user, connection) = key;
    [
        (
            claim.admission,
            Timer::Admission(Arc::clone(user), *connection),
        ),
        (claim.touch, Timer::Touch(Arc::clone(user), *connection)),
    ]
}
