//! What the room has numbered, and how that is checked after every event (`docs/behaviour.md`,
//! section 4).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use switchboard_core::{Switchboard, Time};

use super::seam::{Entry, ROOM};

#[derive(Default)]
pub(super) struct Stored {
    keep: usize,
    pub(super) epoch: String,
    /// The epochs of earlier lives.
    past: BTreeSet<String>,
    pub(super) all: BTreeMap<u64, Entry>,
    /// The messages as they are stored.
    pub(super) texts: BTreeMap<u64, String>,
    /// The oldest number that is kept.
    pub(super) first: u64,
    pub(super) published: Vec<u64>,
    pub(super) evicted: bool,
    /// Whether what is published now is not for the client.
    pub(super) excluding: bool,
    /// The client's requests that it wants to receive too.
    pub(super) echoed: BTreeSet<u64>,
}

impl Stored {
    pub(super) fn new(keep: usize) -> Self {
        Self {
            keep,
            ..Self::default()
        }
    }

    pub(super) fn lives(&self) -> usize {
        self.past.len()
    }

    /// Reads what the room has now. To be called after every event that may publish one message.
    pub(super) fn observe(&mut self, board: &mut Switchboard, now: Time) {
        assert_eq!(board.audit(), Ok(()));
        let Some(position) = board.position(ROOM) else {
            return;
        };
        if *position.epoch != *self.epoch {
            self.begin(&position.epoch);
        }
        let excerpt = board.history(now, ROOM, ..).expect("the room is there");
        self.first = excerpt.first;
        self.evicted |= excerpt.first > 1;
        // H1: a contiguous suffix of the room's numbers, within its bounds.
        let kept = position.seq + 1 - excerpt.first;
        assert_eq!(excerpt.messages.len() as u64, kept);
        assert!(kept <= self.keep as u64, "{kept} are kept");
        for (message, number) in excerpt.messages.iter().zip(excerpt.first..) {
            assert_eq!(message.seq, number);
            match self.texts.get(&number) {
                Some(before) => assert_eq!(before, message.as_json()),
                None => self.number(number, message.as_json()),
            }
        }
        let last = self.all.len() as u64;
        assert_eq!(last, position.seq, "each number is seen once it is used");
        let stats = board.stats(now).history;
        assert_eq!(stats.messages as u64, kept, "H1: sums");
    }

    /// H3: no two lives of a name share an epoch.
    fn begin(&mut self, epoch: &str) {
        if !self.epoch.is_empty() {
            self.past.insert(std::mem::take(&mut self.epoch));
        }
        assert!(!self.past.contains(epoch), "{epoch} comes again");
        epoch.clone_into(&mut self.epoch);
        self.all.clear();
        self.texts.clear();
    }

    fn number(&mut self, number: u64, text: &str) {
        let value: Value = serde_json::from_str(text).expect("JSON");
        let request = value["content"].as_u64();
        // H6, first half: each request is at most once in the order, over all lives.
        let twice = request.is_some_and(|request| self.published.contains(&request));
        assert!(!twice, "{request:?} is published twice");
        let ours = match request {
            Some(request) => self.echoed.contains(&request),
            None => !self.excluding,
        };
        self.published.extend(request);
        self.all.insert(number, Entry { request, ours });
        self.texts.insert(number, text.to_owned());
    }

    /// H7: after the last expiry nothing is left.
    pub(super) fn assert_gone(board: &mut Switchboard, now: Time) {
        assert_eq!(board.audit(), Ok(()));
        assert_eq!(board.position(ROOM), None);
        let stats = board.stats(now);
        assert_eq!((stats.active_rooms, stats.total_connections), (0, 0));
        let history = stats.history;
        assert_eq!((history.rooms, history.messages, history.bytes), (0, 0, 0));
        assert_eq!(stats.queued_bytes, 0);
    }
}
