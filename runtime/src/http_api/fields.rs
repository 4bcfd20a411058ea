//! The fields of a body. Each error names its field.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::failure::Failure;

/// The fields of a body, which are JSON texts within it.
#[derive(Debug)]
pub(super) struct Fields<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Fields<'a> {
    /// Parses a body, which must be an object with no other fields than those `known`, or empty.
    pub(super) fn parse(body: &'a [u8], known: &[&str]) -> Result<Self, Failure> {
        if body.is_empty() {
            return Ok(Self(BTreeMap::new()));
        }
        let fields = serde_json::from_slice(body);
        let fields = fields.map_err(|error| {
            Failure::bad_body(format!("the body must be a JSON object: {error}"))
        })?;
        Self::known(fields, known)
    }

    /// Returns the fields of an object that may be left out or `null`.
    pub(super) fn object(&self, name: &'static str, known: &[&str]) -> Result<Self, Failure> {
        let fields = self.optional(name, "must be an object")?;
        Self::known(fields.unwrap_or_default(), known)
    }

    fn known(entries: Entries<'a>, known: &[&str]) -> Result<Self, Failure> {
        let mut fields = BTreeMap::new();
        for (name, value) in entries.0 {
            if !known.contains(&&*name) {
                let rule = match known {
                    [] => "no such field: there is none".to_owned(),
                    known => format!("no such field: there are {}", known.join(", ")),
                };
                return Err(Failure::bad_field(name, rule));
            }
            // Another reader, such as a proxy that checks bodies, could pick the other value.
            if fields.contains_key(&name) {
                return Err(Failure::bad_field(name, "must be given once only"));
            }
            fields.insert(name, value);
        }
        Ok(Self(fields))
    }

    /// Returns a field that may be left out or `null`.
    pub(super) fn optional<T: Deserialize<'a>>(
        &self,
        name: &'static str,
        rule: &'static str,
    ) -> Result<Option<T>, Failure> {
        let Some(raw) = self.0.get(name) else {
            return Ok(None);
        };
        serde_json::from_str(raw.get()).map_err(|_| Failure::bad_field(name, rule))
    }

    /// Returns a field that must be there.
    pub(super) fn required<T: Deserialize<'a>>(
        &self,
        name: &'static str,
        rule: &'static str,
    ) -> Result<T, Failure> {
        let raw = self.raw(name)?;
        serde_json::from_str(raw).map_err(|_| Failure::bad_field(name, rule))
    }

    /// Returns the JSON text of a field that must be there.
    pub(super) fn raw(&self, name: &'static str) -> Result<&'a str, Failure> {
        let raw = self.0.get(name).map(|raw| raw.get());
        raw.ok_or_else(|| Failure::bad_field(name, "is missing"))
    }

    /// Returns how many entries of a list are asked for.
    pub(super) fn limit(&self, default: usize, most: usize) -> Result<usize, Failure> {
        let limit = self.optional("limit", "must be a whole number")?;
        match limit.unwrap_or(default) {
            0 => Err(Failure::bad_field("limit", "must be at least 1")),
            limit if limit > most => {
                let rule = format!("must be at most {most}");
                Err(Failure::bad_field("limit", rule))
            }
            limit => Ok(limit),
        }
    }
}

/// The fields of an object as they are written, repeated ones too.
#[derive(Default)]
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}
