//! What is said of a recording, for people.

use std::fmt::{self, Write};

use switchboard_core::recorder::{Ended, Recording, Unit, What};
use switchboard_core::response::HttpDate;
use switchboard_core::{ConnectionId, Time};

use super::Outcome;

/// Inputs about a connection that are shown.
const SHOWN: usize = 20;

/// What is asked about a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Why connections ended.
    All,
    /// Why this one did.
    Connection(ConnectionId),
    /// Why those of this user did.
    User(String),
}

impl From<&str> for Question {
    fn from(word: &str) -> Self {
        word.parse()
            .map_or_else(|_| Self::User(word.into()), Self::Connection)
    }
}

impl Question {
    fn is_about(&self, ended: &Ended) -> bool {
        match self {
            Self::All => true,
            Self::Connection(id) => ended.conn == *id,
            Self::User(user) => ended.user.as_deref() == Some(user),
        }
    }
}

/// Answers a question about a recording.
pub fn answer(outcome: &Outcome, question: &Question) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_answer(&mut text, outcome, question);
    text
}

fn write_answer(out: &mut String, outcome: &Outcome, question: &Question) -> fmt::Result {
    write_head(out, outcome)?;
    let mut found = false;
    for (at, ended) in outcome.ends().filter(|(_, it)| question.is_about(it)) {
        found = true;
        writeln!(
            out,
            "{} {}",
            Moment(&outcome.recording, at),
            sentence(ended)
        )?;
        if *question != Question::All {
            write_story(out, outcome, ended.conn)?;
        }
    }
    if !found {
        let missing = match question {
            Question::All => "no connection has ended",
            _ => "no such connection has ended",
        };
        writeln!(out, "{missing} in this recording")?;
    }
    Ok(())
}

fn write_head(out: &mut String, outcome: &Outcome) -> fmt::Result {
    let recording = &outcome.recording;
    let dumped = Moment(recording, recording.now);
    writeln!(
        out,
        "recorded by version {}, dumped at {dumped}",
        recording.version
    )?;
    if let Some(found) = &recording.stopped {
        writeln!(out, "stopped by an audit that failed: {found}")?;
    }
    if recording.lost_ends > 0 {
        writeln!(
            out,
            "forgotten: the first {} ends of connections",
            recording.lost_ends
        )?;
    }
    let Some(replayed) = &outcome.replayed else {
        return writeln!(out, "not replayed: {}", why_not(recording));
    };
    match &replayed.unlike {
        None if outcome.is_alike() => {
            writeln!(
                out,
                "replayed {} inputs: all actions are the same",
                replayed.inputs
            )?;
        }
        None => writeln!(
            out,
            "replayed {} inputs: connections ended for other reasons, so another version may have recorded it",
            replayed.inputs
        )?,
        Some((line, how)) => writeln!(
            out,
            "replayed {} inputs: unlike the recording from line {line} on, {how}; another version may have \
             recorded it",
            replayed.inputs
        )?,
    }
    match &replayed.audit {
        Ok(()) => Ok(()),
        Err(found) => writeln!(out, "an audit of the replay fails: {found}"),
    }
}

/// Returns why a recording cannot be replayed.
fn why_not(recording: &Recording) -> String {
    let answers = "the answers are those that the node itself recorded";
    if recording.config.cluster.is_some() {
        return format!("what the broker of a cluster says is not recorded; {answers}");
    }
    if recording.config.compression.is_some() {
        return format!("how long compressed messages are depends on their content; {answers}");
    }
    if recording.interrupted {
        return format!("it was interrupted by an audit that failed; {answers}");
    }
    format!(
        "{} inputs before the first one here were forgotten (recorder.bytes is {}); {answers}",
        recording.lost_inputs, recording.config.recorder.bytes
    )
}

/// Says in one sentence why a connection ended.
pub(super) fn sentence(ended: &Ended) -> String {
    let mut text = format!("{}", ended.conn);
    let _ = match &ended.user {
        Some(user) => write!(text, " of {user} ({})", ended.ip),
        None => write!(text, " ({})", ended.ip),
    };
    let how = if ended.refused {
        "was refused"
    } else {
        "ended"
    };
    let _ = write!(text, " {how}: {}", ended.reason);
    if let Some(code) = ended.code {
        let _ = write!(text, " ({code})");
    }
    let why = &ended.why;
    let _ = write!(text, " by the rule {}", why.rule);
    let unit = why.unit.map_or("", unit_name);
    let _ = match (why.value, why.limit) {
        (Some(value), Some(limit)) => write!(text, ": {value} {unit}, the limit is {limit}"),
        (Some(value), None) => write!(text, ": {unit} {value}"),
        (None, Some(limit)) => write!(text, ": the limit is {limit} {unit}"),
        (None, None) => Ok(()),
    };
    if let Some(detail) = why.detail.as_deref().filter(|detail| !detail.is_empty()) {
        let _ = write!(text, " ({detail})");
    }
    text
}

const fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Bytes => "bytes",
        Unit::Connections => "connections",
        Unit::Fragments => "fragments",
        Unit::Code => "code",
        Unit::Members => "members",
        Unit::Messages => "messages",
        Unit::Milliseconds => "ms",
        Unit::Rooms => "rooms",
        Unit::Strikes => "strikes",
    }
}

/// Writes the last inputs about a connection.
fn write_story(out: &mut String, outcome: &Outcome, id: ConnectionId) -> fmt::Result {
    let name = format!("\"{id}\"");
    let lines = outcome
        .recording
        .lines
        .iter()
        .filter_map(|line| match &line.what {
            What::Input { input, .. } => Some((line.at, serde_json::to_string(input).ok()?)),
            _ => None,
        });
    let about: Vec<_> = lines.filter(|(_, text)| text.contains(&name)).collect();
    for (at, text) in &about[about.len().saturating_sub(SHOWN)..] {
        writeln!(out, "    {} {text}", Moment(&outcome.recording, *at))?;
    }
    Ok(())
}

/// A time: of the day if the node knew it, and by its clock.
struct Moment<'a>(&'a Recording, Time);

impl fmt::Display for Moment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(recording, at) = *self;
        let before = recording.now.since(at);
        if let Some(unix) = recording.unix {
            let seconds = unix.saturating_sub(before.as_secs());
            write!(f, "{}, ", HttpDate::from_unix_seconds(seconds))?;
        }
        let seconds = at.since(Time::ZERO).as_secs_f64();
        write!(f, "{seconds:.3} s")
    }
}
