//! Presence: the occupants of a room.

use std::collections::{BTreeMap, BTreeSet};

use switchboard_core::{ConnectionId, SlowPolicy};

use super::queue::{Is, Item, Kind, framed};
use super::{Model, Nanos, Note, nanos, texts};

/// When something is due, and its order among things due at the same time.
type Turn = (Nanos, u64);

/// The users of one room.
#[derive(Clone, Debug, Default)]
pub struct Crowd {
    /// Users in the order of joining; for absent ones, the end of the grace period.
    pub users: Vec<(String, Option<Turn>)>,
    /// Users at the last announcement.
    told: BTreeSet<String>,
    /// The count of changes, now and at the last announcement.
    changes: (u64, u64),
    /// The count of changes at which each member was last up to date; `None` if it missed
    /// something.
    knows: BTreeMap<ConnectionId, Option<u64>>,
    /// When the next announcement is due.
    telling: Option<Turn>,
    /// Whether anything changed since the last announcement.
    news: bool,
}

impl Model {
    fn interval(&self, name: &str) -> Nanos {
        let interval = self.config.presence.interval;
        nanos(self.rule(name, |rule| rule.presence.interval, interval))
    }

    fn full(&self, name: &str) -> usize {
        let full = self.config.presence.full;
        self.rule(name, |rule| rule.presence.full, full)
    }

    pub(crate) fn presence_joined(&mut self, name: &str, user: &str) {
        let at = self.now + self.interval(name);
        let Some(crowd) = self
            .rooms
            .get_mut(name)
            .and_then(|room| room.crowd.as_mut())
        else {
            return;
        };
        if let Some(found) = crowd.users.iter_mut().find(|(other, _)| other == user) {
            found.1 = None;
        } else {
            crowd.users.push((user.to_owned(), None));
            crowd.changes.0 += 1;
            crowd.news = true;
        }
        if crowd.news {
            self.arm(name, at);
        }
    }

    /// Sends the list of users to a member that entered, if it can receive messages.
    pub(crate) fn tell_list(&mut self, id: ConnectionId, name: &str) {
        let there = self.rooms.get(name);
        let there = there.filter(|room| room.crowd.is_some() && room.members.contains(&id));
        if there.is_some() && self.json() {
            let list = self.list(name);
            self.tell_presence(id, name, &list);
        }
    }

    pub(crate) fn presence_left(&mut self, name: &str, user: &str, grace: bool) {
        self.turns += 1;
        let lasts = self.config.presence.leave_grace;
        let lasts = self.rule(name, |rule| rule.presence.leave_grace, lasts);
        let until = self.now + nanos(lasts);
        let until = (until, self.turns);
        let Some(room) = self.rooms.get(name) else {
            return;
        };
        let here = |id: &ConnectionId| self.conns.get(id).is_some_and(|conn| conn.user == user);
        if room.members.iter().any(here) {
            return;
        }
        let Some(crowd) = self
            .rooms
            .get_mut(name)
            .and_then(|room| room.crowd.as_mut())
        else {
            return;
        };
        if grace {
            for found in crowd.users.iter_mut().filter(|(other, _)| other == user) {
                found.1 = Some(until);
            }
        } else {
            self.forget_user(name, user);
        }
    }

    fn forget_user(&mut self, name: &str, user: &str) {
        let at = self.now + self.interval(name);
        let Some(crowd) = self
            .rooms
            .get_mut(name)
            .and_then(|room| room.crowd.as_mut())
        else {
            return;
        };
        let before = crowd.users.len();
        crowd.users.retain(|(other, _)| other != user);
        if crowd.users.len() < before {
            crowd.changes.0 += 1;
            crowd.news = true;
            self.arm(name, at);
        }
    }

    fn arm(&mut self, name: &str, at: Nanos) {
        self.turns += 1;
        let turn = self.turns;
        if let Some(crowd) = self
            .rooms
            .get_mut(name)
            .and_then(|room| room.crowd.as_mut())
        {
            crowd.telling.get_or_insert((at, turn));
        }
    }

    fn names(&self, name: &str) -> Vec<String> {
        let crowd = self.rooms.get(name).and_then(|room| room.crowd.as_ref());
        crowd.map_or(Vec::new(), |crowd| {
            crowd.users.iter().map(|(user, _)| user.clone()).collect()
        })
    }

    fn list(&self, name: &str) -> Item {
        let names = self.names(name);
        let told = names.len().min(self.full(name));
        presence_item(texts::presence(name, names.len(), &names[..told]))
    }

    /// Sends the list to a member; if it does not fit, the member gets it next time.
    fn tell_presence(&mut self, id: ConnectionId, name: &str, item: &Item) {
        let fits = self.fits_within(id, item.len, 1);
        let again = self.now + self.interval(name);
        if fits {
            self.push(id, item.clone());
        } else {
            self.arm(name, again);
        }
        let crowd = self.rooms.get_mut(name).and_then(|it| it.crowd.as_mut());
        if let Some(crowd) = crowd {
            crowd.knows.insert(id, fits.then_some(crowd.changes.0));
        }
    }

