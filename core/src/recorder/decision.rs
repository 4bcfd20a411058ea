//! Questions to the application and its answers, in the form in which they are recorded.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::forms::Sent;
use super::payload::{Payload, Redactor, content_of};
use super::said::{Begin, Far, Id, id_of, request_id};
use crate::{ApplicationCode, Denied, JoinFrom, Question, Token};

/// A question that the application has answered, as it is then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum Decision<'a> {
    Join {
        room: Cow<'a, str>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        lobby: bool,
        from: Begin,
        reach: Far,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Id<'a>,
    },
    Direct {
        to: Cow<'a, str>,
        frame: Sent,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Id<'a>,
    },
    Message {
        room: Cow<'a, str>,
        content: Option<Payload>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        handled: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Cow<'a, str>>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        echo: bool,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        volatile: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        again: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Id<'a>,
    },
    Call {
        method: Cow<'a, str>,
        params: Option<Payload>,
        result: Option<Payload>,
        id: Cow<'a, str>,
    },
    Token {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Id<'a>,
    },
}

impl Redactor {
    pub(crate) fn decision<'a>(&self, question: &'a Question) -> Decision<'a> {
        match question {
            Question::Join {
                room,
                lobby,
                from,
                reach,
                request,
            } => Decision::Join {
                room: self.name(room),
                lobby: *lobby,
                from: from.into(),
                reach: (*reach).into(),
                id: id_of(request.as_ref()),
            },
            Question::Direct { to, frame, request } => Decision::Direct {
                to: self.name(to),
                frame: self.frame(frame),
                id: id_of(request.as_ref()),
            },
            Question::Message {
                room,
                content,
                handled,
                key,
                echo,
                volatile,
                again,
                request,
                twin: _,
            } => Decision::Message {
                room: self.name(room),
                content: self.json(content),
                handled: *handled,
                key: key.as_deref().map(|it| self.name(it)),
                echo: *echo,
                volatile: *volatile,
                again: *again,
                id: id_of(request.as_ref()),
            },
            Question::Call {
                method,
                params,
                result,
                request,
            } => Decision::Call {
                method: self.name(method),
                params: self.json(params),
                result: self.json(result),
                id: request.as_json().into(),
            },
            Question::Token { request, .. } => Decision::Token {
                id: id_of(request.as_ref()),
            },
        }
    }
}

impl Decision<'_> {
    /// Returns the question, with other content of the same length; `None` if the recording is not legal.
    pub(crate) fn question(&self) -> Option<Question> {
        let request = |id: &Id<'_>| id.as_deref().and_then(request_id);
        Some(match self {
            Self::Join {
                room,
                lobby,
                from,
                reach,
                id,
            } => Question::Join {
                room: room.as_ref().into(),
                lobby: *lobby,
                from: JoinFrom::from(from),
                reach: (*reach).into(),
                request: request(id),
            },
            Self::Direct { to, frame, id } => Question::Direct {
                to: to.as_ref().into(),
                frame: frame.frame(),
                request: request(id),
            },
            Self::Message {
                room,
                content,
                handled,
                key,
                echo,
                volatile,
                again,
                id,
            } => Question::Message {
                room: room.as_ref().into(),
                content: content_of(*content),
                handled: *handled,
                key: key.as_deref().map(Into::into),
                echo: *echo,
                volatile: *volatile,
                again: *again,
                request: request(id),
                twin: None,
            },
            Self::Call {
                method,
                params,
                result,
                id,
            } => Question::Call {
                method: method.as_ref().into(),
                params: content_of(*params),
                result: content_of(*result),
                request: request_id(id)?,
            },
            Self::Token { id } => Question::Token {
                token: Token::new(""),
                request: request(id),
            },
        })
    }
}

/// What the application answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer<'a> {
    Yes,
    Unauthorized,
    Forbidden,
    UnknownMethod,
    Failed,
    /// For the application's own reason.
    Because {
        code: Cow<'a, str>,
        text: Cow<'a, str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        close: Option<u16>,
    },
}

impl<'a> From<&'a Result<(), Denied>> for Answer<'a> {
    fn from(answer: &'a Result<(), Denied>) -> Self {
        match answer {
            Ok(()) => Self::Yes,
            Err(Denied::Unauthorized) => Self::Unauthorized,
            Err(Denied::Forbidden) => Self::Forbidden,
            Err(Denied::UnknownMethod) => Self::UnknownMethod,
            Err(Denied::Failed) => Self::Failed,
            Err(denied @ Denied::Because(_)) => {
                let (code, text) = denied.words();
                Self::Because {
                    code: code.into(),
                    text: text.into(),
                    close: denied.closing().map(|(code, _)| code.into()),
                }
            }
        }
    }
}

impl From<&Answer<'_>> for Result<(), Denied> {
    fn from(answer: &Answer<'_>) -> Self {
        Err(match answer {
            Answer::Yes => return Ok(()),
            Answer::Unauthorized => Denied::Unauthorized,
            Answer::Forbidden => Denied::Forbidden,
            Answer::UnknownMethod => Denied::UnknownMethod,
            Answer::Failed => Denied::Failed,
            Answer::Because { code, text, close } => {
                let denied = Denied::because(code.as_ref(), text.as_ref());
                let close = close.and_then(|code| ApplicationCode::new(code).ok());
                close.map_or_else(|| denied.clone(), |code| denied.clone().closing_with(code))
            }
        })
    }
}
