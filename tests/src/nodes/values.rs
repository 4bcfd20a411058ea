//! The room that keeps the latest value of each key: who sets which, and what members have of it.

use std::collections::{BTreeMap, BTreeSet};

use switchboard_core::Exclude;
use switchboard_core::protocol::Content;

use super::client::What;
use super::hearing::Heard;
use super::oracle::{Epoch, Sender, Written, identity};
use super::plan::{KEPT_KEYS, KEYS, PRICES, ROOMS};
use super::world::World;

/// What a member has: for each key with a value the number, which is 0 if it was not told, and the message.
#[derive(Debug, Default)]
pub(super) struct Table {
    values: BTreeMap<usize, (u64, u64)>,
    /// The last number that it was told of each key, of a value or a removal.
    told: BTreeMap<usize, u64>,
    /// Keys that it has set or removed without being told what came of that: it is not told of its own.
    unknown: BTreeSet<usize>,
    /// What has a number up to this one is a present value, told to whoever begins with an empty table.
    filled_to: u64,
}

impl Table {
    /// All present values follow, which go up to this number.
    pub(super) fn begins(&mut self, filled_to: u64) {
        self.values.clear();
        self.told.clear();
        self.unknown.clear();
        self.filled_to = filled_to;
    }

    /// What has changed since follows.
    pub(super) fn goes_on(&mut self) {
        self.filled_to = 0;
    }

    /// What came of a request about a key will not be told.
    pub(super) fn loses(&mut self, key: usize) {
        self.unknown.insert(key);
    }

    /// Whether it was told of a key by a later number.
    fn is_past(&self, key: usize, seq: u64) -> bool {
        self.told.get(&key).is_some_and(|told| *told > seq)
    }

    fn sets(&mut self, key: usize, seq: u64, value: Option<u64>) {
        if seq > 0 {
            self.told.insert(key, seq);
        }
        self.unknown.remove(&key);
        match value.map(|id| (seq, id)) {
            Some(value) => self.values.insert(key, value),
            None => self.values.remove(&key),
        };
    }
}

impl World {
    /// A client sets a key, or removes one.
    pub(super) fn sets_key(&mut self, c: u32, l: u32, echo: bool) {
        let key = self.rng.usize(..KEYS.len());
        if self.rng.u8(..4) > 0 {
            self.publishes_to(c, l, (PRICES, Some(key)), echo);
            return;
        }
        let request = self.asks(c, PRICES, What::Removal(key)).request;
        let text = format!(
            "{{\"type\":\"message\",\"channel\":\"{}\",\"key\":\"{}\",\"content\":null,\
             \"id\":{request},\"echo\":false}}",
            ROOMS[PRICES], KEYS[key]
        );
        self.note(|| format!("client {c} says {text}"));
        self.says(l, &text);
    }

    /// The application of a node does, whether anybody is in the room there or not.
    pub(super) fn sets_key_for(&mut self, n: usize, process: u32) {
        let key = self.rng.usize(..KEYS.len());
        if self.rng.u8(..4) == 0 {
            self.count("key removed by an application", 1);
            self.note(|| format!("node {n} removes {}", KEYS[key]));
            self.call(n, |process, now| {
                process.with(now, |board, _| {
                    board.remove_key(now, ROOMS[PRICES], KEYS[key], None, Exclude::NOBODY)
                })
            });
            return;
        }
        let excluded = self.rng.bool().then(|| self.rng.u32(..self.plan.users));
        self.count("user excluded from a value", u64::from(excluded.is_some()));
        let id = self.oracle.write(Written {
            room: PRICES,
            key: Some(key),
            sender: Sender::Process(process),
            excluded,
            echo: true,
        });
        let excluded = excluded.map(super::client::user_name);
        let users: Vec<&str> = excluded.iter().map(|user| &**user).collect();
        let exclude = Exclude {
            connections: &[],
            users: &users,
        };
        let content = format!("\"m{id}\"");
        self.note(|| {
            format!(
                "node {n} sets {} to {content}, not for {users:?}",
                KEYS[key]
            )
        });
        let content = Content::parse(&content).expect("JSON");
        let set = self.call(n, |process, now| {
            process.with(now, |board, _| {
                board.publish_key(now, ROOMS[PRICES], KEYS[key], content, None, exclude)
            })
        });
        if matches!(set, Some(Err(_))) {
            self.message_refused(id);
        }
    }

