//! The users in a channel.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::frame::ServerText;

/// The users in a channel, as far as the server reports them.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// The number of users.
    pub count: u64,
    /// The known names, in the order of joining.
    pub users: Vec<String>,
    /// Whether `users` is complete.
    pub complete: bool,
    /// The presence info of the known users, by name.
    pub info: BTreeMap<String, Value>,
}

/// The fields of a `presence`. Those of another type count as absent.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Change {
    count: Value,
    users: Value,
    joined: Value,
    left: Value,
    info: Value,
}

impl Presence {
    /// Applies a `presence` of the server. The cost grows with the number of known users.
    pub(super) fn apply(&mut self, frame: &ServerText) {
        let change: Change = frame.read().unwrap_or_default();
        let is_list = change.users.is_array();
        if is_list {
            self.users.clear();
            self.info.clear();
        }
        let mut known: BTreeSet<&str> = self.users.iter().map(String::as_str).collect();
        let come = names(&change.users).chain(names(&change.joined));
        let come: Vec<String> = come
            .filter(|name| known.insert(name))
            .map(str::to_owned)
            .collect();
        let gone: BTreeSet<&str> = names(&change.left).collect();
        self.users.extend(come);
        self.users.retain(|name| !gone.contains(name.as_str()));
        let infos = change.info.as_object().into_iter().flat_map(Map::iter);
        self.info
            .extend(infos.map(|(name, info)| (name.clone(), info.clone())));
        self.info.retain(|name, _| !gone.contains(name.as_str()));
        self.count = change.count.as_u64().unwrap_or_default();
        // If only the count is sent, the names are unknown.
        let is_known = is_list
            || self.complete
                && [&change.joined, &change.left, &change.info]
                    .iter()
                    .any(|it| !it.is_null());
        self.complete = is_known && self.users.len() as u64 == self.count;
    }
}

fn names(list: &Value) -> impl Iterator<Item = &str> {
    let names = list.as_array().into_iter().flatten();
    names.filter_map(Value::as_str)
}
