//! Compression of messages.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

/// Compression of messages: permessage-deflate (RFC 7692), for clients that offer it.
///
/// Each message is compressed by itself (no context takeover in either direction), so that a
/// connection holds no memory between two messages. A client can decline by `deflate=off` in the
/// query: a browser offers the extension always, whatever its page wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Compression {}

/// Deserialises compression, which `"off"` or `false` switches off.
pub(super) fn or_off<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Compression>, D::Error> {
    from.deserialize_any(CompressionOrOff)
}

struct CompressionOrOff;

impl<'de> Visitor<'de> for CompressionOrOff {
    type Value = Option<Compression>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map, or off")
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<Self::Value, E> {
        if on {
            return Err(E::invalid_value(Unexpected::Bool(on), &self));
        }
        Ok(None)
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Self::Value, E> {
        if word != "off" {
            return Err(E::invalid_value(Unexpected::Str(word), &self));
        }
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Compression::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
}
