//! Numbers, logs, users and seats of rooms.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use switchboard_core::cluster::{
    Answer, Append, Appended, Channel, Done, Entry, Failure, Occupant, OccupantList, Occupants,
    Position, Presence, Range, RoomPosition, Seats, Sync, Writer,
};

use super::store::{Key, Log, Logged, Numbers, Sitting, Value};
use super::{SimRedis, Write};

/// Keeps the numbers of a room beside the store while a command changes them.
pub(super) struct Opened {
    pub(super) room: String,
    pub(super) numbers: Numbers,
    session: u64,
    own: Option<u64>,
}

impl SimRedis {
    /// Finds the numbers of a room, or starts it anew; a stale writer is answered.
    fn open(
        &mut self,
        room: &str,
        writer: &Writer,
        fresh: &str,
    ) -> Result<Result<Opened, Answer>, Failure> {
        let key = Key::Numbers(room.to_owned());
        let numbers = match self.store.read(&key) {
            Some(Value::Numbers(numbers))
                if numbers.incarnation == *writer.incarnation
                    && self.has_values(room, numbers.keys) =>
            {
                numbers.clone()
            }
            _ => {
                self.may(Write::Grows)?;
                for key in [Key::Log, Key::Users, Key::Values, Key::Keys] {
                    self.store.remove(&key(room.to_owned()));
                }
                let numbers = Numbers {
                    epoch: fresh.to_owned(),
                    seq: 0,
                    version: 0,
                    incarnation: writer.incarnation.to_string(),
                    keys: None,
                    origins: BTreeMap::new(),
                };
                self.store.insert(key, Value::Numbers(numbers.clone()));
                numbers
            }
        };
        let (session, own) = numbers
            .origins
            .get(&*writer.node)
            .copied()
            .unwrap_or((0, None));
        if writer.session < session {
            return Ok(Err(Answer::Stale {
                epoch: numbers.epoch.into(),
                seq: numbers.seq,
                own,
            }));
        }
        Ok(Ok(Opened {
            room: room.to_owned(),
            numbers,
            session: writer.session,
            own,
        }))
    }

    /// Puts the numbers back.
    fn close(&mut self, opened: Opened, node: &str, live: Duration) {
        let mut numbers = opened.numbers;
        let origin = (opened.session, opened.own);
        numbers.origins.insert(node.to_owned(), origin);
        let key = Key::Numbers(opened.room.clone());
        self.store.insert(key.clone(), Value::Numbers(numbers));
        self.store.touch(&key, self.now, live);
        self.touch_values(&opened.room, live);
    }

    pub(super) fn append(&mut self, it: &Append) -> Done {
        let mut opened = match self.open(&it.room, &it.writer, &it.fresh)? {
            Ok(opened) => opened,
            Err(answer) => return Ok(answer),
        };
        if let Some(own) = opened.own
            && it.first > own + 1
        {
            return Ok(Answer::OutOfOrder {
                epoch: opened.numbers.epoch.into(),
                seq: opened.numbers.seq,
                own,
            });
        }
        self.may(Write::Grows)?;
        let channel = Channel::Room(Arc::clone(&it.room));
        let mut fates = Vec::new();
        if it.keys > 0 {
            self.begin_values(&mut opened);
        }
        for (own, body) in (it.first..).zip(&it.bodies) {
            if opened.own.is_some_and(|last| own <= last) {
                fates.push(Appended::Before);
                continue;
            }
            opened.own = Some(own);
            if it.keys > 0 && !self.keep_value(&mut opened, it, own, body) {
                fates.push(Appended::NotKept);
                continue;
            }
            opened.numbers.seq += 1;
            let seq = opened.numbers.seq;
            self.log(it, seq, own, body);
            let header = format!(
                "1\tM\t{seq}\t{}\t{}\t{own}\n",
                opened.numbers.epoch, it.writer.node
            );
            self.publish(&channel, &[header.as_bytes(), body].concat());
            fates.push(Appended::Numbered(seq));
        }
        let epoch = opened.numbers.epoch.clone().into();
        self.close(opened, &it.writer.node, it.retention.numbers);
        let log = Key::Log(it.room.to_string());
        self.store.touch(&log, self.now, it.retention.log);
        Ok(Answer::Append { epoch, fates })
    }

