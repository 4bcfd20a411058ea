//! Sending to all connections of a user, a part of them at a time.

use super::switchboard::Switchboard;
use crate::protocol::{Content, ErrorCode, ServerMessage};
use crate::switchboard::effects::ENDS;
use crate::switchboard::errors::SendError;
use crate::switchboard::recipients::Receipt;
use crate::switchboard::relay::{Ask, ClusterRequest};
use crate::switchboard::to_user::{DirectInParts, Rest, Sender, Stage, ToUser};
use crate::{ConnectionId, Frame, Time};

/// Connections that one part looks at, or sends to.
const LOOK: usize = 2_048;

/// Direct messages that go in parts. Further ones are refused until these are through.
const DIRECTS: usize = 64;

impl Switchboard {
    /// Sends a frame to all connections of a user unchanged.
    ///
    /// Costs a look at each of them. [`send_to_user_part`](Self::send_to_user_part) does the same in
    /// parts.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send) to each of them, and [`broadcast_raw`](Self::broadcast_raw).
    pub fn send_to_user(
        &mut self,
        now: Time,
        user: &str,
        frame: Frame,
    ) -> Result<Receipt, SendError> {
        self.send_all_parts(now, ToUser::new(user, frame))
    }

    /// Sends `content` to all connections of a user as a `direct` message.
    ///
    /// # Errors
    ///
    /// As for [`broadcast_raw`](Self::broadcast_raw).
    pub fn direct(
        &mut self,
        now: Time,
        user: &str,
        content: Content<'_>,
        sender: Option<&str>,
    ) -> Result<Receipt, SendError> {
        self.send_all_parts(now, ToUser::direct(user, content, sender))
    }

    fn send_all_parts(&mut self, now: Time, mut to: ToUser) -> Result<Receipt, SendError> {
        loop {
            if let Some(receipt) = self.send_to_user_part(now, &mut to)? {
                return Ok(receipt);
            }
        }
    }

    /// Goes on with sending a frame to all connections that a user had at the first call: to some of
    /// them, after all were found to have space for it. Returns `None` if this is to be called again,
    /// and the receipt for all parts when it is through.
    ///
    /// What is sent to a connection before its part comes before the frame. Of the connections that the user
    /// had at the first call, those that end before their part are not counted.
    ///
    /// # Errors
    ///
    /// As for [`send_to_user`](Self::send_to_user). Nothing was sent then.
    pub fn send_to_user_part(
        &mut self,
        now: Time,
        to: &mut ToUser,
    ) -> Result<Option<Receipt>, SendError> {
        self.record_to_user(now, to, false);
        self.enter_to_send(now);
        self.check_begun(to)?;
        let Some(begins) = self.may_send(to)? else {
            return Ok(None);
        };
        let forwarded = self.relay.is_some();
        if begins && forwarded {
            self.ask_user(to.user(), &to.frame, None);
        }
        let through = self.send_some(to);
        Ok(through.then_some(Receipt {
            forwarded,
            ..to.receipt
        }))
    }

    /// Sends a frame to all connections that a user has on this node, in one call, and has checked before
    /// that they have space for it.
    pub(super) fn send_to_devices(&mut self, user: &str, frame: Frame) -> Receipt {
        let mut to = self.to_all_devices(user, frame);
        while !self.send_some(&mut to) {}
        to.receipt
    }

    /// Begins to send a frame to all connections that a user has now, whether or not they have space for it.
    pub(super) fn to_all_devices(&self, user: &str, frame: Frame) -> ToUser {
        let mut to = ToUser::new(user, frame);
        let last = self.users.last_place(user);
        to.stage = Stage::Sends(Rest { after: 0, last });
        to
    }

    /// Checks what does not depend on the user, before the first part.
    pub(super) fn check_begun(&self, to: &ToUser) -> Result<(), SendError> {
        if to.has_begun() {
            return Ok(());
        }
        self.check_size(&to.frame)?;
        self.check_busy()
    }

