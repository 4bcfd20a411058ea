//! The columns of the tables.

/// A column of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) key: &'static str,
    pub(crate) name: &'static str,
    pub(crate) decimals: usize,
}

const fn column(key: &'static str, name: &'static str, decimals: usize) -> Column {
    Column {
        key,
        name,
        decimals,
    }
}

pub(crate) const DELIVERY: &[Column] = &[
    column("cpu_us", "CPU µs/delivery", 2),
    column("user_us", "user", 2),
    column("system_us", "system", 2),
    column("sends", "sends/delivery", 3),
    column("rate", "deliveries/s", 0),
    column("p50_us", "p50 µs", 0),
    column("p99_us", "p99 µs", 0),
    column("p999_us", "p99.9 µs", 0),
];

pub(crate) const WORDS: &[Column] = &[
    column("cpu_us", "CPU µs/delivery", 2),
    column("user_us", "user", 2),
    column("system_us", "system", 2),
    column("bytes", "bytes/delivery", 0),
    column("rate", "deliveries/s", 0),
    column("p50_us", "p50 µs", 0),
];

pub(crate) const REST: &[Column] = &[
    column("p50_us", "p50 µs", 1),
    column("p99_us", "p99 µs", 1),
    column("p999_us", "p99.9 µs", 1),
    column("cpu_us", "CPU µs/delivery", 2),
    column("user_us", "user", 2),
    column("system_us", "system", 2),
];

pub(crate) const STALLED: &[Column] = &[
    column("cpu_us", "CPU µs/delivery", 2),
    column("user_us", "user", 2),
    column("system_us", "system", 2),
    column("p50_us", "p50 µs", 0),
    column("p99_us", "p99 µs", 0),
    column("slow_closed", "slow ones closed of 3", 0),
    column("peak_mib", "memory at most, MiB over rest", 1),
];

pub(crate) const HEARTBEATS: &[Column] = &[
    column("cpu_us", "CPU µs/ping", 2),
    column("user_us", "user", 2),
    column("system_us", "system", 2),
    column("pings", "pings per connection and second", 2),
];

pub(crate) const STORM: &[Column] = &[
    column("cpu_us", "CPU µs/connect", 1),
    column("user_us", "user", 1),
    column("system_us", "system", 1),
    column("sends", "sends/connect", 2),
    column("rate", "connects/s", 0),
];

pub(crate) const RECOVERIES: &[Column] = &[
    column("cpu_us", "CPU µs/recovery", 1),
    column("user_us", "user", 1),
    column("system_us", "system", 1),
    column("connect_us", "CPU µs/connect", 1),
    column("rate", "recoveries/s", 0),
    column("peak_mib", "memory at most, MiB over rest", 1),
];

pub(crate) const BYSTANDER: &[Column] = &[
    column("ping_p90_us", "ping p90 µs", 0),
    column("ping_p50_us", "ping p50 µs", 0),
    column("ping_p99_us", "ping p99 µs", 0),
    column("rest_p90_us", "at rest p90 µs", 0),
    column("cpu_us", "CPU µs/delivery", 2),
];

pub(crate) const IDLE: &[Column] = &[
    column("idle_kib", "KiB/connection", 2),
    column("resident_mib", "resident MiB", 1),
    column("connections", "connections", 0),
];

pub(crate) const BURST: &[Column] = &[
    column("after_ratio", "after : before", 2),
    column("before_mib", "before MiB", 1),
    column("peak_mib", "most MiB", 1),
    column("after_mib", "after MiB", 1),
    column("rate_mb", "MB/s delivered", 0),
];
