//! Replays a recording of a node, and says why its connections ended.
//!
//! The node that is told the same again is the one of production. What it does is compared with what the recorded one
//! did: the hash of its actions before each input, and the ends of connections with their reasons.

mod answer;

use switchboard_core::recorder::{BadRecording, Ended, Recording, What};
use switchboard_core::{ConfigError, Replay, Replayed, Time};

pub use self::answer::{Question, answer};

/// What came of a replay.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The recording.
    pub recording: Recording,
    /// What the replay did; `None` if the recording does not reach back to the beginning.
    pub replayed: Option<Replayed>,
}

/// Why there is no replay.
#[derive(Clone, Debug)]
pub enum Failed {
    /// The text is not a recording.
    Recording(BadRecording),
    /// This version does not accept its configuration.
    Config(ConfigError),
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Recording(bad) => bad.fmt(f),
            Self::Config(error) => {
                write!(f, "this version does not accept the configuration: {error}")
            }
        }
    }
}

impl Outcome {
    /// Returns the recorded ends of connections, with the time of each.
    pub fn ends(&self) -> impl Iterator<Item = (Time, &Ended)> {
        let lines = self.recording.lines.iter();
        lines.filter_map(|line| match &line.what {
            What::Ended(ended) => Some((line.at, &**ended)),
            _ => None,
        })
    }

    /// Returns whether the replay did what was recorded.
    pub fn is_alike(&self) -> bool {
        self.replayed.as_ref().is_some_and(|replayed| {
            replayed.unlike.is_none() && self.recording.ends().eq(&replayed.ends)
        })
    }
}

/// Reads the text of a dump and replays it.
pub fn replay(text: &str) -> Result<Outcome, Failed> {
    let recording = Recording::read(text).map_err(Failed::Recording)?;
    let replayed = if recording.is_whole() {
        Some(Replay::run(&recording).map_err(Failed::Config)?)
    } else {
        None
    };
    Ok(Outcome {
        recording,
        replayed,
    })
}
