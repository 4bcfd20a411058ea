//! The flags of the chat.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use ipnet::IpNet;
use rustls::ServerConfig;
use switchboard_core::{
    Config, Direct, HealthPing, History, Limits, Origins, Rate, Rates, Refusal, Rooms, SlowPolicy,
    Token, UserPolicy,
};
use switchboard_runtime::Hub;
use switchboard_runtime::http_api::HttpApi;
use tracing_subscriber::EnvFilter;

use super::api;
use super::cluster::ClusterOptions;
use crate::flags::{self, Switch};

/// The environment variable with the key of the HTTP API. It is not a flag, because other users of the
/// machine can read flags.
const API_KEY: &str = "SWITCHBOARD_API_KEY";

/// A chat server. Open its address in a browser
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Options {
    /// Address to listen on; port 0 picks a free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", value_parser = flags::address)]
    pub listen: SocketAddr,
    /// Maximum number of connections
    #[arg(long, value_name = "N", default_value = "500", value_parser = flags::at_least_one)]
    max_connections: usize,
    /// Maximum number of connections in a room
    #[arg(long, value_name = "N", default_value = "10", value_parser = flags::at_least_one)]
    max_per_room: usize,
    /// Maximum number of connections per address [default: as --max-connections]
    #[arg(long, value_name = "N", value_parser = flags::at_least_one)]
    max_per_ip: Option<usize>,
    /// Ping interval, in seconds
    #[arg(long, value_name = "S", default_value = "25", value_parser = flags::seconds)]
    ping_interval: Duration,
    /// Timeout after a ping, in seconds
    #[arg(long, value_name = "S", default_value = "10", value_parser = flags::seconds)]
    ping_timeout: Duration,
    /// Timeout for a stalled write, in seconds
    #[arg(long, value_name = "S", default_value = "30", value_parser = flags::seconds)]
    write_stall: Duration,
    /// Timeout for closing a connection, in seconds
    #[arg(long, value_name = "S", default_value = "5", value_parser = flags::seconds)]
    close_timeout: Duration,
    /// Timeout for the head of a request, in seconds
    #[arg(long, value_name = "S", default_value = "10", value_parser = flags::seconds)]
    handshake_timeout: Duration,
    /// Timeout for the first message if it carries the token, in seconds
    #[arg(long, value_name = "S", default_value = "5", value_parser = flags::seconds)]
    auth_timeout: Duration,
    /// Grace period before a lost user leaves a room, in seconds [default: 3]
    #[arg(long, value_name = "S", value_parser = flags::seconds)]
    leave_grace: Option<Duration>,
    /// Policy for a user who connects again: replace, reject or allow:N
    #[arg(long, value_name = "POLICY", default_value = "replace", value_parser = flags::users)]
    users: UserPolicy,
    /// Messages per second and connection; 0 turns off all rate limits
    #[arg(long, value_name = "MSGS_PER_S", default_value = "100", value_parser = flags::whole)]
    rate: u64,
    /// Maximum number of bytes queued for a connection
    #[arg(long, value_name = "BYTES", default_value = "1048576", value_parser = flags::at_least_one)]
    queue_bytes: usize,
    /// Policy for slow consumers: disconnect, drop-oldest, drop-newest or catch-up
    #[arg(long, value_name = "POLICY", default_value = "disconnect", value_parser = flags::slow)]
    slow: SlowPolicy,
    /// Compression of messages, for clients that offer it
    #[arg(long, value_enum, default_value = "off")]
    compress: Switch,
    /// Number of rooms whose short messages are compressed one after another, with --compress on; 0: none
    #[arg(long, value_name = "ROOMS", default_value = "0", value_parser = flags::rooms)]
    room_contexts: usize,
    /// Number of messages that a room keeps for clients that reconnect; 0: off
    #[arg(long, value_name = "MESSAGES", default_value = "100", value_parser = flags::messages)]
    history: usize,
    /// How long a message is kept, in seconds [default: 300]
    #[arg(long, value_name = "SECONDS", value_parser = flags::seconds)]
    history_age: Option<Duration>,
    /// Number of latest messages that a new member receives [default: 20, or --history if that is less]
    #[arg(long, value_name = "MESSAGES", value_parser = flags::messages)]
    on_join: Option<usize>,
    /// Presence notifications
    #[arg(long, value_enum, default_value = "on")]
    presence: Switch,
    /// Health checks by messages, for proxies that answer pings themselves
    #[arg(long, value_enum, default_value = "off")]
    health_ping: Health,
    /// Whether to refuse clients by close code or by HTTP status
    #[arg(long, value_enum, default_value = "close")]
    refuse: Refuse,
    /// Allowed origins: same, any, or a comma-separated list of URLs
    #[arg(long, value_name = "ORIGINS", default_value = "same", value_parser = flags::origins)]
    origin: Origins,
    /// Proxies whose X-Forwarded-For header is trusted; may be repeated [default: none]
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = flags::network)]
    trusted_proxy: Vec<IpNet>,
    /// PEM file with the certificate for TLS and its chain
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// PEM file with the certificate's key
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Time over which a drain spreads its closes, in seconds
    #[arg(long, value_name = "S", default_value = "10", value_parser = flags::seconds_or_zero)]
    pub drain_window: Duration,
    /// Deadline of a drain, in seconds [default: the window plus 5]
    #[arg(long, value_name = "S", value_parser = flags::seconds)]
    drain_deadline: Option<Duration>,
    /// Number of threads
    #[arg(long, value_name = "N", default_value = "1", value_parser = flags::threads)]
    pub threads: usize,
    /// Log filter, such as "info" or "`switchboard_runtime=debug`"; logs go to standard error
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
    /// Memory of the flight recorder, in bytes, at least 65536 [default: off]
    #[arg(long, value_name = "BYTES", value_parser = flags::at_least_one)]
    recorder: Option<usize>,
    /// Enable POST /debug/kick, /debug/ping, /debug/panic and /debug/dump, for requests from this machine
    #[arg(long)]
    pub debug_endpoints: bool,
    /// Key of the tokens (JWT, HS256); without it, the token itself is the user's name
    #[arg(
        long,
        value_name = "KEY",
        env = "SWITCHBOARD_SECRET",
        hide_env_values = true
    )]
    pub(super) secret: Option<String>,
    #[command(flatten)]
    cluster: ClusterOptions,
    /// Address for the HTTP API, whose key is the variable `SWITCHBOARD_API_KEY` [default: no API]
    #[arg(long, value_name = "ADDR", value_parser = flags::address)]
    api: Option<SocketAddr>,
}

