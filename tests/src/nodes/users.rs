//! Who is in rooms, and what the applications of nodes tell of users.

use std::collections::{BTreeMap, BTreeSet};

use switchboard_core::PresenceInfo;
use switchboard_core::protocol::Json;

use super::client::user_name;
use super::hearing::Heard;
use super::plan::{PLAIN, ROOMS};
use super::world::World;

impl World {
    /// A client is told who is in a room.
    pub(super) fn sees_users(&mut self, c: u32, heard: &Heard<'_>) {
        let Some(room) = heard.room() else {
            return self.fail("wire", format!("client {c}: {heard:?}"));
        };
        let place = &mut self.clients[c as usize].places[room];
        let count = heard.count.unwrap_or(0);
        place.count = count;
        let mut infos = 0;
        if heard.users.is_some() {
            place.infos.clear();
        }
        for user in heard.left.iter().flatten() {
            place.infos.remove(*user);
        }
        for (user, info) in heard.info.iter().flatten() {
            infos += 1;
            match info.get() {
                "null" => place.infos.remove(*user),
                info => place.infos.insert((*user).to_owned(), info.to_owned()),
            };
        }
        if let Some(users) = &heard.users {
            let users = users.iter().map(|&user| user.to_owned());
            place.users = Some(users.collect());
        } else if heard.joined.is_some() || heard.left.is_some() {
            if let Some(users) = &mut place.users {
                for user in heard.left.iter().flatten() {
                    users.remove(*user);
                }
                users.extend(heard.joined.iter().flatten().map(|&user| user.to_owned()));
            }
        } else if infos == 0 {
            place.users = None;
        }
        let is_quiet = room == PLAIN && infos > 0;
        let is_whole = place.users.as_ref().is_some_and(|it| it.len() == count);
        if !is_whole {
            place.users = None;
            self.count("count of presence only", 1);
        }
        self.count("told of a user", infos);
        self.check("presence info", !is_quiet, || {
            format!("client {c}: {heard:?}")
        });
    }

    /// The application of a node tells something of a user, or nothing any more.
    pub(super) fn tells_of_users(&mut self, n: usize) {
        let user = self.rng.u32(..self.plan.users);
        let number = self.rng.u32(..4);
        self.tells_of(n, user, number);
    }

    fn tells_of(&mut self, n: usize, user: u32, number: u32) {
        let name = user_name(user);
        let info = (number > 0).then(|| format!("{{\"is\": {number}}}"));
        self.note(|| format!("node {n} tells {info:?} of {name}"));
        let info = info.map(|info| Json::parse(&info).expect("JSON"));
        let info = info.map(|info| PresenceInfo::new(info).expect("a short text"));
        let told = self.call(n, |process, now| {
            process.with(now, |board, _| board.set_user_presence(now, &name, info))
        });
        self.count("node told of its user", u64::from(told == Some(true)));
        self.settle(n);
    }

    /// Where everybody is back, something is told of some of them once more.
    pub(super) fn tells_of_some(&mut self) {
        for n in 0..self.nodes.len() {
            for user in 0..self.plan.users {
                if self.rng.u8(..3) == 0 {
                    let number = self.rng.u32(..4);
                    self.tells_of(n, user, number);
                }
            }
        }
    }

    /// What the nodes where a user is in a room tell of that user.
    fn told_of(&self, room: usize) -> BTreeMap<String, BTreeSet<Option<String>>> {
        let mut told: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for client in self.clients.iter().filter(|it| it.places[room].is_in()) {
            let Some(l) = client.link else {
                continue;
            };
            let process = self.nodes[self.links[l as usize].node].process.as_ref();
            let name = user_name(client.user);
            let info = process.and_then(|it| it.board.presence_info(&name));
            let info = info.map(|info| info.as_json().to_owned());
            told.entry(name).or_default().insert(info);
        }
        told
    }

    /// Members are told of each user what a node where the user is says, if any says something.
    pub(super) fn check_infos(&mut self) {
        for room in (0..ROOMS.len()).filter(|&room| room != PLAIN) {
            let told = self.told_of(room);
            for c in 0..self.clients.len() {
                let place = &self.clients[c].places[room];
                if !place.is_in() || place.users.is_none() {
                    continue;
                }
                let mut wrong = None;
                for (user, infos) in &told {
                    let has = place.infos.get(user).cloned();
                    let says_something = infos.iter().any(Option::is_some);
                    let is_right = infos.contains(&has) && has.is_some() == says_something;
                    if !is_right {
                        wrong = Some((user.clone(), has, infos.clone()));
                    }
                }
                let seen = place.infos.len();
                self.check("presence info", wrong.is_none(), || {
                    format!("client {c} in {}: {wrong:?}", ROOMS[room])
                });
                self.count("told rightly of a user", seen as u64);
            }
        }
    }
}
