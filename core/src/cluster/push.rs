//! What nodes receive through channels: a header of fields parted by TAB, a newline, the body.
//!
//! ```text
//! 1 M seq epoch node own       ⏎ body                    a message of a room's log
//! 1 L node own stay            ⏎ body                    a message of a room without a common order
//! 1 P version epoch registration ⏎ +user ⏎ -user …       who came to a room and who left it; where something
//!                                                        is told of users, a field more for each line
//! 1 B registration count protocol state ⏎ figures        a heartbeat
//! 1 D node question user       ⏎ body                    a message for one user's connections
//! 1 A node question queues                               how many of them took it
//! 1 X registration reason user ⏎ connection ⏎ …          connections that are to be closed
//! 1 W node                     ⏎ body                    a message for every connection
//! ```
//!
//! Further fields are ignored, so that later versions can add some.

use std::fmt;
use std::str;

/// What a node received through a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Push<'a> {
    /// A message of a room's log. Published by [`Append`](super::Append).
    Message {
        /// Its number in the room.
        seq: u64,
        /// The epoch of the room.
        epoch: &'a str,
        /// The node that sent it.
        node: &'a str,
        /// That node's own number of it.
        own: u64,
        /// The message.
        body: &'a [u8],
    },
    /// A message of a room without a common order.
    Local {
        /// The node that sent it.
        node: &'a str,
        /// The node's stay in the room; its own numbers restart with each stay.
        stay: u64,
        /// That node's own number of it; 0 for a volatile message.
        own: u64,
        /// The message.
        body: &'a [u8],
    },
    /// Users came to a room, or left it. Published by [`Presence`](super::Presence).
    Presence {
        /// The version of the list after this change.
        version: u64,
        /// The epoch of the room.
        epoch: &'a str,
        /// The node's registration.
        registration: &'a str,
        /// Users who joined, or whose presence info has changed, which is JSON in one line.
        joined: Vec<(&'a str, Option<&'a str>)>,
        /// Who left.
        left: Vec<&'a str>,
    },
    /// A node lives.
    Beat {
        /// The node's registration.
        registration: &'a str,
        /// Counts the heartbeats of this registration.
        count: u64,
        /// The highest version of the protocol that the node speaks.
        protocol: u64,
        /// What it is about to do.
        state: NodeState,
        /// Its figures.
        figures: &'a [u8],
    },
    /// A message for the connections of one user.
    Direct {
        /// The node that asks.
        node: &'a str,
        /// Its number of the question.
        question: u64,
        /// The user.
        user: &'a str,
        /// The message.
        body: &'a [u8],
    },
    /// The answer to [`Push::Direct`].
    Taken {
        /// The node that answers.
        node: &'a str,
        /// The number of the question.
        question: u64,
        /// How many connections took the message into their queue.
        queues: u64,
    },
    /// Connections are to be closed. Published by [`Login`](super::Login) and
    /// [`Kick`](super::Kick).
    Close {
        /// The registration that claimed the user.
        registration: &'a str,
        /// Why, as a word.
        reason: &'a str,
        /// Whose connections.
        user: &'a str,
        /// Which.
        connections: Vec<&'a str>,
    },
    /// A message for every connection.
    Everyone {
        /// The node that sent it, which has served its own connections.
        node: &'a str,
        /// The message.
        body: &'a [u8],
    },
}

/// What a node says of itself in its heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// It serves.
    Up,
    /// It lets its connections go.
    Draining,
    /// This was its last heartbeat.
    Gone,
}

/// Why a payload is ignored.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPush {
    /// It is of another version of the protocol.
    Version,
    /// Its kind is unknown: a newer node may have sent it.
    Kind,
    /// A field is missing, or is not what it must be.
    Malformed,
}

impl fmt::Display for BadPush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version => "another version of the protocol between nodes",
            Self::Kind => "an unknown kind of message between nodes",
            Self::Malformed => "a malformed message between nodes",
        })
    }
}

impl std::error::Error for BadPush {}