/// The number of latest messages that a new member receives, if a room keeps as many.
const ON_JOIN: usize = 20;

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
    /// Parses the command line and starts the log. On an error, prints one line and exits with status 2.
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
        let checked = options.check_history().and(options.check_presence());
        if let Err(wrong) = checked.and(options.cluster.check()) {
            crate::fail(wrong);
        }
        let filter = EnvFilter::try_new(&options.log).unwrap_or_else(|error| {
            crate::fail(format_args!("--log {}: {error}", options.log));
        });
        crate::log::start(filter);
        options
    }

    fn check_presence(&self) -> Result<(), String> {
        if self.presence == Switch::Off && self.leave_grace.is_some() {
            return Err("--leave-grace: needs --presence on".into());
        }
        Ok(())
    }

    fn check_history(&self) -> Result<(), String> {
        let kept = self.history;
        if kept == 0 && self.history_age.is_some() {
            return Err("--history-age: needs --history of at least 1".into());
        }
        if self.slow == SlowPolicy::CatchUp && kept == 0 {
            return Err("--slow catch-up: needs --history of at least 1".into());
        }
        match self.on_join {
            Some(given) if given > kept => Err(format!(
                "--on-join {given}: must be at most --history, {kept}"
            )),
            _ => Ok(()),
        }
    }

    fn history(&self) -> History {
        let defaults = History::default();
        let age = self.history_age.unwrap_or(defaults.age);
        History {
            messages: self.history,
            age,
            linger: defaults.linger.max(age),
            on_join: self.on_join.unwrap_or(ON_JOIN.min(self.history)),
            on_join_max: self.history,
            ..defaults
        }
    }

    /// Starts the HTTP API, if it is enabled, and returns its address. On an error, prints one line
    /// and exits with status 2.
    pub fn start_api(&self, hub: &Hub) -> Option<SocketAddr> {
        let address = self.api?;
        let key = std::env::var(API_KEY).unwrap_or_default();
        if key.is_empty() {
            crate::fail(format_args!(
                "--api {address}: {API_KEY} must be set, to the key that callers have to bring"
            ));
        }
        let api = HttpApi::new(hub.clone(), Token::new(key));
        let listening = api::listen(address, api);
        Some(listening.unwrap_or_else(|error| {
            crate::fail(format_args!(
                "--api {address}: {error}: choose a free local address"
            ))
        }))
    }

    /// Prints the listening address, and in a second line that of the API, then logs a warning if the
    /// configuration is unsafe. The log comes last, so that a failure to listen is reported in one line.
    pub fn announce(&self, address: SocketAddr, api: Option<SocketAddr>) {
        crate::announce(address);
        if let Some(api) = api {
            crate::print(format_args!("API listening on {api}"));
        }
        if self.secret.is_none() && !address.ip().is_loopback() {
            tracing::warn!(
                %address,
                "not a loopback address, and without --secret anybody can log in as anybody"
            );
        }
    }

    /// Reads the certificate and its key, if given. On an error, prints one line and exits with
    /// status 2.
    pub fn tls(&self) -> Option<ServerConfig> {
        match (&self.tls_cert, &self.tls_key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => {
                let read = crate::tls::read(certificate, key);
                Some(read.unwrap_or_else(|error| crate::fail(format_args!("TLS: {error}"))))
            }
            (Some(_), None) => crate::fail("--tls-cert: needs --tls-key, too"),
            (None, Some(_)) => crate::fail("--tls-key: needs --tls-cert, too"),
        }
    }

    /// Returns the deadline of a drain.
    pub fn drain_deadline(&self) -> Duration {
        self.drain_deadline
            .unwrap_or(self.drain_window + Duration::from_secs(5))
    }

    /// Returns the hub's configuration.
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
            // Let an address open all of its connections at once, and scale the rate in proportion.
            let defaults = Limits::default().per_ip as u64;
            let times = (per_ip as u64).div_ceil(defaults).max(1);
            connects.per_second = connects.per_second.saturating_mul(times);
            connects.burst = connects.burst.saturating_mul(times);
        }
        config.sse = Some("/sse".into());
        config.recorder.bytes = self.recorder.unwrap_or(0);
        config.presence.enabled = self.presence == Switch::On;
        if let Some(grace) = self.leave_grace {
            config.presence.leave_grace = grace;
        }
        config.users = self.users;
        config.slow = self.slow;
        config.compression = flags::compression(self.compress);
        if let Some(compression) = &mut config.compression {
            compression.room_contexts = self.room_contexts;
        }
        config.history = self.history();
        config.rooms = Rooms::Open;
        config.direct = Direct::Open;
        config.refusal = match self.refuse {
            Refuse::Close => Refusal::Close,
            Refuse::Http => Refusal::Http,
        };
        config.origins = self.origin.clone();
        config.trusted_proxies.clone_from(&self.trusted_proxy);
        config.cluster = self.cluster.clustering();
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_keep_messages_and_give_newcomers_some_unless_they_are_told_otherwise() {
        for (flags, kept) in [
            (&["chat"][..], (100, 300, 600, 20)),
            (&["chat", "--history", "10"], (10, 300, 600, 10)),
            (&["chat", "--history", "0"], (0, 300, 600, 0)),
            (&["chat", "--on-join", "0"], (100, 300, 600, 0)),
            (&["chat", "--history-age", "9000"], (100, 9_000, 9_000, 20)),
        ] {
            let options = Options::try_parse_from(flags).expect("flags");
            assert_eq!(options.check_history(), Ok(()));
            let config = options.config();
            assert_eq!(config.check(), Ok(()));
            let History {
                messages,
                age,
                linger,
                on_join,
                ..
            } = config.history;
            let found = (messages, age.as_secs(), linger.as_secs(), on_join);
            assert_eq!(found, kept, "{flags:?}");
        }
        for (flags, told) in [
            (
                ["chat", "--history", "10", "--on-join", "11"],
                "--on-join 11: must be at most --history, 10",
            ),
            (
                ["chat", "--history", "0", "--slow", "catch-up"],
                "--slow catch-up: needs --history of at least 1",
            ),
            (
                ["chat", "--history", "0", "--history-age", "5"],
                "--history-age: needs --history of at least 1",
            ),
        ] {
            let options = Options::try_parse_from(flags).expect("flags");
            assert_eq!(options.check_history(), Err(told.into()));
        }
    }

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
