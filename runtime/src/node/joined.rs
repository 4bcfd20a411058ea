//! A node's part of a cluster, behind the lock of the node.

use switchboard_core::cluster::Output;
use switchboard_core::clustered::Clustered;
use switchboard_core::{Config, DrainReport, Time};

use super::port::Port;
use crate::machine;

/// A node's part of a cluster.
pub(crate) struct Joined {
    pub(crate) clustered: Clustered,
    /// Counts the attempts to connect.
    attempts: u64,
    /// The attempt whose events count.
    current: Option<u64>,
    /// The report of a drain, until the node has retired from its cluster.
    pub(super) report: Option<DrainReport>,
}

impl Joined {
    pub(super) fn new(config: &Config) -> Option<Box<Self>> {
        let clustered = Clustered::new(config, machine::seed(), Time::ZERO)?;
        Some(Box::new(Self {
            clustered,
            attempts: 0,
            current: None,
            report: None,
        }))
    }

    /// Whether an event of this attempt counts.
    #[cfg_attr(
        not(any(feature = "redis-tokio", feature = "redis-smol")),
        allow(dead_code, reason = "only an adapter calls it")
    )]
    pub(crate) fn is_current(&self, attempt: u64) -> bool {
        self.current == Some(attempt)
    }

    /// Takes the orders for the adapter. Returns whether there were any.
    pub(super) fn take_orders(&mut self, port: &Port) -> bool {
        let mut orders = port.lock();
        let before = orders.len();
        while let Some(order) = self.clustered.poll_order() {
            match order {
                Output::Connect => {
                    self.attempts += 1;
                    self.current = Some(self.attempts);
                }
                Output::Hangup => self.current = None,
                _ => {}
            }
            orders.push_back((self.attempts, order));
        }
        orders.len() > before
    }
}
