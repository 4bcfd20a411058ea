//! Validation of a configuration.

use std::fmt;
use std::time::Duration;

use super::Config;
use super::error::ConfigError;
use super::users::UserPolicy;
use super::wire::Wire;
use crate::Endpoint;
use crate::http::handshake::is_token;

pub(super) const POSITIVE: &str = "must be at least 1";
pub(super) const LONGER: &str = "must be longer than 0 and at most a year";
/// The least memory of a recorder, in bytes.
const RECORDER: usize = 64 << 10;
const LITTLE: &str = "must be 0 or at least 65536";
/// Bytes of the response, `welcome`, `subscribed` and `presence` without the names in them.
const NEWCOMER: usize = 400;
/// The same as events, with the headers of their stream.
const STREAMING_NEWCOMER: usize = 650;
/// Names in these: the user's twice, and the room's twice.
const NAMES: usize = 4;
/// Messages among these that wait at a time.
const NEWCOMER_MESSAGES: usize = 2;
pub(super) const YEAR: Duration = Duration::from_secs(365 * 86_400);

impl Config {
    /// Checks the configuration.
    ///
    /// # Errors
    ///
    /// The [`ConfigError`] names the first field that breaks a rule, its value, and the rule.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.check_limits()?;
        self.check_times()?;
        self.check_rates()?;
        self.check_rooms()?;
        self.check_cluster()?;
        if self.users == UserPolicy::Allow(0) {
            return Err(error("users.allow", 0, POSITIVE));
        }
        self.origins.check().map_err(|value| ConfigError {
            field: "origins",
            value,
            rule: "must be an origin such as https://example.org or http://localhost:3000",
        })?;
        if let Some(compression) = &self.compression {
            compression.check()?;
        }
        self.check_tokens()?;
        if let Endpoint::At(path) = &self.endpoint
            && (!path.starts_with('/') || path.ends_with('/') || path.contains("//"))
        {
            return Err(error("endpoint", path, "must be a path such as /ws"));
        }
        if (1..RECORDER).contains(&self.recorder.bytes) {
            return Err(error("recorder.bytes", self.recorder.bytes, LITTLE));
        }
        self.check_sse()
    }

    fn check_sse(&self) -> Result<(), ConfigError> {
        let Some(path) = &self.sse else {
            return Ok(());
        };
        if !path.starts_with('/') || path.ends_with('/') || path.contains("//") {
            return Err(error("sse", path, "must be a path such as /sse"));
        }
        if self.endpoint == Endpoint::At(path.clone()) {
            return Err(error("sse", path, "must not be the endpoint"));
        }
        Ok(())
    }

    fn check_limits(&self) -> Result<(), ConfigError> {
        let limits = &self.limits;
        for (field, value) in [
            ("limits.connections", limits.connections),
            ("limits.handshakes", limits.handshakes),
            ("limits.per_ip", limits.per_ip),
            ("limits.rooms_per_connection", limits.rooms_per_connection),
            ("limits.rooms", limits.rooms),
            ("limits.name_bytes", limits.name_bytes),
            ("limits.message_bytes", limits.message_bytes),
            ("limits.fragments", limits.fragments),
            ("limits.unfinished_bytes", limits.unfinished_bytes),
            ("limits.queue_bytes", limits.queue_bytes),
            ("limits.queue_messages", limits.queue_messages),
            ("limits.unsent_bytes", limits.unsent_bytes),
            ("limits.queued_bytes", limits.queued_bytes),
            ("limits.closing", limits.closing),
            ("history.bytes", self.history.bytes),
            ("history.rooms", self.history.rooms),
        ] {
            if value == 0 {
                return Err(error(field, value, POSITIVE));
            }
        }
        for (field, value) in [
            ("limits.connections", limits.connections),
            ("limits.handshakes", limits.handshakes),
            ("limits.rooms", limits.rooms),
            ("limits.queue_messages", limits.queue_messages),
            ("limits.unsent_bytes", limits.unsent_bytes),
        ] {
            if value > 1 << 30 {
                return Err(error(field, value, "must be at most 1073741824"));
            }
        }
        if limits.name_bytes > 4096 {
            return Err(error(
                "limits.name_bytes",
                limits.name_bytes,
                "must be at most 4096",
            ));
        }
        for (field, value) in [
            ("limits.message_bytes", limits.message_bytes),
            ("limits.queue_bytes", limits.queue_bytes),
        ] {
            if value > 1 << 31 {
                return Err(error(field, value, "must be at most 2147483648"));
            }
        }
        self.check_queue()?;
        if limits.queued_bytes < limits.queue_bytes {
            let rule = "must be at least limits.queue_bytes";
            return Err(error("limits.queued_bytes", limits.queued_bytes, rule));
        }
        Ok(())
    }

    /// A queue must hold the first messages to a new connection, or each would be closed as a slow
    /// consumer.
    fn check_queue(&self) -> Result<(), ConfigError> {
        let limits = &self.limits;
        if self.wire != Wire::Json {
            return Ok(());
        }
        let (least, rule) = match self.sse {
            None => (
                NEWCOMER,
                "must be at least 400 and 4 times limits.name_bytes, for what a newcomer is told",
            ),
            Some(_) => (
                STREAMING_NEWCOMER,
                "must be at least 650 and 4 times limits.name_bytes, for what a newcomer is told, who may open an event stream",
            ),
        };
        if limits.queue_bytes < least + NAMES * limits.name_bytes {
            return Err(error("limits.queue_bytes", limits.queue_bytes, rule));
        }
        if limits.queue_messages < NEWCOMER_MESSAGES {
            let rule = "must be at least 2, for what a newcomer is told";
            return Err(error("limits.queue_messages", limits.queue_messages, rule));
        }
        Ok(())
    }

    fn check_times(&self) -> Result<(), ConfigError> {
        for (field, value) in [
            ("timeouts.handshake", self.timeouts.handshake),
            ("timeouts.hook", self.timeouts.hook),
            ("timeouts.auth", self.timeouts.auth),
            ("timeouts.message", self.timeouts.message),
            ("timeouts.write_stall", self.timeouts.write_stall),
            ("timeouts.close", self.timeouts.close),
            ("timeouts.refusal", self.timeouts.refusal),
            ("health.ping_interval", self.health.ping_interval),
            ("health.ping_timeout", self.health.ping_timeout),
            ("health.stall_threshold", self.health.stall_threshold),
        ] {
            if value.is_zero() || value > YEAR {
                return Err(error(
                    field,
                    format_args!("{}", value.as_secs_f64()),
                    LONGER,
                ));
            }
        }
        Ok(())
    }

    fn check_tokens(&self) -> Result<(), ConfigError> {
        if let Some(name) = &self.tokens.query
            && name.is_empty()
        {
            return Err(error("tokens.query", name, "must be a name, or off"));
        }
        if let Some(name) = &self.tokens.cookie
            && (name.is_empty() || !name.bytes().all(is_token))
        {
            let rule = "must be the name of a cookie (RFC 6265, section 4.1.1), or off";
            return Err(error("tokens.cookie", name, rule));
        }
        Ok(())
    }

    fn check_rates(&self) -> Result<(), ConfigError> {
        for (field, rate) in [
            ("rates.messages", self.rates.messages),
            ("rates.bytes", self.rates.bytes),
            ("rates.connects", self.rates.connects),
        ] {
            if let Some(rate) = rate
                && (rate.per_second == 0 || rate.burst == 0)
            {
                let value = format!("{} per second, burst {}", rate.per_second, rate.burst);
                return Err(error(field, value, POSITIVE));
            }
        }
        if let Some(bytes) = self.rates.bytes
            && bytes.burst < self.limits.message_bytes as u64
        {
            let rule = "the burst must be at least limits.message_bytes";
            return Err(error("rates.bytes", bytes.burst, rule));
        }
        if self.rates.strikes == 0 || self.rates.strikes > 1_000 {
            return Err(error(
                "rates.strikes",
                self.rates.strikes,
                "must be 1 to 1000",
            ));
        }
        let window = self.rates.strike_window;
        if window.is_zero() || window > YEAR {
            return Err(error("rates.strike_window", window.as_secs_f64(), LONGER));
        }
        Ok(())
    }
}

pub(super) fn error(
    field: &'static str,
    value: impl fmt::Display,
    rule: &'static str,
) -> ConfigError {
    ConfigError {
        field,
        value: value.to_string(),
        rule,
    }
}
