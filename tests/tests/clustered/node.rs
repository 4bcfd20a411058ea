//! A node whose link to the broker can be slow.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use switchboard_core::cluster::{Command, Output};
use switchboard_core::clustered::Clustered;
use switchboard_core::{
    Clustering, Config, ConnectionId, Health, History, Keep, Order, Rates, RoomPresence, RoomRule,
    Rooms, Switchboard, Time, UserPolicy, WhenDown, WriteTurn,
};
use switchboard_tests::broker::{Link, SimRedis};

use crate::peer::Peer;

/// The room of all tests.
pub(crate) const ROOM: &str = "lobby";

/// A room without a common order of its messages.
pub(crate) const LOCAL: &str = "local";

/// A room that keeps the latest value of each of three keys.
pub(crate) const KEYED: &str = "keyed";

/// The same with one seat over all nodes.
pub(crate) const BOARD: &str = "board";

/// A room that tells nothing of users beside their names.
pub(crate) const BARE: &str = "bare";

/// A room with two seats over all nodes, which are held for [`HOLD`].
pub(crate) const SMALL: &str = "small";
/// That is longer than a node follows a room that nobody is in.
pub(crate) const HOLD: Duration = Duration::from_secs(40);

/// Where there are so many clients, the node is not inspected after every step, which takes time for each.
const CROWD: usize = 1_000;

/// Admits so many connections, of any users, to one room, without presence.
pub(crate) fn admit(connections: usize, config: &mut Config) {
    config.limits.connections = connections;
    config.limits.per_ip = connections;
    config.limits.room_members = connections;
    config.users = UserPolicy::Allow(connections);
    config.presence.enabled = false;
}

/// Starts a broker.
pub(crate) fn broker() -> SimRedis {
    let mut redis = SimRedis::new(10, 1 << 20);
    redis.load_scripts();
    redis
}

pub(crate) struct Node {
    pub(super) now: Time,
    pub(super) board: Switchboard,
    pub(super) clustered: Clustered,
    link: Option<Link>,
    /// What is on its way to the broker, or its answers are on their way back.
    commands: Option<Vec<Command>>,
    /// Nothing arrives, in either direction.
    is_slow: bool,
    /// No connection comes about.
    is_cut_off: bool,
    /// Nothing is written to clients.
    is_stuck: bool,
    /// Answers arrive, but what is published does not.
    is_deaf: bool,
    pub(super) peers: BTreeMap<ConnectionId, Peer>,
}

fn rules() -> Vec<RoomRule> {
    let rule = |prefix: &str| RoomRule {
        prefix: prefix.into(),
        ..RoomRule::default()
    };
    vec![
        RoomRule {
            members_total: Some(2),
            hold_seat: Some(HOLD),
            ..rule(SMALL)
        },
        RoomRule {
            order: Some(Order::Local),
            ..rule(LOCAL)
        },
        RoomRule {
            keep: Keep::Latest { keys: 3 },
            ..rule(KEYED)
        },
        RoomRule {
            keep: Keep::Latest { keys: 3 },
            members_total: Some(1),
            ..rule(BOARD)
        },
        RoomRule {
            presence: RoomPresence {
                info: Some(false),
                ..RoomPresence::default()
            },
            ..rule(BARE)
        },
    ]
}

impl Node {
    pub(crate) fn start(redis: &mut SimRedis, name: &str, when_down: WhenDown) -> Self {
        Self::start_with(redis, name, when_down, |_| ())
    }

    pub(crate) fn start_with(
        redis: &mut SimRedis,
        name: &str,
        when_down: WhenDown,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = Config {
            // No client here answers pings.
            health: Health {
                ping_interval: Duration::from_secs(3_600),
                ..Health::default()
            },
            rooms: Rooms::Open,
            sse: Some("/sse".into()),
            rates: Rates::unlimited(),
            history: History {
                messages: 100,
                on_join_max: 100,
                ..History::default()
            },
            room_rules: rules(),
            cluster: Some(Clustering {
                node: name.into(),
                when_down,
                ..Clustering::default()
            }),
            ..Config::default()
        };
        change(&mut config);
        let now = Time::from_millis(1_000);
        let seed = name.bytes().map(u64::from).sum();
        let mut node = Self {
            now,
            clustered: Clustered::new(&config, seed, now).expect("a node of a cluster"),
            board: Switchboard::new(config, seed + 1, now).expect("a valid configuration"),
            link: None,
            commands: None,
            is_slow: false,
            is_cut_off: false,
            is_stuck: false,
            is_deaf: false,
            peers: BTreeMap::new(),
        };
        node.passes(redis, Duration::ZERO);
        node
    }

    /// Lets time pass on this node.
    pub(crate) fn passes(&mut self, redis: &mut SimRedis, time: Duration) {
        let end = self.now + time;
        loop {
            self.clustered.tick(self.now, &mut self.board);
            self.runs(redis);
            let next = self.clustered.next_deadline();
            if next > end {
                break;
            }
            self.now = self.now.max(next);
        }
        self.now = end;
        self.board.tick(end);
        self.runs(redis);
    }

    /// From now on nothing arrives through the link, in either direction, until it is `quick` again.
    pub(crate) fn becomes_slow(&mut self) {
        self.is_slow = true;
    }

