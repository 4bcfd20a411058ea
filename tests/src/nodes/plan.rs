//! What a seed decides before anything happens.

use std::time::Duration;

use fastrand::Rng;
use switchboard_core::{
    Clustering, Config, Direct, Health, History, Keep, Limits, Order, Rates, RoomHistory,
    RoomPresence, RoomRule, Rooms, Timeouts, UserPolicy, WhenDown,
};

pub(super) const MICRO: u64 = 1_000;
pub(super) const MILLI: u64 = 1_000 * MICRO;
pub(super) const SECOND: u64 = 1_000 * MILLI;

/// The rooms, each under rules of its own.
pub(super) const ROOMS: [&str; 7] = [
    "lobby", "side", "plain", "strict", "cursors", "hall", "prices",
];
/// A room without a history, whose members are told nothing of users beside their names.
pub(super) const PLAIN: usize = 2;
/// A room that refuses while the broker is away.
pub(super) const STRICT: usize = 3;
/// A room without a common order.
pub(super) const CURSORS: usize = 4;
/// A room whose seats count over all nodes.
pub(super) const HALL: usize = 5;
/// A room that keeps the latest value of each key, in the runs that have one.
pub(super) const PRICES: usize = 6;

/// Seeds from here on have keyed rooms, and nodes whose applications tell of users. Those below are what
/// they were before.
pub(super) const VALUES: u64 = 1 << 32;
/// The keys that are used, which are more than may have a value.
pub(super) const KEYS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
/// How many keys may have a value.
pub(super) const KEPT_KEYS: usize = 4;

/// What may go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Nothing but what clients do.
    Nothing,
    /// Links to the broker, and the broker in ways that cost it no data.
    Harmless,
    /// Nodes.
    Nodes,
    /// Everything.
    All,
}

#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) mode: Mode,
    pub(super) nodes: usize,
    pub(super) clients: u32,
    pub(super) users: u32,
    pub(super) policy: UserPolicy,
    /// There are keyed rooms, and more is told of users than their names.
    pub(super) values: bool,
    /// All nodes have one name.
    pub(super) one_name: bool,
    /// How long things go wrong.
    pub(super) lasts: u64,
    /// Between two faults, at most.
    pub(super) faults: u64,
    /// Between two acts of a client, at most.
    pub(super) pace: u64,
    /// Hooks of a hundred that do not answer at once.
    pub(super) slow_hooks: u8,
    pub(super) seats: u32,
    /// Calls of a node between two audits.
    pub(super) audit: u64,
    /// Messages that a room keeps.
    pub(super) kept: usize,
    /// Bytes that may wait at the broker for a node that does not read.
    pub(super) output: usize,
}

impl Plan {
    pub(super) fn draw(seed: u64, rng: &mut Rng) -> Self {
        let mode = match seed % 8 {
            0 => Mode::Nothing,
            1 | 2 => Mode::Harmless,
            3 => Mode::Nodes,
            _ => Mode::All,
        };
        let clients = match rng.u8(..10) {
            0..5 => rng.u32(3..15),
            5..9 => rng.u32(15..60),
            _ => rng.u32(100..400),
        };
        let policy = match rng.u8(..3) {
            0 => UserPolicy::Replace,
            1 => UserPolicy::Reject,
            _ => UserPolicy::Allow(2),
        };
        Self {
            mode,
            nodes: rng.usize(2..=5),
            clients,
            users: (clients * rng.u32(6..=12) / 10).max(2),
            policy,
            values: seed >= VALUES,
            one_name: rng.u8(..5) == 0,
            lasts: rng.u64(20..60) * SECOND,
            faults: rng.u64(500..6_000) * MILLI,
            pace: rng.u64(200..2_000) * MILLI * u64::from(1 + clients / 40),
            slow_hooks: [0, 0, 5, 30][rng.usize(..4)],
            seats: rng.u32(2..8),
            audit: if clients < 15 { 1 } else { u64::from(clients) },
            // A fault that costs no data must not cost a message because the log was too short.
            kept: match mode {
                Mode::All => [0, 20, 200][rng.usize(..3)],
                _ => 10_000,
            },
            output: match (rng.bool(), seed >= VALUES) {
                (true, _) => 1 << 20,
                (false, false) => 16 << 10,
                (false, true) => 4 << 10,
            },
        }
    }

    /// Returns the configuration of a node.
    pub(super) fn config(&self, node: usize) -> Config {
        let number = if self.one_name { 0 } else { node };
        let rule = |room: usize| RoomRule {
            prefix: ROOMS[room].into(),
            ..RoomRule::default()
        };
        Config {
            rooms: Rooms::Open,
            direct: Direct::Open,
            rates: Rates::unlimited(),
            users: self.policy,
            health: Health {
                ping_interval: Duration::from_secs(2),
                ping_timeout: Duration::from_secs(3),
                ..Health::default()
            },
            timeouts: Timeouts {
                // So that who vanished with a full socket is found out in time, too.
                write_stall: Duration::from_secs(5),
                ..Timeouts::default()
            },
            limits: Limits {
                connections: 2_000,
                // As much as the history has to be able to wait for who comes back.
                queue_messages: 20_000,
                queue_bytes: 16 << 20,
                ..Limits::default()
            },
            history: History {
                messages: self.kept,
                room_bytes: 16 << 20,
                ..History::default()
            },
            room_rules: vec![
                RoomRule {
                    history: RoomHistory {
                        messages: Some(0),
                        ..RoomHistory::default()
                    },
                    presence: RoomPresence {
                        info: Some(false),
                        ..RoomPresence::default()
                    },
                    ..rule(PLAIN)
                },
                RoomRule {
                    when_down: Some(WhenDown::Refuse),
                    ..rule(STRICT)
                },
                RoomRule {
                    order: Some(Order::Local),
                    ..rule(CURSORS)
                },
                RoomRule {
                    members_total: Some(self.seats),
                    ..rule(HALL)
                },
                RoomRule {
                    keep: Keep::Latest { keys: KEPT_KEYS },
                    ..rule(PRICES)
                },
            ],
            cluster: Some(Clustering {
                node: format!("n{number}"),
                ..Clustering::default()
            }),
            ..Config::default()
        }
    }

    /// How many rooms there are.
    pub(super) fn rooms(&self) -> usize {
        if self.values { ROOMS.len() } else { PRICES }
    }

    /// Whether somebody who comes back to a room can get what was missed.
    pub(super) fn keeps(&self, room: usize) -> bool {
        self.kept > 0 && room != PLAIN && room != PRICES
    }

    /// How many connections a user may have.
    pub(super) fn most(&self) -> usize {
        match self.policy {
            UserPolicy::Allow(most) => most,
            _ => 1,
        }
    }
}
