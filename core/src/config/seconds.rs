//! Durations as a number of seconds, or as a number with a unit. They are written with a unit, and read
//! again as exactly the same.

use std::fmt;
use std::time::Duration;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserializer, Serializer};

/// The units and their nanoseconds, in the order in which they are tried: `ms` also ends in `s`.
const UNITS: [(&str, u64); 4] = [
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

pub(super) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    let (seconds, nanos) = (time.as_secs(), time.subsec_nanos());
    if nanos == 0 {
        return to.collect_str(&format_args!("{seconds}s"));
    }
    if seconds == 0 && nanos.is_multiple_of(1_000_000) {
        return to.collect_str(&format_args!("{}ms", nanos / 1_000_000));
    }
    let fraction = format!("{nanos:09}");
    to.collect_str(&format_args!(
        "{seconds}.{}s",
        fraction.trim_end_matches('0')
    ))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    from.deserialize_any(Seconds)
}

/// The same where nothing may be given, which is left out.
pub(super) mod optional {
    use std::time::Duration;

    use serde::{Deserializer, Serializer};

    // The signature is that of serde.
    #[allow(clippy::ref_option)]
    pub(in crate::config) fn serialize<S: Serializer>(
        time: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => super::serialize(time, to),
            None => to.serialize_none(),
        }
    }

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        super::deserialize(from).map(Some)
    }
}

struct Seconds;

impl Visitor<'_> for Seconds {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a number of seconds, 0 or more, or a string such as \"25s\", \"500ms\" or \"2m\"",
        )
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<Duration, E> {
        Duration::try_from_secs_f64(seconds)
            .map_err(|_| E::invalid_value(Unexpected::Float(seconds), &self))
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Duration, E> {
        Ok(Duration::from_secs(seconds))
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Duration, E> {
        u64::try_from(seconds)
            .map(Duration::from_secs)
            .map_err(|_| E::invalid_value(Unexpected::Signed(seconds), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// Parses a decimal number with a unit. Parts of a nanosecond are dropped.
fn parse(text: &str) -> Option<Duration> {
    let (number, unit) = UNITS
        .iter()
        .find_map(|&(name, unit)| Some((text.strip_suffix(name)?.trim_end(), u128::from(unit))))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || whole.is_empty() || fraction.is_empty() {
        return None;
    }
    let fraction = &fraction[..fraction.len().min(18)];
    let scale = 10_u128.pow(fraction.len() as u32);
    let whole = whole.parse::<u64>().ok().map(u128::from)?;
    let nanos = whole * unit + fraction.parse::<u128>().ok()? * unit / scale;
    let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
    Some(Duration::new(seconds, (nanos % 1_000_000_000) as u32))
}