    pub(crate) fn becomes_quick(&mut self, redis: &mut SimRedis) {
        self.is_slow = false;
        self.runs(redis);
    }

    /// The link ends, and none comes about until the node is back.
    pub(crate) fn is_cut_off(&mut self, redis: &mut SimRedis) {
        self.is_cut_off = true;
        if let Some(link) = self.link.take() {
            redis.disconnect(link);
        }
        self.commands = None;
        self.clustered.lost(self.now, &mut self.board);
        self.runs(redis);
    }

    /// The link ends, and another one comes about.
    pub(crate) fn connects_anew(&mut self, redis: &mut SimRedis) {
        self.is_cut_off(redis);
        (self.is_cut_off, self.is_deaf) = (false, false);
        self.passes(redis, Duration::from_secs(1));
    }

    /// Another link comes about, through which answers arrive one after the other, until the log of a room
    /// is asked for that somebody has missed something of. Then the link is slow.
    pub(crate) fn asks_for_what_was_missed(&mut self, redis: &mut SimRedis) {
        (self.is_cut_off, self.is_slow) = (false, true);
        let reads = |it: &Command| matches!(it, Command::Range(_) | Command::Values(_));
        while !self.commands.iter().flatten().any(reads) {
            if let Some(commands) = self.commands.take() {
                let answers = commands.iter().map(|it| redis.apply(it)).collect();
                let board = &mut self.board;
                self.clustered.answered(self.now, board, answers);
                self.runs(redis);
            } else {
                self.passes(redis, Duration::from_millis(50));
            }
        }
    }

    /// From now on only answers arrive through the link, until there is another one.
    pub(crate) fn goes_deaf(&mut self) {
        self.is_deaf = true;
    }

    /// What is on its way is refused, and another link comes about.
    pub(crate) fn is_refused(&mut self, redis: &mut SimRedis) {
        redis.flush_scripts();
        self.becomes_quick(redis);
        redis.load_scripts();
        self.passes(redis, Duration::from_millis(500));
    }

    /// From now on nothing is written to clients, until the node writes again.
    pub(crate) fn gets_stuck(&mut self) {
        self.is_stuck = true;
    }

    pub(crate) fn writes_again(&mut self, redis: &mut SimRedis) {
        self.is_stuck = false;
        self.runs(redis);
    }

    /// Carries out what the node wants, until it wants nothing.
    pub(crate) fn runs(&mut self, redis: &mut SimRedis) {
        loop {
            self.clustered.exchange(self.now, &mut self.board);
            while self.board.poll_action().is_some() {}
            if !self.is_stuck {
                self.writes();
            }
            if let Some(order) = self.clustered.poll_order() {
                self.obeys(redis, order);
            } else if !self.is_slow
                && !self.is_deaf
                && let Some(link) = self.link
                && let Some((channel, payload)) = redis.take_push(link)
            {
                let board = &mut self.board;
                self.clustered
                    .pushed(self.now, board, (&channel, &payload), None);
            } else if !self.is_slow
                && let Some(commands) = self.commands.take()
            {
                let answers = commands.iter().map(|it| redis.apply(it)).collect();
                let board = &mut self.board;
                self.clustered.answered(self.now, board, answers);
            } else {
                break;
            }
        }
        if self.peers.len() < CROWD {
            assert_eq!(self.board.audit(), Ok(()));
        }
    }

    fn obeys(&mut self, redis: &mut SimRedis, order: Output) {
        match order {
            Output::Connect if !self.is_cut_off => {
                self.link = Some(redis.connect());
                let incarnation = redis.incarnation();
                let board = &mut self.board;
                self.clustered.connected(self.now, board, &incarnation);
            }
            Output::Hangup => {
                if let Some(link) = self.link.take() {
                    redis.disconnect(link);
                }
                self.commands = None;
            }
            Output::Subscribe(channels) => {
                for channel in channels {
                    redis.subscribe(self.link.expect("a link"), channel);
                }
            }
            Output::Unsubscribe(channels) => {
                for channel in channels {
                    redis.unsubscribe(self.link.expect("a link"), &channel);
                }
            }
            Output::Send(commands) => self.commands = Some(commands),
            _ => {}
        }
    }

    fn writes(&mut self) {
        loop {
            let mut turn = WriteTurn::default();
            self.board.take_turn(&mut turn, 32);
            for at in 0..turn.len() {
                let (id, bytes) = turn.job(at).expect("a job");
                self.peers.entry(id).or_default().takes(bytes);
                let written = bytes.len();
                turn.wrote(at, written);
            }
            let is_over = turn.is_empty();
            self.board.report(self.now, &mut turn);
            if is_over && !self.board.wants_write() {
                break;
            }
        }
    }

    /// Whether a user is on this node.
    pub(crate) fn has_user(&self, user: &str) -> bool {
        self.board.is_connected(user)
    }

    /// Returns the number of members of the room on this node.
    pub(crate) fn members(&self) -> usize {
        self.board.member_count(ROOM)
    }

    /// Where the room is on this node.
    pub(crate) fn position(&self) -> (Arc<str>, u64) {
        let at = self.board.position(ROOM).expect("a room");
        (at.epoch, at.seq)
    }
}
