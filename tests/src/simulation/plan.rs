//! What a seed determines: the configuration, the clients, and the faults.

use std::time::Duration;

use fastrand::Rng;
use switchboard_core::{
    Compression, Config, Direct, HealthPing, Rate, Refusal, RoomPresence, RoomRule, Rooms,
    SlowPolicy, UserPolicy, Wire,
};

use super::client::Kind;
use super::keeping;

pub(super) const MICRO: u64 = 1_000;
pub(super) const MILLI: u64 = 1_000_000;
pub(super) const SECOND: u64 = 1_000_000_000;

/// A drain at an awkward moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct DrainPlan {
    pub(super) at: u64,
    pub(super) window: Duration,
    pub(super) deadline: Duration,
}

/// All that is drawn before the run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) config: Config,
    pub(super) json: bool,
    /// Whether rooms keep what is for those who come back.
    pub(super) keeps: bool,
    /// Whether queues are so small that a burst fills them.
    pub(super) tiny_queue: bool,
    /// Whether the node's byte bound is so small that any connection may be closed for it.
    pub(super) tiny_pool: bool,
    pub(super) tiny_unfinished: bool,
    pub(super) users: u32,
    pub(super) rooms: u32,
    pub(super) addresses: u32,
    pub(super) kinds: Vec<Kind>,
    /// End of the safety phase.
    pub(super) safety: u64,
    pub(super) drain: Option<DrainPlan>,
    /// One call in this many has an earlier time; 0 disables it.
    pub(super) backward: u32,
    /// Mean time between host stalls; 0 disables them.
    pub(super) host_stalls: u64,
    /// Mean time between faults of the network and crowds; 0 disables them.
    pub(super) troubles: u64,
    /// Mean time between calls of the application.
    pub(super) deeds: u64,
    /// Percentages of hooks that return later, panic, stall, refuse.
    pub(super) hooks: [u8; 4],
    /// Percentage of writes that report later.
    pub(super) late_writers: u8,
    /// The longest delay of the node's timer.
    pub(super) tick_jitter: u64,
    /// Number of calls per audit.
    pub(super) audit_every: u64,
}

impl Plan {
    pub(super) fn draw(rng: &mut Rng, keeps: bool) -> Self {
        let (clients, audit_every) = match rng.u8(..100) {
            0..55 => (rng.usize(2..=9), 1),
            55..88 => (rng.usize(10..=50), rng.u64(20..=60)),
            88..98 => (rng.usize(50..=120), rng.u64(200..=400)),
            _ => (rng.usize(150..=300), rng.u64(800..=1_500)),
        };
        let mut config = Config::default();
        let [tiny_queue, tiny_pool, tiny_unfinished] = draw_limits(rng, &mut config, clients);
        draw_times(rng, &mut config);
        draw_rates(rng, &mut config);
        draw_policies(rng, &mut config, clients);
        if keeps {
            keeping::draw(rng, &mut config);
        }
        // So few addresses that one of them reaches its share of the handshake seats.
        let greedy = clients >= 50 && rng.u8(..100) < 40;
        if greedy {
            config.limits.handshakes = rng.usize(20..=40);
        }
        let safety = rng.u64(10..=80) * SECOND;
        let calm = rng.u8(..100) < 5;
        let drain = (rng.u8(..100) < 30).then(|| DrainPlan {
            at: rng.u64(safety / 4..=safety),
            window: Duration::from_millis(rng.u64(0..=20_000)),
            deadline: Duration::from_millis(rng.u64(0..=30_000)),
        });
        let kinds = draw_kinds(rng, clients);
        let sometimes = |rng: &mut Rng, percent, value| {
            if !calm && rng.u8(..100) < percent {
                value
            } else {
                0
            }
        };
        Self {
            json: config.wire == Wire::Json,
            keeps,
            tiny_queue,
            tiny_pool,
            tiny_unfinished,
            users: (clients as u32 * rng.u32(60..=110) / 100).max(1),
            rooms: if keeps {
                rng.u32(3..=6)
            } else {
                rng.u32(1..=6).min(clients as u32)
            },
            addresses: if greedy {
                rng.u32(1..=2)
            } else {
                (clients as u32 / rng.u32(1..=6)).max(1)
            },
            kinds,
            safety,
            drain,
            backward: sometimes(rng, 30, 50),
            host_stalls: u64::from(sometimes(rng, 40, 1)),
            troubles: rng.u64(500..=4_000) * MILLI,
            deeds: rng.u64(50..=2_000) * MILLI,
            hooks: if rng.u8(..100) < 25 {
                [0; 4]
            } else {
                [rng.u8(0..=30), rng.u8(0..=2), rng.u8(0..=2), rng.u8(0..=6)]
            },
            late_writers: if rng.bool() { rng.u8(1..=30) } else { 0 },
            tick_jitter: if rng.bool() {
                0
            } else {
                rng.u64(0..=400) * MILLI
            },
            audit_every,
            config,
        }
    }
}

