//! What happens that is no fault.

use std::sync::Arc;
use std::time::Duration;

use switchboard_core::cluster::{Order, PublishError, RoomTerms, WhenDown};

use crate::world::{ROOMS, World};

pub(crate) const USERS: [&str; 4] = ["ann", "bob", "cleo", "dan"];

/// What holds in a room.
pub(crate) fn room_terms(room: &str) -> RoomTerms {
    RoomTerms {
        order: match room {
            "cursors" | "games" => Order::Local,
            _ => Order::Total,
        },
        when_down: if room == "strict" {
            WhenDown::Refuse
        } else {
            WhenDown::Alone
        },
        presence: room != "cursors",
        keys: 0,
    }
}

impl World {
    /// One thing happens.
    pub(crate) fn step(&mut self) {
        let at = self.rng.usize(0..self.nodes.len());
        match self.rng.u32(0..1000) {
            0..350 => {
                for _ in 0..self.rng.u32(1..6) {
                    self.broker_reads(at);
                }
            }
            // Faster than what arrives, else no answer comes in time.
            350..700 => {
                for _ in 0..self.rng.u32(1..20) {
                    self.node_reads(at);
                }
            }
            700..810 => self.publish_some(at),
            810..815 => {
                let room = self.some_room();
                self.publish_volatile(at, room);
            }
            815..820 => {
                let room = self.some_room();
                self.recall(at, room);
            }
            820..850 => {
                let room = self.some_room();
                self.enter_or_leave(at, room);
            }
            850..858 => {
                let (room, user) = (self.some_room(), self.some_user());
                self.appear_or_disappear(at, room, user);
            }
            858..860 => {
                let (room, user) = (self.some_room(), self.some_user());
                let info = self.rng.u32(0..4);
                let info = (info > 0).then(|| info.to_string());
                self.tell_of(at, room, user, info.as_deref());
            }
            860..880 => {
                let user = self.some_user();
                self.log_in_or_out(at, user);
            }
            880..886 => self.take_or_give_seat(at),
            886..889 => {
                let user = self.some_user();
                self.direct(at, user);
            }
            889 if self.rng.bool() => self.tell_everyone(at),
            889 => {
                let user = self.some_user();
                self.kick(at, user);
            }
            // Long enough for leases and graces.
            890..894 => {
                let millis = self.rng.u64(200..5000);
                self.run(Duration::from_millis(millis));
            }
            _ => {
                let millis = self.rng.u64(0..10);
                self.pass(Duration::from_millis(millis));
            }
        }
    }

    pub(crate) fn some_room(&mut self) -> &'static str {
        ROOMS[self.rng.usize(0..ROOMS.len())]
    }

    pub(crate) fn some_user(&mut self) -> &'static str {
        USERS[self.rng.usize(0..USERS.len())]
    }

    fn publish_some(&mut self, at: usize) {
        let room = self.some_room();
        for _ in 0..self.rng.u32(1..4) {
            self.publish(at, room);
        }
        self.carry_out(at);
    }

    pub(crate) fn publish(&mut self, at: usize, room: &str) {
        if self.is_paused(at) {
            return;
        }
        self.messages += 1;
        let (id, now) = (self.messages, self.clock(at));
        let node = &mut self.nodes[at];
        let body = id.to_string().as_bytes().into();
        let terms = room_terms(room);
        match node.machine.publish(now, &room.into(), terms, body) {
            Ok(ticket) => self.witness.published(at, ticket, id, room),
            Err(error) => {
                assert_eq!((error, room), (PublishError::Unavailable, "strict"));
                self.witness.count("not accepted");
            }
        }
    }

    fn publish_volatile(&mut self, at: usize, room: &str) {
        if self.is_paused(at) {
            return;
        }
        self.messages += 1;
        let (body, now) = (self.messages.to_string(), self.clock(at));
        let machine = &mut self.nodes[at].machine;
        machine.publish_volatile(now, &room.into(), body.as_bytes());
        self.carry_out(at);
    }

    /// Reads some of the last messages of a room again.
    fn recall(&mut self, at: usize, room: &str) {
        if self.is_paused(at) {
            return;
        }
        if let Some((epoch, seq)) = self.witness.position(at, room) {
            let after = seq.saturating_sub(self.rng.u64(0..200));
            let now = self.clock(at);
            let machine = &mut self.nodes[at].machine;
            machine.recall(now, &room.into(), &epoch, after, seq + 1);
        }
        self.carry_out(at);
    }

    pub(crate) fn enter_or_leave(&mut self, at: usize, room: &'static str) {
        if self.is_paused(at) {
            return;
        }
        let now = self.clock(at);
        let node = &mut self.nodes[at];
        if node.entered.contains_key(room) {
            for (user, _) in node.entered.get(room).cloned().into_iter().flatten() {
                self.appear_or_disappear(at, room, user);
            }
            let node = &mut self.nodes[at];
            node.entered.remove(room);
            node.machine.leave(now, &room.into());
        } else {
            node.entered.insert(room, [].into());
            self.witness.entered(at, room);
            node.machine.enter(now, &room.into(), room_terms(room));
            let elsewhere = node.machine.users_elsewhere(room);
            let elsewhere = elsewhere.map(|(user, info)| (user.clone(), info.clone()));
            self.witness.sees(at, room, elsewhere);
        }
        self.carry_out(at);
    }

    pub(crate) fn appear_or_disappear(
        &mut self,
        at: usize,
        room: &'static str,
        user: &'static str,
    ) {
        if self.is_paused(at) {
            return;
        }
        let now = self.clock(at);
        let node = &mut self.nodes[at];
        let Some(users) = node.entered.get_mut(room) else {
            return;
        };
        if users.remove(user).is_some() {
            node.machine.disappeared(now, &room.into(), &user.into());
        } else {
            users.insert(user, None);
            node.machine.appeared(now, &room.into(), &user.into(), None);
        }
        self.carry_out(at);
    }

    /// Something else is told of a user, if the user is there.
    pub(crate) fn tell_of(
        &mut self,
        at: usize,
        room: &'static str,
        user: &'static str,
        info: Option<&str>,
    ) {
        if self.is_paused(at) {
            return;
        }
        let (now, info) = (self.clock(at), info.map(Arc::from));
        let node = &mut self.nodes[at];
        let users = node.entered.get_mut(room);
        if let Some(known) = users.and_then(|users| users.get_mut(user)) {
            known.clone_from(&info);
            node.machine.appeared(now, &room.into(), &user.into(), info);
            self.witness.count("told of somebody");
        }
        self.carry_out(at);
    }
}
