//! What members are sent of their rooms: in order, all that is for them, and only while they are in
//! (invariants 11 to 13, 31).

use super::counters::Probe;
use super::delivery::Checked;
use super::link::Stay;
use super::oracle::hash_text;
use super::output::Message;
use super::world::World;

impl World {
    pub(super) fn stay(&mut self, l: u32, r: u32) -> Option<&mut Stay> {
        let stays = self.links[l as usize].shadow.stays.get_mut(&r)?;
        stays.front_mut()
    }

    pub(super) fn entered(&mut self, l: u32, r: u32, message: &Message<'_>) -> Checked {
        let Some(stay) = self.stay(l, r).filter(|stay| !stay.told) else {
            return Err((13, format!("subscribed to r{r} without having joined")));
        };
        stay.told = true;
        let (from, life) = (stay.from, stay.life as usize);
        if message.seq != Some(from) {
            return Err((
                12,
                format!("subscribed to r{r} at {:?}, expected {from}", message.seq),
            ));
        }
        let stay = stay.clone();
        let epoch = message.epoch.unwrap_or_default();
        let known = &mut self.oracle.rooms[r as usize].epochs[life];
        match known {
            Some(known) if known != epoch => {
                return Err((12, format!("epoch {epoch}, expected {known}")));
            }
            Some(_) => {}
            None => {
                *known = Some(epoch.to_owned());
                if !self.oracle.epochs.insert(epoch.to_owned()) {
                    return Err((12, format!("epoch {epoch} is used twice")));
                }
            }
        }
        self.begins(l, r, &stay, message)
    }

    pub(super) fn left_room(&mut self, l: u32, r: u32) -> Checked {
        let gone = |stay: &Stay| stay.told && stay.until.is_some();
        let Some(stay) = self.stay(l, r).filter(|stay| gone(stay)).cloned() else {
            return Err((13, format!("unsubscribed from r{r} while it is a member")));
        };
        if let Some(stays) = self.links[l as usize].shadow.stays.get_mut(&r) {
            stays.pop_front();
        }
        if stay.purged || stay.gave_up {
            return Ok(());
        }
        self.check_gap(l, r, &stay, stay.until.unwrap_or(stay.seen) + 1)
    }

    /// Numbers missing before `next` were not meant for this client, or were dropped in a dropping
    /// room.
    pub(super) fn check_gap(&mut self, l: u32, r: u32, stay: &Stay, next: u64) -> Checked {
        let room = &self.oracle.rooms[r as usize];
        let by_key = room.keeping.is_some_and(|it| it.keys.is_some());
        let log = &room.lives[stay.life as usize];
        let (mut missed, mut overtaken) = (0, false);
        for seq in stay.seen + 1..next {
            if self.may_lack(l, r, stay, seq) {
                overtaken |= by_key && seq > stay.from && room.is_overwritten(stay.life, seq);
                continue;
            }
            let left = stay.until.is_some();
            // Whoever leaves does not get what is too much for its queue.
            let is_rest = stay.until.is_some_and(|until| next == until + 1);
            if is_rest || (room.drops && !(by_key && log[seq as usize - 1].key.is_some())) {
                missed += 1;
            } else if !(left && room.catches_up && self.may_be_gone(r, stay, seq)) {
                return Err((12, format!("r{r}: {seq} lost before {next} in {stay:?}")));
            }
        }
        self.oracle.gaps += missed;
        if overtaken {
            self.probe(Probe::ValueOvertaken);
        }
        Ok(())
    }

    /// Returns whether a number is missing rightly, and nobody is told so: it was not meant for this
    /// client, or has been overwritten.
    pub(super) fn may_lack(&self, l: u32, r: u32, stay: &Stay, seq: u64) -> bool {
        let room = &self.oracle.rooms[r as usize];
        let entry = &room.lives[stay.life as usize][seq as usize - 1];
        let is_live = seq > stay.from;
        if is_live && entry.excluded.contains(&l) {
            return true;
        }
        if room.keeping.is_none_or(|it| it.keys.is_none()) {
            return false;
        }
        let is_value = entry.key.is_some() && !entry.removal;
        let not_present =
            !is_live && (self.is_hidden(l, entry, stay.by_key) || (stay.by_key && !is_value));
        not_present || room.is_overwritten(stay.life, seq)
    }

    pub(super) fn room_message(&mut self, l: u32, r: u32, message: &Message<'_>) -> Checked {
        let Some(stay) = self.stay(l, r).filter(|stay| stay.told).cloned() else {
            return Err((
                13,
                format!("a message of r{r}, which it is not in: {message:?}"),
            ));
        };
        if message.seq.is_none() && self.plan.keeps {
            return self.volatile_message(l, r, &stay, message);
        }
        let seq = message.seq.unwrap_or(0);
        if seq <= stay.seen || stay.until.is_some_and(|until| seq > until) {
            return Err((12, format!("r{r}: number {seq} in {stay:?}")));
        }
        let log = &self.oracle.rooms[r as usize].lives[stay.life as usize];
        let Some(entry) = log.get(seq as usize - 1) else {
            return Err((12, format!("r{r}: number {seq} was never assigned")));
        };
        let content = message.content();
        let same = entry.content == hash_text(content) && entry.key.as_deref() == message.key;
        if !same || entry.sender.as_deref() != message.sender {
            return Err((
                31,
                format!("r{r}: {content} of {:?} is not {entry:?}", message.sender),
            ));
        }
        let early = seq <= stay.from;
        let excluded = if early {
            self.is_hidden(l, entry, stay.by_key)
        } else {
            entry.excluded.contains(&l)
        };
        if excluded {
            return Err((11, format!("r{r}: {seq} excluded this client")));
        }
        self.check_gap(l, r, &stay, seq)?;
        if early {
            self.probe_recovered(&stay);
        }
        let now = self.now;
        if let Some(stay) = self.stay(l, r) {
            stay.seen = seq;
            stay.paged = if early { now } else { 0 };
        }
        Ok(())
    }
}
