//! Decodes the bytes of a connection and processes the result.

use std::time::Duration;

use super::backlog::Item;
use super::call::{Reply, Step};
use super::deferring::{Deferred, Deferring};
use super::input::{Input, new_decoder};
use super::node::{Held, Node};
use super::state::{Reported, Session};
use crate::http::handshake::Purpose;
use crate::protocol;
use crate::{Decoder, Event, Incoming, ProtocolError, ReadMode, Time, Wire};

/// What is left of a connection's turn.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    frames: usize,
}

impl Turn {
    /// Frames of one connection that are handled before others get their turn.
    const FRAMES: usize = 64;
    /// What inflating may cost for the price of a frame, in bytes.
    const FRAME_BYTES: usize = 64 << 10;

    /// Takes the frames off that as much work as `cost` bytes of content stands for.
    pub(super) const fn spend(&mut self, cost: usize) {
        self.frames = self.frames.saturating_sub(cost / Self::FRAME_BYTES);
    }

    /// Returns whether the turn is over.
    pub const fn is_over(&self) -> bool {
        self.frames == 0
    }
}

impl Default for Turn {
    fn default() -> Self {
        Self {
            frames: Self::FRAMES,
        }
    }
}

/// The outcome of [`Session::receive`].
#[derive(Debug)]
pub struct Received {
    /// The number of bytes consumed. Pass the others in again: after the step if there is one,
    /// otherwise when the session reads on.
    pub used: usize,
    /// The step to carry out first.
    pub step: Option<Step>,
}

impl Received {
    const fn all(bytes: &[u8], step: Option<Step>) -> Self {
        Self {
            used: bytes.len(),
            step,
        }
    }
}

impl Session {
    /// Processes bytes that were read, unmasking them in place.
    pub fn receive(&mut self, node: &mut impl Node, bytes: &mut [u8], turn: &mut Turn) -> Received {
        match self.mode {
            ReadMode::Wait => {
                return Received {
                    used: 0,
                    step: None,
                };
            }
            ReadMode::Discard => {
                self.event(node, Event::Discarded(bytes.len()));
                return Received::all(bytes, None);
            }
            ReadMode::Head | ReadMode::Frames => {}
        }
        match &mut self.input {
            Input::Nothing | Input::Posts => {
                self.event(node, Event::Discarded(bytes.len()));
                Received::all(bytes, None)
            }
            Input::Body(_) => {
                self.receive_body(node, bytes);
                Received::all(bytes, None)
            }
            Input::Head(handshake) => {
                let outcome = handshake.receive(bytes);
                let used = bytes.len() - handshake.unread();
                let step = match outcome {
                    Ok(None) => None,
                    Ok(Some(request)) => match request.purpose() {
                        Purpose::Post { length } => {
                            self.begin_body(node, request, length);
                            None
                        }
                        _ => self.take_request(node, request, false),
                    },
                    Err(bad) => {
                        let head_only = handshake.is_head();
                        node.hold(|held| {
                            if head_only {
                                held.omit_body(self.id);
                            }
                            held.malformed(self.id, bad);
                        });
                        None
                    }
                };
                Received { used, step }
            }
            Input::Frames(_) => {
                let mut node = Deferring::new(node, self.id);
                let received = self.receive_frames(&mut node, bytes, turn);
                node.finish();
                received
            }
        }
    }

    /// [`reply`](Self::reply), then [`receive`](Self::receive). Cheaper than these two, because the
    /// answer to a request and the next message take one hold of the lock.
    pub fn reply_and_receive(
        &mut self,
        node: &mut impl Node,
        reply: Reply,
        bytes: &mut [u8],
        turn: &mut Turn,
    ) -> Received {
        let reads_on = self.mode == ReadMode::Frames
            && matches!(self.input, Input::Frames(_))
            && self.waiting.items() == 0;
        match reply {
            Reply::Verdict(mut question, answer) if reads_on && !question.may_wait() => {
                self.call_over();
                self.deflate(node, &mut question, &answer);
                let mut node = Deferring::new(node, self.id);
                node.defer(Deferred::Answer(question, answer));
                let received = self.receive_frames(&mut node, bytes, turn);
                node.finish();
                received
            }
            reply => {
                let step = self.reply(node, reply).or_else(|| self.next(node));
                if step.is_some() {
                    return Received { used: 0, step };
                }
                self.receive(node, bytes, turn)
            }
        }
    }