pub(super) fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())]
}

fn draw_limits(rng: &mut Rng, config: &mut Config, clients: usize) -> [bool; 3] {
    let limits = &mut config.limits;
    let tight = |rng: &mut Rng, percent: u8, low: usize, high: usize, roomy: usize| {
        if rng.u8(..100) < percent {
            rng.usize(low..=high.max(low))
        } else {
            roomy
        }
    };
    limits.connections = tight(rng, 35, 1, clients, 10_000);
    limits.handshakes = tight(rng, 35, 1, 6, 1_000);
    limits.per_ip = tight(rng, 25, 1, 6, 1_000);
    limits.room_members = tight(rng, 25, 1, 1 + clients / 2, 1_000);
    limits.rooms_per_connection = tight(rng, 25, 1, 3, 100);
    limits.rooms = tight(rng, 15, 1, 4, 1_000);
    limits.message_bytes = tight(rng, 30, 256, 4_096, 64 << 10);
    limits.fragments = tight(rng, 50, 2, 20, 1_024);
    limits.closing = tight(rng, 30, 1, 4, 1_000);
    let tiny_unfinished = rng.u8(..100) < 25;
    if tiny_unfinished {
        limits.unfinished_bytes = rng.usize(200..=4_000);
    }
    let tiny_queue = rng.u8(..100) < 40;
    if tiny_queue {
        limits.queue_bytes = rng.usize(2_048..=16_384);
        limits.queue_messages = rng.usize(12..=64);
    }
    let tiny_pool = rng.u8(..100) < 30;
    if tiny_pool && !tiny_queue {
        // So large that only a blocked connection can have this much queued.
        limits.queue_bytes = 128 << 10;
    }
    if tiny_pool {
        limits.queued_bytes = limits.queue_bytes * rng.usize(1..=2);
    }
    if rng.u8(..100) < 25 {
        limits.pause_reading = Some(limits.queue_bytes / rng.usize(2..=8));
    }
    [tiny_queue, tiny_pool, tiny_unfinished]
}

fn draw_times(rng: &mut Rng, config: &mut Config) {
    let seconds = |rng: &mut Rng, low: u64, high: u64| Duration::from_millis(rng.u64(low..=high));
    if rng.u8(..100) < 75 {
        config.timeouts.handshake = seconds(rng, 1_000, 8_000);
        config.timeouts.hook = seconds(rng, 500, 5_000);
        config.timeouts.auth = seconds(rng, 500, 4_000);
        config.timeouts.message = seconds(rng, 1_000, 10_000);
        config.timeouts.write_stall = seconds(rng, 1_000, 12_000);
        config.timeouts.close = seconds(rng, 200, 4_000);
        config.timeouts.refusal = seconds(rng, 200, 2_000);
        config.health.ping_interval = seconds(rng, 1_000, 12_000);
        config.health.ping_timeout = seconds(rng, 1_000, 8_000);
        config.presence.leave_grace = seconds(rng, 1, 3_000);
        config.presence.interval = seconds(rng, 1, 500);
    }
    config.presence.full = if rng.bool() { 50 } else { rng.usize(1..=8) };
    config.presence.enabled = rng.u8(..100) < 90;
    config.health.health_ping = pick(
        rng,
        &[
            HealthPing::Off,
            HealthPing::Off,
            HealthPing::All,
            HealthPing::Demand,
        ],
    );
}

