//! A hub on the simulated runtime, and how it ends.

use std::sync::Arc;
use std::time::Duration;

use shuttle::thread;
use switchboard_core::{Config, Health, Limits, Presence, Rates, Timeouts};

use super::application::{App, Log};
use super::machine;
use super::peer::Peer;
use super::pipe::{Pipe, ServerEnd};
use super::runtime::{Crew, Simulated};
use crate::serve::RuntimeHub;

pub(super) type Hub = RuntimeHub<Simulated>;

pub(super) struct Node {
    pub(super) hub: Hub,
    pub(super) crew: Crew,
    pub(super) log: Log,
    pipes: Vec<Arc<Pipe>>,
}

/// A time that no test lets pass: no deadline is near unless a test is about it, so that the ticker
/// never wakes in time by accident.
const NEVER: Duration = Duration::from_secs(30_000_000);

/// No limits, no presence and no pings, unless a test is about them.
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

    /// A stream that holds `window` bytes on the way to its client.
    pub(super) fn pipe(&mut self, window: usize) -> Arc<Pipe> {
        let pipe = Pipe::new(window);
        self.pipes.push(pipe.clone());
        pipe
    }

    /// A client that has asked for a room.
    pub(super) fn dial(&mut self, user: &str, room: &str, window: usize) -> Peer {
        let pipe = self.pipe(window);
        let accepted = self.hub.accept(ServerEnd::new(pipe.clone()), Vec::new());
        accepted.expect("a socket");
        let peer = Peer::new(pipe);
        peer.request(&format!("/ws/{room}?token={user}"));
        peer
    }

    /// A client that is in the room.
    pub(super) fn enter(&mut self, user: &str, room: &str, window: usize) -> Peer {
        let mut peer = self.dial(user, room, window);
        assert_eq!(peer.status(), Some(101));
        peer.expect("subscribed");
        peer
    }

    /// Everybody who came has gone: every account is at zero, and the application was told.
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

    /// Drops the last handle: everything that was spawned ends, and lets go of every socket.
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

/// Lets time pass, in steps that are no stall of the host, until something is so.
pub(super) fn pass_time_until(step: Duration, mut so: impl FnMut() -> bool) {
    while !so() {
        machine::advance(step);
        // Now and then the others have to get their turn; else they get it if the schedule says so.
        if machine::draw(8) == 0 {
            thread::yield_now();
        } else {
            thread::sleep(step);
        }
    }
}

/// Lets the others run until something is so.
pub(super) fn until(mut so: impl FnMut() -> bool) {
    while !so() {
        thread::yield_now();
    }
}
