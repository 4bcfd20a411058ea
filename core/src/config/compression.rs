//! Compression of messages.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Config;
use super::check::{POSITIVE, error};
use super::error::ConfigError;

/// Compression of messages: permessage-deflate (RFC 7692), for clients that offer it.
///
/// Each message is compressed independently (no context takeover in either direction), so that a
/// connection holds no memory between two messages. Because browsers always offer the extension, a page
/// can decline it with `deflate=off` in the query.
///
/// The length of a compressed message reveals something about its content. If a message contains both a
/// secret and data that somebody else chose, compression may leak the secret (RFC 7692, section 8);
/// [disable](crate::RoomRule::compress) it for such messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Compression {
    /// How thoroughly to compress, from 1 (fast) to 9 (2).
    pub level: u8,
    /// Bytes of content from which on a message to a room is compressed (512). Shorter ones gain little.
    pub from_bytes: usize,
    /// The number of rooms whose messages below [`from_bytes`](Self::from_bytes) are compressed one
    /// after another, at most 1 024 (0). The busiest rooms are chosen. Each takes about 200 KiB.
    ///
    /// Because the messages of a room resemble each other, this makes even short ones smaller. It
    /// applies to clients that offer to keep their inflation window (context takeover by the server),
    /// and to one room of a client at a time. The length of a message may reveal something about
    /// earlier messages of other authors.
    pub room_contexts: usize,
}

/// A message to a room without a context may look at all that there are.
const CONTEXTS_MAX: usize = 1_024;

impl Default for Compression {
    fn default() -> Self {
        Self {
            level: 2,
            from_bytes: 512,
            room_contexts: 0,
        }
    }
}

impl Compression {
    pub(super) fn check(self) -> Result<(), ConfigError> {
        if !(1..=9).contains(&self.level) {
            return Err(error("compression.level", self.level, "must be 1 to 9"));
        }
        if self.from_bytes == 0 {
            return Err(error("compression.from_bytes", 0, POSITIVE));
        }
        if self.room_contexts > CONTEXTS_MAX {
            let rule = "must be at most 1024";
            return Err(error("compression.room_contexts", self.room_contexts, rule));
        }
        Ok(())
    }
}

impl Config {
    /// Returns whether a message to a room of this name with `bytes` of content is compressed when it
    /// is published.
    ///
    /// Messages of rooms with a total order in a cluster are compressed [when they
    /// arrive](crate::clustered::arriving()) from the broker instead.
    pub fn compresses(&self, room: &str, bytes: usize) -> bool {
        self.compresses_to_members(room, bytes) && {
            let room = self.room(room);
            self.cluster.is_none() || !(room.is_shared() && room.has_log())
        }
    }

    /// Returns whether members of a room get a message with so many bytes of content compressed, if they
    /// can inflate it.
    pub(crate) fn compresses_to_members(&self, room: &str, bytes: usize) -> bool {
        self.compression.is_some_and(|it| bytes >= it.from_bytes) && self.room(room).compress
    }
}

/// Serialises compression, or `false`.
// The signature is that of serde.
#[allow(clippy::ref_option, clippy::trivially_copy_pass_by_ref)]
pub(super) fn serialize<S: Serializer>(
    compression: &Option<Compression>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match compression {
        Some(compression) => compression.serialize(to),
        None => to.serialize_bool(false),
    }
}

/// Deserialises compression, which `"off"` or `false` switches off.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Compression>, D::Error> {
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
