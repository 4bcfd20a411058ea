//! A rate with a burst, and its serialised form.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A rate with a burst, enforced by the generic cell rate algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Units per second in the long run.
    pub per_second: u64,
    /// Units that can be used at once.
    pub burst: u64,
}

/// Serialises a rate, or `false`.
// The signature is that of serde.
#[allow(clippy::ref_option)]
pub(super) fn serialize<S: Serializer>(rate: &Option<Rate>, to: S) -> Result<S::Ok, S::Error> {
    match rate {
        Some(rate) => rate.serialize(to),
        None => to.serialize_bool(false),
    }
}

/// Deserialises a rate that `false` switches off, because TOML has no null.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Rate>, D::Error> {
    from.deserialize_any(RateOrFalse)
}

struct RateOrFalse;

impl<'de> Visitor<'de> for RateOrFalse {
    type Value = Option<Rate>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a rate with `per_second` and `burst`, or false")
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<Option<Rate>, E> {
        if on {
            return Err(E::invalid_value(Unexpected::Bool(on), &self));
        }
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Option<Rate>, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<Rate>, A::Error> {
        Rate::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
}
