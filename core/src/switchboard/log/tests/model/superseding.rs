//! Messages that others take the place of.

use super::{Client, parse};

impl Client {
    /// Returns the frame that has begun. One that has begun in an earlier life of the membership is none
    /// of this one.
    pub(super) fn begun(&self, room: u32) -> Option<u64> {
        let told = self.recovers.get(&room).map_or(0, |found| found.told);
        self.cut.filter(|time| {
            let earlier = self.under_way.contains(time) || self.may.contains_key(time);
            !earlier || self.last_own >= told
        })
    }

    /// Returns the frames of a room in what a writer has taken, unless one has begun before.
    pub(in super::super) fn times_in(&self, bytes: &[u8], room: u32) -> Vec<u64> {
        let mut all = self.partial.clone();
        all.extend_from_slice(bytes);
        let (mut rest, mut times) = (&all[..], Vec::new());
        while let Some((len, payload)) = parse(rest) {
            let time = u64::from_be_bytes(payload[..8].try_into().expect("eight bytes"));
            let of = u32::from_be_bytes(payload[8..12].try_into().expect("four bytes"));
            let is_message = payload[12] == 0;
            times.push((of == room && is_message).then_some(time));
            rest = &rest[len..];
        }
        let begun = usize::from(self.cut.is_some());
        times.into_iter().skip(begun).flatten().collect()
    }

    /// Returns whether a message of a room is due, and none of it has come.
    pub(in super::super) fn is_due(&self, room: u32, time: u64) -> bool {
        let recovers = self.recovers.get(&room);
        let waits = recovers.is_some_and(|it| it.waiting.iter().any(|&(_, at)| at == Some(time)));
        self.begun(room) != Some(time) && (waits || self.due.contains_key(&time))
    }

    /// Like [`supersede`](Self::supersede), for a message that it recovers.
    pub(in super::super) fn supersede_recovered(
        &mut self,
        room: u32,
        time: u64,
        flies: bool,
    ) -> bool {
        !self.due.contains_key(&time) && self.supersede(room, time, flies)
    }

    /// A message has another one in its place; but a writer that has taken it may still write it.
    /// Returns whether it was due.
    pub(in super::super) fn supersede(&mut self, room: u32, time: u64, flies: bool) -> bool {
        if !self.is_due(room, time) {
            return false;
        }
        if self.due.remove(&time).is_some() {
            self.may.extend(flies.then_some((time, Some(room))));
        } else if let Some(recovers) = self.recovers.get_mut(&room) {
            recovers.waiting.retain(|&(_, at)| at != Some(time));
            self.under_way.extend(flies.then_some(time));
        }
        true
    }
}
