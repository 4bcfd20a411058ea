//! The model: for each connection, the frames that it is due.

use std::collections::{BTreeMap, BTreeSet};

use crate::Frame;

/// The room of a frame, or none for the connection's own.
pub(super) type Room = Option<u32>;

/// What a client has got, and what it is due. Frames are known by the time at which they were sent.
#[derive(Debug, Default)]
pub(super) struct Client {
    /// Bytes that are no complete frame yet.
    partial: Vec<u8>,
    /// The frame that has begun.
    cut: Option<u64>,
    /// Frames that it must get, with their rooms.
    due: BTreeMap<u64, Room>,
    /// Frames that it may get, as they were under way when it left the room.
    may: BTreeMap<u64, Room>,
    /// Urgent frames, in order.
    urgent: Vec<u64>,
    last_own: u64,
    last: u64,
    last_of: BTreeMap<u32, u64>,
    /// Room messages that it was due and did not get.
    pub(super) lost: BTreeSet<(u32, u64)>,
    pub(super) acks: usize,
}

/// Makes a frame that tells its time and its room.
pub(super) fn frame(time: u64, room: Room, urgent: bool, bytes: usize) -> Frame {
    let mut payload = Vec::with_capacity(bytes + 13);
    payload.extend_from_slice(&time.to_be_bytes());
    payload.extend_from_slice(&room.unwrap_or(u32::MAX).to_be_bytes());
    payload.push(u8::from(urgent));
    payload.resize(13 + bytes, time as u8);
    Frame::binary(&payload)
}

fn parse(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (header, len) = match *bytes.get(1)? {
        126 => (
            4,
            u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]) as usize,
        ),
        127 => {
            let len: [u8; 8] = bytes.get(2..10)?.try_into().ok()?;
            (10, u64::from_be_bytes(len) as usize)
        }
        len => (2, len as usize),
    };
    Some((header + len, bytes.get(header..header + len)?))
}

impl Client {
    pub(super) fn owes(&mut self, time: u64, room: Room) {
        self.due.insert(time, room);
    }

    pub(super) fn owes_urgent(&mut self, time: u64) {
        self.urgent.push(time);
    }

    /// Returns the number of messages of a room that it is due and of which no byte has come.
    pub(super) fn waiting(&self, room: u32) -> usize {
        let due = self.due.iter();
        due.filter(|&(&time, &of)| of == Some(room) && Some(time) != self.cut)
            .count()
    }

    /// Returns whether a frame has come in part.
    pub(super) fn has_begun(&self) -> bool {
        self.cut.is_some()
    }

    /// Leaves a room: what was under way may still come.
    pub(super) fn leaves(&mut self, room: u32) -> Vec<u64> {
        let gone: Vec<u64> = self
            .due
            .iter()
            .filter(|&(_, of)| *of == Some(room))
            .map(|(&time, _)| time)
            .collect();
        for &time in &gone {
            self.due.remove(&time);
            self.may.insert(time, Some(room));
        }
        gone
    }

    pub(super) fn due(&self) -> usize {
        self.due.len() + self.urgent.len()
    }

    /// Receives bytes.
    pub(super) fn receive(&mut self, bytes: &[u8], whole: &[u8], lossy: &BTreeSet<u32>) {
        self.partial.extend_from_slice(bytes);
        let partial = std::mem::take(&mut self.partial);
        let mut rest = &partial[..];
        while let Some((len, payload)) = parse(rest) {
            self.got(payload, lossy);
            rest = &rest[len..];
        }
        self.partial = rest.to_vec();
        self.cut = None;
        if !self.partial.is_empty() {
            // What the frame is can be read from what was not written.
            let mut all = self.partial.clone();
            all.extend_from_slice(&whole[bytes.len()..]);
            let (_, payload) = parse(&all).expect("a job ends with a frame");
            self.cut = payload[..8].try_into().ok().map(u64::from_be_bytes);
        }
    }

    fn got(&mut self, payload: &[u8], lossy: &BTreeSet<u32>) {
        let time = u64::from_be_bytes(payload[..8].try_into().expect("eight bytes"));
        let room = u32::from_be_bytes(payload[8..12].try_into().expect("four bytes"));
        let room = (room != u32::MAX).then_some(room);
        assert!(payload[13..].iter().all(|&byte| byte == time as u8));
        if payload[12] == 1 {
            let first = (!self.urgent.is_empty()).then(|| self.urgent.remove(0));
            assert_eq!(first, Some(time), "urgent frames come in order");
            return;
        }
        let due = self.due.remove(&time).or_else(|| self.may.remove(&time));
        assert_eq!(due, Some(room), "L7: {time} is not due");
        assert!(
            time > self.last_own,
            "L7: {time} comes after {}",
            self.last_own
        );
        let Some(room) = room else {
            assert!(time > self.last, "L7: own {time} comes after {}", self.last);
            self.skip(time, None, lossy);
            self.last_own = time;
            self.last = time;
            self.acks += 1;
            return;
        };
        let last = self.last_of.entry(room).or_default();
        assert!(time > *last, "L7: {time} of {room} comes after {last}");
        *last = time;
        self.last = self.last.max(time);
        self.skip(time, Some(room), lossy);
    }

    /// What was due before this is lost: of its room, or for an own frame, of all.
    fn skip(&mut self, time: u64, room: Room, lossy: &BTreeSet<u32>) {
        let before: Vec<(u64, Room)> = self.due.range(..time).map(|(&at, &of)| (at, of)).collect();
        for (at, of) in before {
            if let Some(of) = of
                && room.is_none_or(|room| room == of)
            {
                assert!(
                    lossy.contains(&of),
                    "L7: {at} of {of} was lost before {time}"
                );
                self.due.remove(&at);
                self.lost.insert((of, at));
            } else if of.is_none() {
                panic!("L7: own {at} was lost before {time}");
            }
        }
    }

    /// At the end, what is due of lossy rooms is lost.
    pub(super) fn finish(&mut self, lossy: &BTreeSet<u32>) {
        assert!(self.partial.is_empty(), "a frame was cut");
        assert!(self.urgent.is_empty(), "an urgent frame was forgotten");
        for (time, room) in std::mem::take(&mut self.due) {
            let room = room.expect("L7: an own frame was forgotten");
            assert!(lossy.contains(&room), "L7: {time} of {room} was forgotten");
            self.lost.insert((room, time));
        }
    }
}
