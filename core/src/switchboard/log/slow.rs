//! Members that lag too far behind.

use super::Log;
use super::limits::Slow;
use super::room::Room;
use crate::ConnectionId;
use crate::switchboard::arena::NONE;

/// Stretches of positions without a number that are remembered as lost. Beyond these, a gap may be told to be longer than
/// it is, by numbers that the client has got.
const LOST: usize = 256;

impl Room {
    /// Returns whether a blocked member at an index lags too far behind: it is to be closed, unless the
    /// rule spares it.
    pub(super) fn is_beyond(&self, index: usize) -> bool {
        match (self.rule.slow, &self.latest) {
            (Slow::Disconnect | Slow::CatchUp, _) => self.is_over(index, 1),
            // Removals cannot be dropped.
            (Slow::DropOldest, Some(latest)) => {
                latest.removals_from(self.position(index)) > self.rule.messages
            }
            _ => false,
        }
    }
}

impl Log {
    /// Condemns the blocked members whose lag is over the limit; returns how many were found that are
    /// not in `excluded`. Costs a look at each position that has come over the limit, and at each of
    /// those that are excluded, whatever the number of members.
    pub(super) fn condemn_over(&mut self, key: u32, excluded: &[u32]) -> usize {
        let room = &self.rooms[key];
        if !room.is_beyond(room.locate(room.over).max(room.passed)) {
            return 0;
        }
        let before = self.count_over(key, excluded);
        let over = self.find_over(key, |log, group| log.condemned_groups.push_back(group));
        over - (self.count_over(key, excluded) - before)
    }

    /// Notes which blocked members are over the limit of a room whose rule spares them.
    pub(super) fn spare_over(&mut self, key: u32) {
        self.find_over(key, |log, group| {
            let group = log.groups[group];
            log.spared += (group.count - group.recovering) as usize;
        });
    }

    /// Finds the groups of blocked members that have come over the limit; returns the number of
    /// members. Each position is looked at once.
    fn find_over(&mut self, key: u32, mut found: impl FnMut(&mut Self, u32)) -> usize {
        let mut members = 0;
        loop {
            let room = &self.rooms[key];
            let index = room.locate(room.over).max(room.passed);
            if !room.is_beyond(index) {
                return members;
            }
            let (head, position) = (room.ring[index].blocked, room.position(index));
            self.each_group(head, |log, at| {
                let group = &mut log.groups[at];
                if !std::mem::replace(&mut group.over, true) {
                    members += group.count as usize;
                    found(log, at);
                }
            });
            self.rooms[key].over = position + 1;
        }
    }

    /// Returns how many of these members are blocked, and were found to be over the limit.
    fn count_over(&self, key: u32, slots: &[u32]) -> usize {
        let is_over = |slot: u32| {
            let connection = &self.connections[slot as usize];
            let found = connection.membership(key).map(|at| connection.rooms[at]);
            let lag = found.and_then(|found| self.lags.get(found.lag));
            lag.is_some_and(|lag| self.groups[lag.group].over)
        };
        slots.iter().filter(|&&slot| is_over(slot)).count()
    }

    /// Returns the blocked members that would be over the limit with a further message of so many
    /// bytes, where the rule is to close them.
    pub(in crate::switchboard) fn near_limit(&self, key: u32, bytes: usize) -> Vec<ConnectionId> {
        let mut near = Vec::new();
        let room = &self.rooms[key];
        if room.rule.slow != Slow::Disconnect {
            return near;
        }
        for index in room.passed..room.ring.len() {
            let lag = room.lag(index);
            if lag.0 < room.rule.messages && lag.1 + bytes as u64 <= room.rule.bytes {
                break;
            }
            let members = self.members_of_groups(room.ring[index].blocked);
            near.extend(members.map(|slot| self.id(slot)));
        }
        near
    }

    /// Returns the slots in a circle of groups.
    fn members_of_groups(&self, head: u32) -> impl Iterator<Item = u32> {
        let groups = circle(head, |at| self.groups[at].next);
        let lags = groups.flat_map(|at| circle(self.groups[at].first, |lag| self.lags[lag].next));
        lags.map(|lag| self.lags[lag].slot)
    }

    /// Drops the oldest messages until no member's lag is over the limit; returns how many were
    /// lost, counted for each member. What a writer has taken may still go out, so it is kept
    /// until the report.
    pub(super) fn drop_oldest(&mut self, key: u32) -> usize {
        let mut lost = 0;
        loop {
            let room = &self.rooms[key];
            let index = room.passed;
            if !room.is_over(index, 1) {
                break;
            }
            if room.ring[index].flight > 0 {
                if !self.held_up.contains(&key) {
                    self.held_up.push(key);
                }
                break;
            }
            lost += self.drop_at(key, index);
        }
        lost
    }

    /// Drops what a writer that has reported by now kept from being dropped.
    pub(super) fn drop_held_up(&mut self) {
        for key in std::mem::take(&mut self.held_up) {
            let room = self.rooms.get(key);
            if room.is_some_and(|room| room.rule.slow == Slow::DropOldest && room.latest.is_none())
            {
                self.late_drops += self.drop_oldest(key);
            }
        }
    }

