//! Compressed messages: charged, inflated without the lock, and then like any other.

use super::call::Step;
use super::deferring::{Deferred, Deferring};
use super::node::Node;
use super::receive::{Turn, refuse};
use super::state::Session;
use crate::{Deflated, Incoming, ProtocolError, Time};

impl Session {
    /// Inflates a message, and processes or queues it.
    ///
    /// It is charged twice: before inflation with the received size, so that a client over its rates
    /// causes no work, and afterwards with the inflated size.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub(super) fn deflated_read<N: Node>(
        &mut self,
        node: &mut Deferring<'_, N>,
        now: Time,
        message: Deflated<'_>,
        turn: &mut Turn,
    ) -> Result<Option<Step>, ProtocolError> {
        let binary = !message.text;
        let limit = node.config().limits.message_bytes;
        // Data that does not compress has grown, and the burst may be no more than the limit.
        let received = message.payload.len().min(limit);
        let charged = self.charge_message(node, now, binary, received);
        if let Err(retry_after) = charged {
            refuse(node, binary, received, retry_after);
            return Ok(None);
        }
        let mut inflater = node.take_inflater();
        let step = inflater.inflate(message, limit).map(|inflated| {
            turn.spend(inflated.cost);
            let rates = &node.config().rates;
            let charged = self.meter.charge_rest(now, rates, received, inflated.cost);
            let bytes = match inflated.incoming {
                Incoming::Text(text) => text.len(),
                Incoming::Binary(bytes) => bytes.len(),
                _ => 0,
            };
            node.defer(Deferred::Inflated(message.payload.len(), bytes));
            match inflated.incoming {
                Incoming::Text(text) => self.text_read(node, text, charged),
                Incoming::Binary(bytes) => self.binary_read(node, bytes, charged),
                _ => None,
            }
        });
        inflater.give_back();
        node.keep_inflater(inflater);
        step
    }
}