impl<'a> Push<'a> {
    /// Parses a payload. Costs time linear in its length.
    ///
    /// # Errors
    ///
    /// [`BadPush`] says why it has to be ignored.
    pub fn parse(payload: &'a [u8]) -> Result<Self, BadPush> {
        let end = payload.iter().position(|&byte| byte == b'\n');
        let (header, body) = match end {
            Some(end) => (&payload[..end], &payload[end + 1..]),
            None => (payload, &[][..]),
        };
        let header = str::from_utf8(header).map_err(|_| BadPush::Malformed)?;
        let mut fields = Fields(header.split('\t'));
        if fields.text()? != "1" {
            return Err(BadPush::Version);
        }
        let kind = fields.text()?;
        Self::of_kind(kind, fields, body)
    }

    fn of_kind(kind: &str, mut fields: Fields<'a>, body: &'a [u8]) -> Result<Self, BadPush> {
        Ok(match kind {
            "M" => Self::Message {
                seq: fields.number()?,
                epoch: fields.text()?,
                node: fields.text()?,
                own: fields.number()?,
                body,
            },
            "L" => Self::Local {
                node: fields.text()?,
                own: fields.number()?,
                stay: fields.number()?,
                body,
            },
            "P" => {
                let (version, epoch) = (fields.number()?, fields.text()?);
                let registration = fields.text()?;
                let (joined, left) = changes(body, fields)?;
                Self::Presence {
                    version,
                    epoch,
                    registration,
                    joined,
                    left,
                }
            }
            "B" => Self::Beat {
                registration: fields.text()?,
                count: fields.number()?,
                protocol: fields.number()?,
                state: NodeState::from_word(fields.text()?)?,
                figures: body,
            },
            "D" => Self::Direct {
                node: fields.text()?,
                question: fields.number()?,
                user: fields.text()?,
                body,
            },
            "A" => Self::Taken {
                node: fields.text()?,
                question: fields.number()?,
                queues: fields.number()?,
            },
            "X" => Self::Close {
                registration: fields.text()?,
                reason: fields.text()?,
                user: fields.text()?,
                connections: lines(body)?.collect(),
            },
            "W" => Self::Everyone {
                node: fields.text()?,
                body,
            },
            _ => return Err(BadPush::Kind),
        })
    }
}

impl NodeState {
    fn from_word(word: &str) -> Result<Self, BadPush> {
        Ok(match word {
            "up" => Self::Up,
            "draining" => Self::Draining,
            "gone" => Self::Gone,
            _ => return Err(BadPush::Malformed),
        })
    }
}

/// The fields of a header, each of which must be there and not be empty.
struct Fields<'a>(str::Split<'a, char>);

impl<'a> Fields<'a> {
    fn text(&mut self) -> Result<&'a str, BadPush> {
        let text = self.0.next().ok_or(BadPush::Malformed)?;
        if text.is_empty() {
            return Err(BadPush::Malformed);
        }
        Ok(text)
    }

    fn number(&mut self) -> Result<u64, BadPush> {
        let text = self.text()?;
        // `parse` would take a sign too.
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadPush::Malformed);
        }
        text.parse().map_err(|_| BadPush::Malformed)
    }
}

/// The lines of a body, none of which is empty.
fn lines(body: &[u8]) -> Result<impl Iterator<Item = &str>, BadPush> {
    let body = str::from_utf8(body).map_err(|_| BadPush::Malformed)?;
    if body.split('\n').any(str::is_empty) {
        return Err(BadPush::Malformed);
    }
    Ok(body.split('\n'))
}

/// Users who joined, with their presence info, and users who left.
type Changes<'a> = (Vec<(&'a str, Option<&'a str>)>, Vec<&'a str>);

fn changes<'a>(body: &'a [u8], mut infos: Fields<'a>) -> Result<Changes<'a>, BadPush> {
    let (mut joined, mut left) = (Vec::new(), Vec::new());
    for line in lines(body)? {
        let info = infos.0.next().filter(|info| !info.is_empty());
        match line.split_at_checked(1) {
            Some(("+", user)) if !user.is_empty() => joined.push((user, info)),
            Some(("-", user)) if !user.is_empty() => left.push(user),
            _ => return Err(BadPush::Malformed),
        }
    }
    Ok((joined, left))
}
