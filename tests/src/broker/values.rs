//! Rooms that keep the latest value of each key.

use std::collections::BTreeMap;
use std::time::Duration;

use switchboard_core::cluster::{Answer, Append, Entry, Values};

use super::SimRedis;
use super::rooms::Opened;
use super::store::{Key, Logged, Value};

/// What the header of a body says about its key.
struct Keyed<'a> {
    key: &'a [u8],
    only_if_absent: bool,
    is_removal: bool,
}

fn keyed(body: &[u8]) -> Option<Keyed<'_>> {
    let end = body.iter().position(|&byte| byte == b'\n')?;
    let fields = || body[..end].split(|&byte| byte == b'\t');
    let mut named = fields().filter_map(|field| field.strip_prefix(b"k="));
    Some(Keyed {
        key: named.find(|key| !key.is_empty())?,
        only_if_absent: fields().any(|field| field == b"i=1"),
        is_removal: &body[end + 1..] == b"null",
    })
}

impl SimRedis {
    /// Whether the values of a room are as many as its numbers say, if they say so.
    pub(super) fn has_values(&self, room: &str, keys: Option<usize>) -> bool {
        let Some(keys) = keys else {
            return true;
        };
        let values = match self.store.read(&Key::Values(room.to_owned())) {
            None => Some(0),
            Some(Value::Values(values)) => Some(values.len()),
            Some(_) => None,
        };
        let names = match self.store.read(&Key::Keys(room.to_owned())) {
            None => Some(0),
            Some(Value::Keys(count)) => Some(*count),
            Some(_) => None,
        };
        (values, names) == (Some(keys), Some(keys))
    }

    /// A room keeps values from now on, if it did not yet.
    pub(super) fn begin_values(&mut self, opened: &mut Opened) {
        if *opened.numbers.keys.get_or_insert(0) == 0 {
            self.put_values(&opened.room, BTreeMap::new());
        }
    }

    /// Keeps a value. Returns whether it may be.
    pub(super) fn keep_value(
        &mut self,
        opened: &mut Opened,
        it: &Append,
        own: u64,
        body: &[u8],
    ) -> bool {
        let Some(keyed) = keyed(body) else {
            return true;
        };
        let mut values = self.values_of(&opened.room);
        let is_there = values.contains_key(keyed.key);
        if keyed.is_removal {
            values.remove(keyed.key);
        } else if is_there && keyed.only_if_absent || !is_there && values.len() >= it.keys as usize
        {
            return false;
        } else {
            let value = Logged {
                seq: opened.numbers.seq + 1,
                node: it.writer.node.to_string(),
                own,
                body: body.to_vec(),
            };
            values.insert(keyed.key.to_vec(), value);
        }
        opened.numbers.keys = Some(values.len());
        self.put_values(&opened.room, values);
        true
    }

    fn values_of(&self, room: &str) -> BTreeMap<Vec<u8>, Logged> {
        match self.store.read(&Key::Values(room.to_owned())) {
            Some(Value::Values(values)) => values.clone(),
            _ => BTreeMap::new(),
        }
    }

    fn put_values(&mut self, room: &str, values: BTreeMap<Vec<u8>, Logged>) {
        let (at, names) = (Key::Values(room.to_owned()), Key::Keys(room.to_owned()));
        if values.is_empty() {
            self.store.remove(&at);
            self.store.remove(&names);
        } else {
            self.store.insert(names, Value::Keys(values.len()));
            self.store.insert(at, Value::Values(values));
        }
    }

    pub(super) fn touch_values(&mut self, room: &str, live: Duration) {
        for key in [Key::Values, Key::Keys] {
            self.store.touch(&key(room.to_owned()), self.now, live);
        }
    }

    pub(super) fn values(&self, it: &Values) -> Answer {
        let known = self.numbers(&it.room, &it.incarnation);
        let known = known.filter(|numbers| numbers.epoch == *it.epoch);
        let known = known.filter(|numbers| self.has_values(&it.room, numbers.keys));
        let Some(numbers) = known else {
            return Answer::Values(None);
        };
        let kept = numbers.keys.map(|_| self.values_of(&it.room));
        let mut values: Vec<_> = kept.unwrap_or_default().into_values().collect();
        values.retain(|value| value.seq > it.after);
        values.sort_by_key(|value| value.seq);
        let values = values.iter().take(it.most as usize).map(|value| Entry {
            seq: value.seq,
            node: value.node.as_str().into(),
            own: value.own,
            body: value.body.as_slice().into(),
        });
        Answer::Values(Some(values.collect()))
    }
}
