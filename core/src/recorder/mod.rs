//! The flight recorder of a node: records its inputs and the reasons why connections ended, in bounded
//! memory (docs/operations.md).
//!
//! ```text
//!            ┌─────────── Recorder ───────────┐
//!  inputs ──▶ ring of inputs                  │     Dump           reading
//!            │                                ├──▶ JSON lines ───▶ Recording ───▶ Replay
//!  ends ────▶ ring of ends, which lasts longer│                                  (switchboard)
//!            └────────────────────────────────┘
//! ```
//! A replay repeats the inputs on a new node, in the same order and at the same times. The node then
//! makes the same decisions, because it depends on nothing else. A recording therefore needs no
//! results, only a hash of the actions to verify that they are the same.
//!
//! Internal to the library; applications get a [`Dump`], which is text.

mod asked;
mod decision;
mod dump;
mod forms;
mod input;
mod payload;
mod reading;
mod ring;
mod said;
mod trace;
mod why;

use std::fmt;
use std::io::Write;

use serde::Serialize;

pub use self::asked::{Asked, Purpose};
pub use self::decision::{Answer, Decision};
pub use self::dump::{Dump, FORMAT};
pub use self::forms::{Excluded, Happened, Posting, Refusal, Sent, Who};
pub(crate) use self::forms::{bad_request_of, number_of, pong_of};
pub use self::input::Input;
pub use self::payload::Payload;
pub(crate) use self::payload::{Redactor, content_of, presence_of};
pub use self::reading::{BadRecording, Line, Recording, What};
pub(crate) use self::said::request_id;
pub use self::said::{Begin, Far, Said};
pub(crate) use self::why::Why as Cause;
pub use self::why::{Ended, Unit, Why};

pub(crate) use self::dump::Beginning;
use self::ring::Ring;
use self::trace::Trace;
use crate::base::hash::Keyed;
use crate::{ConnectionId, Time};

/// The part of the memory that is for ends, which are few: one of so many.
const ENDS: usize = 8;

/// Records the inputs of a node.
pub(crate) struct Recorder {
    redactor: Redactor,
    beginning: Beginning,
    inputs: Ring,
    ends: Ring,
    /// Lines so far, in both.
    lines: u64,
    /// The actions so far.
    trace: Trace,
    /// Whether there were inputs since the actions were last polled to their end.
    held: bool,
    /// Why connections are about to be ended.
    whys: Vec<(ConnectionId, Why)>,
    /// Messages to all connections so far.
    to_all: u64,
    /// Why it records nothing more, until it is dumped.
    stopped: Option<String>,
    /// Whether it was stopped, so that something is missing.
    interrupted: bool,
}

impl Recorder {
    pub(crate) fn new(bytes: usize, keyed: Keyed, name_bytes: usize, beginning: Beginning) -> Self {
        Self {
            redactor: Redactor::new(keyed, name_bytes),
            beginning,
            inputs: Ring::new(bytes - bytes / ENDS),
            ends: Ring::new(bytes / ENDS),
            lines: 0,
            trace: Trace::default(),
            held: false,
            whys: Vec::new(),
            to_all: 0,
            stopped: None,
            interrupted: false,
        }
    }

    /// Records an input of the node.
    pub(crate) fn input(&mut self, at: Time, input: &Input<'_>) {
        self.whys.clear();
        let held = std::mem::replace(&mut self.held, true);
        if self.stopped.is_some() {
            return;
        }
        self.lines += 1;
        let (number, trace) = (self.lines, self.trace.hash());
        self.inputs.push(|out| {
            let held = if held { r#","held":true"# } else { "" };
            let start = format_args!(r#","h":{trace}{held}"#);
            write_line(out, number, at, start, input);
        });
    }

    pub(crate) const fn redactor(&self) -> Redactor {
        self.redactor
    }

    /// Returns a number for a message to many connections.
    pub(crate) fn number(&mut self) -> u64 {
        self.to_all += 1;
        self.to_all
    }

    /// Notes that the actions were polled to their end.
    pub(crate) fn polled(&mut self) {
        self.held = false;
    }

    /// Notes an action, whose `Debug` has no payload.
    pub(crate) fn acted(&mut self, action: &dyn fmt::Debug) {
        self.trace.add(format_args!("{action:?}"));
    }

    /// Returns the hash of the actions so far.
    pub(crate) const fn trace(&self) -> u32 {
        self.trace.hash()
    }

    /// Notes bytes that a connection was to get.
    pub(crate) fn wrote(&mut self, id: ConnectionId, bytes: usize) {
        self.trace.add_numbers([u64::from(id.slot), bytes as u64]);
    }

    /// Notes why a connection is about to be ended. What was noted first counts.
    pub(crate) fn explain(&mut self, id: ConnectionId, why: Why) {
        if self.whys.iter().all(|(found, _)| *found != id) {
            self.whys.push((id, why));
        }
    }

    /// Returns why a connection is about to be ended, if it was noted.
    pub(crate) fn explanation(&mut self, id: ConnectionId) -> Option<Why> {
        let at = self.whys.iter().position(|(found, _)| *found == id)?;
        Some(self.whys.swap_remove(at).1)
    }

    /// Records that a connection has ended.
    pub(crate) fn ended(&mut self, at: Time, ended: &Ended) {
        if self.stopped.is_some() {
            return;
        }
        self.lines += 1;
        let number = self.lines;
        self.ends.push(|out| {
            let start = format_args!(r#","op":"ended""#);
            write_line(out, number, at, start, ended);
        });
    }

    /// Records nothing more until the next dump, which says why.
    pub(crate) fn stop(&mut self, why: String) {
        self.stopped.get_or_insert(why);
    }

    /// Returns the bytes of memory that the lines take.
    pub(crate) fn bytes(&self) -> usize {
        self.inputs.bytes() + self.ends.bytes()
    }

    /// Returns all recorded lines. A stopped recorder continues afterwards.
    pub(crate) fn dump(&mut self, config: &crate::Config, now: Time, unix: Option<u64>) -> Dump {
        let stopped = self.stopped.take();
        let dump = Dump::new(self, config, (now, unix), stopped.as_deref());
        self.interrupted |= stopped.is_some();
        dump
    }
}

/// Says how much it holds.
impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("lines", &self.lines)
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}

/// Writes an object with the fields of `start` and of `rest`.
fn write_line(
    out: &mut Vec<u8>,
    number: u64,
    at: Time,
    start: fmt::Arguments<'_>,
    rest: &impl Serialize,
) {
    // Writing to a vector does not fail, and all values can be encoded.
    let _ = write!(out, r#"{{"n":{number},"at":{}{start}"#, at.as_nanos());
    let brace = out.len();
    let _ = serde_json::to_writer(&mut *out, rest);
    if let Some(brace) = out.get_mut(brace) {
        *brace = b',';
    }
}
