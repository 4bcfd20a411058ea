//! Data that a connection has received and not yet reported to the state machine, and its limits.

use redis::{PushInfo, PushKind, Value};
use switchboard_core::cluster::Channel;

use crate::redis::names::Names;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The number of bytes that are read before their contents are reported to the state machine.
const TURN: usize = 256 << 10;

/// Counts the bytes that a connection reads.
pub(super) struct Meter {
    /// Bytes that may be read in this turn.
    turn: AtomicUsize,
    /// Bytes of an answer that is not whole.
    unanswered: AtomicUsize,
    most: usize,
    exceeded: AtomicBool,
}

impl Meter {
    fn new(most: usize) -> Self {
        Self {
            turn: AtomicUsize::new(TURN),
            unanswered: AtomicUsize::new(0),
            most,
            exceeded: AtomicBool::new(false),
        }
    }

    /// Whether more may be read before [`begin_turn`](Self::begin_turn).
    pub(super) fn may_read(&self) -> bool {
        self.turn.load(Ordering::Relaxed) > 0
    }

    /// Counts bytes; `false` if they are too many.
    pub(super) fn has_read(&self, count: usize) -> bool {
        let turn = self.turn.load(Ordering::Relaxed);
        self.turn
            .store(turn.saturating_sub(count), Ordering::Relaxed);
        let unanswered = self.unanswered.load(Ordering::Relaxed) + count;
        self.unanswered.store(unanswered, Ordering::Relaxed);
        let exceeded = unanswered > self.most;
        if exceeded {
            self.exceeded.store(true, Ordering::Relaxed);
        }
        !exceeded
    }

    pub(super) fn begin_turn(&self) {
        self.turn.store(TURN, Ordering::Relaxed);
    }

    /// What was read made sense.
    pub(super) fn understood(&self) {
        self.unanswered.store(0, Ordering::Relaxed);
    }

    /// Whether the stream failed because of this meter.
    pub(super) fn is_exceeded(&self) -> bool {
        self.exceeded.load(Ordering::Relaxed)
    }
}

/// What arrived through channels.
#[derive(Default)]
pub(super) struct Pushes {
    pub(super) messages: Vec<(Channel, Vec<u8>)>,
    /// Others, that are no messages for this node.
    pub(super) dropped: u64,
}

impl Pushes {
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.dropped == 0
    }
}

/// What a connection has received.
pub(super) struct Inbound {
    pub(super) meter: Arc<Meter>,
    pushes: Mutex<Pushes>,
    names: Names,
    /// Bytes of a payload.
    largest: usize,
}

impl Inbound {
    /// At most `most` bytes may come without a whole answer or push; larger payloads than `largest` are
    /// dropped.
    pub(super) fn new(names: Names, most: usize, largest: usize) -> Arc<Self> {
        Arc::new(Self {
            meter: Arc::new(Meter::new(most)),
            pushes: Mutex::default(),
            names,
            largest,
        })
    }

    /// Keeps what the client library received that answers nothing.
    pub(super) fn receive(&self, push: PushInfo) {
        self.meter.understood();
        match push.kind {
            // Confirmations are answers too, and the end of the connection is seen where it is driven.
            PushKind::Subscribe | PushKind::Unsubscribe | PushKind::Disconnection => return,
            _ => {}
        }
        let message = self.to_message(push);
        let mut pushes = self.lock();
        match message {
            Some(message) => pushes.messages.push(message),
            None => pushes.dropped += 1,
        }
    }

    fn to_message(&self, push: PushInfo) -> Option<(Channel, Vec<u8>)> {
        if push.kind != PushKind::Message {
            return None;
        }
        let [Value::BulkString(channel), Value::BulkString(payload)] =
            <[Value; 2]>::try_from(push.data).ok()?
        else {
            return None;
        };
        if payload.len() > self.largest {
            return None;
        }
        Some((self.names.to_channel(&channel)?, payload))
    }

    /// Takes what there is.
    pub(super) fn take(&self) -> Pushes {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Pushes> {
        self.pushes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedules::explore::explore;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn push(kind: PushKind, data: Vec<Value>) -> PushInfo {
        PushInfo { kind, data }
    }

    #[test]
    fn only_messages_of_known_channels_and_of_a_fair_size_are_kept() {
        explore("inbound", &[], || {
            let inbound = Inbound::new(Names::new("sb1"), 100, 4);
            let driver = inbound.clone();
            let received = shuttle::thread::spawn(move || {
                let message = |data| push(PushKind::Message, data);
                for push in [
                    message(vec![bulk("sb1:{a}:c"), bulk("1234")]),
                    push(PushKind::Subscribe, vec![bulk("sb1:b"), Value::Int(1)]),
                    // What follows is dropped.
                    message(vec![bulk("sb1:{a}:c"), bulk("12345")]),
                    message(vec![bulk("sb2:{a}:c"), bulk("1")]),
                    message(vec![bulk("sb1:{a}:c"), Value::Int(1)]),
                    message(vec![bulk("sb1:{a}:c")]),
                    message(vec![bulk("sb1:{a}:c"), bulk("1"), bulk("2")]),
                    push(PushKind::PMessage, vec![bulk("sb1:{a}:c"), bulk("1")]),
                    push(PushKind::Other("odd".into()), Vec::new()),
                ] {
                    driver.receive(push);
                }
            });
            let first = inbound.take();
            received.join().expect("received");
            let rest = inbound.take();
            let kept = (Channel::Room("a".into()), b"1234".to_vec());
            assert_eq!([first.messages, rest.messages].concat(), [kept]);
            assert_eq!(first.dropped + rest.dropped, 7);
            assert!(inbound.take().is_empty());
        });
    }

    #[test]
    fn a_turn_ends_and_an_answer_without_end_is_too_long() {
        explore("meter", &[], || {
            let meter = Arc::new(Meter::new(2 * TURN));
            let reader = meter.clone();
            let read = shuttle::thread::spawn(move || {
                assert!(reader.may_read() && reader.has_read(TURN));
                reader.may_read()
            });
            let exceeded = meter.is_exceeded();
            assert!(!exceeded && !read.join().expect("read"));
            meter.begin_turn();
            assert!(meter.may_read() && meter.has_read(TURN) && !meter.is_exceeded());
            meter.understood();
            assert!(meter.has_read(2 * TURN));
            assert!(!meter.has_read(1) && meter.is_exceeded());
        });
    }
}