    /// The broker has numbered a removal.
    pub(super) fn broker_removed(&mut self, key: usize, epoch: u32, seq: u64) {
        let epoch_is = &mut self.oracle.epochs[epoch as usize];
        epoch_is.values.insert(key, (seq, None));
        let before = epoch_is.removals.insert(seq, key);
        let other = epoch_is.numbers.get(&seq).copied();
        self.check("numbers", before.is_none() && other.is_none(), || {
            format!("{seq} of epoch {epoch} removes {key}, and is {before:?} or {other:?}")
        });
    }

    /// A client has come into the room, or is told that the room goes on from elsewhere.
    pub(super) fn begins_table(&mut self, c: u32, (epoch, seq): (u32, u64)) {
        let place = &mut self.clients[c as usize].places[PRICES];
        place.begins(epoch, 0);
        place.table.begins(seq);
        place.last.clear();
    }

    /// The room goes on from elsewhere: members are told all present values again.
    pub(super) fn values_move(
        &mut self,
        c: u32,
        l: u32,
        (epoch, seq): (u32, u64),
        heard: &Heard<'_>,
    ) {
        let place = &self.clients[c as usize].places[PRICES];
        let was = place.at().map(|(epoch, _)| epoch);
        let known = place.stay.get(&epoch).copied();
        let is_shared = self.oracle.is_shared(epoch);
        let was_shared = was.is_some_and(|it| self.oracle.is_shared(it));
        let is_told = heard.id.is_none() && heard.recovered.is_none();
        self.check("positions", is_told, || {
            format!("client {c} is in the room: {heard:?}")
        });
        if let Some(known) = known {
            self.count("values told again", u64::from(is_shared && was_shared));
            self.count(
                "values of others told again",
                u64::from(is_shared && !was_shared),
            );
            let is_right = seq >= known || self.oracle.was_split;
            self.check("positions", is_right, || {
                format!("client {c} knew {known} of epoch {epoch}: {heard:?}")
            });
        } else if is_shared && was_shared {
            self.count("values in a new epoch", 1);
            self.check("no loss, no gap", self.may_lose(), || {
                format!("client {c} is told another epoch: {heard:?}")
            });
        } else if !is_shared {
            self.count("values of a node on its own", 1);
            let is_alone = self.links[l as usize].is_alone;
            self.check("told alone", is_alone, || {
                format!("client {c} does not know that its node is alone: {heard:?}")
            });
        }
        self.begins_table(c, (epoch, seq));
    }

    /// A member of the room gets a value or a removal.
    pub(super) fn gets_value(&mut self, c: u32, (epoch, seq): (u32, u64), heard: &Heard<'_>) {
        let key = heard
            .key
            .and_then(|key| KEYS.iter().position(|it| *it == key));
        let Some(key) = key else {
            return self.fail("content", format!("client {c}: {heard:?}"));
        };
        let is_filling = seq <= self.clients[c as usize].places[PRICES].table.filled_to;
        let Some(content) = heard.content else {
            // `null` reads as nothing.
            self.count("removal", 1);
            self.is_removed_for(c, epoch, seq, key);
            return self.has_now(c, key, (seq, None));
        };
        let id = identity(content.get().as_bytes());
        let id = id.filter(|&id| id < self.oracle.messages.len() as u64);
        let Some(id) = id else {
            return self.fail("content", format!("client {c}: {heard:?}"));
        };
        self.count("value", 1);
        self.count("present value", u64::from(is_filling));
        self.numbered_for(c, epoch, seq, id);
        let is_restored = self.is_set_again(id, epoch);
        let message = &self.oracle.messages[id as usize];
        let its = message.written.key;
        // Whoever begins with an empty table gets its own values, too, and so with what is set again.
        let is_own = message.written.sender == Sender::Client(c);
        self.check("keys", its == Some(key), || {
            format!("client {c}: {heard:?} is of key {its:?}")
        });
        if !(is_own && (is_filling || is_restored)) {
            self.is_meant_for(c, id, heard);
        }
        if !is_filling && !is_restored {
            self.comes_in_order(c, PRICES, epoch, id);
        }
        let l = self.clients[c as usize].link.unwrap_or(0);
        self.clients[c as usize].places[PRICES]
            .got
            .insert(id, (l, epoch));
        self.has_now(c, key, (seq, Some(id)));
    }

