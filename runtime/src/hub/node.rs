//! Methods of [`Hub`] about the whole node.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use switchboard_core::{
    Audit, Config, DrainReport, Dump, Identity, Inconsistency, Refused, Request, Stats,
};

use super::handle::Hub;
use crate::shield::{debug, error};
use crate::waiters::Waiters;

/// Entries that an audit looks at under one hold of the lock.
const AUDITED: usize = 128;

/// # The node
impl Hub {
    /// Returns the configuration of this hub.
    pub fn config(&self) -> &Config {
        &self.shared().config
    }

    /// Checks whether a new connection to this lobby would be admitted now.
    ///
    /// # Errors
    ///
    /// The refusal that it would get.
    pub fn can_accept(&self, room: Option<&str>) -> Result<(), Refused> {
        self.shared()
            .read(|switchboard| switchboard.can_accept(room))
    }

    /// Checks an upgrade request that another HTTP library has read, before it answers it: the name of the
    /// lobby, drain, origin, and whether the node is full. A refusal is counted and logged.
    ///
    /// `request` must have the peer's address ([`Request::set_peer`]), from which the client's follows.
    /// A client that passes may still be refused by a Close frame, for its login for example.
    ///
    /// # Errors
    ///
    /// The refusal to answer with, by [`Refused::status`].
    pub fn consider(&self, request: &Request) -> Result<(), Refused> {
        self.consider_as(request, None)
    }

    pub(crate) fn consider_as(
        &self,
        request: &Request,
        identity: Option<&Identity>,
    ) -> Result<(), Refused> {
        let considered = self
            .shared()
            .with(|locked, now| locked.switchboard.consider(now, request, identity));
        if let Err(refused) = considered {
            debug!(peer = %request.peer(), %refused, "refused");
        }
        considered
    }

    /// Drains the node: refuses newcomers from now on, closes the live connections with 1001, spread
    /// evenly over `window`, and evicts those that are left after `deadline`.
    ///
    /// Completes when no connection is left and every `on_disconnect` hook has returned, at the latest at
    /// the deadline. Further calls join the drain under way.
    pub async fn drain(&self, window: Duration, deadline: Duration) -> DrainReport {
        self.shared()
            .with(|locked, now| locked.switchboard.drain(now, window, deadline));
        self.drained().await
    }

    /// Waits until a drain has ended, whether it was started before or is started later.
    pub async fn drained(&self) -> DrainReport {
        let mut place = Waiters::place(&self.shared().drain_waiters);
        poll_fn(|context| {
            // Register before the check, so that an end between the two is not missed.
            place.arm(context);
            self.shared().drained().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Waits until the node is no longer congested. A publisher that is faster than the network should
    /// await this before each message; otherwise it fills the members' queues and finally the node's bound,
    /// beyond which messages are refused ([`SendError::Busy`](switchboard_core::SendError::Busy)).
    pub async fn ready(&self) {
        let mut place = Waiters::place(&self.shared().congestion.publishers);
        poll_fn(|context| {
            if !self.shared().is_congested() {
                return Poll::Ready(());
            }
            place.arm(context);
            if self.shared().is_congested() {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }

    /// Returns a snapshot of the statistics.
    pub fn stats(&self) -> Stats {
        let shared = self.shared();
        let now = shared.now();
        shared.look(|locked| {
            let mut stats = locked.switchboard.stats(now);
            if let (Some(joined), Some(cluster)) = (&locked.joined, &shared.config.cluster) {
                stats.add_cluster(&joined.clustered.stats(now), cluster.ready_needs_broker);
            }
            stats
        })
    }

    /// Recounts every index and compares the results. Where they differ, the flight recorder stops until it is
    /// [dumped](Self::dump).
    ///
    /// Of a large node it does so in parts, between which other calls get their turn, and leaves out what can be
    /// compared only at once; see [`Switchboard::audit_part`](switchboard_core::Switchboard::audit_part). It
    /// takes memory for each connection meanwhile.
    ///
    /// # Errors
    ///
    /// The first [`Inconsistency`] that was found, which is a bug of Switchboard.
    pub fn audit(&self) -> Result<(), Inconsistency> {
        let mut audit = Audit::new();
        loop {
            let part = self.shared().with(|locked, _| {
                let part = locked.switchboard.audit_part(&mut audit, AUDITED);
                if let Err(found) = &part {
                    locked.switchboard.stop_recording(&found.to_string());
                }
                part
            });
            match part {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(found) => {
                    error!(%found, "an audit failed");
                    return Err(found);
                }
            }
        }
    }

    /// Returns the contents of the flight recorder: the inputs of the node, and the reasons why
    /// connections ended. `None` if [`Config::recorder`] is off.
    ///
    /// The result is text to be written to a file; docs/operations.md describes how to read and replay
    /// it. It contains addresses and names of users and rooms, but no contents of messages and no
    /// tokens.
    ///
    /// # Example
    ///
    /// ```
    /// # use switchboard_core::{Config, FlightRecorder};
    /// # use switchboard_runtime::{Application, Hub};
    /// # struct Chat;
    /// # impl Application for Chat {}
    /// let config = Config {
    ///     recorder: FlightRecorder { bytes: 4 << 20 },
    ///     ..Config::default()
    /// };
    /// let hub = Hub::new(config, Chat)?;
    /// let dump = hub.dump().expect("the recorder is on");
    /// assert!(dump.to_string().starts_with("{\"switchboard_recording\":1,"));
    /// # Ok::<(), switchboard_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn dump(&self) -> Option<Dump> {
        self.shared()
            .with(|locked, now| locked.switchboard.dump(now))
    }
}