    fn receive_frames<N: Node>(
        &mut self,
        node: &mut Deferring<'_, N>,
        bytes: &mut [u8],
        turn: &mut Turn,
    ) -> Received {
        let mut kept = match &mut self.input {
            Input::Frames(kept) => kept.take(),
            _ => None,
        };
        let mut fresh = None;
        let decoder = match &mut kept {
            Some(kept) => &mut **kept,
            None => fresh.insert(new_decoder(&node.config().limits, self.deflate)),
        };
        let (received, heard) = self.decode(node, decoder, bytes, turn);
        decoder.give_back();
        let (in_message, bytes) = (decoder.in_message(), decoder.buffered());
        if !decoder.is_at_rest() && matches!(self.input, Input::Frames(_)) {
            self.input = Input::Frames(kept.or_else(|| fresh.map(Box::new)));
        }
        let partial = self.reported.set(Reported::PARTIAL, in_message) || in_message;
        if partial || !heard {
            node.hold(|held| {
                if !heard {
                    held.event(self.id, Event::Heard);
                }
                if partial {
                    held.event(self.id, Event::Partial { in_message, bytes });
                }
            });
        }
        received
    }

    /// Notes that the peer's side of the stream has ended.
    pub fn end_of_input(&mut self, node: &mut impl Node) -> Option<Step> {
        if self.input.takes_messages() {
            return self.take(node, Item::Eof);
        }
        self.event(node, Event::Eof);
        None
    }

    /// Returns also whether the node has learnt that the client was heard.
    fn decode<N: Node>(
        &mut self,
        node: &mut Deferring<'_, N>,
        decoder: &mut Decoder,
        bytes: &mut [u8],
        turn: &mut Turn,
    ) -> (Received, bool) {
        let (mut used, mut heard, mut step) = (0, false, None);
        let (now, total) = (node.now(), bytes.len());
        while step.is_none()
            && !turn.is_over()
            && !self.is_full(node)
            && node.may_read_on()
            && used < total
        {
            let progress = match decoder.decode(&mut bytes[used..]) {
                Ok(progress) => progress,
                Err(violation) => {
                    let step = self.take(node, Item::Violation(violation));
                    return (Received::all(bytes, step), true);
                }
            };
            used += progress.consumed;
            node.more = used < total;
            let Some(incoming) = progress.incoming else {
                break;
            };
            turn.frames -= 1;
            heard = true;
            let is_message = matches!(
                incoming,
                Incoming::Text(_) | Incoming::Binary(_) | Incoming::Deflated(_)
            );
            if is_message && self.reported.set(Reported::PARTIAL, false) {
                node.defer(Deferred::MessageComplete);
            }
            step = match self.hand_on(node, now, incoming, turn) {
                Ok(step) => step,
                Err(violation) => {
                    decoder.stop();
                    let step = self.take(node, Item::Violation(violation));
                    return (Received::all(bytes, step), true);
                }
            };
        }
        (Received { used, step }, heard)
    }

