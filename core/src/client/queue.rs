//! Messages in the order in which they were handed in, within limits.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Time;

/// A message.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) id: u64,
    pub(super) channel: Option<Arc<str>>,
    /// The text without the id and the closing brace.
    pub(super) text: String,
    pub(super) bytes: usize,
    /// Whether it stays queued when the connection ends.
    pub(super) queue: bool,
    pub(super) echo: bool,
    pub(super) call: bool,
    pub(super) at: Time,
    /// The channel's epoch and position when it was first sent, where the channel has history.
    pub(super) since: Option<(String, u64)>,
}

impl Item {
    pub(super) fn is_for(&self, channel: &str) -> bool {
        self.channel.as_deref() == Some(channel)
    }
}

/// A bounded queue, by id: ids are given to messages as they are handed in.
#[derive(Debug)]
pub(super) struct Queue {
    items: BTreeMap<u64, Item>,
    /// The size of all items.
    bytes: usize,
    max_items: usize,
    max_bytes: usize,
}

impl Queue {
    pub(super) fn new(max_items: usize, max_bytes: usize) -> Self {
        Self {
            items: BTreeMap::new(),
            bytes: 0,
            max_items,
            max_bytes,
        }
    }

    /// Adds an item. Returns what exceeds the limits: the oldest ones, or the item if it never fits.
    pub(super) fn add(&mut self, item: Item) -> Vec<Item> {
        if item.bytes > self.max_bytes || self.max_items == 0 {
            return vec![item];
        }
        self.bytes += item.bytes;
        self.items.insert(item.id, item);
        let mut excess = Vec::new();
        while self.items.len() > self.max_items || self.bytes > self.max_bytes {
            let Some((_, oldest)) = self.items.pop_first() else {
                break;
            };
            self.bytes -= oldest.bytes;
            excess.push(oldest);
        }
        excess
    }

    pub(super) fn remove(&mut self, id: u64) {
        if let Some(item) = self.items.remove(&id) {
            self.bytes -= item.bytes;
        }
    }

    /// Takes the matching items, oldest first.
    pub(super) fn take(&mut self, which: impl Fn(&Item) -> bool) -> Vec<Item> {
        let items = std::mem::take(&mut self.items);
        let (taken, left) = items.into_iter().partition(|(_, item)| which(item));
        self.items = left;
        let taken: Vec<Item> = BTreeMap::into_values(taken).collect();
        self.bytes -= taken.iter().map(|item| item.bytes).sum::<usize>();
        taken
    }

    /// Returns when the oldest item was handed in.
    pub(super) fn oldest(&self) -> Option<Time> {
        let (_, item) = self.items.first_key_value()?;
        Some(item.at)
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }
}
