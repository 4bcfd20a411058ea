//! What rooms keep for those who come back, as the configuration says.

use std::time::Duration;

use fastrand::Rng;
use switchboard_core::{Config, Keep, RoomHistory, RoomRule, SlowPolicy, Wire};

use super::plan::pick;

/// From this seed on, rooms keep what is for those who come back.
pub const KEEPING: u64 = 1_000_000;

/// Bytes that a message counts for beside its frame.
pub(super) const BESIDE: usize = 112;

/// What a room keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keeping {
    pub(super) messages: usize,
    pub(super) bytes: usize,
    /// Nanoseconds.
    pub(super) age: u64,
    pub(super) linger: u64,
    pub(super) on_join: u64,
    pub(super) on_join_max: u64,
    /// Keys that may have a value, where the latest value of each is kept in place of a history.
    pub(super) keys: Option<usize>,
}

impl Keeping {
    /// Returns what a room keeps, if it keeps anything.
    pub(super) fn of(config: &Config, name: &str) -> Option<Self> {
        let mut rules = config.room_rules.iter();
        let rule = rules.find(|rule| name.starts_with(&rule.prefix));
        let own = rule.map(|rule| rule.history).unwrap_or_default();
        let node = config.history;
        let messages = own.messages.unwrap_or(node.messages);
        let up_to = |own: Option<usize>, node: usize| own.unwrap_or(node.min(messages)) as u64;
        let nanos = |time: Duration| time.as_nanos() as u64;
        let keys = match rule.map(|rule| rule.keep) {
            Some(Keep::Latest { keys }) => Some(keys),
            _ => None,
        };
        (messages > 0 || keys.is_some()).then(|| Self {
            messages,
            bytes: own.room_bytes.unwrap_or(node.room_bytes),
            age: nanos(own.age.unwrap_or(node.age)),
            linger: nanos(own.linger.unwrap_or(node.linger)),
            on_join: up_to(own.on_join, node.on_join),
            on_join_max: up_to(own.on_join_max, node.on_join_max),
            keys,
        })
    }
}

/// The room that keeps values by key, and the one that keeps nothing.
const BY_KEY: &str = "r2";
const NOTHING: &str = "r3";
/// The room whose members catch up from a history of a few messages.
const LITTLE: &str = "r4";

/// Draws what rooms keep: often so little that it leaves the history before it is missed.
pub(super) fn draw(rng: &mut Rng, config: &mut Config) {
    config.wire = Wire::Json;
    // What fits into a history is predicted from the plain form alone.
    config.compression = None;
    let history = &mut config.history;
    history.messages = rng.usize(1..=60);
    history.room_bytes = rng.usize(1_024..=64 << 10);
    history.age = Duration::from_millis(rng.u64(1_000..=60_000));
    history.linger = history.age + Duration::from_millis(rng.u64(..=60_000));
    history.bytes = pick(rng, &[4 << 10, 64 << 20, 64 << 20, 64 << 20]);
    history.rooms = pick(rng, &[1, 10_000, 10_000]);
    if rng.bool() {
        history.on_join = rng.usize(..=history.messages);
    }
    history.on_join_max = rng.usize(..=history.messages);
    if rng.bool() {
        config.slow = SlowPolicy::CatchUp;
    }
    let lossy = [SlowPolicy::Disconnect, SlowPolicy::DropOldest];
    config.room_rules.push(RoomRule {
        prefix: BY_KEY.into(),
        slow: Some(pick(rng, &lossy)),
        keep: Keep::Latest {
            keys: rng.usize(2..=8),
        },
        ..RoomRule::default()
    });
    config.room_rules.push(RoomRule {
        prefix: NOTHING.into(),
        slow: Some(SlowPolicy::Disconnect),
        history: RoomHistory {
            messages: Some(0),
            ..RoomHistory::default()
        },
        ..RoomRule::default()
    });
    config.room_rules.push(RoomRule {
        prefix: LITTLE.into(),
        slow: Some(SlowPolicy::CatchUp),
        history: RoomHistory {
            messages: Some(rng.usize(1..=6)),
            ..RoomHistory::default()
        },
        ..RoomRule::default()
    });
}
