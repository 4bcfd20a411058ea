//! Claims of users.

use std::collections::BTreeMap;
use std::sync::Arc;

use switchboard_core::cluster::{
    Answer, BrokerTime, Channel, Claim, Direct, Done, Keep, Kick, Login, Logout, Lookup, Reached,
};

use super::store::{Claims, Key, Value};
use super::{SimRedis, Write};

impl SimRedis {
    /// The claims of a user, where they are of this incarnation.
    fn claims(&self, user: &str, incarnation: &str) -> Option<Claims> {
        match self.store.read(&Key::Claims(user.to_owned())) {
            Some(Value::Claims(claims)) if claims.incarnation == incarnation => {
                Some(claims.clone())
            }
            _ => None,
        }
    }

    fn or_new(claims: Option<Claims>, incarnation: &str) -> Claims {
        claims.unwrap_or_else(|| Claims {
            incarnation: incarnation.to_owned(),
            ..Claims::default()
        })
    }

    /// Puts claims back; when they expire does not change.
    fn keep(&mut self, user: &str, claims: Claims) {
        let key = Key::Claims(user.to_owned());
        match self.store.value(&key) {
            Some(value @ Value::Claims(_)) => *value = Value::Claims(claims),
            _ => self.store.insert(key, Value::Claims(claims)),
        }
    }

    pub(super) fn login(&mut self, it: &Login) -> Done {
        let claims = self.claims(&it.user, &it.writer.incarnation);
        let mut claims = Self::or_new(claims, &it.writer.incarnation);
        if is_stale(&claims, &it.writer.node, it.writer.session) {
            return Ok(Answer::StaleSession);
        }
        self.may(Write::Grows)?;
        let node = it.writer.node.to_string();
        claims.sessions.insert(node, it.writer.session);
        let is_dead = |registration: &str| it.dead.iter().any(|dead| **dead == *registration);
        claims
            .stamps
            .retain(|(registration, _), _| !is_dead(registration));

        let own = (it.registration.to_string(), it.connection.to_string());
        let stamp = match (claims.stamps.get(&own), it.since.or(it.at)) {
            (Some(stamp), _) => *stamp,
            (None, Some(since)) if since.0 <= claims.kicked => {
                self.keep(&it.user, claims);
                self.store
                    .touch(&Key::Claims(it.user.to_string()), self.now, it.expiry);
                let claim = Claim {
                    stamp: since,
                    registration: Arc::clone(&it.registration),
                    connection: Arc::clone(&it.connection),
                };
                return Ok(Answer::Login {
                    stamp: since,
                    put_out: vec![claim],
                    at: self.now,
                });
            }
            (None, _) => self.new_stamp(&claims, it.at),
        };
        claims.stamps.insert(own.clone(), stamp);

        let all = oldest_first(&claims);
        let over = if it.most == 0 {
            0
        } else {
            all.len().saturating_sub(it.most as usize)
        };
        let put_out: Vec<Claim> = match it.keep {
            Keep::Newest => all[..over].to_vec(),
            Keep::Oldest => all[all.len() - over..].to_vec(),
        };
        for claim in &put_out {
            claims.stamps.remove(&field_of(claim));
        }
        self.keep(&it.user, claims);
        let told: Vec<Claim> = put_out
            .iter()
            .filter(|claim| field_of(claim) != own)
            .cloned()
            .collect();
        self.tell(&told, &it.reason, &it.user);
        self.store
            .touch(&Key::Claims(it.user.to_string()), self.now, it.expiry);
        Ok(Answer::Login {
            stamp: BrokerTime(stamp),
            put_out,
            at: self.now,
        })
    }

    /// The stamp of a new claim: as it says, or newer than all others; never that of another.
    fn new_stamp(&self, claims: &Claims, at: Option<BrokerTime>) -> u64 {
        let newest = claims.stamps.values().max().copied();
        let mut stamp = match (at, newest) {
            (Some(at), _) => at.0,
            (None, Some(newest)) => self.now.0.max(newest + 1).max(claims.kicked + 1),
            (None, None) => self.now.0.max(claims.kicked + 1),
        };
        while claims.stamps.values().any(|taken| *taken == stamp) {
            stamp += 1;
        }
        stamp
    }

