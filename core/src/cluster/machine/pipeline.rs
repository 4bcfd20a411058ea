//! What is asked of the broker in one go.

use std::sync::Arc;

use super::asked::Asked;
use super::cluster::Cluster;
use super::output::Output;
use crate::Time;
use crate::cluster::command::{Append, Command, Position, Sync, Writer};

/// A pipeline: commands, bytes of messages, and messages of a room.
const PIPELINE: usize = 128;
const PIPELINE_BYTES: usize = 256 << 10;
const ROOM_MESSAGES: usize = 64;
/// Entries that one answer may have.
pub(super) const ENTRIES: u32 = 100;

impl Cluster {
    /// Sends what there is to ask, unless an answer is awaited.
    pub(super) fn send(&mut self, now: Time) {
        if !self.link.is_idle() {
            return;
        }
        let (mut commands, mut bytes) = (Vec::new(), 0);
        while commands.len() < PIPELINE
            && bytes < PIPELINE_BYTES
            && let Some((_, name)) = self.queue.pop_first()
        {
            let fresh = self.fresh_epoch();
            let writer = self.writer();
            let Some(room) = self.rooms.get_mut(&name) else {
                continue;
            };
            room.queued = None;
            let stay = room.stay;
            if room.needs_sync || (room.session != self.session && room.outbox.len() > 0) {
                commands.push(Command::Sync(Sync {
                    since: room.since(),
                    done: room.outbox.done(),
                    room: Arc::clone(&name),
                    writer,
                    fresh,
                    most: ENTRIES,
                    retention: self.config.retention,
                }));
                self.asked.push(Asked::Sync { room: name, stay });
            } else if let Some((first, bodies)) =
                room.outbox.hand_over(ROOM_MESSAGES, PIPELINE_BYTES - bytes)
            {
                bytes += bodies.iter().map(|body| body.len()).sum::<usize>();
                commands.push(Command::Append(Append {
                    room: Arc::clone(&name),
                    writer,
                    fresh,
                    first,
                    bodies,
                    retention: self.config.retention,
                }));
                self.asked.push(Asked::Append { room: name });
            } else if std::mem::take(&mut room.needs_probe) {
                commands.push(Command::Position(Position {
                    room: Arc::clone(&name),
                    incarnation: writer.incarnation,
                    numbers: self.config.retention.numbers,
                    list: self.config.retention.numbers,
                    forget: Vec::new(),
                }));
                self.asked.push(Asked::Probe { room: name, stay });
            }
        }
        if !commands.is_empty() {
            self.link.asked(now);
            self.outputs.push_back(Output::Send(commands));
        }
    }

    fn writer(&self) -> Writer {
        Writer {
            node: Arc::clone(&self.config.node),
            session: self.session,
            incarnation: Arc::clone(&self.incarnation),
        }
    }
}
