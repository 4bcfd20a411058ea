//! One client.

use std::collections::BTreeSet;

use switchboard_core::Time;
use switchboard_core::client::{Config, Event, Machine, State};

use super::story::OPEN;
use crate::wire::Peer;

/// A client: its machine, its socket, and what a watcher knows of it.
pub(super) struct Guest {
    pub(super) machine: Machine,
    pub(super) user: String,
    pub(super) room: String,
    pub(super) state: State,
    pub(super) link: Option<Link>,
    /// Counts its sockets.
    pub(super) links: u32,
    /// Behind the cut: nothing of it arrives, nor anything for it.
    pub(super) cut: bool,
    /// For which time a tick waits in the queue.
    pub(super) armed: Option<Time>,
    /// It was told to stay away.
    pub(super) stopped: bool,
    /// Messages of its own that it waits for.
    pub(super) unanswered: BTreeSet<u64>,
}

/// Its end of a socket.
pub(super) struct Link {
    pub(super) number: u32,
    pub(super) peer: Peer,
    /// What goes into it goes nowhere: the network forgot it.
    pub(super) dead: bool,
}

impl Guest {
    pub(super) fn new(seed: u32, user: String, room: String) -> Self {
        let mut machine = Machine::new(Config {
            seed,
            open: OPEN,
            ..Config::default()
        });
        machine.handle(Time::ZERO, Event::Subscribe { channel: &room });
        Self {
            machine,
            user,
            room,
            state: State::Idle,
            link: None,
            links: 0,
            cut: false,
            armed: None,
            stopped: false,
            unanswered: BTreeSet::new(),
        }
    }

    pub(super) fn is_in(&self) -> bool {
        matches!(self.state, State::Connected { .. }) && self.machine.is_active(&self.room)
    }

    /// The socket of this number, if it is the one it has.
    pub(super) fn link(&mut self, number: u32) -> Option<&mut Link> {
        self.link.as_mut().filter(|link| link.number == number)
    }
}
