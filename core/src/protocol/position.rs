//! Positions in rooms, and where a member starts to receive a room's messages.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::protocol::{MAX_ECHO_BYTES, Since};

/// A position in a room: an epoch, and a number in it.
///
/// As text it is `EPOCH.SEQ`, as in the URL of a client that reconnects.
///
/// ```
/// # use switchboard_core::Position;
/// let position: Position = "5f-1.12".parse()?;
/// assert_eq!((&*position.epoch, position.seq), ("5f-1", 12));
/// assert_eq!(position.to_string(), "5f-1.12");
/// # Ok::<(), switchboard_core::BadPosition>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Position {
    /// Identifies the life of the room.
    pub epoch: Arc<str>,
    /// The number of the last message before the position; 0 if there is none.
    pub seq: u64,
}

/// The error for a text that is not a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPosition;

impl fmt::Display for BadPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a position is an epoch of at most 128 bytes, a dot and a number")
    }
}

impl std::error::Error for BadPosition {}

impl Position {
    /// Returns a position in no life of any room.
    pub(crate) fn nowhere() -> Self {
        Self {
            epoch: "".into(),
            seq: 0,
        }
    }
}

impl FromStr for Position {
    type Err = BadPosition;

    fn from_str(text: &str) -> Result<Self, BadPosition> {
        let (epoch, seq) = text.rsplit_once('.').ok_or(BadPosition)?;
        let digits = seq.bytes().all(|byte| byte.is_ascii_digit());
        let seq = seq.parse().ok().filter(|_| digits);
        let legal = (1..=MAX_ECHO_BYTES).contains(&epoch.len());
        match seq {
            Some(seq) if legal => Ok(Self {
                epoch: epoch.into(),
                seq,
            }),
            _ => Err(BadPosition),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.seq)
    }
}

impl From<Since<'_>> for Position {
    fn from(since: Since<'_>) -> Self {
        Self {
            epoch: since.epoch.into(),
            seq: since.seq,
        }
    }
}

/// Where a client wants to start in a room that it enters. In rooms without history, it always receives
/// only messages that are published after it enters.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum JoinFrom {
    /// From where the room's rule says ([`History::on_join`](crate::History::on_join)).
    #[default]
    Rule,
    /// From the latest messages on, this many of them, as far as the rule allows
    /// ([`History::on_join_max`](crate::History::on_join_max)).
    Last(u64),
    /// After this position, up to which it has everything.
    Since(Position),
}

/// How far back into the history of a room the application lets a client reach.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// As far as it wants and the room allows.
    #[default]
    All,
    /// Not at all: it receives messages that are published from now on. If it has missed any, it is
    /// told that they are not recovered.
    Now,
    /// To this number at most. Earlier ones are announced as not meant for it.
    From(u64),
}