    /// # Errors
    /// The rule that a compressed message breaks.
    fn hand_on<N: Node>(
        &mut self,
        node: &mut Deferring<'_, N>,
        now: Time,
        incoming: Incoming<'_>,
        turn: &mut Turn,
    ) -> Result<Option<Step>, ProtocolError> {
        match incoming {
            Incoming::Text(text) => {
                let charged = self.charge_message(node, now, false, text.len());
                return Ok(self.text_read(node, text, charged));
            }
            Incoming::Binary(bytes) => {
                let charged = self.charge_message(node, now, true, bytes.len());
                return Ok(self.binary_read(node, bytes, charged));
            }
            Incoming::Deflated(message) => return self.deflated_read(node, now, message, turn),
            Incoming::Ping(payload) => {
                if self.charge_control(node, now, payload.len()) {
                    node.defer(Deferred::Ping(payload.into()));
                }
            }
            Incoming::Pong(payload) => {
                if !node.hold(|held| held.pong(self.id, payload)) {
                    self.charge_control(node, now, payload.len());
                }
            }
            Incoming::Close(close) => {
                let close = close.map(|close| (close.code, close.reason.to_owned()));
                return Ok(self.take(node, Item::Close(close)));
            }
        }
        Ok(None)
    }

    /// Processes a text message or queues it.
    pub(super) fn text_read<N: Node>(
        &mut self,
        node: &mut Deferring<'_, N>,
        text: &str,
        charged: Result<(), Duration>,
    ) -> Option<Step> {
        if let Err(retry_after) = charged {
            refuse(node, false, text.len(), retry_after);
            return None;
        }
        if !self.must_queue() && node.config().wire == Wire::Json {
            return self.take_text(node, text);
        }
        if node.hold(|held| held.message(self.id, false, text.len(), Ok(()))) {
            return self.take(node, Item::Text(text.to_owned()));
        }
        None
    }

    /// Processes a binary message or queues it.
    pub(super) fn binary_read<N: Node>(
        &mut self,
        node: &mut Deferring<'_, N>,
        bytes: &[u8],
        charged: Result<(), Duration>,
    ) -> Option<Step> {
        if let Err(retry_after) = charged {
            refuse(node, true, bytes.len(), retry_after);
            return None;
        }
        if node.hold(|held| held.message(self.id, true, bytes.len(), Ok(()))) {
            return self.take(node, Item::Binary(bytes.to_vec()));
        }
        None
    }

    /// Processes a text message within the rates that waits for nothing.
    fn take_text<N: Node>(&mut self, node: &mut Deferring<'_, N>, text: &str) -> Option<Step> {
        let id = self.id;
        let in_cluster = node.config().cluster.is_some();
        // Parsed before the hold.
        let command = protocol::parse(text);
        let unasked = || match &command {
            Ok(command) => command.to_unasked().map(Ok),
            Err(rejected) => Some(Err(rejected.clone().into_owned())),
        };
        // In a cluster the client may have to wait for the outcome.
        if node.more
            && !in_cluster
            && let Some(command) = unasked()
        {
            node.defer(Deferred::Text(text.into(), command));
            return None;
        }
        let (question, waits) = node.hold(|held| {
            let processed = held.message(id, false, text.len(), Ok(()));
            let question = processed.then(|| held.command(id, text, command)).flatten();
            (question, in_cluster && held.is_undecided(id))
        });
        self.undecided |= waits;
        self.go_on(node, question)
    }

    /// Charges a message to the rates. If they do not allow it, returns how long to wait.
    pub(super) fn charge_message(
        &mut self,
        node: &mut impl Node,
        now: Time,
        binary: bool,
        bytes: usize,
    ) -> Result<(), Duration> {
        node.message_read(self.id, binary, bytes);
        self.meter.charge(now, &node.config().rates, bytes)
    }

    /// Charges a control frame. Returns whether it is within the rates.
    fn charge_control<N: Node>(
        &mut self,
        node: &mut Deferring<'_, N>,
        now: Time,
        bytes: usize,
    ) -> bool {
        let charged = self.meter.charge(now, &node.config().rates, bytes);
        if let Err(retry_after) = charged {
            node.defer(Deferred::OverRate(bytes, retry_after));
        }
        charged.is_ok()
    }
}

/// Reports a message beyond the rates.
pub(super) fn refuse<N: Node>(
    node: &mut Deferring<'_, N>,
    binary: bool,
    bytes: usize,
    retry_after: Duration,
) {
    node.defer(Deferred::Refused {
        binary,
        bytes,
        retry_after,
    });
}
