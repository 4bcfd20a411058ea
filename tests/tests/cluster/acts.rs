//! What happens that is no fault.

use std::sync::Arc;
use std::time::Duration;

use switchboard_core::cluster::RoomTerms;

use crate::world::{ROOMS, World};

pub(crate) const USERS: [&str; 4] = ["ann", "bob", "cleo", "dan"];

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
            700..820 => self.publish_some(at),
            820..850 => {
                let room = self.some_room();
                self.enter_or_leave(at, room);
            }
            850..860 => {
                let (room, user) = (self.some_room(), self.some_user());
                self.appear_or_disappear(at, room, user);
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
        let id = self.messages;
        let node = &mut self.nodes[at];
        let body: Arc<[u8]> = id.to_string().into_bytes().into();
        if let Ok(ticket) = node.machine.publish(self.now, &room.into(), body) {
            self.witness.published(at, ticket, id, room);
        }
    }

    pub(crate) fn enter_or_leave(&mut self, at: usize, room: &'static str) {
        if self.is_paused(at) {
            return;
        }
        let now = self.now;
        let node = &mut self.nodes[at];
        if node.entered.contains_key(room) {
            for user in node.entered.get(room).cloned().into_iter().flatten() {
                self.appear_or_disappear(at, room, user);
            }
            let node = &mut self.nodes[at];
            node.entered.remove(room);
            node.machine.leave(&room.into());
            self.witness.left(at, room);
        } else {
            node.entered.insert(room, [].into());
            self.witness.entered(at, room);
            node.machine.enter(now, &room.into(), RoomTerms::default());
            let elsewhere = node.machine.users_elsewhere(room).cloned();
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
        let now = self.now;
        let node = &mut self.nodes[at];
        let Some(users) = node.entered.get_mut(room) else {
            return;
        };
        if users.remove(user) {
            node.machine.disappeared(now, &room.into(), &user.into());
        } else {
            users.insert(user);
            node.machine.appeared(now, &room.into(), &user.into());
        }
        self.carry_out(at);
    }
}
