//! What clients and the application publish to rooms: who gets which number (invariants 11 and 14, H6).

use std::sync::Arc;

use super::counters::Probe;
use super::keeping::BESIDE;
use super::link::Answer;
use super::oracle::{Entry, hash_text, room_number};
use super::resending::Again;
use super::world::World;

/// What a client sends to a room.
#[derive(Debug)]
pub(super) struct Sent<'a> {
    pub(super) content: &'a str,
    pub(super) key: Option<&'a str>,
    pub(super) echo: bool,
    pub(super) volatile: bool,
    pub(super) again: Option<u64>,
    pub(super) id: Option<u64>,
}

/// What is published to a room.
#[derive(Debug, Default)]
pub(super) struct Saying<'a> {
    pub(super) content: &'a str,
    pub(super) sender: Option<Arc<str>>,
    pub(super) key: Option<&'a str>,
    /// The members that do not get it.
    pub(super) excluded: Vec<u32>,
    /// The sessions and users to which it is not given later either.
    pub(super) hidden: Vec<String>,
    /// The session that has sent it and does not get it.
    pub(super) by: Option<String>,
    /// The session and the request.
    pub(super) request: Option<(String, u64)>,
}

/// Why something is not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsaid {
    TooLarge,
    TooManyKeys,
}

impl World {
    /// Predicts the answer to a message that a client sends to a room.
    pub(super) fn expect_message(&mut self, l: u32, room: &str, sent: &Sent<'_>) -> Answer {
        self.oracle.unsure = false;
        let sender = self.shared_user(l);
        let Some(r) =
            room_number(room).filter(|&r| self.links[l as usize].shadow.rooms.contains(&r))
        else {
            return Answer::Any;
        };
        if let (Some(again), Some(id)) = (sent.again, sent.id) {
            let again = self.predict_again(l, r, id, again);
            self.probe_again(again);
            if let Some(answer) = again.answer() {
                return answer;
            }
            self.oracle.unsure = again == Again::Unsure(None);
        }
        let excluded = if sent.echo { Vec::new() } else { vec![l] };
        if sent.volatile {
            return self.say_volatile(r, sent.content, sender, excluded);
        }
        let session = self.session_name(l);
        let known = session.clone().filter(|_| !self.is_anonymous(l));
        let saying = Saying {
            content: sent.content,
            sender,
            key: sent.key,
            excluded,
            by: session.filter(|_| !sent.echo),
            request: known.zip(sent.id),
            ..Saying::default()
        };
        // All that is kept may be too much.
        self.oracle.unsure |= sent.key.is_some() && self.is_pressed();
        match self.say(r, saying) {
            Ok(seq) => Answer::Seq(seq),
            Err(Unsaid::TooLarge) => Answer::Any,
            Err(Unsaid::TooManyKeys) => Answer::LimitExceeded,
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
        let unsure = std::mem::take(&mut self.oracle.unsure);
        self.check(14, unsure || self.may_be_busy(), || {
            format!("message {predicted} of {room} was refused, and no writer is late")
        });
        self.unsay(r);
        true
    }

    /// Returns whether something is to be written, or a turn is not reported.
    pub(super) fn writers_are_late(&self) -> bool {
        self.is_writing || self.board.wants_write() || !self.turns.is_empty()
    }

    /// Returns whether a message may be refused for now: writers are late, or what is kept by key takes
    /// all that the node may hold.
    pub(super) fn may_be_busy(&self) -> bool {
        self.writers_are_late() || (self.plan.keeps && self.plan.tiny_pool)
    }

    /// Assigns the next number of a room to a message, unless it is too large for any queue or there
    /// are too many keys.
    pub(super) fn say(&mut self, r: u32, saying: Saying<'_>) -> Result<u64, Unsaid> {
        let seq = self.oracle.rooms[r as usize].seq() + 1;
        let more = saying.key.map_or(0, |key| key.len() + r#","key":"""#.len())
            + r#","seq":"#.len()
            + seq.to_string().len();
        let framed = Self::framed(r, saying.content, saying.sender.as_deref(), more);
        if framed > self.plan.config.limits.queue_bytes {
            self.probe(Probe::TooLarge);
            return Err(Unsaid::TooLarge);
        }
        let now = self.core_time();
        let room = &mut self.oracle.rooms[r as usize];
        let removal = saying.key.is_some() && saying.content == "null";
        if let Some(key) = saying.key
            && !removal
            && !room.has_place(key)
        {
            self.probe(Probe::TooManyKeys);
            return Err(Unsaid::TooManyKeys);
        }
        if let Some(request) = &saying.request {
            let new = self.oracle.requests.insert(request.clone());
            self.check(42, new, || {
                format!("r{r}: {request:?} is published a second time")
            });
        }
        let entry = Entry {
            content: hash_text(saying.content),
            sender: saying.sender,
            excluded: saying.excluded,
            hidden: saying.hidden,
            by: saying.by,
            request: saying.request,
            key: saying.key.map(str::to_owned),
            removal,
            at: now,
            cost: framed + BESIDE,
        };
        self.oracle.rooms[r as usize].publish(entry);
        Ok(seq)
    }

    /// Returns the length of the frame of a message; `more` are the bytes of further fields.
    pub(super) fn framed(r: u32, content: &str, sender: Option<&str>, more: usize) -> usize {
        let fields = r#"{"type":"message","channel":"","content":}"#.len();
        let named = sender.map_or(0, |name| name.len() + r#","sender":"""#.len());
        let payload = fields + named + Self::room_name(r).len() + content.len() + more;
        payload
            + match payload {
                0..126 => 2,
                126..65_536 => 4,
                _ => 10,
            }
    }

    /// Takes back the last message of a room.
    pub(super) fn unsay(&mut self, r: u32) {
        let room = &mut self.oracle.rooms[r as usize];
        if let Some(entry) = room.take_back()
            && let Some(request) = entry.request
        {
            self.oracle.requests.remove(&request);
        }
    }
}
