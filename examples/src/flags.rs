//! Parsing of flags, with an error message for each rule.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use ipnet::IpNet;
use switchboard_core::{Compression, Origins, SlowPolicy, UserPolicy};

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

/// Returns the compression that `--compress` asks for.
pub(crate) fn compression(compress: Switch) -> Option<Compression> {
    (compress == Switch::On).then(Compression::default)
}

/// Parses the command line. On an error, prints one line and exits with status 2.
pub(crate) fn parse<T: Parser>() -> T {
    read(std::env::args_os()).unwrap_or_else(|error| {
        if error.use_stderr() {
            crate::fail(one_line(&error));
        }
        error.exit()
    })
}

fn read<T: Parser>(from: impl IntoIterator<Item = OsString>) -> Result<T, clap::Error> {
    // Accept negative numbers as values, so that the error names the flag.
    let command = T::command().mut_args(|arg| {
        let takes_value = arg.get_action().takes_values();
        arg.allow_negative_numbers(takes_value)
    });
    command
        .try_get_matches_from(from)
        .and_then(|found| T::from_arg_matches(&found))
}

/// Returns the error in one line, without the usage hints that follow it.
fn one_line(error: &clap::Error) -> String {
    let rendered = error.to_string();
    let lines: Vec<&str> = rendered
        .trim_start_matches("error: ")
        .lines()
        .take_while(|line| !line.is_empty())
        .map(str::trim)
        .collect();
    lines.join(" ")
}

pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "must be an address and a port, such as 127.0.0.1:8080".into())
}

pub(crate) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("must be a whole number, at least 1".into()),
        Ok(number) => Ok(number),
    }
}

/// More threads than any machine has processors, and few enough to be started.
const THREADS: usize = 1_024;

pub(crate) fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=THREADS) => Ok(number),
        _ => Err("must be a whole number, from 1 to 1024".into()),
    }
}

pub(crate) fn messages(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 0..=MESSAGES) => Ok(number),
        _ => Err("must be a whole number, from 0 to 1000000".into()),
    }
}

pub(crate) fn rooms(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 0..=ROOMS) => Ok(number),
        _ => Err("must be a whole number, from 0 to 1024".into()),
    }
}

/// More contexts than a node may have.
const ROOMS: usize = 1_024;

/// More messages than a room of a chat ever keeps.
const MESSAGES: usize = 1_000_000;

pub(crate) fn whole(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| "must be a whole number, 0 or more".into())
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    match seconds_or_zero(text) {
        Ok(time) if time.is_zero() => Err("must be more than 0 seconds".into()),
        other => other,
    }
}

pub(crate) fn seconds_or_zero(text: &str) -> Result<Duration, String> {
    let number: f64 = text
        .parse()
        .map_err(|_| "must be a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(number)
        .ok()
        .filter(|time| time.as_secs() <= 365 * 86_400)
        .ok_or_else(|| "must be a number of seconds, from 0 to a year".to_owned())
}

pub(crate) fn users(text: &str) -> Result<UserPolicy, String> {
    match text {
        "replace" => Ok(UserPolicy::Replace),
        "reject" => Ok(UserPolicy::Reject),
        _ => text
            .strip_prefix("allow:")
            .and_then(|most| at_least_one(most).ok())
            .map(UserPolicy::Allow)
            .ok_or_else(|| "must be replace, reject or allow:N with N at least 1".into()),
    }
}

pub(crate) fn slow(text: &str) -> Result<SlowPolicy, String> {
    match text {
        "disconnect" => Ok(SlowPolicy::Disconnect),
        "drop-oldest" => Ok(SlowPolicy::DropOldest),
        "drop-newest" => Ok(SlowPolicy::DropNewest),
        "catch-up" => Ok(SlowPolicy::CatchUp),
        _ => Err("must be disconnect, drop-oldest, drop-newest or catch-up".into()),
    }
}

pub(crate) fn origins(text: &str) -> Result<Origins, String> {
    let origins = match text {
        "same" => Origins::Same,
        "any" => Origins::Any,
        list => Origins::List(list.split(',').map(|one| one.trim().to_owned()).collect()),
    };
    origins.check().map_err(|_| {
        "must be same, any or a list of origins such as https://example.org".to_owned()
    })?;
    Ok(origins)
}

pub(crate) fn network(text: &str) -> Result<IpNet, String> {
    IpNet::from_str(text)
        .or_else(|_| text.parse().map(|address: std::net::IpAddr| address.into()))
        .map_err(|_| "must be a network such as 10.0.0.0/8, or an address".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{chat, echo};

    fn wrong<T: Parser + std::fmt::Debug>(flags: &[&str]) -> String {
        let all = ["program"].iter().chain(flags).map(OsString::from);
        one_line(&read::<T>(all).expect_err("a mistake"))
    }

    #[test]
    fn a_mistake_is_told_with_the_flag_the_value_and_the_rule() {
        for (flags, rule) in [
            (["--presence", "maybe"], "[possible values: on, off]"),
            (["--refuse", "maybe"], "[possible values: close, http]"),
            (["--compress", "maybe"], "[possible values: on, off]"),
            (
                ["--room-contexts", "1025"],
                "must be a whole number, from 0 to",
            ),
            (["--listen", "maybe"], "must be an address and a port"),
            (["--threads", "100000"], "must be a whole number, from 1 to"),
            (["--threads", "0"], "must be a whole number, from 1 to"),
            (["--ping-timeout", "0"], "must be more than 0 seconds"),
            (["--rate", "-1"], "must be a whole number, 0 or more"),
            (["--slow", "maybe"], "drop-newest or catch-up"),
            (["--history", "-1"], "must be a whole number, from 0 to"),
            (["--on-join", "1.5"], "must be a whole number, from 0 to"),
            (["--history-age", "0"], "must be more than 0 seconds"),
        ] {
            let line = wrong::<chat::Options>(&flags);
            let parts = [flags[0], flags[1], rule];
            assert!(parts.iter().all(|part| line.contains(part)), "{line}");
            assert!(!line.contains('\n'), "{line}");
        }
        let line = wrong::<echo::Options>(&["--listen", "maybe"]);
        assert!(line.contains("must be an address and a port"), "{line}");
    }
}