    /// Goes on with looking whether all connections have space for a frame. Returns whether it has just found
    /// that they have, or `None` if there are more to look at.
    pub(super) fn may_send(&mut self, to: &mut ToUser) -> Result<Option<bool>, SendError> {
        let rest = match to.stage {
            Stage::Begun => {
                let last = self.users.last_place(to.user());
                Rest { after: 0, last }
            }
            Stage::Checks(rest) => rest,
            Stage::Sends(_) => return Ok(Some(false)),
        };
        let last = rest.last;
        let (ids, next) = self.devices(to.user(), rest, LOOK);
        let mut ids = ids.into_iter();
        if ids.any(|id| self.log.is_full_for(id, to.frame.len())) {
            return Err(SendError::Busy);
        }
        if let Some(after) = next {
            to.stage = Stage::Checks(Rest { after, last });
            return Ok(None);
        }
        to.stage = Stage::Sends(Rest { after: 0, last });
        Ok(Some(true))
    }

    /// Sends a frame to some of the connections that are still to get it. Returns whether that were all.
    pub(super) fn send_some(&mut self, to: &mut ToUser) -> bool {
        let Stage::Sends(mut rest) = to.stage else {
            return false;
        };
        let (mut ids, mut full) = (Vec::new(), Vec::new());
        let mut through = false;
        while !through && ids.len() < LOOK && full.len() < ENDS {
            let most = ENDS.min(LOOK - ids.len());
            let (part, next) = self.devices(to.user(), rest, most);
            let part_ids = part.iter().copied();
            full.extend(self.log.push_part(part_ids, &to.frame, &mut to.counted));
            ids.extend(part);
            through = next.is_none();
            rest.after = next.unwrap_or(rest.last);
        }
        to.stage = Stage::Sends(rest);
        let receipt = self.settle_queued(&ids, &full, to.frame.len());
        to.receipt.add(&receipt);
        through
    }

    /// Returns some of these connections, and after which place others follow, if there are any.
    fn devices(&self, user: &str, rest: Rest, most: usize) -> (Vec<ConnectionId>, Option<u64>) {
        let (slots, next) = self.users.some(user, (rest.after, rest.last), most);
        (
            slots.map(|slot| self.connections.id_at(slot)).collect(),
            next,
        )
    }

    /// Returns whether a direct message to a user goes in parts: the user has many connections, or others
    /// are on their way there.
    pub(super) fn goes_in_parts(&self, user: &str) -> bool {
        let mut others = self.directs.iter();
        self.users.count(user) > LOOK || others.any(|direct| direct.to.user() == user)
    }

    /// Begins to send a direct message to a user in parts, which follow in the ticks that are due at once.
    ///
    /// # Errors
    ///
    /// [`SendError::Busy`] if too many are on their way.
    pub(super) fn begin_direct(&mut self, to: ToUser, from: Sender) -> Result<(), SendError> {
        if self.directs.len() >= DIRECTS {
            return Err(SendError::Busy);
        }
        self.directs.push_back(DirectInParts { to, from });
        Ok(())
    }

    /// Goes on with direct messages that go in parts: with a part of the first one.
    pub(super) fn go_on_with_directs(&mut self) {
        let Some(mut direct) = self.directs.pop_front() else {
            return;
        };
        match self.may_send(&mut direct.to) {
            Err(error) => {
                // Those of other nodes are sent without this check.
                if let Sender::Client { id, request } = &direct.from {
                    self.send_failed(*id, error, request.as_ref(), None);
                }
            }
            Ok(Some(_)) if self.send_some(&mut direct.to) => self.direct_sent(direct),
            Ok(_) => self.directs.push_front(direct),
        }
    }

    /// Answers for a message that was sent to all connections that a user has on this node.
    fn direct_sent(&mut self, DirectInParts { to, from }: DirectInParts) {
        let here = to.accepted();
        let (sender, request) = match from {
            Sender::Client { id, request } => (id, request),
            Sender::Node { node, question } => {
                return self.ask_cluster(ClusterRequest::Taken {
                    node,
                    question,
                    queues: here,
                });
            }
        };
        if self.relay.is_some() {
            let asks = Ask::Direct {
                sender,
                request,
                here,
            };
            self.ask_user(to.user(), &to.frame, Some(asks));
        } else if to.found_nobody() {
            let (code, message) = (ErrorCode::NotConnected, "the user is not connected");
            self.fail(sender, code, message, request.as_ref(), None);
        } else if let Some(id) = &request {
            let delivered = here;
            self.send_message(sender, &ServerMessage::DirectAck { id, delivered });
        }
    }
}
