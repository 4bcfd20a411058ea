//! Reading a recording.

use std::fmt;

use serde::Deserialize;

use super::dump::{Beginning, FORMAT};
use super::{Ended, Input};
use crate::{Config, Time};

/// A recording that was read.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The version of the crate that recorded it.
    pub version: String,
    /// When it was dumped.
    pub now: Time,
    /// The same in seconds since 1970.
    pub unix: Option<u64>,
    pub lost_inputs: u64,
    pub lost_ends: u64,
    pub interrupted: bool,
    /// How an audit of the node failed.
    pub stopped: Option<String>,
    pub config: Config,
    pub(crate) beginning: Beginning,
    pub lines: Vec<Line>,
}

/// A line of a recording.
#[derive(Clone, Debug)]
pub struct Line {
    pub number: u64,
    pub at: Time,
    pub what: What,
}

/// What a line says.
#[derive(Clone, Debug)]
pub enum What {
    Input {
        input: Box<Input<'static>>,
        /// The hash of all actions before.
        trace: u32,
        /// Whether the actions were not polled to their end before.
        held: bool,
    },
    Ended(Box<Ended>),
    /// The last line.
    Dump {
        trace: u32,
        held: bool,
    },
}

/// Why a text is not a recording.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadRecording {
    /// The first line is not that of a recording.
    NotARecording,
    /// It has a format that this version does not know.
    Format(u64),
    /// The configuration cannot be read.
    Config(String),
    /// A line, counted from 1, cannot be read.
    Line(usize, String),
    /// The last line is missing: it is only a part.
    CutOff,
}

impl fmt::Display for BadRecording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARecording => f.write_str(
                "this is not a recording: the first line must be a JSON object with `switchboard_recording`",
            ),
            Self::Format(format) => write!(
                f,
                "the recording has format {format}, and this version reads format {FORMAT}: \
                 replay it with the version that recorded it"
            ),
            Self::Config(error) => write!(f, "the configuration cannot be read: {error}"),
            Self::Line(number, error) => write!(f, "line {number} cannot be read: {error}"),
            Self::CutOff => f.write_str("the last line is missing: the file was cut off"),
        }
    }
}

impl std::error::Error for BadRecording {}

#[derive(Deserialize)]
struct Header {
    version: String,
    now: u64,
    unix: Option<u64>,
    lost_inputs: u64,
    lost_ends: u64,
    interrupted: bool,
    stopped: Option<String>,
    beginning: Beginning,
    config: serde_json::Value,
}

#[derive(Deserialize)]
struct Start {
    n: u64,
    at: u64,
    op: String,
    #[serde(default)]
    h: u32,
    #[serde(default)]
    held: bool,
}

impl Recording {
    /// Reads the text of a [`Dump`](super::Dump).
    ///
    /// # Errors
    ///
    /// The [`BadRecording`] says what is wrong with it.
    pub fn read(text: &str) -> Result<Self, BadRecording> {
        let mut lines = text.lines();
        let header = read_header(lines.next().unwrap_or_default())?;
        let config = serde_json::from_value(header.config);
        let mut recording = Self {
            version: header.version,
            now: Time::from_nanos(header.now),
            unix: header.unix,
            lost_inputs: header.lost_inputs,
            lost_ends: header.lost_ends,
            interrupted: header.interrupted,
            stopped: header.stopped,
            config: config.map_err(|error| BadRecording::Config(error.to_string()))?,
            beginning: header.beginning,
            lines: Vec::new(),
        };
        for (index, line) in lines.enumerate() {
            let line = read_line(line);
            let line = line.map_err(|error| BadRecording::Line(index + 2, error.to_string()))?;
            recording.lines.push(line);
        }
        match recording.lines.last() {
            Some(Line {
                what: What::Dump { .. },
                ..
            }) => Ok(recording),
            _ => Err(BadRecording::CutOff),
        }
    }

    /// Returns the ends of connections, in their order.
    pub fn ends(&self) -> impl Iterator<Item = &Ended> {
        self.lines.iter().filter_map(|line| match &line.what {
            What::Ended(ended) => Some(&**ended),
            _ => None,
        })
    }

    /// Returns whether a replay can reproduce the decisions: the recording has all inputs from the
    /// start of the node, and no decision depends on data that is not recorded, namely messages of a
    /// broker and content to be compressed.
    pub fn is_whole(&self) -> bool {
        let config = &self.config;
        let all_is_recorded = config.cluster.is_none() && config.compression.is_none();
        self.lost_inputs == 0 && !self.interrupted && all_is_recorded
    }
}

fn read_header(line: &str) -> Result<Header, BadRecording> {
    let value: serde_json::Value =
        serde_json::from_str(line).map_err(|_| BadRecording::NotARecording)?;
    let format = value.get("switchboard_recording");
    let format = format.and_then(serde_json::Value::as_u64);
    match format.ok_or(BadRecording::NotARecording)? {
        format if format == u64::from(FORMAT) => {}
        format => return Err(BadRecording::Format(format)),
    }
    serde_json::from_value(value).map_err(|error| BadRecording::Line(1, error.to_string()))
}

fn read_line(line: &str) -> Result<Line, serde_json::Error> {
    let start: Start = serde_json::from_str(line)?;
    let (trace, held) = (start.h, start.held);
    let what = match start.op.as_str() {
        "dump" => What::Dump { trace, held },
        "ended" => What::Ended(serde_json::from_str(line)?),
        _ => What::Input {
            input: serde_json::from_str(line)?,
            trace,
            held,
        },
    };
    Ok(Line {
        number: start.n,
        at: Time::from_nanos(start.at),
        what,
    })
}
