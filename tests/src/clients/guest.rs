//! One client.

use std::collections::BTreeSet;

use switchboard_core::Time;
use switchboard_core::client::{Input, Machine, MachineConfig, State};
use switchboard_kit::Reader;

use super::story::OPEN;

/// A client: its state machine, its socket, and what the test observes of it.
pub(super) struct Guest {
    pub(super) machine: Machine,
    pub(super) user: String,
    pub(super) room: String,
    pub(super) state: State,
    pub(super) link: Option<Link>,
    /// Number of sockets so far.
    pub(super) links: u32,
    /// Cut off: nothing arrives from it or at it.
    pub(super) cut: bool,
    /// The time for which a tick is scheduled.
    pub(super) armed: Option<Time>,
    /// It received a close after which it must not reconnect.
    pub(super) stopped: bool,
    /// Its own messages that are not yet acknowledged.
    pub(super) unanswered: BTreeSet<u64>,
    /// The epoch of its room, and the numbers of it that it has got, been told of as lost, or knows to
    /// be its own.
    pub(super) epoch: String,
    pub(super) seen: BTreeSet<u64>,
    /// The last number used when it entered this epoch.
    pub(super) from: u64,
}

/// The client's end of a socket.
pub(super) struct Link {
    pub(super) number: u32,
    pub(super) peer: Reader,
    /// Writes are lost, because the network dropped the connection.
    pub(super) dead: bool,
}

impl Guest {
    pub(super) fn new(seed: u32, user: String, room: String) -> Self {
        let mut machine = Machine::new(MachineConfig {
            seed,
            session: format!("{user}-{seed}"),
            queue: true,
            open: OPEN,
            ..MachineConfig::default()
        });
        machine.handle(
            Time::ZERO,
            Input::Subscribe {
                channel: &room,
                since: None,
                last: None,
            },
        );
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
            epoch: String::new(),
            seen: BTreeSet::new(),
            from: 0,
        }
    }

    pub(super) fn is_in(&self) -> bool {
        matches!(self.state, State::Connected { .. }) && self.machine.is_active(&self.room)
    }

    /// Notes a number. Panics if it comes a second time.
    pub(super) fn sees(&mut self, seq: u64) {
        assert!(self.seen.insert(seq), "{}: {seq} comes twice", self.user);
    }

    /// Returns the numbers up to `last` that it has neither got nor published, and was not told of.
    pub(super) fn missing(&self, last: u64) -> usize {
        let mut numbers = self.from + 1..=last;
        numbers
            .by_ref()
            .filter(|seq| !self.seen.contains(seq))
            .count()
    }

    /// Returns the current socket, if it has this number.
    pub(super) fn link(&mut self, number: u32) -> Option<&mut Link> {
        self.link.as_mut().filter(|link| link.number == number)
    }
}
