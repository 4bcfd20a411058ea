//! A recording as text: one JSON object per line.

use std::fmt;
use std::iter::Peekable;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ring::Chunk;
use super::{Recorder, write_line};
use crate::{Config, Time};

/// The version of the format. A change that older readers would take for something else makes a new one.
pub const FORMAT: u32 = 1;

/// The state of a node when it was made, as far as its decisions depend on it. The keys of its tables and of
/// the secrets of event streams are no part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Beginning {
    /// In nanoseconds, by the clock of the node.
    pub(crate) start: u64,
    /// The seed of random delays, phases and orders.
    pub(crate) rng: u64,
    /// The part that the epochs of all rooms have in common.
    pub(crate) epochs: u64,
}

/// The first line.
#[derive(Serialize)]
struct Header<'a> {
    /// The version of the format.
    switchboard_recording: u32,
    /// The version of the crate.
    version: &'static str,
    /// When it was dumped, in nanoseconds by the clock of the node.
    now: u64,
    /// The same in seconds since 1970, if the node knows.
    unix: Option<u64>,
    /// Inputs that were forgotten because they were too many, and ends.
    lost_inputs: u64,
    lost_ends: u64,
    /// Whether nothing was recorded for a time, after an earlier dump.
    interrupted: bool,
    /// How an audit of the node failed, which stopped the recording.
    stopped: Option<&'a str>,
    beginning: Beginning,
    config: Config,
}

/// The recorded inputs of a node as text: JSON, one object per line (docs/operations.md).
///
/// It contains addresses of clients and names of users and rooms, but no contents of messages and no
/// tokens.
///
/// Cheap to clone. `Display` writes the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Dump {
    header: String,
    inputs: Vec<Arc<Chunk>>,
    ends: Vec<Arc<Chunk>>,
    last: String,
}

impl Dump {
    pub(super) fn new(
        recorder: &Recorder,
        config: &Config,
        (now, unix): (Time, Option<u64>),
        stopped: Option<&str>,
    ) -> Self {
        let mut config = config.clone();
        if let Some(cluster) = &mut config.cluster {
            // It may contain a password.
            cluster.url.clear();
        }
        let header = Header {
            switchboard_recording: FORMAT,
            version: env!("CARGO_PKG_VERSION"),
            now: now.as_nanos(),
            unix,
            lost_inputs: recorder.inputs.lost(),
            lost_ends: recorder.ends.lost(),
            interrupted: recorder.interrupted,
            stopped,
            beginning: recorder.beginning,
            config,
        };
        let held = if recorder.held { r#","held":true"# } else { "" };
        let start = format_args!(r#","op":"dump","h":{}{held}"#, recorder.trace.hash());
        let mut last = Vec::new();
        write_line(
            &mut last,
            recorder.lines + 1,
            now,
            start,
            &End { complete: true },
        );
        Self {
            header: serde_json::to_string(&header).unwrap_or_default(),
            inputs: recorder.inputs.chunks(),
            ends: recorder.ends.chunks(),
            last: String::from_utf8(last).unwrap_or_default(),
        }
    }
}

/// The rest of the last line.
#[derive(Serialize)]
struct End {
    complete: bool,
}

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.header)?;
        let mut inputs = lines(&self.inputs).peekable();
        let mut ends = lines(&self.ends).peekable();
        while let Some(line) = earlier(&mut inputs, &mut ends) {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "{}", self.last)
    }
}

impl fmt::Debug for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dump").finish_non_exhaustive()
    }
}

fn lines(chunks: &[Arc<Chunk>]) -> impl Iterator<Item = &str> {
    let texts = chunks.iter().map(|chunk| str::from_utf8(&chunk.text));
    texts.flat_map(|text| text.unwrap_or_default().lines())
}

/// Takes the line with the smaller number.
fn earlier<'a>(
    inputs: &mut Peekable<impl Iterator<Item = &'a str>>,
    ends: &mut Peekable<impl Iterator<Item = &'a str>>,
) -> Option<&'a str> {
    match (inputs.peek(), ends.peek()) {
        (Some(input), Some(end)) if number(end) < number(input) => ends.next(),
        (None, _) => ends.next(),
        (Some(_), _) => inputs.next(),
    }
}

/// Returns the number of a line, with which it begins.
fn number(line: &str) -> Option<u64> {
    let digits = line.strip_prefix(r#"{"n":"#)?;
    digits.split(',').next()?.parse().ok()
}
