//! What clients do by themselves: they say something, come to rooms and leave them, and break off.

use super::client::{What, user_name};
use super::link::Up;
use super::oracle::{Sender, Written};
use super::place::Stage;
use super::plan::{HALL, KEYS, MILLI, PRICES, ROOMS, SECOND};
use super::world::World;

impl World {
    /// A client that is admitted does one thing.
    pub(super) fn does_something(&mut self, c: u32, l: u32) {
        match self.rng.u32(..1_000) {
            0..700 => {
                for _ in 0..self.rng.u32(1..4) {
                    self.publishes(c, l);
                }
            }
            700..740 => self.publishes_volatile(c, l),
            740..800 => self.sends_to_user(c, l),
            800..860 => self.changes_rooms(c, l),
            860..880 => {
                self.count("client closed", 1);
                self.closes(c, l);
            }
            880..895 => {
                self.count("client reset", 1);
                self.send_up(l, Up::Reset);
                let back = self.rng.u64(MILLI..5 * SECOND);
                self.loses_link(c, back);
            }
            895..905 => {
                // Its network is gone. The node has to find that out.
                self.count("client vanished", 1);
                self.links[l as usize].is_silent = true;
                let back = self.rng.u64(MILLI..5 * SECOND);
                self.loses_link(c, back);
            }
            905..915 => {
                self.count("client stopped reading", 1);
                self.links[l as usize].holds = true;
            }
            _ => {}
        }
    }

    /// A client says something in a room it is in, if there is one.
    fn publishes(&mut self, c: u32, l: u32) {
        let rooms = (0..ROOMS.len()).filter(|&room| self.clients[c as usize].places[room].is_in());
        let rooms: Vec<usize> = rooms.collect();
        if !rooms.is_empty() {
            let room = rooms[self.rng.usize(..rooms.len())];
            let echo = self.rng.u8(..3) == 0;
            if room == PRICES {
                self.sets_key(c, l, echo);
            } else {
                self.publishes_to(c, l, (room, None), echo);
            }
        }
    }

    pub(super) fn publishes_to(
        &mut self,
        c: u32,
        l: u32,
        (room, key): (usize, Option<usize>),
        echo: bool,
    ) -> u64 {
        let id = self.oracle.write(Written {
            room,
            key,
            sender: Sender::Client(c),
            excluded: None,
            echo,
        });
        let pending = self.asks(c, room, What::Message(id));
        pending.echo = echo;
        let request = pending.request;
        self.says_message(l, room, (request, id, echo), None);
        id
    }

    fn says_message(
        &mut self,
        l: u32,
        room: usize,
        (request, id, echo): (u64, u64, bool),
        again: Option<u64>,
    ) {
        let link = &self.links[l as usize];
        let (c, node) = (link.client, (link.node, link.process));
        self.oracle.sent(id, l, node);
        let key = self.oracle.messages[id as usize].written.key;
        let key = key.map(|key| format!(",\"key\":\"{}\"", KEYS[key]));
        let again = again.map(|at| format!(",\"again\":{at}"));
        let text = format!(
            "{{\"type\":\"message\",\"channel\":\"{}\",\"content\":\"m{id}\",\"id\":{request},\
             \"echo\":{echo}{}{}}}",
            ROOMS[room],
            key.unwrap_or_default(),
            again.unwrap_or_default()
        );
        self.note(|| format!("client {c} says {text}"));
        self.says(l, &text);
    }

    /// It has come back to a room: what was not answered is sent again if it can be told whether it was
    /// published, and else given up.
    pub(super) fn sends_again(&mut self, c: u32, l: u32, room: usize, recovered: bool) {
        let client = &mut self.clients[c as usize];
        let epoch = client.places[room].at().map(|(epoch, _)| epoch);
        let mut again = Vec::new();
        client.pending.retain_mut(|pending| {
            let Some(id) = pending.what.message().filter(|_| pending.room == room) else {
                return true;
            };
            if pending.link == l {
                return true;
            }
            let Some((its, at)) = pending
                .at
                .filter(|(its, _)| recovered && Some(*its) == epoch)
            else {
                return false;
            };
            let _ = its;
            (pending.link, pending.sent) = (l, self.now);
            again.push(((pending.request, id, pending.echo), at));
            true
        });
        for (message, at) in again {
            self.count("sent again", 1);
            self.says_message(l, room, message, Some(at));
        }
    }

    fn publishes_volatile(&mut self, c: u32, l: u32) {
        let place = (0..ROOMS.len()).find(|&room| self.clients[c as usize].places[room].is_in());
        if let Some(room) = place {
            let id = self.oracle.write(Written {
                room,
                key: None,
                sender: Sender::Client(c),
                excluded: None,
                echo: false,
            });
            let text = format!(
                "{{\"type\":\"message\",\"channel\":\"{}\",\"content\":\"v{id}\",\"volatile\":true}}",
                ROOMS[room]
            );
            self.says(l, &text);
        }
    }

    fn sends_to_user(&mut self, c: u32, l: u32) {
        let to = self.rng.u32(..self.plan.users);
        let id = self.oracle.write(Written {
            room: 0,
            key: None,
            sender: Sender::Client(c),
            excluded: None,
            echo: false,
        });
        let request = self.asks(c, 0, What::Direct).request;
        let text = format!(
            "{{\"type\":\"direct\",\"to\":\"{}\",\"content\":\"d{id}\",\"id\":{request}}}",
            user_name(to)
        );
        self.says(l, &text);
    }

    /// It wants to be in another room too, or in one less.
    fn changes_rooms(&mut self, c: u32, l: u32) {
        let room = if self.rng.u8(..3) == 0 {
            HALL
        } else {
            self.rng.usize(..self.plan.rooms())
        };
        let client = &mut self.clients[c as usize];
        if room == client.lobby {
            return;
        }
        let waits = client.pending.iter().any(|pending| pending.room == room);
        match client.wants.iter().position(|&wanted| wanted == room) {
            None => client.wants.push(room),
            Some(at) if client.places[room].is_in() && !waits => {
                client.wants.remove(at);
                client.places[room].leaves();
                client.places[room].stage = Stage::Out;
                let text = format!(
                    "{{\"type\":\"unsubscribe\",\"channel\":\"{}\"}}",
                    ROOMS[room]
                );
                self.says(l, &text);
            }
            Some(_) => {}
        }
    }
}
