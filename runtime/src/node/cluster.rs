//! What the lock of a node does with its cluster: each call of the switchboard is followed by one of the
//! cluster.

use switchboard_core::cluster::ClusterNotice;
use switchboard_core::{DrainReport, Exclude, Receipt, RoomMessage, SendError, Time};

use super::effects::Effect;
use super::locked::Locked;
use super::port::Port;

impl Locked {
    /// Tells the switchboard and the cluster what each wants of the other one.
    pub(super) fn exchange(&mut self, now: Time) {
        if let Some(joined) = &mut self.joined {
            joined.clustered.exchange(now, &mut self.switchboard);
        }
    }

    /// Publishes a message to a room, see
    /// [`broadcast_message`](switchboard_core::Switchboard::broadcast_message). In a cluster, returns what is
    /// known immediately: an error if the outbox is full, and the outcome in rooms with local order.
    pub(crate) fn broadcast(
        &mut self,
        now: Time,
        message: &RoomMessage<'_>,
        exclude: Exclude<'_>,
    ) -> Result<Receipt, SendError> {
        let receipt = self.switchboard.broadcast_message(now, message, exclude)?;
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

    /// Retires the node from its cluster when a drain has ended. Returns the report if the node has no
    /// cluster.
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
