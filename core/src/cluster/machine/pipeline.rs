//! What is asked of the broker in one go, and what the answers change.

use std::sync::Arc;

use super::asked::Asked;
use super::cluster::Cluster;
use super::outbox::settled;
use super::output::Output;
use super::room::Read;
use crate::Time;
use crate::cluster::answer::{Answer, Failure};
use crate::cluster::command::{Append, Command, Position, Sync, Writer};

/// A pipeline: commands, bytes of messages, and messages of a room.
const PIPELINE: usize = 128;
const PIPELINE_BYTES: usize = 256 << 10;
const ROOM_MESSAGES: usize = 64;
/// Entries that one answer may have.
const ENTRIES: u32 = 100;

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

    pub(super) fn answer(&mut self, asked: Asked, answer: Answer) -> Result<(), Failure> {
        match (asked, answer) {
            (Asked::Ping, Answer::Ping) => {}
            (Asked::Append { room }, Answer::Append { epoch, numbers }) => {
                self.with_room(&room, |room, _, outputs| {
                    room.outbox.answered(&epoch, &numbers);
                    if !room.is_entered() {
                        settled(room.outbox.settle_all(), outputs);
                    }
                });
            }
            (
                Asked::Sync { room, stay },
                Answer::Sync {
                    epoch,
                    seq,
                    own,
                    entries,
                    ..
                },
            ) => {
                let cut = entries.len() >= ENTRIES as usize;
                let read = Read {
                    epoch,
                    seq,
                    own,
                    entries,
                    cut,
                };
                self.read(&room, stay, read);
            }
            (Asked::Probe { room, stay }, Answer::Position(position)) => {
                let at = position.as_ref().map(|it| (&*it.epoch, it.seq));
                self.with_room(&room, |room, figures, _| {
                    if room.stay == stay && room.probed(at) {
                        figures.repairs += 1;
                    }
                });
            }
            // Among them Stale and OutOfOrder: another connection of this node is at work.
            _ => return Err(Failure::Malformed),
        }
        Ok(())
    }

    fn read(&mut self, name: &Arc<str>, stay: u64, read: Read) {
        let (node, session) = (Arc::clone(&self.config.node), self.session);
        self.with_room(name, |room, figures, outputs| {
            room.session = session;
            if room.stay != stay {
                // It was left, and entered again: only the outbox is the same.
                room.outbox.known(read.own);
                return;
            }
            let repaired = room.read(read, &node, outputs);
            figures.lost += repaired.lost;
            figures.epochs += u64::from(repaired.new_epoch);
        });
    }
}
