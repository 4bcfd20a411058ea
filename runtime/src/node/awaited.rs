//! The callers that wait for what the cluster answers later.

use std::collections::BTreeMap;

use futures_channel::oneshot;
use switchboard_core::{Notice, Position, SendError, UserReport};

use crate::shield::shielded;

/// What came of a message, once that is known.
pub(crate) type Published = Result<Position, SendError>;

/// The callers that wait for later answers.
#[derive(Default)]
pub(crate) struct Awaited {
    published: BTreeMap<u64, oneshot::Sender<Published>>,
    reached: BTreeMap<u64, oneshot::Sender<UserReport>>,
}

/// An answer, and the caller that waits for it.
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

    /// Takes the callers that a notice answers.
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
