//! The present life of a room: what is published, and the latest value of each key (invariant 42).

use switchboard_core::SendError;
use switchboard_core::protocol::Content;

use super::oracle::{Entry, Room};
use super::publishing::{Saying, Unsaid};
use super::world::World;

impl Room {
    /// Returns whether a key may have a value.
    pub(super) fn has_place(&self, key: &str) -> bool {
        let most = self.keeping.and_then(|it| it.keys).unwrap_or(0);
        let log = self.log();
        let is_value = |seq: &&u64| !log[**seq as usize - 1].removal;
        let values = self.latest.values().filter(is_value).count();
        let has_value = self.latest.get(key).is_some_and(|seq| is_value(&seq));
        has_value || values < most
    }

    /// Returns the bytes that the removals count for.
    pub(super) fn removals_cost(&self) -> usize {
        let log = self.log();
        let latest = self.latest.iter();
        let kept = latest.map(|(key, &seq)| (key.len(), &log[seq as usize - 1]));
        kept.filter(|(_, entry)| entry.removal)
            .map(|(key, entry)| key + entry.cost)
            .sum()
    }

    /// Appends a message to the present life.
    pub(super) fn publish(&mut self, entry: Entry) {
        let seq = self.seq() + 1;
        let by_key = self.keeping.is_some_and(|it| it.keys.is_some());
        let is_kept = !by_key || entry.key.is_some();
        if is_kept || !self.members.is_empty() {
            self.used = entry.at;
        }
        match &entry.key {
            Some(key) => {
                self.latest.insert(key.clone(), seq);
            }
            None if by_key => self.unkept = seq,
            None => {}
        }
        if let Some(log) = self.lives.last_mut() {
            log.push(entry);
        }
        let log = self.log();
        let removals = self.latest.values();
        let removals = removals.filter(|&&seq| log[seq as usize - 1].removal);
        self.forgets |= removals.count() > self.keeping.and_then(|it| it.keys).unwrap_or(0);
    }

    /// Takes back the last message.
    pub(super) fn take_back(&mut self) -> Option<Entry> {
        let entry = self.lives.last_mut()?.pop()?;
        let last = |is: &dyn Fn(&Entry) -> bool| {
            let at = self.log().iter().rposition(is);
            at.map(|at| at as u64 + 1)
        };
        match &entry.key {
            Some(key) => {
                let before = last(&|it| it.key.as_ref() == Some(key));
                match before {
                    Some(seq) => self.latest.insert(key.clone(), seq),
                    None => self.latest.remove(key),
                };
            }
            None => self.unkept = last(&|it| it.key.is_none()).unwrap_or(0),
        }
        Some(entry)
    }
}

impl World {
    /// Makes a call of the application about what a room keeps. Returns whether that is all.
    pub(super) fn keeping_deed(&mut self, r: u32) -> bool {
        if !self.plan.keeps || self.calm {
            return false;
        }
        let by_key = self.oracle.rooms[r as usize].keeping;
        let by_key = by_key.is_some_and(|it| it.keys.is_some());
        match self.rng.u8(..8) {
            0 | 1 => self.broadcast_volatile(r),
            2..7 if by_key => self.publish_key(r),
            _ => return false,
        }
        true
    }

    fn publish_key(&mut self, r: u32) {
        let number = self.next_id();
        let key = self.draw_key();
        let content = match self.rng.u8(..6) {
            0 => "null".to_owned(),
            1 if self.trouble(30) => format!("\"{number}{}\"", "k".repeat(self.rng.usize(..9_000))),
            _ => format!("[{number}]"),
        };
        let members = self.oracle.rooms[r as usize].members.clone();
        let left_out = self.draw_left_out(&members);
        let busy = self.is_busy();
        if !busy {
            self.find_life(r, false);
        }
        let saying = Saying {
            content: &content,
            key: Some(&key),
            excluded: left_out.members.clone(),
            hidden: self.hidden_from(&left_out),
            ..Saying::default()
        };
        let expected = if busy {
            None
        } else {
            Some(self.say(r, saying))
        };
        // All that is kept may be too much.
        self.oracle.unsure = self.is_pressed();
        let names = left_out.names();
        let exclude = left_out.exclude(&names);
        let Ok(parsed) = Content::parse(&content) else {
            return self.fail(39, "valid content was refused");
        };
        let room = Self::room_name(r);
        let result =
            self.call(|board, now| board.publish_key(now, &room, &key, parsed, None, exclude));
        self.oracle.unsure = false;
        self.learn_epoch(r);
        let said = match &result {
            Ok(receipt) => receipt.seq.map(Ok),
            Err(SendError::TooLarge { .. }) => Some(Err(Unsaid::TooLarge)),
            Err(SendError::TooManyKeys { .. }) => Some(Err(Unsaid::TooManyKeys)),
            Err(_) => None,
        };
        let refused = match &result {
            Err(SendError::Busy) => self.may_be_busy(),
            Err(SendError::TooManyBytes { .. }) => self.is_pressed(),
            _ => false,
        };
        if refused && matches!(expected, Some(Ok(_))) {
            return self.unsay(r);
        }
        self.check(11, said == expected, || {
            format!("{key} of r{r}: {result:?}, expected {expected:?}")
        });
        if let Ok(receipt) = result {
            self.check_receipt(&receipt, &members, &left_out.members);
        }
    }

    /// Draws a key: of a few more than may have a value.
    pub(super) fn draw_key(&mut self) -> String {
        format!("k{}", self.rng.u8(..10))
    }
}
