//! A hub on the simulated runtime, and the checks at its end.

use std::sync::Arc;
use std::time::Duration;

use shuttle::thread;
use switchboard_core::{Config, Health, Limits, Presence, Rates, Timeouts};

use super::application::{App, Log};
use super::machine;
use super::peer::Peer;
use super::pipe::{Pipe, ServerEnd};
use super::runtime::Crew;

pub(super) use crate::hub::Hub;

pub(super) struct Node {
    pub(super) hub: Hub,
    pub(super) crew: Crew,
    pub(super) log: Log,
    pipes: Vec<Arc<Pipe>>,
}

/// Longer than any test advances the clock, so that no deadline wakes the ticker by accident.
const NEVER: Duration = Duration::from_secs(30_000_000);

/// A configuration without limits, presence and pings.
pub(super) fn config() -> Config {
    Config {
        rates: Rates::unlimited(),
        limits: Limits {
            handshakes: 100,
            per_ip: 100,
            ..Limits::default()
        },
        presence: Presence {
            enabled: false,
            ..Presence::default()
        },
        health: Health {
            ping_interval: NEVER,
            ..Health::default()
        },
        timeouts: Timeouts {
            handshake: NEVER,
            // A schedule may advance the clock for long before a loop has its turn.
            hook: NEVER,
            ..Timeouts::default()
        },
        ..Config::default()
    }
}

impl Node {
    pub(super) fn new(config: Config, threads: usize) -> Self {
        Self::on(Crew::new(threads), config)
    }

    pub(super) fn on(crew: Crew, config: Config) -> Self {
        let log = Log::default();
        let hub = Hub::new(config, App(log.clone())).expect("a good configuration");
        Self {
            hub: hub.spawn_on(crew.clone()),
            crew,
            log,
            pipes: Vec::new(),
        }
    }

    /// Creates a stream that buffers `window` bytes towards its client.
    pub(super) fn pipe(&mut self, window: usize) -> Arc<Pipe> {
        let pipe = Pipe::new(window);
        self.pipes.push(pipe.clone());
        pipe
    }

    /// Connects a client that requests a room.
    pub(super) fn dial(&mut self, user: &str, room: &str, window: usize) -> Peer {
        let pipe = self.pipe(window);
        let accepted = self.hub.accept(ServerEnd::new(pipe.clone()), Vec::new());
        accepted.expect("a socket");
        let peer = Peer::new(pipe);
        peer.request(&format!("/ws/{room}?token={user}"));
        peer
    }

    /// Connects a client and waits until it is in the room.
    pub(super) fn enter(&mut self, user: &str, room: &str, window: usize) -> Peer {
        let mut peer = self.dial(user, room, window);
        assert_eq!(peer.status(), Some(101));
        peer.expect("subscribed");
        peer
    }

    /// Waits until `come` connections have come and gone, then checks that every count is zero.
    pub(super) fn until_empty(&self, come: usize) {
        until(|| self.log.all_gone(come));
        until(|| self.pipes.iter().all(|pipe| pipe.is_dropped()));
        let stats = self.hub.stats();
        assert_eq!(
            (
                stats.total_connections,
                stats.closing,
                stats.pending_handshakes
            ),
            (0, 0, 0)
        );
        assert_eq!(
            (stats.users, stats.active_rooms, stats.queued_bytes),
            (0, 0, 0)
        );
        self.hub.audit().expect("consistent");
    }

    /// Drops the last handle, waits for the end of all tasks, and checks that every socket was dropped.
    pub(super) fn finish(self) {
        let Self {
            hub,
            crew,
            log,
            pipes,
        } = self;
        hub.audit().expect("consistent");
        drop(hub);
        crew.join();
        log.check();
        for pipe in pipes {
            pipe.check();
        }
        machine::reset();
    }
}

/// Advances the clock until `so` is true, in steps that do not count as a stall of the host.
pub(super) fn pass_time_until(step: Duration, mut so: impl FnMut() -> bool) {
    while !so() {
        machine::advance(step);
        // Yield now and then; otherwise the schedule alone decides when the other threads run.
        if machine::draw(8) == 0 {
            thread::yield_now();
        } else {
            thread::sleep(step);
        }
    }
}

/// Lets other threads run until `so` is true.
pub(super) fn until(mut so: impl FnMut() -> bool) {
    while !so() {
        thread::yield_now();
    }
}
