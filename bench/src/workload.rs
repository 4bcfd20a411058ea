//! The workloads.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;

use crate::columns::{
    BURST, BYSTANDER, Column, DELIVERY, HEARTBEATS, IDLE, RECOVERIES, REST, STALLED, STORM, WORDS,
};
use crate::load::Pace;
use crate::server::{Demands, Server};

/// A workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Workload {
    /// One room of 1 000, one publisher, 1 message in flight
    OneRoom,
    /// One room of 1 000, one publisher, 16 messages in flight
    #[value(name = "one-room-16")]
    OneRoom16,
    /// One room of 1 000, 16 publishers with 1 message in flight each
    #[value(name = "publishers-16")]
    Publishers16,
    /// 100 rooms of 10, 1 message in flight in each
    #[value(name = "rooms-100")]
    Rooms100,
    /// 1 000 rooms of 10, 4 000 messages a second at a fixed pace
    #[value(name = "rooms-1000")]
    Rooms1000,
    /// 100 pairs of users, 1 direct message in flight in each, among 1 000 connections
    Direct,
    /// One direct message at a time to an otherwise idle server, 500 a second
    Rest,
    /// One room of 300 of which 3 read nothing, 16 publishers, messages of 2 KiB
    Stalled,
    /// 2 000 connections that only answer pings, one a second each
    Heartbeats,
    /// Connect, upgrade and join a room of 10, as fast as the server allows
    Storm,
    /// Connect to a room and get the 100 messages missed there, as fast as the server allows
    Recoveries,
    /// A bystander's ping, while a room of 5 000 gets 10 messages a second
    Bystander,
    /// 100 rooms of 10, words of about 105 bytes
    #[value(name = "words-105-10")]
    Words105In10,
    /// 100 rooms of 10, words of about 1 KB
    #[value(name = "words-1k-10")]
    Words1kIn10,
    /// 100 rooms of 10, words of about 16 KB
    #[value(name = "words-16k-10")]
    Words16kIn10,
    /// One room of 1 000, words of about 105 bytes
    #[value(name = "words-105-1000")]
    Words105In1000,
    /// One room of 1 000, words of about 1 KB
    #[value(name = "words-1k-1000")]
    Words1kIn1000,
    /// One room of 1 000, words of about 16 KB
    #[value(name = "words-16k-1000")]
    Words16kIn1000,
    /// Memory of connections at rest, each of which has published and received
    Idle,
    /// Memory after a burst: 16 KiB messages to a room of 1 000, as fast as possible
    Burst,
}

/// The structure of a workload.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Messages to rooms.
    Rooms(Rooms),
    /// Messages to users.
    Direct {
        pairs: usize,
        connections: usize,
        pace: Pace,
    },
    Heartbeats {
        connections: usize,
    },
    Storm,
    Recoveries {
        missed: usize,
    },
    /// Messages to rooms, while a connection outside of them pings.
    Bystander(Rooms),
    Idle,
    Burst(Rooms),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Rooms {
    pub(crate) count: usize,
    pub(crate) members: usize,
    /// Publishers per room.
    pub(crate) publishers: usize,
    /// Stalled members per room.
    pub(crate) stalled: usize,
    /// Bytes of content.
    pub(crate) content: usize,
    pub(crate) pace: Pace,
}

/// The length of content that makes a frame of about 100 bytes.
pub(crate) const CONTENT: usize = 36;

const ROOM: Rooms = Rooms {
    count: 1,
    members: 1_000,
    publishers: 1,
    stalled: 0,
    content: CONTENT,
    pace: Pace::Closed(1),
};

const KILOBYTE: usize = 1_000;

/// Words to a thousand members, in rooms of so many.
const fn words(content: usize, members: usize) -> Kind {
    Kind::Rooms(Rooms {
        count: ROOM.members / members,
        members,
        content,
        ..ROOM
    })
}

/// A goal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Goal {
    pub(crate) most: f64,
    /// Whether the goal is a ratio to the floor, rather than an absolute figure.
    pub(crate) of_floor: bool,
}

