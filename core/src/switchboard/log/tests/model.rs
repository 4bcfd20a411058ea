//! The model: for each connection, the frames that it is due.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::frames::{PONG, check_form, parse};

mod superseding;

/// What members may lose.
#[derive(Debug, Default)]
pub(super) struct Lossy {
    /// Rooms whose members may lose messages, and whether they are not told.
    rooms: BTreeMap<u32, bool>,
    /// Messages that they may not lose.
    kept: BTreeSet<u64>,
}

impl Lossy {
    pub(super) fn insert(&mut self, room: u32, silent: bool) {
        self.rooms.insert(room, silent);
    }

    /// Notes that no member may lose a message but by another one in its place.
    pub(super) fn keep(&mut self, time: u64) {
        self.kept.insert(time);
    }

    pub(super) fn contains_key(&self, room: u32) -> bool {
        self.rooms.contains_key(&room)
    }

    fn may_lose(&self, room: u32, time: u64) -> bool {
        self.rooms.contains_key(&room) && !self.kept.contains(&time)
    }
}

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
    /// Messages that it recovered when it left the room, and that may still come; one twice, if it
    /// came back and left again.
    under_way: Vec<u64>,
    /// Urgent frames, in order.
    urgent: Vec<u64>,
    /// Pongs, of which a later one may replace earlier ones.
    pongs: Vec<u64>,
    /// What it recovers of each room.
    recovers: BTreeMap<u32, Recovers>,
    /// The numbers of messages that it is due.
    numbers: BTreeMap<u64, u64>,
    /// Whether it has left its rooms to end.
    flushed: bool,
    /// Whether it is ending at once: everything may be discarded.
    pub(super) discarded: bool,
    /// The window with which it inflates, if it does, and the frames that it got in the other form.
    pub(super) bits: Option<u8>,
    pub(super) halves: usize,
    /// Marks that it got.
    pub(super) marks: usize,
    pub(super) recovered: usize,
    pub(super) pongs_got: usize,
    last_own: u64,
    last: u64,
    last_of: BTreeMap<u32, u64>,
    /// Room messages that it was due and did not get.
    pub(super) lost: BTreeSet<(u32, u64)>,
    pub(super) acks: usize,
}

/// What a client recovers of a room, in order.
#[derive(Debug)]
pub(super) struct Recovers {
    /// When it was told that it is in.
    pub(super) told: u64,
    /// Numbers, each with the time of its message, or none if it is not for the client.
    pub(super) waiting: VecDeque<(u64, Option<u64>)>,
}

impl Client {
    pub(super) fn owes(&mut self, time: u64, room: Room, seq: Option<u64>) {
        self.due.insert(time, room);
        if let Some(seq) = seq {
            self.numbers.insert(time, seq);
        }
    }

    pub(super) fn recovers(&mut self, room: u32, recovers: Recovers) {
        self.recovers.insert(room, recovers);
    }

    /// It leaves its rooms, but gets what is due.
    pub(super) fn flush(&mut self) {
        self.flushed = true;
    }

    /// Everything that it is due may be discarded.
    pub(super) fn discard(&mut self) {
        self.discarded = true;
        self.may.append(&mut self.due);
        for recovers in std::mem::take(&mut self.recovers).into_values() {
            let times = recovers.waiting.iter().filter_map(|&(_, time)| time);
            self.under_way.extend(times);
        }
    }

    pub(super) fn owes_pong(&mut self, time: u64) {
        self.pongs.push(time);
    }

    /// Returns whether it has got a message of a room that came later than some time.
    pub(super) fn has_had(&self, room: u32, time: u64) -> bool {
        self.last_of.get(&room).is_some_and(|&last| last > time)
    }

    pub(super) fn owes_urgent(&mut self, time: u64) {
        self.urgent.push(time);
    }

