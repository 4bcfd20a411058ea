//! Stays in rooms: joins, leaves and grace periods (invariants 9, 12, 13, 30).

use super::causes::{by_itself, is_lost};
use super::counters::Probe;
use super::link::{Phase, Stay};
use super::world::World;

impl World {
    pub(super) fn joined(&mut self, l: u32, r: u32) {
        self.hash(u64::from(l) << 8 ^ u64::from(r) ^ 0x24);
        let limits = self.plan.config.limits;
        let shadow = &self.links[l as usize].shadow;
        let lobby = shadow.lobby == Some(r) && shadow.stays.is_empty();
        let fits = shadow.phase == Phase::Open
            && !shadow.rooms.contains(&r)
            && shadow.rooms.len() < limits.rooms_per_connection;
        self.check(9, fits, || {
            format!("link {l}: joined r{r} beyond its limits")
        });
        let user = self.shared_user(l);
        let now = self.core_now;
        if self.oracle.rooms[r as usize].members.is_empty() {
            self.find_life(r, true);
            self.oracle.rooms[r as usize].graces.clear();
        }
        let entering = self.entrance(l, r, lobby);
        let first = self.first_kept(r);
        let room = &mut self.oracle.rooms[r as usize];
        room.members.push(l);
        room.lobby_members += usize::from(lobby);
        let (members, seq, life) = (room.members.len(), room.seq(), room.lives.len() as u32 - 1);
        if let Some(user) = &user
            && let Some(until) = room.graces.remove(user)
            && room.presence
        {
            self.tally.probe(if until > now {
                Probe::GraceRejoin
            } else {
                Probe::GraceOver
            });
        }
        let room = &mut self.oracle.rooms[r as usize];
        let held = user.as_ref().and_then(|user| room.held.remove(user));
        let (seats, others) = (room.seats, room.held.len());
        if held.is_some() {
            self.tally.probe(if members + others >= seats {
                Probe::HeldSeatSaved
            } else {
                Probe::HeldSeatTaken
            });
        }
        // A newcomer that replaces a member briefly counts beside it.
        self.check(9, members + others <= seats + usize::from(lobby), || {
            format!("{members} members in r{r}, {others} seats held")
        });
        let volatiles = self.oracle.volatiles;
        let shadow = &mut self.links[l as usize].shadow;
        if lobby {
            shadow.lobby_in = Some(r);
        }
        shadow.rooms.push(r);
        shadow.stays.entry(r).or_default().push_back(Stay {
            life,
            from: seq,
            until: None,
            told: false,
            seen: seq,
            entering,
            first,
            recovered: None,
            by_key: false,
            hidden: None,
            paged: 0,
            gave_up: false,
            volatiles,
            purged: false,
            presence: None,
        });
    }

    pub(super) fn left(&mut self, l: u32, r: u32) {
        self.hash(u64::from(l) << 8 ^ u64::from(r) ^ 0x25);
        let inside = self.links[l as usize].shadow.rooms.contains(&r);
        self.check(30, inside, || {
            format!("link {l}: left r{r} without being a member")
        });
        let room = &mut self.oracle.rooms[r as usize];
        room.members.retain(|&other| other != l);
        room.used = self.core_now;
        let seq = room.seq();
        let shadow = &mut self.links[l as usize].shadow;
        if shadow.lobby_in == Some(r) {
            shadow.lobby_in = None;
            room.lobby_members -= 1;
        }
        shadow.rooms.retain(|&other| other != r);
        shadow.left_now.push(r);
        if let Some(stay) = shadow.stays.get_mut(&r).and_then(|stays| stays.back_mut()) {
            stay.until = Some(seq);
            // A member that has still to recover does not get the rest.
            stay.gave_up = room.keeping.is_some() && (!stay.told || stay.seen < stay.from);
        }
        self.oracle.left_now.push(l);
    }

    pub(super) fn note_graces(&mut self, l: u32, rooms: &[u32], reason: &str) {
        let Some(user) = self.shared_user(l) else {
            return;
        };
        if !by_itself(reason) {
            return;
        }
        for &r in rooms {
            let until = self.core_now + self.oracle.rooms[r as usize].grace;
            let others = self.oracle.rooms[r as usize]
                .members
                .iter()
                .any(|&other| self.links[other as usize].shadow.user.as_ref() == Some(&user));
            let room = &mut self.oracle.rooms[r as usize];
            if !others && !room.members.is_empty() && room.presence {
                room.graces.insert(user.clone(), until);
            }
        }
    }

    pub(super) fn note_held_seats(&mut self, l: u32, rooms: &[u32], reason: &str) {
        let user = self.shared_user(l);
        let Some(user) = user.filter(|user| is_lost(reason) && !user.starts_with("anon-")) else {
            return;
        };
        let limits = self.plan.config.limits;
        let most = limits.rooms_per_connection * limits.connections;
        for &r in rooms {
            let room = &self.oracle.rooms[r as usize];
            let mut others = room.members.iter();
            let is_there =
                others.any(|&other| self.links[other as usize].shadow.user.as_ref() == Some(&user));
            let Some(hold) = room.hold.filter(|_| !is_there && room.held.len() < most) else {
                continue;
            };
            let until = self.core_now + hold;
            self.oracle.rooms[r as usize]
                .held
                .insert(user.clone(), until);
        }
    }

    /// Seats that have been held for long enough are free.
    pub(super) fn free_held_seats(&mut self) {
        let now = self.core_now;
        for room in &mut self.oracle.rooms {
            room.held.retain(|_, until| *until > now);
        }
    }

    /// A user is put out, and has no seats any more.
    pub(super) fn release_held_seats(&mut self, user: &str) {
        for room in &mut self.oracle.rooms {
            room.held.retain(|whose, _| **whose != *user);
        }
    }
}