    /// Returns how many messages were dropped by reports since the last call.
    pub(in crate::switchboard) fn take_late_drops(&mut self) -> usize {
        std::mem::take(&mut self.late_drops)
    }

    /// Drops the oldest messages as long as a member's lag is over the limit and the history does
    /// not have them any more; returns how many were lost, counted for each member.
    pub(super) fn drop_forgotten(&mut self, key: u32) -> usize {
        let mut lost = 0;
        loop {
            let room = &self.rooms[key];
            let index = room.passed;
            let kept = room.history.as_ref().is_some_and(|it| it.first() <= index);
            if kept || !room.is_over(index, 1) || room.ring[index].flight > 0 {
                break;
            }
            lost += self.drop_at(key, index);
        }
        lost
    }

    /// Drops the entry at an index, before which none has cursors, and all before it. Returns the
    /// number of members that lose it.
    pub(super) fn drop_at(&mut self, key: u32, index: usize) -> usize {
        let room = &mut self.rooms[key];
        let entry = &mut room.ring[index];
        let (cursors, blocked) = (entry.cursors, entry.blocked);
        entry.cursors = 0;
        entry.blocked = NONE;
        let mut lost = cursors as usize;
        let room = &self.rooms[key];
        let entry = &room.ring[index];
        // A volatile one was never for those who had been before it.
        let volatile = entry.is_volatile();
        for &slot in entry.excluded() {
            let at = self.connections[slot as usize].membership(key);
            let stands = at.is_some_and(|at| {
                let member = self.connections[slot as usize].rooms[at].index;
                let cursor = room.members[member as usize].cursor;
                let recovery = self.recovery(slot, key);
                room.index_of(member) <= index
                    && !(volatile && cursor < room.base)
                    && !room.is_for(index, cursor, slot, recovery.as_ref())
            });
            lost -= usize::from(stands);
        }
        let (presence, moved, spent) = (entry.is_presence(), entry.is_moved(), entry.is_spent());
        if entry.is_dead() || moved {
            // A member is told the epoch all the same.
            lost = 0;
        } else if volatile {
            lost -= room.jumped as usize;
        }
        let room = &mut self.rooms[key];
        if cursors > 0 {
            // What was at positions that have gone already had no number either.
            let numbered = u64::from(room.ring[index].seq().is_some());
            let from = room.position(index) + numbered;
            let to = room.position(index + 1);
            if from < to {
                let lost = room.lost.get_or_insert_default();
                if lost.len() >= LOST {
                    lost.pop_front();
                }
                lost.push_back((from, to));
            }
        }
        // All who stood here are before the front now, and those who were already.
        room.jumped = cursors;
        match room.ring.get_mut(index + 1) {
            Some(next) => next.cursors += cursors,
            None => room.at_end += cursors,
        }
        self.splice(key, index + 1, blocked);
        self.spare_no_more(key, index + 1);
        for _ in 0..index {
            self.pop(key);
        }
        let (position, before) = (self.rooms[key].base, self.rooms[key].popped);
        self.pop(key);
        let room = &mut self.rooms[key];
        if presence {
            room.lost_presence = room.base;
        }
        if moved {
            room.lost_move = room.base;
        }
        if spent && cursors > 0 && room.spent.len() < LOST {
            room.spent
                .push((position, room.popped.saturating_sub(before)));
        }
        self.settle(key);
        lost
    }

    /// Notes that members have come to an index by what they have lost, and may lag less now.
    fn spare_no_more(&mut self, key: u32, index: usize) {
        let room = &self.rooms[key];
        if room.rule.slow != Slow::CatchUp || room.position(index) < room.over {
            return;
        }
        let head = room
            .ring
            .get(index)
            .map_or(room.end_blocked, |it| it.blocked);
        self.each_group(head, |log, at| {
            let group = &mut log.groups[at];
            if std::mem::take(&mut group.over) {
                log.spared -= (group.count - group.recovering) as usize;
            }
        });
    }

    /// Removes the front of a room's log.
    fn pop(&mut self, key: u32) {
        let room = &mut self.rooms[key];
        let kept = |room: &Room| {
            let history = room.history.as_ref();
            history.map_or((0, 0), |it| (it.messages(), it.bytes()))
        };
        let (before, idle) = (kept(room), room.idle);
        self.held -= room.pop();
        self.idle -= idle - room.idle;
        let after = kept(room);
        self.kept.0 -= before.0 - after.0;
        self.kept.1 -= before.1 - after.1;
    }
}

/// Returns the keys of a circle, from one on.
fn circle(first: u32, next: impl Fn(u32) -> u32) -> impl Iterator<Item = u32> {
    let is_one = |&at: &u32| at != NONE;
    let follow = move |&at: &u32| Some(next(at)).filter(|&at| at != first);
    std::iter::successors(Some(first).filter(is_one), follow)
}
