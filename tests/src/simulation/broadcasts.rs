//! What the application sends to rooms and to all, and what must become of it.

use std::sync::Arc;

use switchboard_core::protocol::Content;
use switchboard_core::{ConnectionId, Exclude, Frame, Receipt, RoomMessage, SendError};

use super::counters::Probe;
use super::link::Phase;
use super::publishing::Saying;
use super::world::World;

/// Who does not get a message of the application.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    /// The links that are named, and their ids.
    pub(super) links: Vec<u32>,
    pub(super) ids: Vec<ConnectionId>,
    /// The users that are named.
    pub(super) users: Vec<Arc<str>>,
    /// The members that do not get it.
    pub(super) members: Vec<u32>,
}

impl LeftOut {
    pub(super) fn names(&self) -> Vec<&str> {
        self.users.iter().map(|user| &**user).collect()
    }

    pub(super) fn exclude<'a>(&'a self, names: &'a [&'a str]) -> Exclude<'a> {
        Exclude {
            connections: &self.ids,
            users: names,
        }
    }
}

impl World {
    /// Draws who of the members of a room does not get a message.
    pub(super) fn draw_left_out(&mut self, members: &[u32]) -> LeftOut {
        let links = match self.rng.u8(..4) {
            0 if !members.is_empty() => vec![members[self.rng.usize(..members.len())]],
            _ => Vec::new(),
        };
        let ids = links.iter().filter_map(|&l| self.links[l as usize].id);
        let ids = ids.collect();
        let by_user = self.rng.u8(..8) == 0;
        let users: Vec<_> = links
            .iter()
            .filter(|_| by_user)
            .filter_map(|&l| self.shared_user(l))
            .collect();
        let left_out = |l: &u32| {
            let user = self.shared_user(*l);
            links.contains(l) || user.is_some_and(|user| users.contains(&user))
        };
        let members = members.iter().copied().filter(left_out).collect();
        LeftOut {
            links,
            ids,
            users,
            members,
        }
    }

    pub(super) fn broadcast(&mut self, r: u32) {
        let number = self.next_id();
        let filler = if self.trouble(10) {
            self.rng.usize(..20_000)
        } else if self.plan.config.compression.is_some() {
            100
        } else {
            0
        };
        let content = format!("{{\"app\": {number} ,\"f\":\"{}\"}}", "z".repeat(filler));
        let members = self.oracle.rooms[r as usize].members.clone();
        let left_out = self.draw_left_out(&members);
        let keeps = self.oracle.rooms[r as usize].keeping.is_some();
        let expected = if members.is_empty() && !keeps {
            Some(None)
        } else if self.is_busy() {
            None
        } else {
            self.find_life(r, false);
            let saying = Saying {
                content: &content,
                excluded: left_out.members.clone(),
                hidden: self.hidden_from(&left_out),
                ..Saying::default()
            };
            self.say(r, saying).ok().map(Some)
        };
        let names = left_out.names();
        let exclude = left_out.exclude(&names);
        let Ok(parsed) = Content::parse(&content) else {
            return self.fail(39, "valid content was refused");
        };
        let room = Self::room_name(r);
        let mut message = RoomMessage::new(&room, parsed);
        self.deflate(&mut message);
        let result = self.call(|board, now| board.broadcast_message(now, &message, exclude));
        self.learn_epoch(r);
        if result == Err(SendError::Busy) && matches!(expected, Some(Some(_))) {
            let busy = self.may_be_busy();
            self.unsay(r);
            return self.check(14, busy, || format!("a broadcast to r{r}: busy"));
        }
        let seq = result.map(|receipt| receipt.seq).ok();
        self.check(11, seq == expected, || {
            format!("a broadcast to r{r}: {result:?}, expected {expected:?}")
        });
        if let Ok(receipt) = result {
            self.check_receipt(&receipt, &members, &left_out.members);
        }
    }

    /// Returns whether sends are refused until the writers have caught up.
    pub(super) fn is_busy(&self) -> bool {
        let now = switchboard_core::Time::from_nanos(self.core_now);
        self.board.stats(now).queued_bytes > self.plan.config.limits.queued_bytes
    }

    /// Checks that a receipt adds up and counts the members closed for the message (invariant 11).
    pub(super) fn check_receipt(&mut self, receipt: &Receipt, members: &[u32], excluded: &[u32]) {
        let dropped = receipt.dropped_newest + receipt.dropped_volatile;
        let sum = receipt.accepted + receipt.excluded + dropped + receipt.closed;
        let (all, left_out) = (members.len(), excluded.len());
        self.check(11, sum == all && receipt.excluded == left_out, || {
            format!("{receipt:?} for {all} members, {left_out} of them excluded")
        });
        let open = |l: &u32| self.links[*l as usize].shadow.phase == Phase::Open;
        let meant = members.iter().filter(|l| !excluded.contains(l));
        let closed = meant.filter(|l| !open(l)).count();
        // A member that lost the message as the newest may also have been closed for the node's
        // bound.
        let right = (receipt.closed..=receipt.closed + dropped).contains(&closed);
        self.check(11, right, || {
            format!("{receipt:?}, and {closed} of {members:?} were closed")
        });
        if receipt.dropped_oldest > 0 {
            self.probe(Probe::DroppedOldest);
        }
        if receipt.dropped_newest > 0 {
            self.probe(Probe::DroppedNewest);
        }
        if receipt.dropped_volatile > 0 {
            self.probe(Probe::VolatileDropped);
        }
    }

    pub(super) fn app_frame(&mut self) -> Frame {
        if self.rng.u8(..4) == 0 {
            Frame::binary(b"binary")
        } else {
            let number = self.next_id();
            let filler = if self.trouble(10) {
                self.rng.usize(..12_000)
            } else {
                0
            };
            Frame::text(&format!(
                "{{\"type\":\"app\",\"n\":{number},\"f\":\"{}\"}}",
                "w".repeat(filler)
            ))
        }
    }

    pub(super) fn broadcast_raw(&mut self, r: u32) {
        let frame = self.app_frame();
        let members = self.oracle.rooms[r as usize].members.clone();
        let fits = frame.len() <= self.plan.config.limits.queue_bytes;
        let refused = !members.is_empty() && self.is_busy();
        let room = Self::room_name(r);
        let result =
            self.call(|board, now| board.broadcast_raw(now, &room, frame, Exclude::NOBODY));
        let expected = fits && !refused;
        // Where writers are late, the room's log may be full.
        let keeps = self.oracle.rooms[r as usize].keeping.is_some();
        let late = self.may_be_busy() || (members.is_empty() && keeps);
        let busy = result == Err(SendError::Busy) && late;
        let as_expected = result.is_ok() == expected || busy;
        self.check(11, as_expected, || format!("{result:?}"));
        if let Ok(receipt) = result {
            self.check_receipt(&receipt, &members, &[]);
        }
    }

    pub(super) fn broadcast_all(&mut self) {
        let frame = self.app_frame();
        let live = self.oracle.live.iter().copied();
        let open: Vec<u32> = live
            .filter(|&l| self.links[l as usize].shadow.phase == Phase::Open)
            .collect();
        let result = self.call(|board, now| board.broadcast_all(now, frame, Exclude::NOBODY));
        if let Ok(receipt) = result {
            self.check_receipt(&receipt, &open, &[]);
        }
    }
}
