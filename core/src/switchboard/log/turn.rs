//! A writer's turn: the jobs that it has taken for some connections, and their results.

use std::ops::Range;

use crate::ConnectionId;
use crate::wire::frame::{Form, Place, Window};

/// Bytes of its buffer that a turn keeps.
const KEPT: usize = 64 << 10;

/// How much had been published at some point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

/// What a step is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The rest of a frame.
    Rest,
    /// The first of the connection's urgent frames.
    Urgent,
    /// The first of its frames in order.
    Own,
    /// The connection has got a room's messages up to this position; the last one had this stamp.
    Room {
        room: u32,
        position: u64,
        stamp: u64,
    },
}

/// A frame of a job, or several positions that need no bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// The bytes of the job up to the end of this step.
    pub(super) end: u32,
    /// Whether a message has gone out by it.
    pub(super) message: bool,
    pub(super) source: Source,
}

/// The bytes of a job.
#[derive(Debug)]
enum Payload {
    /// A part of the turn's buffer.
    Buffer(Range<usize>),
    /// A large frame, from some byte on.
    Lent(Form, usize),
}

/// What is written to one connection.
#[derive(Debug)]
pub(super) struct Job {
    id: ConnectionId,
    payload: Payload,
    pub(super) steps: Range<u32>,
    /// Whether nothing was left for the connection when this was taken.
    pub(super) all: bool,
    /// Whether all steps are messages of one room.
    pub(super) uniform: bool,
    written: usize,
    failed: bool,
}

impl Job {
    pub(super) fn copied(
        id: ConnectionId,
        bytes: Range<usize>,
        steps: Range<u32>,
        all: bool,
    ) -> Self {
        Self {
            id,
            payload: Payload::Buffer(bytes),
            steps,
            all,
            uniform: false,
            written: 0,
            failed: false,
        }
    }

    pub(super) fn lent(
        id: ConnectionId,
        form: Form,
        from: usize,
        steps: Range<u32>,
        all: bool,
    ) -> Self {
        Self {
            id,
            payload: Payload::Lent(form, from),
            steps,
            all,
            uniform: false,
            written: 0,
            failed: false,
        }
    }

    pub(super) const fn id(&self) -> ConnectionId {
        self.id
    }

    pub(super) fn len(&self) -> usize {
        match &self.payload {
            Payload::Buffer(range) => range.len(),
            Payload::Lent(form, from) => form.len() - from,
        }
    }

    /// Returns whether its bytes are those of one large frame.
    pub(super) const fn is_lent(&self) -> bool {
        matches!(self.payload, Payload::Lent(..))
    }

    pub(super) const fn written(&self) -> usize {
        self.written
    }

    /// Returns whether it is uniform, and was written in full.
    pub(super) fn is_written(&self) -> bool {
        self.uniform && !self.failed && self.written >= self.len()
    }

    pub(super) const fn has_failed(&self) -> bool {
        self.failed
    }
}

/// What came of a job about which there is more to say than how much was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::switchboard) struct Outcome {
    pub(in crate::switchboard) id: ConnectionId,
    /// Bytes written.
    pub(in crate::switchboard) written: usize,
    /// Messages of which the last byte was written.
    pub(in crate::switchboard) messages: u32,
    /// Whether the ping of an interval was written.
    pub(in crate::switchboard) ping: bool,
    /// Whether the socket takes no more bytes.
    pub(in crate::switchboard) blocked: bool,
    /// Volatile messages dropped because the socket accepts no more bytes.
    pub(in crate::switchboard) missed: u32,
    /// Messages discarded, as the connection is ending.
    pub(in crate::switchboard) discarded: u64,
    /// Whether the stream has failed.
    pub(in crate::switchboard) failed: bool,
}

/// What was noted of a connection to write to.
#[derive(Clone, Copy, Debug)]
pub(in crate::switchboard) struct Noted {
    pub(in crate::switchboard) id: ConnectionId,
    /// Bytes that it was to get, and that it got.
    pub(in crate::switchboard) bytes: usize,
    pub(in crate::switchboard) written: usize,
    pub(in crate::switchboard) failed: bool,
}

/// A batch of queued frames of several connections: taken under one hold of a lock, written without it,
/// and reported under another.
///
/// [`Switchboard::take_turn`](crate::Switchboard::take_turn) fills it, and
/// [`Switchboard::report`](crate::Switchboard::report) takes the results. Until then, its connections
/// have no other writer.
#[derive(Debug, Default)]
pub struct Turn {
    pub(super) buffer: Vec<u8>,
    pub(super) jobs: Vec<Job>,
    pub(super) steps: Vec<Step>,
    pub(super) stretches: Vec<Stretch>,
    /// The steps that are messages in a context, and where each leads. In order.
    pub(super) led: Vec<(u32, Place)>,
    pub(super) outcomes: Vec<Outcome>,
    /// The count of published messages when it was taken.
    pub(super) stamp: u64,
    /// Its number among the turns that are not reported.
    pub(super) number: u64,
    /// What was written by jobs without an outcome.
    pub(super) plain: Mark,
}

