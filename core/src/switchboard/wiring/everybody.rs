//! Sending to all connections, a part of them at a time.

use smallvec::SmallVec;

use super::switchboard::Switchboard;
use crate::switchboard::effects::ENDS;
use crate::switchboard::errors::SendError;
use crate::switchboard::recipients::{Exclude, Receipt};
use crate::switchboard::to_all::{FromCluster, ToAll};
use crate::{Frame, Time};

/// Slots of connections that one part looks at.
const LOOK: usize = 2_048;

impl Switchboard {
    /// Sends a frame to all connections unchanged.
    ///
    /// Costs a look at each of them. [`broadcast_all_part`](Self::broadcast_all_part) does the same
    /// in parts.
    ///
    /// # Errors
    ///
    /// [`SendError::Busy`] if the node's queues are full, [`SendError::TooLarge`] if the frame is
    /// larger than a queue can be. Nothing was sent then.
    pub fn broadcast_all(
        &mut self,
        now: Time,
        frame: Frame,
        exclude: Exclude<'_>,
    ) -> Result<Receipt, SendError> {
        let mut all = ToAll::new(frame);
        loop {
            if let Some(receipt) = self.broadcast_all_part(now, &mut all, exclude)? {
                return Ok(receipt);
            }
        }
    }

    /// Continues to send a frame to all connections with the next part of them. Returns `None` if it is
    /// to be called again, and the receipt for all parts when it is complete.
    ///
    /// Frames that are sent to a connection before its part come before this frame. A connection that
    /// begins or ends in the meantime may or may not get it.
    ///
    /// # Errors
    ///
    /// As for [`broadcast_all`](Self::broadcast_all), only at the first call. Nothing was sent.
    pub fn broadcast_all_part(
        &mut self,
        now: Time,
        all: &mut ToAll,
        exclude: Exclude<'_>,
    ) -> Result<Option<Receipt>, SendError> {
        self.record_part(now, all, exclude);
        self.enter_to_send(now);
        if all.next == 0 {
            self.check_size(&all.frame)?;
            self.check_busy()?;
            self.tell_everyone(&all.frame, exclude);
        }
        Ok(self.send_part(all, exclude))
    }

    /// Sends a frame of the cluster to all connections of this node, whatever waits for them, except those
    /// of some users: to some of them now, and to the others in the ticks that are due at once.
    pub(super) fn send_to_everybody(&mut self, frame: Frame, excluded: &[&str]) {
        self.from_cluster.push_back(FromCluster {
            all: ToAll::new(frame),
            excluded: excluded.iter().map(|&user| user.into()).collect(),
        });
        if self.from_cluster.len() == 1 {
            self.tick_everybody();
        }
    }

    /// Goes on with sending the oldest of these frames.
    pub(super) fn tick_everybody(&mut self) {
        let Some(mut next) = self.from_cluster.pop_front() else {
            return;
        };
        let users: Vec<&str> = next.excluded.iter().map(|user| &**user).collect();
        let exclude = Exclude {
            connections: &[],
            users: &users,
        };
        if self.send_part(&mut next.all, exclude).is_none() {
            self.from_cluster.push_front(next);
        }
    }

    fn send_part(&mut self, all: &mut ToAll, exclude: Exclude<'_>) -> Option<Receipt> {
        let users = exclude.users.iter();
        let users: SmallVec<[u32; 4]> = users.filter_map(|name| self.users.find(name)).collect();
        let end = all.next.saturating_add(LOOK).min(self.connections.slots());
        let (mut ids, mut full) = (Vec::new(), Vec::new());
        while all.next < end && full.len() < ENDS {
            let slots = all.next..end.min(all.next + ENDS);
            all.next = slots.end;
            let connections = self.connections.in_slots(slots);
            let open = connections.filter(|(_, found)| found.is_open());
            let (out, to): (Vec<_>, Vec<_>) = open.partition(|(id, found)| {
                users.contains(&found.user) || exclude.connections.contains(id)
            });
            all.receipt.excluded += out.len();
            let to = to.into_iter().map(|(id, _)| id);
            full.extend(self.log.push_part(to.clone(), &all.frame, &mut all.counted));
            ids.extend(to);
        }
        let receipt = self.settle_queued(&ids, &full, all.frame.len());
        all.receipt.add(&receipt);
        let through = all.next >= self.connections.slots();
        through.then_some(all.receipt)
    }
}