impl Workload {
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::OneRoom => Kind::Rooms(ROOM),
            Self::OneRoom16 => Kind::Rooms(Rooms {
                pace: Pace::Closed(16),
                ..ROOM
            }),
            Self::Publishers16 => Kind::Rooms(Rooms {
                publishers: 16,
                ..ROOM
            }),
            Self::Rooms100 => Kind::Rooms(Rooms {
                count: 100,
                members: 10,
                ..ROOM
            }),
            Self::Rooms1000 => Kind::Rooms(Rooms {
                count: 1_000,
                members: 10,
                pace: Pace::Open(4_000.0),
                ..ROOM
            }),
            Self::Direct => Kind::Direct {
                pairs: 100,
                connections: 1_000,
                pace: Pace::Closed(1),
            },
            Self::Rest => Kind::Direct {
                pairs: 1,
                connections: 2,
                pace: Pace::Open(500.0),
            },
            Self::Stalled => Kind::Rooms(Rooms {
                publishers: 16,
                members: 300,
                stalled: 3,
                content: 2 << 10,
                ..ROOM
            }),
            Self::Heartbeats => Kind::Heartbeats { connections: 2_000 },
            Self::Storm => Kind::Storm,
            Self::Recoveries => Kind::Recoveries { missed: 100 },
            Self::Bystander => Kind::Bystander(Rooms {
                members: 5_000,
                pace: Pace::Open(10.0),
                ..ROOM
            }),
            Self::Words105In10 => words(CONTENT, 10),
            Self::Words1kIn10 => words(KILOBYTE, 10),
            Self::Words16kIn10 => words(16 * KILOBYTE, 10),
            Self::Words105In1000 => words(CONTENT, 1_000),
            Self::Words1kIn1000 => words(KILOBYTE, 1_000),
            Self::Words16kIn1000 => words(16 * KILOBYTE, 1_000),
            Self::Idle => Kind::Idle,
            Self::Burst => Kind::Burst(Rooms {
                publishers: 8,
                content: 16 << 10,
                ..ROOM
            }),
        }
    }

    /// Returns the pace if all servers can be loaded in turn: a moment is representative of a
    /// longer time, and leaves nothing behind.
    pub(crate) fn paced_in_turn(self) -> Option<Pace> {
        match self.kind() {
            Kind::Rooms(rooms) if rooms.stalled == 0 => Some(rooms.pace),
            Kind::Direct { pace, .. } => Some(pace),
            _ => None,
        }
    }

    /// Returns the number of connections that publish or receive.
    pub(crate) fn connections(self) -> usize {
        match self.kind() {
            Kind::Rooms(rooms) | Kind::Bystander(rooms) | Kind::Burst(rooms) => {
                rooms.count * rooms.members
            }
            Kind::Direct { connections, .. } | Kind::Heartbeats { connections } => connections,
            Kind::Storm | Kind::Recoveries { .. } | Kind::Idle => 0,
        }
    }

    /// Returns what it wants of the servers.
    pub(crate) fn demands(self) -> Demands {
        let ping_interval = match self {
            Self::Heartbeats => 1,
            Self::Idle => 5,
            // A slow server's turn may take longer than a ping of another may wait.
            _ => 600,
        };
        Demands {
            ping_interval: Duration::from_secs(ping_interval),
            // With a message in flight, a publisher of long ones sends more.
            limits_rates: !matches!(self, Self::Words16kIn10 | Self::Words16kIn1000),
        }
    }

    /// Limits the rounds where memory hardly varies, or a storm is short.
    pub(crate) fn rounds(self, asked: usize) -> usize {
        match self {
            Self::Storm => asked * 3,
            Self::Idle | Self::Burst => asked.min(2),
            _ => asked,
        }
    }

    /// Returns the columns; goals refer to the first.
    pub(crate) fn columns(self) -> &'static [Column] {
        match self {
            Self::Rest => REST,
            Self::Stalled => STALLED,
            Self::Heartbeats => HEARTBEATS,
            Self::Storm => STORM,
            Self::Recoveries => RECOVERIES,
            Self::Bystander => BYSTANDER,
            Self::Idle => IDLE,
            Self::Burst => BURST,
            _ if self.is_of_words() => WORDS,
            _ => DELIVERY,
        }
    }

    pub(crate) fn goal(self) -> Option<Goal> {
        let (most, of_floor) = match self {
            Self::OneRoom | Self::Rooms100 => (1.05, true),
            Self::OneRoom16 => (0.60, true),
            Self::Rest => (1.10, true),
            Self::Heartbeats => (1.20, true),
            Self::Storm => (1.15, true),
            Self::Recoveries => (15.0, false),
            Self::Bystander => (2_000.0, false),
            Self::Idle => (1.25, false),
            Self::Burst => (1.20, false),
            _ => return None,
        };
        Some(Goal { most, of_floor })
    }

    /// Returns whether the messages are words, which compress like prose.
    pub(crate) const fn is_of_words(self) -> bool {
        matches!(
            self,
            Self::Words105In10
                | Self::Words1kIn10
                | Self::Words16kIn10
                | Self::Words105In1000
                | Self::Words1kIn1000
                | Self::Words16kIn1000
        )
    }

    /// Returns whether a server is measured with this workload where none is named: recovery is ours
    /// alone, presence matters only where clients connect, and the times of pings where nothing else is sent.
    pub(crate) fn is_usual_for(self, server: Server) -> bool {
        match self {
            _ if server == Server::FloorSpread => self == Self::Heartbeats,
            Self::Storm => true,
            Self::Recoveries => server.recovers(),
            Self::Idle if server.compresses() => true,
            _ if self.is_of_words() => server.is_about_compression(),
            _ if server.compresses() => false,
            _ => !server.is_about_presence(),
        }
    }

    /// Returns the floor that a server is compared with.
    pub(crate) fn floor_of(self, server: Server) -> Server {
        match self {
            Self::Storm => server.floor_of_comers(),
            Self::Heartbeats => server.floor_of_pings(),
            _ => Server::Floor,
        }
    }

    /// Returns the description.
    pub(crate) fn title(self) -> String {
        let value = self.to_possible_value();
        let help = value.as_ref().and_then(|value| value.get_help());
        help.map(ToString::to_string).unwrap_or_default()
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.pad(value.as_ref().map_or("", |value| value.get_name()))
    }
}