/// A room's messages that several jobs of a turn share.
#[derive(Clone, Debug)]
pub(super) struct Stretch {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) bytes: Range<usize>,
    pub(super) steps: Range<u32>,
    pub(super) lent: Option<Form>,
    /// For which connections it is; for any, if none of its messages has a compressed form.
    pub(super) window: Option<(Window, Place)>,
    pub(super) all: bool,
}

impl Turn {
    /// Returns the number of messages and bytes that were written by jobs without an outcome.
    pub(in crate::switchboard) const fn plain(&self) -> (u64, u64) {
        (self.plain.messages, self.plain.bytes)
    }

    /// Returns its number among all turns.
    pub(in crate::switchboard) const fn number(&self) -> u64 {
        self.number
    }

    /// Iterates over what was noted of the connections to write to.
    pub(in crate::switchboard) fn results(&self) -> impl Iterator<Item = Noted> + '_ {
        self.jobs.iter().map(|job| Noted {
            id: job.id,
            bytes: job.len(),
            written: job.written,
            failed: job.failed,
        })
    }

    /// Returns the number of connections to write to.
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Returns whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Returns a connection to write to, and the bytes for it.
    pub fn job(&self, index: usize) -> Option<(ConnectionId, &[u8])> {
        let job = self.jobs.get(index)?;
        Some((job.id, self.bytes(job)))
    }

    /// Records how many bytes were written to a connection. If these are not all, its socket accepts no
    /// more bytes for now, and [`Event::Writable`](crate::Event::Writable) must follow.
    pub fn wrote(&mut self, index: usize, bytes: usize) {
        if let Some(job) = self.jobs.get_mut(index) {
            job.written = bytes.min(job.len());
        }
    }

    /// Passes the bytes for each connection to `write`, which returns how many were written, and
    /// [records](Self::wrote) that.
    pub fn write_each(&mut self, mut write: impl FnMut(ConnectionId, &[u8]) -> usize) {
        for index in 0..self.jobs.len() {
            let job = &self.jobs[index];
            let written = write(job.id, self.bytes(job));
            self.wrote(index, written);
        }
    }

    /// Notes that writing to a connection has failed.
    pub fn failed(&mut self, index: usize) {
        if let Some(job) = self.jobs.get_mut(index) {
            job.failed = true;
        }
    }

    /// Frees the memory of a large turn, once it was reported.
    pub fn give_back(&mut self) {
        if self.jobs.is_empty() && self.buffer.capacity() > KEPT {
            self.buffer = Vec::new();
        }
    }

    /// Returns the bytes of a job.
    pub(super) fn bytes<'a>(&'a self, job: &'a Job) -> &'a [u8] {
        match &job.payload {
            Payload::Buffer(range) => &self.buffer[range.clone()],
            Payload::Lent(form, from) => &form.as_bytes()[*from..],
        }
    }

    /// Returns the rest of a job's frame that ends at `end`, from byte `at` of the job on: the
    /// frame, and the bytes of it that are done.
    pub(super) fn rest(&self, job: &Job, at: usize, end: usize) -> (Form, usize) {
        match &job.payload {
            Payload::Buffer(range) => {
                let bytes = &self.buffer[range.start + at..range.start + end];
                (Form::new(bytes), 0)
            }
            Payload::Lent(form, from) => (form.clone(), from + at),
        }
    }

    /// Notes that the last step leads to a place, if it does.
    #[inline]
    pub(super) fn note_place(&mut self, place: Place) {
        if !place.is_none() {
            self.led.push((self.steps.len() as u32 - 1, place));
        }
    }

    /// Returns where the steps of a job lead that have begun to be written, if there is a message in a
    /// context among them.
    pub(super) fn place_of(&self, job: &Job) -> Option<Place> {
        let first = job.steps.start;
        let after = self.led.partition_point(|&(step, _)| step < job.steps.end);
        let led = self.led[..after].iter().rev();
        let mut led = led.take_while(|&&(step, _)| step >= first);
        // What has begun is going to be finished.
        let has_begun = |step: u32| {
            let start = match step {
                _ if step == first => 0,
                _ => self.steps[step as usize - 1].end as usize,
            };
            start < job.written
        };
        led.find(|&&(step, _)| has_begun(step))
            .map(|&(_, place)| place)
    }

    pub(super) fn clear(&mut self) {
        self.buffer.clear();
        self.jobs.clear();
        self.steps.clear();
        self.stretches.clear();
        self.led.clear();
        self.outcomes.clear();
        self.plain = Mark::default();
    }
}
