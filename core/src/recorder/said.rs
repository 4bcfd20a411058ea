//! What clients ask for and what the application answers, in the form in which it is recorded.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::forms::fixed;
use super::payload::{Payload, Redactor, content_of};
use crate::protocol::{self, Command, Content, ErrorCode, Rejected, RequestId, Since, Timestamp};
use crate::{JoinFrom, Position, Reach, Token};

/// The id of a request, as JSON.
pub(super) type Id<'a> = Option<Cow<'a, str>>;

/// A message of a client in the JSON protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Said<'a> {
    Subscribe {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Id<'a>,
        channel: Cow<'a, str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<(Cow<'a, str>, u64)>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<u64>,
    },
    Unsubscribe {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Id<'a>,
        channel: Cow<'a, str>,
    },
    Message {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Id<'a>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        channel: Option<Cow<'a, str>>,
        content: Option<Payload>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Cow<'a, str>>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        echo: bool,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        volatile: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        again: Option<u64>,
    },
    Direct {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Id<'a>,
        to: Cow<'a, str>,
        content: Option<Payload>,
    },
    Call {
        id: Cow<'a, str>,
        method: Cow<'a, str>,
        params: Option<Payload>,
    },
    Ping {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Id<'a>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timestamp: Option<Payload>,
    },
    HealthPong {
        /// The number of the ping, if there was one of it.
        timestamp: Option<u64>,
    },
    Auth {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Id<'a>,
    },
    /// It could not be understood.
    Rejected {
        code: Cow<'a, str>,
        message: Cow<'a, str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Id<'a>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        channel: Option<Cow<'a, str>>,
    },
}

impl Redactor {
    /// Returns what stands for a message. The numbers of our pings go up to `pings`.
    pub(crate) fn said<'a>(
        &self,
        command: &'a Result<Command<'_>, Rejected<'_>>,
        pings: u64,
    ) -> Said<'a> {
        match command {
            Ok(command) => self.command(command, pings),
            Err(rejected) => Said::Rejected {
                code: rejected.code.as_str().into(),
                message: rejected.message.into(),
                id: id_of(rejected.id.as_ref()),
                channel: rejected.channel.as_deref().map(|it| self.name(it)),
            },
        }
    }

    fn command<'a>(&self, command: &'a Command<'_>, pings: u64) -> Said<'a> {
        match command {
            Command::Subscribe {
                id,
                channel,
                since,
                last,
            } => Said::Subscribe {
                id: id_of(id.as_ref()),
                channel: self.name(channel),
                since: since.as_ref().map(|it| ((&*it.epoch).into(), it.seq)),
                last: *last,
            },
            Command::Unsubscribe { id, channel } => Said::Unsubscribe {
                id: id_of(id.as_ref()),
                channel: self.name(channel),
            },
            Command::Message {
                id,
                channel,
                content,
                key,
                echo,
                volatile,
                again,
            } => Said::Message {
                id: id_of(id.as_ref()),
                channel: channel.as_deref().map(|it| self.name(it)),
                content: self.content(*content),
                key: key.as_deref().map(|it| self.name(it)),
                echo: *echo,
                volatile: *volatile,
                again: *again,
            },
            Command::Direct { id, to, content } => Said::Direct {
                id: id_of(id.as_ref()),
                to: self.name(to),
                content: self.content(*content),
            },
            Command::Call { id, method, params } => Said::Call {
                id: id.as_json().into(),
                method: self.name(method),
                params: self.content(*params),
            },
            Command::Ping { id, timestamp } => Said::Ping {
                id: id_of(id.as_ref()),
                timestamp: timestamp
                    .as_ref()
                    .map(|it| self.payload(it.as_json().as_bytes())),
            },
            Command::HealthPong { timestamp } => Said::HealthPong {
                timestamp: timestamp.filter(|number| (1..=pings).contains(number)),
            },
            Command::Auth { id, token: _ } => Said::Auth {
                id: id_of(id.as_ref()),
            },
        }
    }
}