    pub(crate) fn tick_presence(&mut self) {
        let now = self.now;
        let mut gone: Vec<(Turn, String, String)> = Vec::new();
        for (name, crowd) in self.crowds() {
            let over = crowd.users.iter().filter_map(|(user, until)| {
                let turn = until.filter(|&(at, _)| at <= now)?;
                Some((turn, name.clone(), user.clone()))
            });
            gone.extend(over);
        }
        gone.sort();
        for (_, name, user) in gone {
            self.forget_user(&name, &user);
        }
        let due = |crowd: &Crowd| crowd.telling.filter(|&(at, _)| at <= now);
        let crowds = self.crowds();
        let mut told: Vec<(Turn, String)> = crowds
            .filter_map(|(name, crowd)| Some((due(crowd)?, name.clone())))
            .collect();
        told.sort();
        for (_, name) in told {
            let crowd = self
                .rooms
                .get_mut(&name)
                .and_then(|room| room.crowd.as_mut());
            if let Some(crowd) = crowd {
                crowd.telling = None;
                if self.is_full(&name) {
                    let again = self.now + self.interval(&name);
                    self.arm(&name, again);
                } else {
                    self.tell_changes(&name);
                }
            }
        }
    }

    fn crowds(&self) -> impl Iterator<Item = (&String, &Crowd)> {
        let rooms = self.rooms.iter();
        rooms.filter_map(|(name, room)| Some((name, room.crowd.as_ref()?)))
    }

    fn tell_changes(&mut self, name: &str) {
        let names = self.names(name);
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        let members = room.members.clone();
        let Some(crowd) = &mut room.crowd else { return };
        let now: BTreeSet<String> = names.iter().cloned().collect();
        let joined: Vec<String> = now.difference(&crowd.told).cloned().collect();
        let left: Vec<String> = crowd.told.difference(&now).cloned().collect();
        let (version, told) = crowd.changes;
        crowd.changes.1 = version;
        crowd.told = now;
        crowd.news = false;
        let knows = crowd.knows.clone();
        let news = !joined.is_empty() || !left.is_empty();
        if self.json() {
            let list = self.list(name);
            let most = self.full(name);
            let entry = if names.len() <= most {
                list.anew()
            } else if joined.len() + left.len() > most {
                presence_item(texts::changes(name, names.len(), &[], &[]))
            } else {
                presence_item(texts::changes(name, names.len(), &joined, &left))
            };
            let mut apart = Vec::new();
            let again = self.now + self.interval(name);
            for id in members {
                let knows = knows.get(&id).copied().flatten();
                // A member near its limit is told later, so that presence makes nobody slow.
                let closes = self.policy(name) == SlowPolicy::Disconnect && self.conns[&id].blocked;
                let up_to_date = knows.is_some_and(|seen| seen == version || seen == told);
                if (news || !up_to_date) && closes && self.is_behind(id, name, 1, (1, entry.len)) {
                    self.arm(name, again);
                    self.forget_known(name, id);
                    apart.push(id);
                    continue;
                }
                match knows {
                    Some(seen) if seen == version => apart.push(id),
                    Some(seen) if seen == told => self.knows(name, id, version),
                    _ => {
                        self.tell_presence(id, name, &list);
                        apart.push(id);
                    }
                }
            }
            if news {
                self.publish_to(name, &entry, &apart);
                self.keep(name, None, &entry, &[]);
            }
        }
        if news {
            let note = Note::Presence(name.to_owned(), names.len(), joined, left);
            self.notes.push(note);
        }
    }

    fn forget_known(&mut self, name: &str, id: ConnectionId) {
        let crowd = self.rooms.get_mut(name).and_then(|it| it.crowd.as_mut());
        if let Some(crowd) = crowd {
            crowd.knows.insert(id, None);
        }
    }

    fn knows(&mut self, name: &str, id: ConnectionId, version: u64) {
        if let Some(crowd) = self
            .rooms
            .get_mut(name)
            .and_then(|room| room.crowd.as_mut())
        {
            crowd.knows.insert(id, Some(version));
        }
    }

    /// Returns the users in a room, in the order of joining, or of their connections.
    pub fn room_users(&self, name: &str) -> Vec<String> {
        let Some(room) = self.rooms.get(name) else {
            return Vec::new();
        };
        if room.crowd.is_some() {
            return self.names(name);
        }
        let mut users: Vec<String> = room
            .members
            .iter()
            .map(|id| self.conns[id].user.clone())
            .collect();
        users.sort();
        users.dedup();
        users
    }

    /// Returns the next deadline of presence.
    pub(crate) fn next_presence(&self) -> Option<Nanos> {
        let times = |(_, crowd): (&String, &Crowd)| {
            let graces = crowd.users.iter().filter_map(|&(_, until)| until);
            graces.chain(crowd.telling).min()
        };
        self.crowds().filter_map(times).min().map(|(at, _)| at)
    }
}

fn presence_item(text: String) -> Item {
    Item::new(framed(text.len()), Is::Json(text), Kind::Message)
}