    pub(super) fn logout(&mut self, it: &Logout) -> Done {
        let claims = self.claims(&it.user, &it.writer.incarnation);
        let mut claims = Self::or_new(claims, &it.writer.incarnation);
        if is_stale(&claims, &it.writer.node, it.writer.session) {
            return Ok(Answer::StaleSession);
        }
        self.may(Write::Grows)?;
        let node = it.writer.node.to_string();
        claims.sessions.insert(node, it.writer.session);
        let own = (it.registration.to_string(), it.connection.to_string());
        let removed = claims.stamps.remove(&own).is_some();
        let was_last = claims.stamps.is_empty() && claims.kicked == 0;
        self.keep(&it.user, claims);
        if was_last {
            self.store
                .touch(&Key::Claims(it.user.to_string()), self.now, it.rest);
        }
        Ok(Answer::Logout(removed))
    }

    pub(super) fn kick(&mut self, it: &Kick) -> Done {
        let at = self.now;
        let claims = self.claims(&it.user, &it.incarnation);
        let mut claims = Self::or_new(claims, &it.incarnation);
        if claims.stamps.is_empty() && self.may(Write::Grows).is_err() {
            // A server that refuses to note it has kicked nobody.
            let reached = Vec::new();
            return Ok(Answer::Kick { at, reached });
        }
        self.may(Write::Frees)?;
        let all = oldest_first(&claims);
        claims.stamps.clear();
        let newest = all.last().map_or(0, |claim| claim.stamp.0);
        claims.kicked = at.0.max(claims.kicked).max(newest);
        self.keep(&it.user, claims);
        self.store
            .touch(&Key::Claims(it.user.to_string()), at, it.expiry);
        let reached = self.tell(&all, &it.reason, &it.user);
        Ok(Answer::Kick { at, reached })
    }

    pub(super) fn lookup(&mut self, it: &Lookup) -> Done {
        let Some(claims) = self.claims(&it.user, &it.incarnation) else {
            return Ok(Answer::Lookup(None));
        };
        if !claims.stamps.is_empty() {
            self.may(Write::Frees)?;
            self.store
                .touch(&Key::Claims(it.user.to_string()), self.now, it.expiry);
        }
        Ok(Answer::Lookup(Some(oldest_first(&claims))))
    }

    pub(super) fn direct(&mut self, it: &Direct) -> Answer {
        let all = match self.claims(&it.user, &it.incarnation) {
            Some(claims) => oldest_first(&claims),
            None => Vec::new(),
        };
        let mut nodes: Vec<(String, u32)> = Vec::new();
        for claim in all {
            let node = node_of(&claim.registration);
            if node == &*it.node || it.dead.contains(&claim.registration) {
                continue;
            }
            match nodes.iter_mut().find(|(name, _)| name == node) {
                Some((_, claims)) => *claims += 1,
                None => nodes.push((node.to_owned(), 1)),
            }
        }
        let mut reached = Vec::new();
        for (node, claims) in nodes {
            let node = Arc::from(node);
            let receivers = self.publish(&Channel::Inbox(Arc::clone(&node)), &it.payload);
            reached.push(Reached {
                node,
                claims,
                receivers,
            });
        }
        Answer::Direct(reached)
    }

    /// Tells each registration which of its connections are to be closed.
    fn tell(&mut self, claims: &[Claim], reason: &str, user: &str) -> Vec<Reached> {
        let mut order = Vec::new();
        let mut connections: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for claim in claims {
            if !connections.contains_key(&*claim.registration) {
                order.push(Arc::clone(&claim.registration));
            }
            connections
                .entry(&claim.registration)
                .or_default()
                .push(&claim.connection);
        }
        let mut reached = Vec::new();
        for registration in order {
            let lost = &connections[&*registration];
            let payload = format!(
                "1\tX\t{registration}\t{reason}\t{user}\n{}",
                lost.join("\n")
            );
            let inbox = Channel::Inbox(node_of(&registration).into());
            let receivers = self.publish(&inbox, payload.as_bytes());
            reached.push(Reached {
                claims: lost.len() as u32,
                node: registration,
                receivers,
            });
        }
        reached
    }
}

fn is_stale(claims: &Claims, node: &str, session: u64) -> bool {
    claims
        .sessions
        .get(node)
        .is_some_and(|newest| *newest > session)
}

fn oldest_first(claims: &Claims) -> Vec<Claim> {
    let mut all: Vec<Claim> = claims
        .stamps
        .iter()
        .map(|((registration, connection), stamp)| Claim {
            stamp: BrokerTime(*stamp),
            registration: registration.as_str().into(),
            connection: connection.as_str().into(),
        })
        .collect();
    all.sort();
    all
}

fn field_of(claim: &Claim) -> (String, String) {
    (claim.registration.to_string(), claim.connection.to_string())
}

/// A registration is its node, a dot, and a count.
fn node_of(registration: &str) -> &str {
    match registration.rsplit_once('.') {
        Some((node, count)) if !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit()) => {
            node
        }
        _ => registration,
    }
}