    /// Whether nodes have set a value again. Of a node on its own, that is known only by another epoch that
    /// the value was in.
    fn is_set_again(&self, id: u64, epoch: u32) -> bool {
        let has = |it: &Epoch| it.room == PRICES && it.numbers.values().any(|&its| its == id);
        let mut epochs = (0..).zip(&self.oracle.epochs);
        self.oracle.messages[id as usize].is_restored
            || !self.oracle.is_shared(epoch) && epochs.any(|(other, it)| other != epoch && has(it))
    }

    fn is_removed_for(&mut self, c: u32, epoch: u32, seq: u64, key: usize) {
        let epoch_is = &mut self.oracle.epochs[epoch as usize];
        let known = epoch_is.removals.get(&seq).copied();
        if known.is_none() && !epoch_is.is_shared {
            epoch_is.removals.insert(seq, key);
            return;
        }
        self.check("numbers", known == Some(key), || {
            format!("client {c}: {seq} of epoch {epoch} removes {key}, not {known:?}")
        });
    }

    fn has_now(&mut self, c: u32, key: usize, (seq, value): (u64, Option<u64>)) {
        let place = &mut self.clients[c as usize].places[PRICES];
        place.table.sets(key, seq, value);
    }

    /// A client is told that the server had its value, which it has sent again.
    pub(super) fn had_set(&mut self, c: u32, id: u64, seq: u64) {
        let Some(key) = self.oracle.messages[id as usize].written.key else {
            return;
        };
        let place = &self.clients[c as usize].places[PRICES];
        if place.is_in() && !place.table.is_past(key, seq) {
            self.has_now(c, key, (seq, Some(id)));
        }
    }

    /// A client is told that its value was set, or its key removed. It does not get that, unless it wants
    /// to.
    pub(super) fn has_set(&mut self, c: u32, what: What, (seq, local): (u64, bool)) {
        let place = &mut self.clients[c as usize].places[PRICES];
        let Some((epoch, at)) = place.at().filter(|_| place.is_in()) else {
            return;
        };
        if seq > 0 {
            self.check("order", seq > at, || {
                format!("client {c} is at {at} of epoch {epoch}, and is told {seq}")
            });
            self.clients[c as usize].places[PRICES].moves_to(seq);
        }
        let is_shared = self.oracle.is_shared(epoch);
        self.check("acks are true", !local || !is_shared, || {
            format!("client {c} is told of {seq} in a shared epoch")
        });
        match what {
            What::Removal(key) => {
                if seq > 0 {
                    self.is_removed_for(c, epoch, seq, key);
                }
                self.has_now(c, key, (seq, None));
            }
            What::Message(id) => {
                if seq > 0 {
                    self.numbered_for(c, epoch, seq, id);
                }
                if let Some(key) = self.oracle.messages[id as usize].written.key {
                    self.has_now(c, key, (seq, Some(id)));
                }
            }
            _ => {}
        }
    }

    /// A key that all may set now.
    pub(super) fn some_key(&self, c: usize) -> usize {
        let table = &self.clients[c].places[PRICES].table;
        let present = table.values.keys().next().copied();
        present.unwrap_or_default()
    }

    /// Everybody has the last value of each key.
    pub(super) fn check_values(&mut self) {
        for c in 0..self.clients.len() {
            let place = &self.clients[c].places[PRICES];
            let (Some((epoch, _)), true) = (place.at(), place.is_in()) else {
                continue;
            };
            let expected = &self.oracle.epochs[epoch as usize].values;
            let there = expected.values().filter(|(_, id)| id.is_some()).count();
            let mut wrong = None;
            for (key, name) in KEYS.iter().enumerate() {
                let has = place.table.values.get(&key).copied();
                let is_right = match expected.get(&key) {
                    Some((seq, Some(id))) => {
                        let written = &self.oracle.messages[*id as usize].written;
                        written.excluded == Some(self.clients[c].user)
                            || has.is_some_and(|(at, it)| it == *id && (at == *seq || at == 0))
                    }
                    Some((_, None)) | None => has.is_none(),
                };
                if !is_right && !place.table.unknown.contains(&key) {
                    wrong = Some((*name, has, expected.get(&key).copied()));
                }
            }
            self.check("values", wrong.is_none() && there <= KEPT_KEYS, || {
                format!("client {c} in epoch {epoch}: {wrong:?}, of {there} values")
            });
            self.count("values seen right", there as u64);
        }
    }
}
