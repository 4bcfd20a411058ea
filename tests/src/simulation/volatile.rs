//! Volatile messages: without a number, not kept, and only for members for which nothing waits
//! (invariant 42).

use std::collections::BTreeSet;
use std::sync::Arc;

use switchboard_core::SendError;
use switchboard_core::protocol::Content;

use super::counters::Probe;
use super::delivery::Checked;
use super::link::{Answer, Stay};
use super::oracle::hash_text;
use super::output::Message;
use super::world::World;

/// A volatile message.
#[derive(Debug)]
pub(super) struct Volatile {
    content: u64,
    sender: Option<Arc<str>>,
    excluded: Vec<u32>,
    /// The life of the room, and its last number.
    life: u32,
    after: u64,
    /// How many there have been, with this one.
    count: u64,
    /// The links to which it was sent.
    sent_to: BTreeSet<u32>,
}

impl World {
    /// A client sends a volatile message to a room. Predicts the answer.
    pub(super) fn say_volatile(
        &mut self,
        r: u32,
        content: &str,
        sender: Option<Arc<str>>,
        excluded: Vec<u32>,
    ) -> Answer {
        let framed = Self::framed(r, content, sender.as_deref(), 0);
        if framed > self.plan.config.limits.queue_bytes {
            return Answer::Any;
        }
        self.oracle.volatiles += 1;
        let room = &mut self.oracle.rooms[r as usize];
        if !room.members.is_empty() {
            let volatile = Volatile {
                content: hash_text(content),
                sender,
                excluded,
                life: room.lives.len() as u32 - 1,
                after: room.seq(),
                count: self.oracle.volatiles,
                sent_to: BTreeSet::new(),
            };
            room.volatiles.push(volatile);
        }
        Answer::Passed
    }

    pub(super) fn broadcast_volatile(&mut self, r: u32) {
        let content = format!("[\"volatile\",{}]", self.next_id());
        let members = self.oracle.rooms[r as usize].members.clone();
        let left_out = self.draw_left_out(&members);
        let fits = self.say_volatile(r, &content, None, left_out.members.clone());
        let names = left_out.names();
        let exclude = left_out.exclude(&names);
        let Ok(parsed) = Content::parse(&content) else {
            return self.fail(39, "valid content was refused");
        };
        let room = Self::room_name(r);
        let result =
            self.call(|board, now| board.broadcast_volatile(now, &room, parsed, None, exclude));
        let large = matches!(result, Err(SendError::TooLarge { .. }));
        let right = result.is_ok() || (large && fits == Answer::Any);
        self.check(11, right, || {
            format!("a volatile message to r{r}: {result:?}")
        });
        if let Ok(receipt) = result {
            self.check(42, receipt.seq.is_none(), || format!("{receipt:?}"));
            self.check_receipt(&receipt, &members, &left_out.members);
        }
    }

    /// A volatile message is sent to a member.
    pub(super) fn volatile_message(
        &mut self,
        l: u32,
        r: u32,
        stay: &Stay,
        message: &Message<'_>,
    ) -> Checked {
        let wrong = |what: &str| Err((42, format!("r{r}: {what}: {message:?} in {stay:?}")));
        let content = hash_text(message.content());
        let room = &mut self.oracle.rooms[r as usize];
        let found = room.volatiles.iter_mut().rfind(|it| it.content == content);
        let Some(volatile) = found else {
            return wrong("nobody has said that");
        };
        if volatile.sender.as_deref() != message.sender {
            return wrong("it is somebody else's");
        }
        if volatile.life != stay.life || volatile.count <= stay.volatiles {
            return wrong("it was said before the client came");
        }
        if volatile.excluded.contains(&l) || !volatile.sent_to.insert(l) {
            return wrong("it is not for this client, or comes twice");
        }
        let after = volatile.after;
        self.probe(Probe::VolatileSent);
        if stay.seen > after {
            return wrong("it comes late");
        }
        let room = &self.oracle.rooms[r as usize];
        let waits = |seq: u64| !room.drops && !self.may_lack(l, r, stay, seq);
        match (stay.seen + 1..=after).find(|&seq| waits(seq)) {
            Some(seq) => wrong(&format!("{seq} waited for this client")),
            None => Ok(()),
        }
    }
}