    fn log(&mut self, it: &Append, seq: u64, own: u64, body: &[u8]) {
        let entry = Logged {
            seq,
            node: it.writer.node.to_string(),
            own,
            body: body.to_vec(),
        };
        let (node, keep) = (self.log_node, it.retention.messages as usize);
        let key = Key::Log(it.room.to_string());
        if let Some(Value::Log(log)) = self.store.value(&key)
            && log.push(entry.clone(), node, keep)
        {
            return;
        }
        let mut log = Log::default();
        log.push(entry, node, keep);
        self.store.insert(key, Value::Log(log));
    }

    pub(super) fn sync(&mut self, it: &Sync) -> Done {
        let mut opened = match self.open(&it.room, &it.writer, &it.fresh)? {
            Ok(opened) => opened,
            Err(answer) => return Ok(answer),
        };
        self.may(Write::Grows)?;
        let own = opened.own.unwrap_or(0).max(it.done);
        opened.own = Some(own);
        let entries = match &it.since {
            Some((epoch, seq)) if **epoch == opened.numbers.epoch => {
                self.entries(&it.room, *seq, it.most)
            }
            _ => Vec::new(),
        };
        let answer = Answer::Sync {
            epoch: opened.numbers.epoch.clone().into(),
            seq: opened.numbers.seq,
            own,
            version: opened.numbers.version,
            entries,
        };
        self.close(opened, &it.writer.node, it.retention.numbers);
        Ok(answer)
    }

    fn entries(&self, room: &str, after: u64, most: u32) -> Vec<Entry> {
        let Some(Value::Log(log)) = self.store.read(&Key::Log(room.to_owned())) else {
            return Vec::new();
        };
        log.after(after)
            .take(most as usize)
            .map(|logged| Entry {
                seq: logged.seq,
                node: logged.node.as_str().into(),
                own: logged.own,
                body: logged.body.as_slice().into(),
            })
            .collect()
    }

    pub(super) fn presence(&mut self, it: &Presence) -> Done {
        let mut opened = match self.open(&it.room, &it.writer, &it.fresh)? {
            Ok(opened) => opened,
            Err(answer) => return Ok(answer),
        };
        self.may(Write::Grows)?;
        let key = Key::Users(it.room.to_string());
        let mut users = match self.store.read(&key) {
            Some(Value::Users(users)) => users.clone(),
            _ => BTreeMap::new(),
        };
        let field = |user: &str| (it.registration.to_string(), user.to_owned());
        let since = opened.numbers.version + 1;
        let (mut changes, mut infos) = (Vec::new(), Vec::new());
        for user in &it.left {
            if users.remove(&field(user)).is_some() {
                changes.push(format!("-{user}"));
                infos.push("");
            }
        }
        for (user, info) in &it.joined {
            let info = info.as_deref();
            let there = users.get(&field(user)).map(|(_, there)| there.as_deref());
            if there != Some(info) {
                users.insert(field(user), (since, info.map(str::to_owned)));
                changes.push(format!("+{user}"));
                infos.push(info.unwrap_or_default());
            }
        }
        if users.is_empty() {
            self.store.remove(&key);
        } else {
            self.store.insert(key.clone(), Value::Users(users));
            self.store.touch(&key, self.now, it.list);
        }
        if !changes.is_empty() {
            opened.numbers.version += 1;
            let infos = if infos.iter().all(|info| info.is_empty()) {
                String::new()
            } else {
                format!("\t{}", infos.join("\t"))
            };
            let payload = format!(
                "1\tP\t{}\t{}\t{}{infos}\n{}",
                opened.numbers.version,
                opened.numbers.epoch,
                it.registration,
                changes.join("\n")
            );
            self.publish(&Channel::Room(Arc::clone(&it.room)), payload.as_bytes());
        }
        let answer = Answer::Presence {
            epoch: opened.numbers.epoch.clone().into(),
            version: opened.numbers.version,
            changed: changes.len() as u64,
        };
        self.close(opened, &it.writer.node, it.numbers);
        Ok(answer)
    }

