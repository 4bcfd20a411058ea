//! What is asked of the broker in one go.

use std::sync::Arc;

use super::asked::Asked;
use super::cluster::Cluster;
use super::output::Output;
use super::presence;
use crate::Time;
use crate::cluster::command::{Append, Command, Position, Sync, Writer};

/// A pipeline: commands, bytes of messages, and messages of a room.
const COMMANDS: usize = 128;
const BYTES: usize = 256 << 10;
const ROOM_MESSAGES: usize = 64;
/// Claims that go before rooms.
const CLAIMS: usize = 32;
/// Entries that one answer may have.
pub(super) const ENTRIES: u32 = 100;

/// Commands that go out together, and what each is about.
#[derive(Debug, Default)]
pub(super) struct Pipeline {
    commands: Vec<Command>,
    asked: Vec<Asked>,
    bytes: usize,
}

impl Pipeline {
    pub(super) fn push(&mut self, command: Command, asked: Asked) {
        self.commands.push(command);
        self.asked.push(asked);
    }

    pub(super) fn add_bytes(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    pub(super) fn is_full(&self) -> bool {
        self.commands.len() >= COMMANDS || self.bytes >= BYTES
    }
}

impl Cluster {
    /// Sends what there is to ask, unless an answer is awaited. On a new connection, nothing is asked
    /// before the broker has answered a heartbeat.
    pub(super) fn send(&mut self, now: Time) {
        if !self.link.is_idle() {
            return;
        }
        self.check_lease(now);
        let mut pipeline = Pipeline::default();
        if self.lease.due() <= now {
            self.ask_beat(now, &mut pipeline);
        }
        if self.lease.is_introduced() {
            self.ask_questions(&mut pipeline);
            self.ask_for_claims(now, CLAIMS, &mut pipeline);
            self.ask_for_recalls(&mut pipeline);
            self.ask_for_rooms(now, &mut pipeline);
            self.ask_for_claims(now, COMMANDS, &mut pipeline);
            if self.retire_by.is_some() && pipeline.commands.is_empty() {
                self.ask_to_retire(&mut pipeline);
            }
        }
        self.hand_over(now, pipeline);
    }

    /// Asks whether the broker answers, where there is nothing else to ask.
    pub(super) fn ping(&mut self, now: Time) {
        self.send(now);
        if self.link.is_idle() {
            let mut pipeline = Pipeline::default();
            pipeline.push(Command::Ping, Asked::Ping);
            self.hand_over(now, pipeline);
        }
    }

    fn hand_over(&mut self, now: Time, pipeline: Pipeline) {
        if !pipeline.commands.is_empty() {
            self.link.asked(now);
            self.asked = pipeline.asked;
            self.outputs.push_back(Output::Send(pipeline.commands));
        }
    }

    fn ask_for_rooms(&mut self, now: Time, pipeline: &mut Pipeline) {
        while !pipeline.is_full()
            && let Some((_, name)) = self.queue.pop_first()
        {
            self.ask_for_room(now, name, pipeline);
        }
    }

    fn ask_for_room(&mut self, now: Time, name: Arc<str>, pipeline: &mut Pipeline) {
        self.ask_for_seats(&name, pipeline);
        let fresh = self.fresh_epoch();
        let writer = self.writer();
        let (silence, node) = (self.config.silence, &self.config.node);
        let Some(room) = self.rooms.get_mut(&name) else {
            return;
        };
        room.queued = None;
        let stay = room.stay;
        let retention = self.config.retention;
        if room.needs_sync || room.session != self.session {
            room.is_asked();
            let sync = Sync {
                since: room.since(),
                done: room.outbox.done(),
                room: Arc::clone(&name),
                writer,
                fresh,
                most: ENTRIES,
                retention,
            };
            pipeline.push(Command::Sync(sync), Asked::Sync { room: name, stay });
            return;
        }
        let space = BYTES.saturating_sub(pipeline.bytes);
        if let Some((first, bodies)) = room.outbox.hand_over(ROOM_MESSAGES, space) {
            pipeline.add_bytes(bodies.iter().map(|body| body.len()).sum());
            let append = Append {
                room: Arc::clone(&name),
                writer: writer.clone(),
                fresh: Arc::clone(&fresh),
                first,
                bodies,
                keys: room.terms.keys,
                retention,
            };
            let room = Arc::clone(&name);
            pipeline.push(Command::Append(append), Asked::Append { room });
        }
        let own = self.lease.registration();
        let push = |command, asked| pipeline.push(command, asked);
        presence::ask(room, own, &writer, &fresh, retention, push);
        if std::mem::take(&mut room.needs_probe) {
            let position = Position {
                room: Arc::clone(&name),
                incarnation: writer.incarnation,
                numbers: retention.numbers,
                list: retention.numbers,
                forget: self.peers.silent(now, silence, node),
            };
            pipeline.push(
                Command::Position(position),
                Asked::Probe { room: name, stay },
            );
        }
    }

    pub(super) fn writer(&self) -> Writer {
        Writer {
            node: Arc::clone(&self.config.node),
            session: self.session,
            incarnation: Arc::clone(&self.incarnation),
        }
    }
}
