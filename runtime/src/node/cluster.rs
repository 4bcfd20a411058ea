//! What a node keeps for its cluster: the machine behind the lock, and orders for the adapter outside.

use std::collections::{BTreeMap, VecDeque};
use std::task::{Context, Poll};

use atomic_waker::AtomicWaker;
use futures_channel::oneshot;
use switchboard_core::cluster::{ClusterNotice, Output};
use switchboard_core::clustered::Clustered;
use switchboard_core::protocol::Content;
use switchboard_core::{
    Config, DrainReport, Exclude, Notice, Position, Receipt, SendError, Time, UserReport,
};

use super::effects::Effect;
use super::locked::Locked;
use crate::machine;
use crate::shield::shielded;
use crate::sync::{Mutex, PoisonError};

/// What came of a message, once that is known.
pub(crate) type Published = Result<Position, SendError>;

/// A node's part of a cluster, and who waits for its answers.
pub(crate) struct Joined {
    pub(crate) clustered: Clustered,
    /// Counts the attempts to connect.
    attempts: u64,
    /// The attempt whose events count.
    current: Option<u64>,
    /// The report of a drain, until the node has said goodbye to the others.
    report: Option<DrainReport>,
}

/// Who waits for what is answered later.
#[derive(Default)]
pub(crate) struct Awaited {
    published: BTreeMap<u64, oneshot::Sender<Published>>,
    reached: BTreeMap<u64, oneshot::Sender<UserReport>>,
}

/// An answer and who waits for it.
pub(crate) enum Answered {
    Published(oneshot::Sender<Published>, Published),
    Reached(oneshot::Sender<UserReport>, UserReport),
}

impl Answered {
    pub(super) fn deliver(self) {
        shielded(|| match self {
            Self::Published(sender, result) => drop(sender.send(result)),
            Self::Reached(sender, report) => drop(sender.send(report)),
        });
    }
}

impl Awaited {
    pub(crate) fn expect_published(&mut self, ticket: u64) -> oneshot::Receiver<Published> {
        let (sender, receiver) = oneshot::channel();
        self.published.insert(ticket, sender);
        receiver
    }

    pub(crate) fn expect_reached(&mut self, ticket: u64) -> oneshot::Receiver<UserReport> {
        let (sender, receiver) = oneshot::channel();
        self.reached.insert(ticket, sender);
        receiver
    }

    /// Takes who waits for what a notice says.
    pub(super) fn answered_by(&mut self, notice: &Notice) -> Option<Answered> {
        match notice {
            Notice::Published { ticket, result } => {
                let sender = self.published.remove(ticket)?;
                Some(Answered::Published(sender, result.clone()))
            }
            Notice::Reached { ticket, report } => {
                let sender = self.reached.remove(ticket)?;
                Some(Answered::Reached(sender, *report))
            }
            _ => None,
        }
    }
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
    fn take_orders(&mut self, port: &Port) -> bool {
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

impl Locked {
    /// Tells the switchboard and the cluster what each wants of the other one.
    pub(super) fn exchange(&mut self, now: Time) {
        if let Some(joined) = &mut self.joined {
            joined.clustered.exchange(now, &mut self.switchboard);
        }
    }

    /// [`Switchboard::broadcast`]. In a cluster, returns what is known at once: whether too much waits
    /// for the broker, or what became of it in a room that does not wait for the broker.
    pub(crate) fn broadcast(
        &mut self,
        now: Time,
        room: &str,
        content: Content<'_>,
        sender: Option<&str>,
        exclude: Exclude<'_>,
    ) -> Result<Receipt, SendError> {
        let receipt = self
            .switchboard
            .broadcast(now, room, content, sender, exclude)?;
        let Some(joined) = self.joined.as_mut().filter(|_| receipt.forwarded) else {
            return Ok(receipt);
        };
        // What was asked before this has no outcome that counts.
        joined.clustered.take_outcome();
        joined.clustered.exchange(now, &mut self.switchboard);
        joined.clustered.take_outcome().unwrap_or(Ok(receipt))
    }

    /// Takes the orders for the adapter, and what the log is to say. Returns whether there are orders.
    pub(super) fn take_orders(&mut self, port: &Port, effects: &mut Vec<Effect>) -> bool {
        let Some(joined) = &mut self.joined else {
            return false;
        };
        while let Some(notice) = joined.clustered.poll_notice() {
            if notice == ClusterNotice::Retired {
                effects.extend(joined.report.take().map(Effect::Drained));
            }
            effects.push(Effect::Cluster(notice));
        }
        joined.take_orders(port)
    }

    /// Says goodbye to the other nodes when a drain has ended. Returns the report if there is nobody to
    /// say it to.
    pub(super) fn retire(&mut self, now: Time, report: DrainReport) -> Option<DrainReport> {
        let Some(joined) = &mut self.joined else {
            return Some(report);
        };
        joined.report = Some(report);
        joined.clustered.retire(now, &mut self.switchboard);
        None
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let board = self.switchboard.next_deadline();
        let Some(joined) = &self.joined else {
            return board;
        };
        let cluster = joined.clustered.next_deadline();
        Some(board.map_or(cluster, |board| board.min(cluster)))
    }

    pub(crate) fn tick(&mut self, now: Time) {
        self.switchboard.tick(now);
        if let Some(joined) = &mut self.joined {
            joined.clustered.tick(now, &mut self.switchboard);
        }
    }
}

/// Orders for the adapter, each with the number of the attempt to connect that it belongs to.
#[derive(Default)]
pub(crate) struct Port {
    orders: Mutex<VecDeque<(u64, Output)>>,
    waker: AtomicWaker,
}

impl Port {
    /// Takes the next order, or registers to be woken for one.
    #[cfg_attr(
        not(any(feature = "redis-tokio", feature = "redis-smol")),
        allow(dead_code, reason = "only an adapter calls it")
    )]
    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<(u64, Output)> {
        self.waker.register(context.waker());
        let next = self.lock().pop_front();
        next.map_or(Poll::Pending, Poll::Ready)
    }

    pub(crate) fn wake(&self) {
        shielded(|| self.waker.wake());
    }

    fn lock(&self) -> crate::sync::MutexGuard<'_, VecDeque<(u64, Output)>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
