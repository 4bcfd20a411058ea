//! What the applications of nodes do, and what they are told.

use switchboard_core::cluster::ClusterNotice;
use switchboard_core::protocol::Content;
use switchboard_core::{
    CloseReason, Exclude, Frame, Position, Publishing, RoomMessage, SendError, UserReport,
};

use super::client::user_name;
use super::oracle::{Fate, Sender, Written};
use super::plan::{MILLI, PRICES, ROOMS, SECOND};
use super::process::Told;
use super::schedule::Step;
use super::world::World;

impl World {
    /// The application of some node does one thing.
    pub(super) fn application_acts(&mut self) {
        if self.is_calm {
            return;
        }
        let at = self.now + self.rng.u64(50 * MILLI..800 * MILLI);
        self.schedule.push(at, Step::Application);
        let n = self.rng.usize(..self.nodes.len());
        let Some(process) = &self.nodes[n].process else {
            return;
        };
        let number = process.number;
        if self.is_paused(n) {
            return;
        }
        match self.rng.u8(..20) {
            0..6 => self.broadcasts(n, number),
            6..12 => self.publishes_for(n, number),
            12..14 => self.tells_user(n, number),
            14 | 15 => self.tells_everyone(n, number),
            16 => self.kicks(n, number),
            17 | 18 if self.plan.values => self.sets_key_for(n, number),
            _ if self.plan.values => self.tells_of_users(n),
            _ => {}
        }
        self.settle(n);
    }

    fn writes(&mut self, process: u32, to_all: bool) -> (usize, u64, Option<String>) {
        // What is said in the keyed room has a key.
        let room = self.rng.usize(..PRICES);
        let excluded = (!to_all && self.rng.bool()).then(|| self.rng.u32(..self.plan.users));
        self.count("excluded user", u64::from(excluded.is_some()));
        let id = self.oracle.write(Written {
            room,
            key: None,
            sender: Sender::Process(process),
            excluded,
            echo: true,
        });
        (room, id, excluded.map(user_name))
    }

    fn broadcasts(&mut self, n: usize, process: u32) {
        let (room, id, excluded) = self.writes(process, false);
        let users: Vec<&str> = excluded.iter().map(|user| &**user).collect();
        let exclude = Exclude {
            connections: &[],
            users: &users,
        };
        let content = format!("\"m{id}\"");
        self.note(|| format!("node {n} broadcasts {content} to {}", ROOMS[room]));
        let content = Content::parse(&content).expect("JSON");
        self.call(n, |process, now| {
            process.with(now, |board, _| {
                board.broadcast(now, ROOMS[room], content, None, exclude)
            })
        });
    }

    fn publishes_for(&mut self, n: usize, process: u32) {
        let (room, id, _) = self.writes(process, true);
        let content = format!("\"m{id}\"");
        self.note(|| format!("node {n} publishes {content} to {}", ROOMS[room]));
        let content = Content::parse(&content).expect("JSON");
        let message = RoomMessage::new(ROOMS[room], content);
        let asked = self.call(n, |process, now| {
            process.with(now, |board, _| {
                board.publish(now, &message, Exclude::NOBODY)
            })
        });
        match asked {
            Some(Ok(Publishing::Asked(ticket))) => {
                self.oracle.published.insert((process, ticket), id);
            }
            Some(Err(_)) => self.message_refused(id),
            _ => {}
        }
    }

    fn tells_user(&mut self, n: usize, process: u32) {
        let (_, id, _) = self.writes(process, true);
        let user = user_name(self.rng.u32(..self.plan.users));
        let frame = Frame::text(&format!("{{\"type\":\"direct\",\"content\":\"d{id}\"}}"));
        self.call(n, |process, now| {
            process.with(now, |board, _| {
                board.send_to_user_everywhere(now, &user, &frame)
            })
        });
    }

    fn tells_everyone(&mut self, n: usize, process: u32) {
        let (_, id, _) = self.writes(process, true);
        let frame = Frame::text(&format!("{{\"type\":\"everyone\",\"content\":\"e{id}\"}}"));
        self.call(n, |process, now| {
            process.with(now, |board, _| {
                board.broadcast_all(now, frame, Exclude::NOBODY)
            })
        });
    }

    fn kicks(&mut self, n: usize, process: u32) {
        let user = self.rng.u32(..self.plan.users);
        let name = user_name(user);
        self.note(|| format!("node {n} kicks {name}"));
        let ticket = self.call(n, |process, now| {
            process.with(now, |board, _| {
                board.disconnect_user_everywhere(now, &name, CloseReason::Kicked)
            })
        });
        if let Some(ticket) = ticket {
            let at = self.now;
            self.oracle.kicks.insert((process, ticket), (user, at));
        }
    }

    /// The application or the log of a node is told something.
    pub(super) fn application_told(&mut self, n: usize, told: Told) {
        let number = self.nodes[n].process.as_ref().map_or(0, |it| it.number);
        match told {
            Told::Published(ticket, result) => self.told_published((number, ticket), result),
            Told::Reached(ticket, report) => self.told_reached((number, ticket), report),
            Told::Drained => {
                self.call(n, |process, now| {
                    process.with(now, |board, clustered| clustered.retire(now, board));
                });
            }
            Told::Cluster(notice) => self.told_of_cluster(n, &notice),
        }
    }

    fn told_published(&mut self, ticket: (u32, u64), result: Result<Position, SendError>) {
        let Some(id) = self.oracle.published.remove(&ticket) else {
            return self.fail("answers", format!("{ticket:?} was not asked for"));
        };
        let Ok(at) = result else {
            self.count("not published", 1);
            return self.message_refused(id);
        };
        self.count("published with a number", u64::from(at.seq > 0));
        let room = self.oracle.messages[id as usize].written.room;
        if at.seq > 0 {
            let epoch = self.oracle.epoch(room, &at.epoch);
            self.numbered_for(u32::MAX, epoch, at.seq, id);
            let shared = self.oracle.is_shared(epoch);
            let fate = if shared { Fate::Published } else { Fate::Local };
            self.oracle.messages[id as usize].fate = fate;
        }
    }

    fn told_reached(&mut self, ticket: (u32, u64), report: UserReport) {
        self.count("reached on other nodes", u64::from(report.nodes > 0));
        if let Some((user, at)) = self.oracle.kicks.remove(&ticket)
            && report.complete
        {
            self.count("kick of all nodes", 1);
            self.oracle.kicked.push((user, at));
        }
    }

    fn told_of_cluster(&mut self, n: usize, notice: &ClusterNotice) {
        self.note(|| format!("node {n}: {notice:?}"));
        match notice {
            ClusterNotice::Lapsed(_) => self.count("lapsed", 1),
            ClusterNotice::SameName(_) => self.count("another node of the same name", 1),
            ClusterNotice::Retired => {
                self.ends(n, false);
                let at = self.now + self.rng.u64(MILLI..5 * SECOND);
                self.schedule.push(at, Step::Start(n as u32));
            }
            _ => {}
        }
    }

    /// Whether somebody has been put out who was there when all nodes were asked to.
    pub(super) fn was_kicked(&self, user: u32, opened: u64) -> bool {
        let before = |kicked: &&(u32, u64)| kicked.0 == user && opened + 5 * SECOND < kicked.1;
        self.oracle.kicked.iter().any(|it| before(&it))
    }
}
