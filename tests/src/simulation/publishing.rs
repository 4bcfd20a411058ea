//! What clients and the application publish to rooms: who gets which number (invariants 11 and 14).

use super::counters::Probe;
use super::link::Answer;
use super::oracle::{Entry, hash_text, room_number};
use super::world::World;

impl World {
    pub(super) fn expect_message(
        &mut self,
        l: u32,
        room: &str,
        content: &str,
        echo: bool,
    ) -> Answer {
        let sender = self.shared_user(l);
        let Some(r) =
            room_number(room).filter(|&r| self.links[l as usize].shadow.rooms.contains(&r))
        else {
            return Answer::Any;
        };
        let excluded = if echo { Vec::new() } else { vec![l] };
        match self.say(r, content, sender, excluded) {
            Some(seq) => Answer::Seq(seq),
            None => Answer::Any,
        }
    }

    /// Takes back the message that was just predicted if it got no number, because writers are so late
    /// that the room's log is full. Returns whether that is so.
    pub(super) fn refused_as_busy(&mut self, room: &str) -> bool {
        let Some(r) = room_number(room) else {
            return false;
        };
        let predicted = self.oracle.rooms[r as usize].seq();
        let position = self.board.position(room);
        if position.is_none_or(|it| it.seq + 1 != predicted) {
            return false;
        }
        self.check(14, self.writers_are_late(), || {
            format!("message {predicted} of {room} was refused, and no writer is late")
        });
        if let Some(life) = self.oracle.rooms[r as usize].lives.last_mut() {
            life.pop();
        }
        true
    }

    /// Returns whether something is to be written, or a turn is not reported.
    pub(super) fn writers_are_late(&self) -> bool {
        self.is_writing || self.board.wants_write() || !self.turns.is_empty()
    }

    /// Assigns the next number of a room to a message, unless it is too large for any queue.
    pub(super) fn say(
        &mut self,
        r: u32,
        content: &str,
        sender: Option<std::sync::Arc<str>>,
        excluded: Vec<u32>,
    ) -> Option<u64> {
        let limit = self.plan.config.limits.queue_bytes;
        let seq = self.oracle.rooms[r as usize].seq() + 1;
        let fields = r#"{"type":"message","channel":"","content":,"seq":}"#.len();
        let named = sender
            .as_ref()
            .map_or(0, |name| name.len() + r#","sender":"""#.len());
        let payload =
            fields + named + Self::room_name(r).len() + content.len() + seq.to_string().len();
        let header = match payload {
            0..126 => 2,
            126..65_536 => 4,
            _ => 10,
        };
        if payload + header > limit {
            self.probe(Probe::TooLarge);
            return None;
        }
        let entry = Entry {
            content: hash_text(content),
            sender,
            excluded,
        };
        self.oracle.rooms[r as usize].lives.last_mut()?.push(entry);
        Some(seq)
    }
}
