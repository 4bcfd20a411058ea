//! Values of flags, each with its rule.

use std::str::FromStr;
use std::time::Duration;

use clap::Parser;
use ipnet::IpNet;
use switchboard_core::{Origins, SlowPolicy, UserPolicy};

/// Reads the flags; what is wrong is told in one line (2).
pub(crate) fn parse<T: Parser>() -> T {
    // A negative number is a value, so that the error names the flag that it was meant for.
    let command = T::command().mut_args(|arg| {
        let takes_value = arg.get_action().takes_values();
        arg.allow_negative_numbers(takes_value)
    });
    let parsed = command
        .try_get_matches()
        .and_then(|found| T::from_arg_matches(&found));
    parsed.unwrap_or_else(|error| {
        if error.use_stderr() {
            let rendered = error.to_string();
            let first = rendered.lines().next().unwrap_or_default();
            crate::fail(first.trim_start_matches("error: "));
        }
        error.exit()
    })
}

pub(crate) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("must be a whole number, at least 1".into()),
        Ok(number) => Ok(number),
    }
}

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
        _ => Err("must be disconnect, drop-oldest or drop-newest".into()),
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