    /// The numbers of a room, where they are of this incarnation.
    pub(super) fn numbers(&self, room: &str, incarnation: &str) -> Option<&Numbers> {
        match self.store.read(&Key::Numbers(room.to_owned())) {
            Some(Value::Numbers(numbers)) if numbers.incarnation == incarnation => Some(numbers),
            _ => None,
        }
    }

    pub(super) fn occupants(&self, it: &Occupants) -> Answer {
        let list = self.numbers(&it.room, &it.incarnation).map(|numbers| {
            let users = match self.store.read(&Key::Users(it.room.to_string())) {
                Some(Value::Users(users)) => users.iter().map(occupant).collect(),
                _ => Vec::new(),
            };
            OccupantList {
                epoch: numbers.epoch.as_str().into(),
                version: numbers.version,
                users,
            }
        });
        Answer::Occupants(list)
    }

    pub(super) fn position(&mut self, it: &Position) -> Done {
        let numbers = self.numbers(&it.room, &it.incarnation);
        if !numbers.is_some_and(|numbers| self.has_values(&it.room, numbers.keys)) {
            return Ok(Answer::Position(None));
        }
        self.may(Write::Frees)?;
        let (numbers, users) = (
            Key::Numbers(it.room.to_string()),
            Key::Users(it.room.to_string()),
        );
        let listed = match self.store.read(&users) {
            Some(Value::Users(users)) => users.len(),
            _ => 0,
        };
        let mut position = None;
        if let Some(Value::Numbers(numbers)) = self.store.value(&numbers) {
            for node in &it.forget {
                numbers.origins.remove(&**node);
            }
            position = Some(RoomPosition {
                epoch: numbers.epoch.as_str().into(),
                seq: numbers.seq,
                version: numbers.version,
                users: listed as u64,
            });
        }
        self.store.touch(&numbers, self.now, it.numbers);
        self.touch_values(&it.room, it.numbers);
        self.store.touch(&users, self.now, it.list);
        Ok(Answer::Position(position))
    }

    pub(super) fn range(&self, it: &Range) -> Answer {
        let same = self
            .numbers(&it.room, &it.incarnation)
            .is_some_and(|numbers| numbers.epoch == *it.epoch);
        Answer::Range(same.then(|| self.entries(&it.room, it.after, it.most)))
    }

    pub(super) fn seats(&mut self, it: &Seats) -> Done {
        let key = Key::Seats(it.room.to_string());
        let mut sitting = match self.store.read(&key) {
            Some(Value::Seats(sitting)) => sitting.clone(),
            _ => BTreeMap::new(),
        };
        if let Some(own) = sitting.get(&*it.registration)
            && own.session > it.session
        {
            return Ok(Answer::StaleSession);
        }
        self.may(Write::Grows)?;
        let (now, stale) = (self.now, it.stale);
        sitting.remove(&*it.registration);
        sitting.retain(|registration, sitting| {
            let age = Duration::from_micros(now.0.saturating_sub(sitting.at.0));
            age <= stale && !it.dead.iter().any(|dead| **dead == **registration)
        });
        // The clock was set back: from now on they have to be confirmed.
        for sitting in sitting.values_mut() {
            sitting.at = sitting.at.min(now);
        }
        let others = sitting.values().map(|sitting| sitting.seats).sum();
        let granted = it.wanted.min(it.total.saturating_sub(others)).max(it.held);
        let own = Sitting {
            session: it.session,
            seats: granted,
            at: now,
        };
        sitting.insert(it.registration.to_string(), own);
        self.store.insert(key.clone(), Value::Seats(sitting));
        self.store.touch(&key, now, it.table);
        Ok(Answer::Seats {
            granted,
            others,
            at: now,
        })
    }
}

type Listed<'a> = (&'a (String, String), &'a (u64, Option<String>));

fn occupant(((registration, user), (since, info)): Listed<'_>) -> Occupant {
    Occupant {
        registration: registration.as_str().into(),
        user: user.as_str().into(),
        since: *since,
        info: info.as_deref().map(Arc::from),
    }
}