impl Said<'_> {
    /// Calls `work` with the message, with other content of the same length. Returns `None` if the recording
    /// is not legal.
    pub(crate) fn with<T>(
        &self,
        work: impl FnOnce(Result<Command<'_>, Rejected<'_>>) -> T,
    ) -> Option<T> {
        if let Some(rejected) = self.rejected() {
            return Some(work(Err(rejected)));
        }
        let content = match self {
            Self::Message { content, .. } | Self::Direct { content, .. } => content_of(*content),
            Self::Call { params, .. } => content_of(*params),
            _ => content_of(None),
        };
        let command = self
            .about_room(content.as_content())
            .or_else(|| self.about_others(content.as_content()))?;
        Some(work(Ok(command)))
    }

    fn rejected(&self) -> Option<Rejected<'static>> {
        let Self::Rejected {
            code,
            message,
            id,
            channel,
        } = self
        else {
            return None;
        };
        let unknown = *code == ErrorCode::UnknownType.as_str();
        Some(Rejected {
            code: if unknown {
                ErrorCode::UnknownType
            } else {
                ErrorCode::BadRequest
            },
            message: fixed(message),
            id: request_of(id),
            channel: channel.as_deref().map(name_of),
        })
    }

    /// Returns the request, if it is about a room.
    fn about_room<'a>(&self, content: Content<'a>) -> Option<Command<'a>> {
        Some(match self {
            Self::Subscribe {
                id,
                channel,
                since,
                last,
            } => Command::Subscribe {
                id: request_of(id),
                channel: name_of(channel),
                since: since.as_ref().map(|(epoch, seq)| Since {
                    epoch: name_of(epoch),
                    seq: *seq,
                }),
                last: *last,
            },
            Self::Unsubscribe { id, channel } => Command::Unsubscribe {
                id: request_of(id),
                channel: name_of(channel),
            },
            Self::Message {
                id,
                channel,
                content: _,
                key,
                echo,
                volatile,
                again,
            } => Command::Message {
                id: request_of(id),
                channel: channel.as_deref().map(name_of),
                content,
                key: key.as_deref().map(name_of),
                echo: *echo,
                volatile: *volatile,
                again: *again,
            },
            _ => return None,
        })
    }

    /// Returns the request, if it is about something else; also `None` for an invalid id.
    fn about_others<'a>(&self, content: Content<'a>) -> Option<Command<'a>> {
        Some(match self {
            Self::Direct { id, to, .. } => Command::Direct {
                id: request_of(id),
                to: name_of(to),
                content,
            },
            Self::Call { id, method, .. } => Command::Call {
                id: request_id(id)?,
                method: name_of(method),
                params: content,
            },
            Self::Ping { id, timestamp } => Command::Ping {
                id: request_of(id),
                timestamp: timestamp.and_then(timestamp_of),
            },
            Self::HealthPong { timestamp } => Command::HealthPong {
                timestamp: *timestamp,
            },
            Self::Auth { id } => Command::Auth {
                id: request_of(id),
                token: Token::new(""),
            },
            _ => return None,
        })
    }
}

fn name_of(name: &str) -> Cow<'static, str> {
    Cow::Owned(name.to_owned())
}

fn request_of(id: &Id<'_>) -> Option<RequestId<'static>> {
    id.as_deref().and_then(request_id)
}

pub(super) fn id_of<'a>(id: Option<&'a RequestId<'_>>) -> Id<'a> {
    id.map(|id| id.as_json().into())
}

/// Reads the id of a request.
pub(crate) fn request_id(json: &str) -> Option<RequestId<'static>> {
    match protocol::parse(&format!(r#"{{"type":"ping","id":{json}}}"#)) {
        Ok(Command::Ping { id, .. }) => id.map(RequestId::into_owned),
        _ => None,
    }
}

fn timestamp_of(payload: Payload) -> Option<Timestamp<'static>> {
    let json = payload.json();
    match protocol::parse(&format!(r#"{{"type":"ping","timestamp":{json}}}"#)) {
        Ok(Command::Ping { timestamp, .. }) => timestamp.map(Timestamp::into_owned),
        _ => None,
    }
}

/// From where on a client wants the messages of a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Begin {
    Rule,
    Last(u64),
    Since(String, u64),
}

impl From<&JoinFrom> for Begin {
    fn from(from: &JoinFrom) -> Self {
        match from {
            JoinFrom::Rule => Self::Rule,
            JoinFrom::Last(last) => Self::Last(*last),
            JoinFrom::Since(since) => Self::Since(since.epoch.to_string(), since.seq),
        }
    }
}

impl From<&Begin> for JoinFrom {
    fn from(from: &Begin) -> Self {
        match from {
            Begin::Rule => Self::Rule,
            Begin::Last(last) => Self::Last(*last),
            Begin::Since(epoch, seq) => Self::Since(Position {
                epoch: epoch.as_str().into(),
                seq: *seq,
            }),
        }
    }
}

/// How far back a client may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Far {
    All,
    Now,
    From(u64),
}

impl From<Reach> for Far {
    fn from(reach: Reach) -> Self {
        match reach {
            Reach::All => Self::All,
            Reach::Now => Self::Now,
            Reach::From(from) => Self::From(from),
        }
    }
}

impl From<Far> for Reach {
    fn from(far: Far) -> Self {
        match far {
            Far::All => Self::All,
            Far::Now => Self::Now,
            Far::From(from) => Self::From(from),
        }
    }
}
