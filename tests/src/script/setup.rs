//! Derives a configuration from a setup.

use std::time::Duration;

use switchboard_core::{
    Config, Direct, Health, HealthPing, History, Limits, Presence, Rate, Rates, Refusal,
    RoomPresence, RoomRule, Rooms, SlowPolicy, Timeouts, UserPolicy, Wire,
};

use super::{Family, Setup};

pub(super) const fn pick<T: Copy, const N: usize>(from: [T; N], choice: u8) -> T {
    from[choice as usize % N]
}

impl Setup {
    /// The configuration.
    pub fn config(&self) -> Config {
        let c = self.choices;
        let pressure = self.family == Family::Pressure;
        let health = self.family == Family::Health;
        let rate = |per_second: u64, burst: u64| Some(Rate { per_second, burst });
        let rates = match c[0] % 3 {
            0 if !health => Rates {
                messages: rate(2, 3),
                bytes: rate(400, 6_000),
                connects: rate(1, 4),
                strikes: 3,
                strike_window: Duration::from_secs(4),
            },
            1 if !health => Rates {
                messages: rate(20, 10),
                bytes: None,
                connects: None,
                strikes: 4,
                strike_window: Duration::from_secs(10),
            },
            _ => Rates::unlimited(),
        };
        let far = Duration::from_secs(365 * 86_400);
        // Scripts that once failed have small seeds.
        let keeps = self.seed >> 63 == 1;
        let slow = [
            SlowPolicy::Disconnect,
            SlowPolicy::DropOldest,
            SlowPolicy::DropNewest,
        ];
        let presence = RoomPresence {
            leave_grace: Some(Duration::from_millis(1_300)),
            interval: Some(Duration::from_millis(100)),
            full: Some(1),
            ..RoomPresence::on()
        };
        Config {
            limits: self.limits(),
            timeouts: self.timeouts(),
            health: Health {
                ping_interval: if health || pressure {
                    Duration::from_secs(5)
                } else {
                    far
                },
                ping_timeout: Duration::from_secs(2),
                health_ping: pick([HealthPing::Off, HealthPing::All, HealthPing::Demand], c[1]),
                stall_threshold: Duration::from_secs(1),
            },
            rates,
            presence: Presence {
                enabled: !c[2].is_multiple_of(4),
                leave_grace: Duration::from_millis(700),
                interval: Duration::from_millis(250),
                full: pick([50, 1, 2], c[3]),
                info: true,
            },
            users: pick(
                [
                    UserPolicy::Replace,
                    // The decision depends on whether an interval ping is out, which is not
                    // predicted.
                    if health {
                        UserPolicy::Replace
                    } else {
                        UserPolicy::Reject
                    },
                    UserPolicy::Allow(1),
                    UserPolicy::Allow(2),
                    UserPolicy::Allow(9),
                ],
                c[4],
            ),
            slow: if keeps && c[5] % 4 == 3 {
                SlowPolicy::CatchUp
            } else {
                pick(slow, c[5])
            },
            history: if keeps {
                self.history()
            } else {
                History::default()
            },
            room_rules: vec![
                RoomRule {
                    members: Some(pick([2, 1, 3], c[3])),
                    hold_seat: Some(Duration::from_millis(1_200)),
                    ..rule("old", SlowPolicy::DropOldest, RoomPresence::default())
                },
                rule("new", SlowPolicy::DropNewest, presence),
                RoomRule {
                    hold_seat: Some(Duration::from_millis(400)),
                    ..rule("mute", SlowPolicy::Disconnect, RoomPresence::off())
                },
            ],
            rooms: pick([Rooms::Open, Rooms::Open, Rooms::Ask], c[6]),
            direct: pick([Direct::Open, Direct::Ask], c[7]),
            refusal: pick([Refusal::Close, Refusal::Http], c[8]),
            wire: pick([Wire::Json, Wire::Json, Wire::Json, Wire::Raw], c[9]),
            trusted_proxies: ["10.0.0.2/32"]
                .iter()
                .filter(|_| c[2].is_multiple_of(3))
                .filter_map(|network| network.parse().ok())
                .collect(),
            ..Config::default()
        }
    }

    fn history(&self) -> History {
        History {
            messages: 3,
            room_bytes: 1_500,
            age: Duration::from_secs(2),
            linger: Duration::from_secs(3),
            on_join: pick([0, 0, 2], self.choices[11]),
            ..History::default()
        }
    }

    fn limits(&self) -> Limits {
        let s = self.sizes.map(usize::from);
        let small = |size: usize, from: usize, to: usize| from + size % (to - from + 1);
        let pressure = self.family == Family::Pressure;
        let health = self.family == Family::Health;
        let roomy = health || (!pressure && s[7] % 3 == 0);
        let queue_bytes = if roomy {
            1 << 20
        } else {
            small(s[0] * 37, 300, 1_500).max(432)
        };
        Limits {
            connections: small(s[1], 2, 6),
            handshakes: small(s[2], 2, 9),
            per_ip: small(s[3], 1, 4),
            room_members: small(s[4], 2, 4),
            rooms_per_connection: small(s[5], 1, 3),
            rooms: small(s[6], 2, 4),
            name_bytes: 8,
            message_bytes: 5_000,
            fragments: 8,
            unfinished_bytes: small(s[5] * 101, 500, 12_000),
            queue_bytes,
            queue_messages: if roomy { 1_000 } else { small(s[6], 3, 9) },
            unsent_bytes: 64 << 10,
            queued_bytes: if pressure {
                queue_bytes.min(1_500) * 3 / 2
            } else {
                1 << 30
            },
            closing: if pressure { 1 + s[7] % 3 } else { 1_000 },
            pause_reading: (!health && s[4] % 2 == 0).then_some(queue_bytes.min(1_500) / 2),
        }
    }

    fn timeouts(&self) -> Timeouts {
        let c = self.choices;
        let health = self.family == Family::Health;
        Timeouts {
            handshake: Duration::from_secs(3),
            hook: Duration::from_millis(pick([2_500, 6_000], c[10])),
            auth: Duration::from_secs(2),
            message: Duration::from_millis(pick([3_000, 900], c[11])),
            write_stall: Duration::from_millis(if health { 9_999_999 } else { 2_200 }),
            close: Duration::from_millis(1_500),
            refusal: Duration::from_secs(1),
        }
    }
}

fn rule(prefix: &str, slow: SlowPolicy, presence: RoomPresence) -> RoomRule {
    RoomRule {
        prefix: prefix.into(),
        slow: Some(slow),
        presence,
        ..RoomRule::default()
    }
}
