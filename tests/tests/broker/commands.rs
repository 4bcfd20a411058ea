//! Random commands. They follow what was answered before, so that most of them make sense.

mod arguments;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use switchboard_core::cluster::{
    Answer, Append, Appended, Beat, BrokerTime, Channel, Command, Direct, Keep, Kick, Login,
    Logout, Lookup, Occupants, Position, Presence, Range, Retire, Seats, Sync, Values,
};

use switchboard_tests::broker::Key;

/// Names that a careless script takes apart wrongly.
const ROOMS: [&str; 4] = ["lobby", "a}b", "{x} %s", "r\u{e4}um/1"];
const USERS: [&str; 3] = ["alice", "b:o/b", "c\u{f6}.7%1"];
/// What is told of users: not only objects, and with what Lua's patterns may stumble over.
const INFOS: [Option<&str>; 5] = [
    None,
    None,
    Some(r#"{"a": "%d+ b\u{f6}"}"#),
    Some("7"),
    Some("[1 ]"),
];
const NODES: [&str; 3] = ["a-0", "b.7/c-1", "d:%d-2"];
const KEYS: [&str; 6] = ["a", "%d+", "k=a", "\u{f6}", "null", "-1"];
/// How many keys may have a value in most rooms.
const KEYS_OF_ROOM: u32 = 4;
const CONNECTIONS: [&str; 4] = ["0-1", "1-1", "2-1", "0-2"];
const HOUR: u64 = 3600;

/// Draws commands.
pub(crate) struct Commands {
    pub(crate) rng: Rng,
    incarnation: u64,
    epochs: u64,
    sessions: [u64; NODES.len()],
    /// The next own number by node and room.
    next: BTreeMap<(Arc<str>, Arc<str>), u64>,
    /// The last epoch and number heard of, by room.
    heard: BTreeMap<Arc<str>, (Arc<str>, u64)>,
    now: u64,
}

impl Commands {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            incarnation: 1,
            epochs: 0,
            sessions: [1; NODES.len()],
            next: BTreeMap::new(),
            heard: BTreeMap::new(),
            now: 0,
        }
    }

    pub(crate) fn one(&mut self) -> Command {
        match self.rng.u32(0..100) {
            0..30 => self.append(),
            30..38 => self.sync(),
            38..50 => self.presence(),
            50..53 => Command::Occupants(Occupants {
                room: self.room(),
                incarnation: self.incarnation(),
            }),
            53..57 => self.position(),
            57..60 => self.range(),
            60..62 => self.values(),
            62..70 => self.seats(),
            70..80 => self.login(),
            80..84 => self.logout(),
            84..86 => Command::Kick(Kick {
                expiry: self.live(),
                user: self.user(),
                incarnation: self.incarnation(),
                reason: "kicked".into(),
            }),
            86..89 => Command::Lookup(Lookup {
                user: self.user(),
                incarnation: self.incarnation(),
                expiry: self.live(),
            }),
            89..92 => self.direct(),
            92..96 => self.beat(),
            96..97 => Command::Retire(Retire {
                registration: self.registration(),
                payload: self.body(),
            }),
            97..99 => Command::Notify {
                channel: self.channel(),
                payload: self.body(),
            },
            _ => Command::Ping,
        }
    }

    /// Takes notice of an answer.
    pub(crate) fn hear(&mut self, command: &Command, answer: &Answer) {
        match (command, answer) {
            (Command::Append(it), Answer::Append { epoch, fates }) => {
                let next = it.first + fates.len() as u64;
                self.set_next(&it.writer.node, &it.room, Some(next - 1));
                let numbers = fates.iter().filter_map(|fate| match fate {
                    Appended::Numbered(number) => Some(*number),
                    _ => None,
                });
                if let Some(last) = numbers.max() {
                    self.heard.insert(it.room.clone(), (epoch.clone(), last));
                }
            }
            (Command::Append(it), Answer::OutOfOrder { own, .. }) => {
                self.set_next(&it.writer.node, &it.room, Some(*own));
            }
            (
                Command::Sync(it),
                Answer::Sync {
                    epoch, seq, own, ..
                },
            ) => {
                self.set_next(&it.writer.node, &it.room, Some(*own));
                self.heard.insert(it.room.clone(), (epoch.clone(), *seq));
            }
            (_, Answer::Login { at, .. } | Answer::Seats { at, .. } | Answer::Beat { at, .. }) => {
                self.now = at.0;
            }
            _ => {}
        }
    }

    /// The data changed: commands of other connections than the newest keep the old incarnation.
    pub(crate) fn new_incarnation(&mut self) {
        self.incarnation += 1;
    }

    pub(crate) fn channel(&mut self) -> Channel {
        match self.rng.u32(0..6) {
            0 => Channel::Everyone,
            1..3 => Channel::Inbox(self.node()),
            _ => Channel::Room(self.room()),
        }
    }

    pub(crate) fn key(&mut self) -> Key {
        let room = self.room().to_string();
        match self.rng.u32(0..11) {
            9 => Key::Values(room),
            10 => Key::Keys(room),
            0..2 => Key::Numbers(room),
            2 => Key::Log(room),
            3 => Key::Users(room),
            4 => Key::Seats(room),
            5..7 => Key::Claims(self.user().to_string()),
            7 => Key::Lease(self.registration().to_string()),
            _ => Key::Nodes,
        }
    }

    fn append(&mut self) -> Command {
        let (room, writer) = (self.room(), self.writer());
        let next = *self
            .next
            .get(&(writer.node.clone(), room.clone()))
            .unwrap_or(&1);
        let first = match self.rng.u32(0..10) {
            0 => next + self.rng.u64(1..3),
            1..3 => next.saturating_sub(self.rng.u64(1..4)).max(1),
            _ => next,
        };
        let keys = if *room == *ROOMS[0] {
            self.rng.u32(0..6)
        } else {
            KEYS_OF_ROOM
        };
        let bodies = 0..self.rng.usize(1..6);
        let bodies = bodies.map(|_| match self.rng.u32(0..3) {
            0 => self.body(),
            _ => self.keyed_body(),
        });
        let bodies = bodies.collect();
        Command::Append(Append {
            keys,
            room,
            writer,
            fresh: self.fresh(),
            first,
            bodies,
            retention: self.retention(),
        })
    }

    fn sync(&mut self) -> Command {
        let node = self.rng.usize(0..NODES.len());
        if self.rng.u32(0..3) == 0 {
            self.sessions[node] += 1;
        }
        let room = self.room();
        Command::Sync(Sync {
            since: self.since(&room),
            done: self.rng.u64(0..3),
            room,
            writer: self.writer(),
            fresh: self.fresh(),
            most: self.rng.u32(0..30),
            retention: self.retention(),
        })
    }

    fn since(&mut self, room: &Arc<str>) -> Option<(Arc<str>, u64)> {
        match self.rng.u32(0..10) {
            0 => None,
            1 => Some(("other".into(), 3)),
            2 => self
                .heard
                .get(room)
                .map(|(epoch, _)| (epoch.clone(), u64::MAX)),
            _ => {
                let (epoch, seq) = self.heard.get(room)?.clone();
                Some((epoch, seq.saturating_sub(self.rng.u64(0..40))))
            }
        }
    }

    fn presence(&mut self) -> Command {
        let some = |rng: &mut Rng| -> Vec<Arc<str>> {
            let count = rng.usize(0..3);
            let users = (0..count).map(|_| USERS[rng.usize(0..USERS.len())].into());
            users.collect()
        };
        let (joined, left) = (some(&mut self.rng), some(&mut self.rng));
        let joined = joined.into_iter().map(|user| {
            let info = INFOS[self.rng.usize(0..INFOS.len())];
            (user, info.map(Arc::from))
        });
        let joined = joined.collect();
        Command::Presence(Presence {
            room: self.room(),
            writer: self.writer(),
            fresh: self.fresh(),
            registration: self.registration(),
            joined,
            left,
            numbers: self.live(),
            list: self.live(),
        })
    }

    fn position(&mut self) -> Command {
        let forget = if self.rng.u32(0..4) == 0 {
            vec![self.node()]
        } else {
            Vec::new()
        };
        Command::Position(Position {
            room: self.room(),
            incarnation: self.incarnation(),
            numbers: self.live(),
            list: self.live(),
            forget,
        })
    }

    fn range(&mut self) -> Command {
        let room = self.room();
        let (epoch, after) = self.since(&room).unwrap_or(("none".into(), 0));
        Command::Range(Range {
            room,
            incarnation: self.incarnation(),
            epoch,
            after,
            most: self.rng.u32(1..50),
        })
    }

    fn values(&mut self) -> Command {
        let room = self.room();
        let (epoch, after) = self.since(&room).unwrap_or(("none".into(), 0));
        let after = if self.rng.bool() {
            0
        } else {
            after.min(1 << 40)
        };
        Command::Values(Values {
            room,
            incarnation: self.incarnation(),
            epoch,
            after,
            most: self.rng.u32(1..5),
        })
    }

    /// The value of a key, with what a careless script takes for another field.
    fn keyed_body(&mut self) -> Arc<[u8]> {
        let key = KEYS[self.rng.usize(0..KEYS.len())];
        let header = match self.rng.u32(0..6) {
            0 => format!("s=ann\tk={key}\ti=1"),
            1 => format!("i=10\tk={key}"),
            2 => format!("s=k=x\tk=\tk={key}"),
            _ => format!("k={key}"),
        };
        let content = ["null", "1", "{}", " null", "a\nk=z"][self.rng.usize(0..5)];
        format!("{header}\n{content}").into_bytes().into()
    }

    fn seats(&mut self) -> Command {
        let held = self.rng.u32(0..4);
        Command::Seats(Seats {
            room: self.room(),
            registration: self.registration(),
            session: self.rng.u64(1..4),
            held,
            wanted: held + self.rng.u32(0..4),
            total: self.rng.u32(1..8),
            // Anything not of this very microsecond, or nothing, is stale.
            stale: Duration::from_secs(if self.rng.u32(0..8) == 0 { 0 } else { HOUR }),
            table: self.live(),
            dead: self.dead(),
        })
    }

    fn login(&mut self) -> Command {
        let at = match self.rng.u32(0..6) {
            0 => Some(BrokerTime(self.now.saturating_sub(self.rng.u64(0..20)))),
            1 => Some(BrokerTime(1000 + self.rng.u64(0..4))),
            // By the clock of a server that was ahead.
            2 => Some(BrokerTime(self.now + HOUR * 1_000_000)),
            _ => None,
        };
        let writer = self.writer();
        Command::Login(Login {
            user: self.user(),
            registration: self.registration_of(&writer.node),
            writer,
            connection: self.connection(),
            at,
            since: (self.rng.u32(0..4) == 0)
                .then(|| BrokerTime(self.now.saturating_sub(self.rng.u64(0..40)))),
            most: self.rng.u32(0..4),
            keep: if self.rng.bool() {
                Keep::Newest
            } else {
                Keep::Oldest
            },
            expiry: self.live(),
            reason: "replaced".into(),
            dead: self.dead(),
        })
    }

    fn logout(&mut self) -> Command {
        let writer = self.writer();
        Command::Logout(Logout {
            user: self.user(),
            registration: self.registration_of(&writer.node),
            writer,
            connection: self.connection(),
            rest: self.live(),
        })
    }

    fn direct(&mut self) -> Command {
        Command::Direct(Direct {
            user: self.user(),
            incarnation: self.incarnation(),
            node: self.node(),
            payload: self.body(),
            dead: self.dead(),
        })
    }

    fn beat(&mut self) -> Command {
        Command::Beat(Beat {
            registration: self.registration(),
            renew: self.rng.bool(),
            lease: self.live(),
            info: "1".into(),
            list: self.live(),
            payload: self.body(),
            forget: self.dead(),
        })
    }

    fn set_next(&mut self, node: &Arc<str>, room: &Arc<str>, own: Option<u64>) {
        let next = own.map_or(1, |own| own + 1);
        self.next.insert((node.clone(), room.clone()), next);
    }
}
