//! What was written, what the broker has numbered, and what members may be given.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::ROOMS;
use super::world::World;

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    Client(u32),
    /// The application of a process.
    Process(u32),
}

/// A message as it was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) room: usize,
    /// The key whose value it is.
    pub(super) key: Option<usize>,
    pub(super) sender: Sender,
    /// The user who does not get it.
    pub(super) excluded: Option<u32>,
    pub(super) echo: bool,
}

/// What its sender was told of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing.
    #[default]
    Open,
    /// It is in the log.
    Published,
    /// It is on one node.
    Local,
    /// It is nowhere.
    Refused,
}

#[derive(Debug)]
pub(super) struct Message {
    pub(super) written: Written,
    pub(super) fate: Fate,
    /// Through which links it was sent, to which nodes.
    pub(super) links: Vec<u32>,
    pub(super) nodes: BTreeSet<(usize, u32)>,
    /// The numbers that the broker gave it: epoch and number.
    pub(super) numbers: Vec<(u32, u64)>,
    /// Nodes have set it again after the broker had lost it.
    pub(super) is_restored: bool,
}

#[derive(Debug)]
pub(super) struct Epoch {
    pub(super) name: String,
    pub(super) room: usize,
    /// It was begun at the broker, for all nodes.
    pub(super) is_shared: bool,
    /// Else the process that has it.
    pub(super) process: Option<u32>,
    /// Which message has which number.
    pub(super) numbers: BTreeMap<u64, u64>,
    /// Which numbers are removals of which key.
    pub(super) removals: BTreeMap<u64, usize>,
    /// The last number of each key, and the message, or `None` for a removal.
    pub(super) values: BTreeMap<usize, (u64, Option<u64>)>,
}

#[derive(Debug, Default)]
pub(super) struct Oracle {
    pub(super) messages: Vec<Message>,
    pub(super) epochs: Vec<Epoch>,
    by_name: BTreeMap<(usize, String), u32>,
    /// Tickets of the application, by process: the message.
    pub(super) published: BTreeMap<(u32, u64), u64>,
    /// Kicks that were asked for: process, ticket, then user and when.
    pub(super) kicks: BTreeMap<(u32, u64), (u32, u64)>,
    /// Whom all nodes have put out, and when that was asked for.
    pub(super) kicked: Vec<(u32, u64)>,
    /// Data were lost at the broker, or its clock was set.
    pub(super) has_lost_data: bool,
    /// Users whose claims were evicted, which nodes make again only after minutes.
    pub(super) unclaimed: BTreeSet<u32>,
    /// There were two brokers.
    pub(super) was_split: bool,
    /// When something was lost that nodes find only by looking.
    pub(super) unseen_at: Option<u64>,
}

/// Returns the number of a message from its content.
pub(super) fn identity(content: &[u8]) -> Option<u64> {
    let text = str::from_utf8(content).ok()?;
    let text = text.strip_prefix("\"m")?.strip_suffix('"')?;
    text.parse().ok()
}

impl Oracle {
    pub(super) fn write(&mut self, written: Written) -> u64 {
        self.messages.push(Message {
            written,
            fate: Fate::Open,
            links: Vec::new(),
            nodes: BTreeSet::new(),
            numbers: Vec::new(),
            is_restored: false,
        });
        self.messages.len() as u64 - 1
    }

    pub(super) fn sent(&mut self, id: u64, link: u32, node: (usize, u32)) {
        let message = &mut self.messages[id as usize];
        message.links.push(link);
        message.nodes.insert(node);
    }

    pub(super) fn name(&self, epoch: u32) -> &str {
        &self.epochs[epoch as usize].name
    }

    /// Returns the number of an epoch, which is told of from now on.
    pub(super) fn epoch(&mut self, room: usize, name: &str) -> u32 {
        let next = self.epochs.len() as u32;
        let found = self.by_name.entry((room, name.to_owned())).or_insert(next);
        if *found == next {
            self.epochs.push(Epoch {
                name: name.to_owned(),
                room,
                is_shared: false,
                process: None,
                numbers: BTreeMap::new(),
                removals: BTreeMap::new(),
                values: BTreeMap::new(),
            });
        }
        *found
    }

    pub(super) fn is_shared(&self, epoch: u32) -> bool {
        self.epochs[epoch as usize].is_shared
    }

    /// Returns which message has a number.
    pub(super) fn at(&self, epoch: u32, seq: u64) -> Option<u64> {
        self.epochs[epoch as usize].numbers.get(&seq).copied()
    }
}

impl World {
    /// The broker has an epoch of a room.
    pub(super) fn epoch_of_broker(&mut self, room: &str, name: &str) -> u32 {
        let room = ROOMS.iter().position(|it| *it == room).unwrap_or(0);
        let epoch = self.oracle.epoch(room, name);
        self.oracle.epochs[epoch as usize].is_shared = true;
        epoch
    }

    /// The broker has numbered a message.
    pub(super) fn broker_numbered(&mut self, id: u64, epoch: u32, seq: u64, restores: bool) {
        let Some(message) = self.oracle.messages.get_mut(id as usize) else {
            return self.fail("content", format!("{id} was not written"));
        };
        let room = self.oracle.epochs[epoch as usize].room;
        message.is_restored |= restores;
        let (fate, again) = (message.fate, message.nodes.len() > 1);
        let (key, is_restored) = (message.written.key, message.is_restored);
        let same = message.numbers.iter().any(|(its, _)| *its == epoch);
        let is_twice = !message.numbers.is_empty();
        message.numbers.push((epoch, seq));
        let is_elsewhere = message.written.room != room;
        self.check("room", !is_elsewhere, || format!("{id} is in another room"));
        // It was sent through two nodes, one of which was cut off or is slow.
        // A value that nodes set again may have been removed, or may still wait on the node that set it first.
        self.check("once", !same || again || is_restored, || {
            format!("{id} has two numbers of one epoch, {seq} is the second")
        });
        let may_be = again || is_twice || restores;
        self.check("fate", fate == Fate::Open || may_be, || {
            format!("{id} is numbered, but was told to be {fate:?}")
        });
        self.check("fate", fate != Fate::Refused || again, || {
            format!("{id} is numbered, but was refused")
        });
        self.count(
            "numbered in another epoch too",
            u64::from(is_twice && !same),
        );
        self.count("published twice by sending again", u64::from(same));
        let epoch_is = &mut self.oracle.epochs[epoch as usize];
        if let Some(key) = key {
            epoch_is.values.insert(key, (seq, Some(id)));
        }
        let before = epoch_is.numbers.insert(seq, id);
        self.check("numbers", before.is_none(), || {
            format!("{seq} of epoch {epoch} is {before:?} and {id}")
        });
    }

    /// A client has learnt which message has a number.
    pub(super) fn numbered_for(&mut self, c: u32, epoch: u32, seq: u64, id: u64) {
        let epoch_is = &mut self.oracle.epochs[epoch as usize];
        let known = epoch_is.numbers.get(&seq).copied();
        if known.is_none() && !epoch_is.is_shared {
            epoch_is.numbers.insert(seq, id);
            return;
        }
        self.check("numbers", known == Some(id), || {
            format!("client {c}: {seq} of epoch {epoch} is {id}, not {known:?}")
        });
    }
}
