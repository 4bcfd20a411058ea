//! The flags of the chat.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use ipnet::IpNet;
use switchboard_core::{
    Config, Direct, HealthPing, Limits, Origins, Rate, Rates, Refusal, Rooms, SlowPolicy,
    UserPolicy,
};
use tracing_subscriber::EnvFilter;

use crate::flags;

/// A chat on Switchboard. Open the address in a browser.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Options {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", value_parser = flags::address)]
    pub listen: SocketAddr,
    /// Connections in all
    #[arg(long, value_name = "N", default_value = "500", value_parser = flags::at_least_one)]
    max_connections: usize,
    /// Connections in one room
    #[arg(long, value_name = "N", default_value = "10", value_parser = flags::at_least_one)]
    max_per_room: usize,
    /// Connections of one address [default: as --max-connections]
    #[arg(long, value_name = "N", value_parser = flags::at_least_one)]
    max_per_ip: Option<usize>,
    /// Seconds between pings
    #[arg(long, value_name = "S", default_value = "25", value_parser = flags::seconds)]
    ping_interval: Duration,
    /// Seconds of silence after a ping that end a connection
    #[arg(long, value_name = "S", default_value = "10", value_parser = flags::seconds)]
    ping_timeout: Duration,
    /// Seconds that bytes may wait without one going out
    #[arg(long, value_name = "S", default_value = "30", value_parser = flags::seconds)]
    write_stall: Duration,
    /// Seconds from the decision to close to the end of the TCP connection
    #[arg(long, value_name = "S", default_value = "5", value_parser = flags::seconds)]
    close_timeout: Duration,
    /// Seconds for the head of a request
    #[arg(long, value_name = "S", default_value = "10", value_parser = flags::seconds)]
    handshake_timeout: Duration,
    /// Seconds for the first message, where it brings the token
    #[arg(long, value_name = "S", default_value = "5", value_parser = flags::seconds)]
    auth_timeout: Duration,
    /// Seconds for which a user whose connection was lost is still there
    #[arg(long, value_name = "S", default_value = "3", value_parser = flags::seconds)]
    leave_grace: Duration,
    /// A user who connects again: replace, reject or allow:N
    #[arg(long, value_name = "POLICY", default_value = "replace", value_parser = flags::users)]
    users: UserPolicy,
    /// Messages per second and connection; 0: no rate limit at all
    #[arg(long, value_name = "MSGS_PER_S", default_value = "100", value_parser = flags::whole)]
    rate: u64,
    /// Bytes queued for one connection
    #[arg(long, value_name = "BYTES", default_value = "1048576", value_parser = flags::at_least_one)]
    queue_bytes: usize,
    /// A member that does not keep up: disconnect, drop-oldest or drop-newest
    #[arg(long, value_name = "POLICY", default_value = "disconnect", value_parser = flags::slow)]
    slow: SlowPolicy,
    /// Who is told who is there
    #[arg(long, value_enum, default_value = "on")]
    presence: Switch,
    /// Pings as messages, for proxies that answer for the dead
    #[arg(long, value_enum, default_value = "off")]
    health_ping: Health,
    /// How a refusal is told
    #[arg(long, value_enum, default_value = "close")]
    refuse: Refuse,
    /// Which pages may connect: same, any or a list URL,…
    #[arg(long, value_name = "ORIGINS", default_value = "same", value_parser = flags::origins)]
    origin: Origins,
    /// A proxy whose X-Forwarded-For is believed; may be repeated [default: none]
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = flags::network)]
    trusted_proxy: Vec<IpNet>,
    /// Seconds over which a drain spreads its closes
    #[arg(long, value_name = "S", default_value = "10", value_parser = flags::seconds_or_zero)]
    pub drain_window: Duration,
    /// Seconds after which a drain ends [default: the window and 5 more]
    #[arg(long, value_name = "S", value_parser = flags::seconds)]
    drain_deadline: Option<Duration>,
    /// Threads
    #[arg(long, value_name = "N", default_value = "1", value_parser = flags::threads)]
    pub threads: usize,
    /// What is logged to standard error, as in "info" or "`switchboard_runtime=debug`"
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
    /// POST /debug/kick, /debug/ping and /debug/panic, for requests from this machine
    #[arg(long)]
    pub debug_endpoints: bool,
    /// The key of tokens (JWT, HS256); without it the token is the name, for trying out
    #[arg(
        long,
        value_name = "KEY",
        env = "SWITCHBOARD_SECRET",
        hide_env_values = true
    )]
    pub(super) secret: Option<String>,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Health {
    Off,
    All,
    Demand,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Refuse {
    Close,
    Http,
}

impl Options {
    /// Reads the flags and starts the log; what is wrong is told in one line (2).
    pub fn from_flags() -> Self {
        let options: Self = flags::parse();
        if options.secret.as_deref() == Some("") {
            crate::fail("--secret: must not be empty");
        }
        if options.drain_deadline() < options.drain_window {
            crate::fail(format_args!(
                "--drain-deadline {}: must be at least --drain-window, {}",
                options.drain_deadline().as_secs_f64(),
                options.drain_window.as_secs_f64()
            ));
        }
        let filter = EnvFilter::try_new(&options.log).unwrap_or_else(|error| {
            crate::fail(format_args!("--log {}: {error}", options.log));
        });
        crate::log::start(filter);
        options
    }

    /// Says on standard output where the program listens, and in the log what is unwise about it:
    /// not before, so that an address that cannot be had is told in one line.
    pub fn announce(&self, address: SocketAddr) {
        crate::announce(address);
        if self.secret.is_none() && !address.ip().is_loopback() {
            tracing::warn!(
                %address,
                "without --secret everybody can log in as anybody, and this address is not loopback"
            );
        }
    }

    /// When a drain is over at the latest.
    pub fn drain_deadline(&self) -> Duration {
        self.drain_deadline
            .unwrap_or(self.drain_window + Duration::from_secs(5))
    }

    /// The configuration of the switchboard.
    pub fn config(&self) -> Config {
        let mut config = Config::default();
        let limits = &mut config.limits;
        limits.connections = self.max_connections;
        let per_ip = self.max_per_ip.unwrap_or(self.max_connections);
        limits.per_ip = per_ip;
        limits.room_members = self.max_per_room;
        limits.queue_bytes = self.queue_bytes;
        limits.queued_bytes = limits.queued_bytes.max(self.queue_bytes);
        let timeouts = &mut config.timeouts;
        timeouts.handshake = self.handshake_timeout;
        timeouts.auth = self.auth_timeout;
        timeouts.write_stall = self.write_stall;
        timeouts.close = self.close_timeout;
        config.health.ping_interval = self.ping_interval;
        config.health.ping_timeout = self.ping_timeout;
        config.health.health_ping = match self.health_ping {
            Health::Off => HealthPing::Off,
            Health::All => HealthPing::All,
            Health::Demand => HealthPing::Demand,
        };
        config.rates = match self.rate {
            0 => Rates::unlimited(),
            rate => Rates {
                messages: Some(Rate {
                    per_second: rate,
                    burst: rate.saturating_mul(2),
                }),
                ..Rates::default()
            },
        };
        if let Some(connects) = &mut config.rates.connects {
            // As many as an address may hold may also come at once, and again as fast in proportion.
            let defaults = Limits::default().per_ip as u64;
            let times = (per_ip as u64).div_ceil(defaults).max(1);
            connects.per_second = connects.per_second.saturating_mul(times);
            connects.burst = connects.burst.saturating_mul(times);
        }
        config.presence.enabled = self.presence == Switch::On;
        config.presence.leave_grace = self.leave_grace;
        config.users = self.users;
        config.slow = self.slow;
        config.rooms = Rooms::Open;
        config.direct = Direct::Open;
        config.refusal = match self.refuse {
            Refuse::Close => Refusal::Close,
            Refuse::Http => Refusal::Http,
        };
        config.origins = self.origin.clone();
        config.trusted_proxies.clone_from(&self.trusted_proxy);
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_of_connects_follows_how_many_an_address_may_hold() {
        for (flags, per_second, burst) in [
            (&["chat", "--max-per-ip", "7"][..], 50, 1_000),
            (&["chat", "--max-per-ip", "100"], 50, 1_000),
            (&["chat", "--max-per-ip", "5000"], 2_500, 50_000),
        ] {
            let options = Options::try_parse_from(flags).expect("flags");
            let expected = Some(Rate { per_second, burst });
            assert_eq!(options.config().rates.connects, expected, "{flags:?}");
        }
        let off = ["chat", "--max-per-ip", "5000", "--rate", "0"];
        let options = Options::try_parse_from(off).expect("flags");
        assert_eq!(options.config().rates.connects, None);
    }
}
