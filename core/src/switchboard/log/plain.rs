//! Reports of plain jobs: members of a room that have received the same messages in full, so that only
//! their end counts.
//!
//! Because most jobs are plain, their positions are moved together.

use super::Log;
use super::connection::{Connection, Writer};
use super::room::Room;
use super::turn::{Job, Mark, Source, Step, Turn};

/// Members of one room that have got the same messages, and that are not counted where they stand
/// now.
#[derive(Clone, Copy, Debug)]
struct Group {
    room: u32,
    from: u64,
    to: u64,
    members: u32,
}

/// The plain jobs of a turn so far.
#[derive(Debug, Default)]
pub(super) struct Plain {
    group: Option<Group>,
    pub(super) written: Mark,
}

impl Log {
    /// Reports a job if it is plain. [`move_plain`](Self::move_plain) has to follow.
    pub(super) fn report_plain(&mut self, job: &Job, turn: &Turn, plain: &mut Plain) -> bool {
        let slot = job.id().slot;
        let Some(connection) = self.connections.get_mut(slot as usize) else {
            return false;
        };
        if !job.is_written()
            || connection.generation != job.id().generation
            || !is_plain(connection)
        {
            return false;
        }
        let last = turn.steps[job.steps.start as usize..job.steps.end as usize].last();
        let Some(&Step {
            source:
                Source::Room {
                    room: key,
                    position,
                    ..
                },
            ..
        }) = last
        else {
            return false;
        };
        let membership = connection.rooms.iter_mut().find(|found| found.room == key);
        let Some(membership) = membership else {
            return false;
        };
        let room = &mut self.rooms[key];
        if !moves_plainly(room) {
            return false;
        }
        let (base, lost_presence) = (room.base, room.lost_presence);
        let member = &mut room.members[membership.index as usize];
        let from = member.cursor;
        if member.special || !member.in_flight || from < base || from < lost_presence {
            return false;
        }
        member.cursor = position;
        member.in_flight = false;
        membership.taken = 0;
        connection.writer = Writer::Idle;
        let again = std::mem::take(&mut connection.again);
        if again || !job.all || self.published != turn.stamp || self.queues.has_some(connection) {
            self.touch_if_behind(slot);
        }
        plain.written.messages += job.steps.len() as u64;
        plain.written.bytes += job.len() as u64;
        match &mut plain.group {
            Some(group) if (group.room, group.from, group.to) == (key, from, position) => {
                group.members += 1;
            }
            _ => {
                self.move_plain(plain);
                plain.group = Some(Group {
                    room: key,
                    from,
                    to: position,
                    members: 1,
                });
            }
        }
        true
    }

    /// Counts members where they stand now.
    pub(super) fn move_plain(&mut self, plain: &mut Plain) {
        let Some(group) = plain.group.take() else {
            return;
        };
        let room = &mut self.rooms[group.room];
        let (from, to) = (room.locate(group.from), room.locate(group.to));
        let left = &mut room.ring[from];
        left.flight -= group.members;
        left.cursors -= group.members;
        match room.ring.get_mut(to) {
            Some(entry) => entry.cursors += group.members,
            None => room.at_end += group.members,
        }
        self.settle(group.room);
    }
}

fn is_plain(connection: &Connection) -> bool {
    connection.writer == Writer::Writing
        && connection.adrift == 0
        && !(connection.flushed || connection.stalled || connection.discards)
}

/// Returns whether the position after a message is the next one.
fn moves_plainly(room: &Room) -> bool {
    room.sparse.is_none() && room.volatiles == 0
}
