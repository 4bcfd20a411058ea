//! A connection of a client to a node: both ends, and what is on its way.

use std::collections::{BTreeSet, VecDeque};

use switchboard_core::ConnectionId;
use switchboard_core::session::{Call, Session};
use switchboard_kit::Reader;

use super::plan::{MICRO, MILLI};
use super::schedule::Step;
use super::world::World;

/// Bytes that a socket holds for a client that does not read.
const BUFFER: usize = 24 << 10;

/// What a client sends.
pub(super) enum Up {
    Open,
    Bytes(Vec<u8>),
    Fin,
    Reset,
}

/// What a node sends.
pub(super) enum Down {
    Bytes(Vec<u8>),
    Fin,
    Reset,
}

pub(super) struct Link {
    pub(super) client: u32,
    pub(super) node: usize,
    pub(super) process: u32,
    // The node's end.
    pub(super) id: Option<ConnectionId>,
    pub(super) session: Option<Box<Session>>,
    pub(super) hook: Option<Call>,
    /// What has arrived and the session has not taken.
    pub(super) rx: Vec<u8>,
    pub(super) fin: bool,
    pub(super) end_told: bool,
    pub(super) node_gone: bool,
    /// The socket took less than it was given.
    pub(super) is_blocked: bool,
    // What is between.
    up: VecDeque<(u64, Up)>,
    down: VecDeque<(u64, Down)>,
    up_last: u64,
    down_last: u64,
    /// Bytes that the client has not read.
    unread: usize,
    /// Nothing passes any more, and nobody is told.
    pub(super) is_silent: bool,
    // The client's end.
    pub(super) reader: Reader,
    pub(super) client_gone: bool,
    /// The client does not read.
    pub(super) holds: bool,
    pub(super) heard: u64,
    /// When it was admitted.
    pub(super) opened: Option<u64>,
    /// It was told that its node is on its own.
    pub(super) is_alone: bool,
    /// Messages without a number that came through it.
    pub(super) unnumbered: BTreeSet<u64>,
}

impl Link {
    pub(super) fn new(client: u32, node: usize, now: u64) -> Self {
        Self {
            client,
            node,
            process: 0,
            id: None,
            session: None,
            hook: None,
            rx: Vec::new(),
            fin: false,
            end_told: false,
            node_gone: false,
            is_blocked: false,
            up: VecDeque::new(),
            down: VecDeque::new(),
            up_last: 0,
            down_last: 0,
            unread: 0,
            is_silent: false,
            reader: Reader::new(true),
            client_gone: false,
            holds: false,
            heard: now,
            opened: None,
            is_alone: false,
            unnumbered: BTreeSet::new(),
        }
    }
}

impl World {
    fn latency(&mut self) -> u64 {
        match self.rng.u8(..16) {
            0 => self.rng.u64(5 * MILLI..80 * MILLI),
            _ => self.rng.u64(50 * MICRO..3 * MILLI),
        }
    }

    pub(super) fn send_up(&mut self, l: u32, item: Up) {
        let at = self.now + self.latency();
        let link = &mut self.links[l as usize];
        if link.is_silent {
            return;
        }
        link.up_last = at.max(link.up_last);
        link.up.push_back((link.up_last, item));
        self.schedule.push(link.up_last, Step::Up(l));
    }

    pub(super) fn send_down(&mut self, l: u32, item: Down) {
        let at = self.now + self.latency();
        let link = &mut self.links[l as usize];
        if link.is_silent || link.client_gone {
            return;
        }
        link.down_last = at.max(link.down_last);
        link.down.push_back((link.down_last, item));
        self.schedule.push(link.down_last, Step::Down(l));
    }

    pub(super) fn next_of_client(&mut self, l: u32) -> Option<Up> {
        let link = &mut self.links[l as usize];
        if link.up.front()?.0 > self.now {
            return None;
        }
        link.up.pop_front().map(|(_, item)| item)
    }

    pub(super) fn next_of_node(&mut self, l: u32) -> Option<Down> {
        let link = &mut self.links[l as usize];
        if link.holds || link.client_gone || link.down.front()?.0 > self.now {
            return None;
        }
        let (_, item) = link.down.pop_front()?;
        if let Down::Bytes(bytes) = &item {
            link.unread -= bytes.len();
            if link.is_blocked && !link.node_gone {
                self.schedule.push(self.now, Step::Writable(l));
            }
        }
        Some(item)
    }

    /// Gives bytes to the socket of a connection; returns how many it took, or that it is broken.
    pub(super) fn socket_write(&mut self, l: u32, bytes: &[u8]) -> Result<usize, ()> {
        let link = &mut self.links[l as usize];
        if link.client_gone && !link.is_silent {
            return Err(());
        }
        let room = BUFFER.saturating_sub(link.unread);
        let takes = bytes.len().min(room);
        if takes > 0 {
            link.unread += takes;
            self.hash(bytes[..takes].iter().fold(takes as u64, |sum, &byte| {
                sum.wrapping_mul(31).wrapping_add(u64::from(byte))
            }));
            self.send_down(l, Down::Bytes(bytes[..takes].to_vec()));
        }
        self.links[l as usize].is_blocked = takes < bytes.len();
        Ok(takes)
    }

    /// The client reads again.
    pub(super) fn reads_on(&mut self, l: u32) {
        if std::mem::take(&mut self.links[l as usize].holds) {
            self.schedule.push(self.now, Step::Down(l));
        }
    }
}
