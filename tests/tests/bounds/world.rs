//! The configuration of the bounds.

use std::time::Duration;

use switchboard_core::{Config, Direct, Rates, Rooms};

pub(crate) use crate::support::World;

/// Limits large enough for a storm of connections.
pub(crate) fn config() -> Config {
    let mut config = Config {
        rates: Rates::unlimited(),
        rooms: Rooms::Open,
        direct: Direct::Open,
        ..Config::default()
    };
    config.limits.connections = 20_000;
    config.limits.handshakes = 20_000;
    config.limits.per_ip = 20_000;
    config.limits.room_members = 20_000;
    config.limits.closing = 20_000;
    config.limits.queued_bytes = 4 << 30;
    config.health.ping_interval = Duration::from_secs(3_600);
    config
}
