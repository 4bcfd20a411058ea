//! Extracts the known fields of a message in one pass, leaving their values unparsed.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A field of a client's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
pub(super) enum Field {
    Type,
    Id,
    Channel,
    To,
    Content,
    Key,
    Echo,
    Volatile,
    Timestamp,
    Token,
    Since,
    Last,
    Again,
    Method,
    Params,
    #[serde(other)]
    Unknown,
}

impl Field {
    /// In the order of the discriminants, which index the slots; `Unknown` has no slot.
    const KNOWN: [Self; 15] = [
        Self::Type,
        Self::Id,
        Self::Channel,
        Self::To,
        Self::Content,
        Self::Key,
        Self::Echo,
        Self::Volatile,
        Self::Timestamp,
        Self::Token,
        Self::Since,
        Self::Last,
        Self::Again,
        Self::Method,
        Self::Params,
    ];
}

#[derive(Clone, Copy)]
enum Slot<'a> {
    Absent,
    Once(&'a RawValue),
    Repeated,
}

/// The values of a message by field. They include the token, so this must never be printed.
pub(super) struct Fields<'a>([Slot<'a>; Field::KNOWN.len()]);

impl<'a> Fields<'a> {
    /// Returns the value of a field that is given exactly once.
    pub(super) fn value(&self, field: Field) -> Option<&'a RawValue> {
        match self.0.get(field as usize) {
            Some(Slot::Once(raw)) => Some(raw),
            _ => None,
        }
    }

    /// Returns the value of an optional field. `null` counts as absent, because serialisers in many
    /// languages write it for an unset value.
    pub(super) fn optional(&self, field: Field) -> Option<&'a RawValue> {
        self.value(field).filter(|raw| raw.get() != "null")
    }

    /// Returns a field that is given more than once. Such messages are refused, because two readers
    /// could pick different values.
    pub(super) fn repeated(&self) -> Option<Field> {
        let repeated = |field: &Field| matches!(self.0[*field as usize], Slot::Repeated);
        Field::KNOWN.into_iter().find(repeated)
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut slots = [Slot::Absent; Field::KNOWN.len()];
        while let Some(field) = map.next_key::<Field>()? {
            let Some(slot) = slots.get_mut(field as usize) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let raw = map.next_value()?;
            *slot = match slot {
                Slot::Absent => Slot::Once(raw),
                Slot::Once(_) | Slot::Repeated => Slot::Repeated,
            };
        }
        Ok(Fields(slots))
    }
}