/// Draws rates that divide a second evenly, so that the oracle needs no rounding.
fn draw_rates(rng: &mut Rng, config: &mut Config) {
    let message = config.limits.message_bytes as u64;
    config.rates.messages = (rng.u8(..100) < 85).then(|| Rate {
        per_second: pick(rng, &[2, 5, 10, 50, 100]),
        burst: rng.u64(4..=200),
    });
    config.rates.bytes = (rng.u8(..100) < 85).then(|| Rate {
        per_second: pick(rng, &[10_000, 100_000, 1_000_000]),
        burst: message * rng.u64(1..=4),
    });
    config.rates.connects = (rng.u8(..100) < 85).then(|| Rate {
        per_second: pick(rng, &[1, 5, 50]),
        burst: rng.u64(2..=100),
    });
    config.rates.strikes = rng.u32(2..=12);
}

fn draw_policies(rng: &mut Rng, config: &mut Config, clients: usize) {
    config.users = match rng.u8(..4) {
        0 | 1 => UserPolicy::Replace,
        2 => UserPolicy::Reject,
        _ => UserPolicy::Allow(rng.usize(1..=3)),
    };
    let slow = [
        SlowPolicy::Disconnect,
        SlowPolicy::DropOldest,
        SlowPolicy::DropNewest,
    ];
    config.slow = pick(rng, &slow);
    if rng.u8(..100) < 30 {
        let (slow, enabled) = (pick(rng, &slow), rng.bool());
        // Draws of its own, so that all else of a seed stays what it was.
        let mut rng = Rng::with_seed(rng.clone().u64(..));
        config.room_rules = vec![draw_rule(&mut rng, slow, enabled, clients)];
    }
    config.rooms = pick(rng, &[Rooms::Open, Rooms::Ask]);
    config.direct = pick(rng, &[Direct::Open, Direct::Ask]);
    config.refusal = pick(rng, &[Refusal::Close, Refusal::Http]);
    if rng.u8(..100) < 12 {
        config.wire = Wire::Raw;
    }
    // Drawn aside, so that what is drawn later is the same with it and without.
    let mut aside = rng.clone().fork();
    config.compression = (aside.u8(..100) < 40).then(|| Compression {
        level: 1,
        from_bytes: aside.usize(1..=100),
        ..Compression::default()
    });
}

fn draw_rule(rng: &mut Rng, slow: SlowPolicy, enabled: bool, clients: usize) -> RoomRule {
    let mut sometimes = |low: u64, high: u64| {
        let drawn = rng.u64(low..=high);
        rng.bool().then_some(drawn)
    };
    let members = sometimes(1, 1 + clients as u64 / 2);
    let hold_seat = sometimes(200, 6_000);
    let leave_grace = sometimes(1, 3_000);
    let interval = sometimes(1, 500);
    let full = sometimes(1, 8);
    RoomRule {
        prefix: "r1".into(),
        members: members.map(|members| members as usize),
        hold_seat: hold_seat.map(Duration::from_millis),
        slow: Some(slow),
        presence: RoomPresence {
            enabled: Some(enabled),
            leave_grace: leave_grace.map(Duration::from_millis),
            interval: interval.map(Duration::from_millis),
            full: full.map(|full| full as usize),
            ..RoomPresence::default()
        },
        ..RoomRule::default()
    }
}

fn draw_kinds(rng: &mut Rng, clients: usize) -> Vec<Kind> {
    let mischief = rng.u8(0..=80);
    (0..clients)
        .map(|_| {
            if rng.u8(..100) < mischief {
                pick(rng, Kind::MISCHIEF)
            } else {
                pick(rng, &[Kind::Chatter, Kind::Chatter, Kind::Quiet])
            }
        })
        .collect()
}
