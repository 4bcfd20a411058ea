//! A frame on its way to all connections of a user.

use std::sync::Arc;

use super::effects::ENDS;
use super::encoding::Encoder;
use super::recipients::Receipt;
use crate::cluster::Question;
use crate::protocol::{Content, RequestId, ServerMessage};
use crate::{ConnectionId, Frame};

/// A frame on its way to all connections of a user; see
/// [`send_to_user_part`](crate::Switchboard::send_to_user_part).
#[derive(Debug)]
pub struct ToUser {
    user: Arc<str>,
    pub(super) frame: Frame,
    pub(super) stage: Stage,
    /// Its key among the frames that several connections share.
    pub(super) counted: Option<u32>,
    pub(super) receipt: Receipt,
    /// Its number in a recording; 0 if it has none.
    recorded: u64,
}

/// How far it has come. Places are those in the order of admission.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    Begun,
    /// Those after a place are still to be looked at, whether each can take it.
    Checks(Rest),
    /// Those after a place are still to get it.
    Sends(Rest),
}

/// Connections that a user had when the call began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest {
    pub(super) after: u64,
    pub(super) last: u64,
}

impl ToUser {
    /// Begins to send a frame.
    pub fn new(user: &str, frame: Frame) -> Self {
        Self {
            user: user.into(),
            frame,
            stage: Stage::Begun,
            counted: None,
            receipt: Receipt::default(),
            recorded: 0,
        }
    }

    /// Begins to send `content` as a `direct` message.
    pub fn direct(user: &str, content: Content<'_>, sender: Option<&str>) -> Self {
        let message = ServerMessage::Direct { content, sender };
        let length = content.as_json().len();
        Self::new(user, Encoder::default().encode(&message, length))
    }

    pub(super) fn user(&self) -> &str {
        &self.user
    }

    /// Returns how many connections are going to get it, of those that it was sent to so far.
    pub(super) const fn accepted(&self) -> u64 {
        self.receipt.accepted as u64
    }

    /// Returns whether no connection was there to be sent to.
    pub(super) const fn found_nobody(&self) -> bool {
        self.receipt.accepted + self.receipt.closed == 0
    }

    /// Returns whether a part was done.
    pub(super) const fn has_begun(&self) -> bool {
        !matches!(self.stage, Stage::Begun)
    }

    /// Returns its number in a recording: at first the next one, if there may be several parts; else 0.
    pub(super) fn number(&mut self, devices: usize, next: impl FnOnce() -> u64) -> u64 {
        if !self.has_begun() && devices > ENDS {
            self.recorded = next();
        }
        self.recorded
    }
}

/// A message on its way to a user with many connections.
#[derive(Debug)]
pub(super) struct DirectInParts {
    pub(super) to: ToUser,
    pub(super) from: Sender,
}

/// Who has sent it, and is told what came of it.
#[derive(Debug)]
pub(super) enum Sender {
    Client {
        id: ConnectionId,
        request: Option<RequestId<'static>>,
    },
    /// Another node of the cluster, by this question.
    Node { node: Arc<str>, question: Question },
}
