//! What the lock of a node protects.

use std::collections::BTreeMap;
use std::hint::black_box;

use futures_channel::oneshot;
use switchboard_core::{ConnectionId, PingResult, Switchboard};

use super::awaited::Awaited;
use super::joined::Joined;
use super::link::Link;
use crate::sync::Arc;

pub(crate) struct Locked {
    pub(crate) switchboard: Switchboard,
    /// The node's part of a cluster.
    pub(crate) joined: Option<Box<Joined>>,
    pub(crate) awaited: Awaited,
    /// Indexed by slot.
    links: Vec<Option<Arc<Link>>>,
    /// The generations of their connections.
    generations: Vec<u32>,
    pings: BTreeMap<u64, oneshot::Sender<Vec<PingResult>>>,
}

impl Locked {
    pub(super) fn new(switchboard: Switchboard) -> Self {
        Self {
            joined: Joined::new(switchboard.config()),
            awaited: Awaited::default(),
            switchboard,
            links: Vec::new(),
            generations: Vec::new(),
            pings: BTreeMap::new(),
        }
    }

    pub(crate) fn link(&self, id: ConnectionId) -> Option<Arc<Link>> {
        let found = *self.generations.get(id.slot())? == id.generation();
        self.links[id.slot()].as_ref().filter(|_| found).cloned()
    }

    /// Adds the links of these connections to a list.
    pub(crate) fn add_links(
        &self,
        ids: impl Iterator<Item = ConnectionId> + Clone,
        list: &mut Vec<Option<Arc<Link>>>,
    ) {
        // Each is counted, which the processor does in order. Reading them before lets their cache misses
        // overlap.
        let known = ids
            .clone()
            .filter_map(|id| self.links.get(id.slot())?.as_ref());
        black_box(known.fold(0, |words, link| words ^ link.socket.fetch()));
        list.extend(ids.map(|id| self.link(id)));
    }

    pub(crate) fn insert(&mut self, id: ConnectionId, link: Arc<Link>) {
        if self.links.len() <= id.slot() {
            self.links.resize_with(id.slot() + 1, || None);
            self.generations.resize(id.slot() + 1, 0);
        }
        self.links[id.slot()] = Some(link);
        self.generations[id.slot()] = id.generation();
    }

    /// Removes a connection's link and returns it, if it still had one.
    pub(crate) fn remove(&mut self, id: ConnectionId) -> Option<Arc<Link>> {
        let link = self.link(id)?;
        self.links[id.slot()] = None;
        Some(link)
    }

    pub(crate) fn expect_ping(&mut self, ticket: u64) -> oneshot::Receiver<Vec<PingResult>> {
        let (sender, receiver) = oneshot::channel();
        self.pings.insert(ticket, sender);
        receiver
    }

    /// Takes the channel that waits for the results of this ping.
    pub(crate) fn take_ping(&mut self, ticket: u64) -> Option<oneshot::Sender<Vec<PingResult>>> {
        self.pings.remove(&ticket)
    }
}