    /// Returns the number of messages of a room that it is due and of which no byte has come.
    pub(super) fn waiting(&self, room: u32) -> usize {
        let cut = self.begun(room);
        let due = self.due.iter();
        let live = due.filter(|&(&time, &of)| of == Some(room) && Some(time) != cut);
        let recovers = self.recovers.get(&room).into_iter();
        let recovers = recovers
            .flat_map(|found| &found.waiting)
            .filter(|&&(_, time)| time.is_some() && time != cut);
        live.count() + recovers.count()
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
        for (_, time) in self
            .recovers
            .remove(&room)
            .map_or(VecDeque::new(), |it| it.waiting)
        {
            self.under_way.extend(time);
        }
        for &time in &gone {
            self.due.remove(&time);
            self.may.insert(time, Some(room));
        }
        gone
    }

    /// Receives bytes.
    pub(super) fn receive(&mut self, bytes: &[u8], whole: &[u8], lossy: &Lossy) {
        self.partial.extend_from_slice(bytes);
        let partial = std::mem::take(&mut self.partial);
        let mut rest = &partial[..];
        while let Some((len, payload)) = parse(rest) {
            self.halves += usize::from(check_form(rest[0], payload, self.bits));
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

    fn got(&mut self, payload: &[u8], lossy: &Lossy) {
        let time = u64::from_be_bytes(payload[..8].try_into().expect("eight bytes"));
        let room = u32::from_be_bytes(payload[8..12].try_into().expect("four bytes"));
        let room = (room != u32::MAX).then_some(room);
        match payload[12] {
            1 if self.discarded => return self.urgent.retain(|&urgent| urgent != time),
            1 => {
                let first = (!self.urgent.is_empty()).then(|| self.urgent.remove(0));
                assert_eq!(first, Some(time), "urgent frames come in order");
                return;
            }
            PONG => {
                let at = self.pongs.iter().position(|&pong| pong == time);
                let at = at.expect("a pong is due, and comes after earlier ones");
                self.pongs.drain(..=at);
                self.pongs_got += 1;
                return;
            }
            flag @ (2 | 3) => {
                let number = |at: usize| {
                    u64::from_be_bytes(payload[at..at + 8].try_into().expect("eight bytes"))
                };
                let room = room.expect("it is about a room");
                return self.marked(room, flag == 3, (number(13), number(21)), lossy);
            }
            _ => {}
        }
        if let Some(of) = room
            && self.recover(of, time, lossy)
        {
            return;
        }
        if let Some(at) = self.under_way.iter().position(|&it| it == time) {
            // It may have been live in an earlier life of the membership, and recovered in a later.
            if time < self.last_own || self.may.remove(&time).is_none() {
                self.under_way.remove(at);
            }
            return;
        }
        assert!(payload[13..].iter().all(|&byte| byte == time as u8));
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

    /// Gets a message of a room that it recovers; returns whether it is one.
    fn recover(&mut self, room: u32, time: u64, lossy: &Lossy) -> bool {
        let silent = self.is_silent(room, lossy);
        let Some(recovers) = self.recovers.get_mut(&room) else {
            return false;
        };
        let before = self.under_way.contains(&time) || self.may.contains_key(&time);
        if before && self.last_own < recovers.told {
            // It was under way when it left the room before.
            return false;
        }
        let known = recovers.waiting.iter().any(|&(_, at)| at == Some(time));
        if !known {
            if !self.may.contains_key(&time) && !self.under_way.contains(&time) {
                if silent {
                    self.lose_before(room, u64::MAX, lossy);
                    return false;
                }
                assert!(recovers.waiting.is_empty(), "H2: live before recovered");
            }
            return false;
        }
        if silent {
            let number = recovers.waiting.iter().find(|&&(_, at)| at == Some(time));
            let number = number.expect("it is there").0;
            self.lose_before(room, number, lossy);
        }
        let recovers = self.recovers.get_mut(&room).expect("it is there");
        let (seq, first) = recovers.waiting.pop_front().expect("there is one");
        assert_eq!(first, Some(time), "H2: {seq} comes in its place");
        let told = recovers.told;
        assert!(self.last_own >= told, "H2: told before the messages");
        self.recovered += 1;
        true
    }

    /// Returns whether it is not told what it loses of a room.
    fn is_silent(&self, room: u32, lossy: &Lossy) -> bool {
        let told = lossy.rooms.get(&room).copied();
        told == Some(true) || (self.flushed && told.is_some())
    }

    /// Loses what it recovers before a number.
    fn lose_before(&mut self, room: u32, number: u64, lossy: &Lossy) {
        let Some(recovers) = self.recovers.get_mut(&room) else {
            return;
        };
        while let Some(&(seq, time)) = recovers.waiting.front()
            && seq < number
        {
            recovers.waiting.pop_front();
            let kept = time.is_some_and(|time| lossy.kept.contains(&time));
            assert!(!kept, "K1: {time:?} of {room} was lost");
            self.lost.extend(time.map(|time| (room, time)));
        }
    }

    /// Is told about numbers.
    fn marked(&mut self, room: u32, gap: bool, (from, to): (u64, u64), lossy: &Lossy) {
        assert!(from <= to);
        self.marks += 1;
        // It may be about an earlier life of the membership.
        let last_own = self.last_own;
        let recovers = self.recovers.get(&room);
        if recovers.is_none_or(|it| last_own < it.told) {
            return;
        }
        if self.is_silent(room, lossy) {
            self.lose_before(room, from, lossy);
        }
        let Some(recovers) = self.recovers.get_mut(&room) else {
            return;
        };
        if !gap {
            for number in from..=to {
                // What was under way when it was flushed is told twice.
                let next = recovers.waiting.front().map_or(u64::MAX, |&(next, _)| next);
                if self.flushed && number < next {
                    continue;
                }
                let first = recovers.waiting.pop_front();
                assert_eq!(first, Some((number, None)), "H2: {number} is skipped");
            }
            return;
        }
        while let Some(&(seq, time)) = recovers.waiting.front()
            && seq <= to
        {
            recovers.waiting.pop_front();
            assert!(seq >= from, "H2: {seq} is in the gap {from}-{to}");
            if let Some(time) = time {
                self.lost.insert((room, time));
            }
        }
        let due: Vec<u64> = self.due.keys().copied().collect();
        for time in due {
            if self.due[&time] == Some(room)
                && let Some(&seq) = self.numbers.get(&time)
                && seq <= to
            {
                assert!(seq >= from, "{seq} is in the gap {from}-{to}");
                self.due.remove(&time);
                self.lost.insert((room, time));
            }
        }
    }

    /// What was due before this is lost: of its room, or for an own frame, of all.
    fn skip(&mut self, time: u64, room: Room, lossy: &Lossy) {
        let before: Vec<(u64, Room)> = self.due.range(..time).map(|(&at, &of)| (at, of)).collect();
        for (at, of) in before {
            if let Some(of) = of
                && room.is_none_or(|room| room == of)
            {
                assert!(
                    lossy.may_lose(of, at),
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
    pub(super) fn finish(&mut self, lossy: &Lossy) {
        assert!(self.partial.is_empty(), "a frame was cut");
        assert!(
            self.discarded || self.urgent.is_empty(),
            "an urgent frame was forgotten"
        );
        assert!(
            self.discarded || self.pongs.is_empty(),
            "the latest pong was forgotten"
        );
        for room in self.recovers.keys().copied().collect::<Vec<_>>() {
            if self.is_silent(room, lossy) {
                self.lose_before(room, u64::MAX, lossy);
            }
        }
        for (room, recovers) in &self.recovers {
            assert!(recovers.waiting.is_empty(), "H2: {room} was not recovered");
        }
        for (time, room) in std::mem::take(&mut self.due) {
            let room = room.expect("L7: an own frame was forgotten");
            assert!(
                lossy.may_lose(room, time),
                "L7: {time} of {room} was forgotten"
            );
            self.lost.insert((room, time));
        }
    }
}
