//! [`Denied`]: a refusal by the application.

use std::sync::Arc;

use crate::protocol::{BadContent, ErrorCode};
use crate::{ApplicationCode, CloseReason, Refused};

/// A refusal by the application.
///
/// How it is sent depends on what was refused:
///
/// | what | how |
/// |---|---|
/// | a request of the JSON protocol | the answer `error`; the connection stays open |
/// | a client that wants to be admitted | close code 4001, 4003 or 1011, or HTTP status 401, 403 or 500 |
/// | a message in raw mode, or a new login | the same close codes |
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Missing or invalid credentials.
    Unauthorized,
    /// Authenticated, but not allowed.
    Forbidden,
    /// The method of a call does not exist. For other things, like [`Forbidden`](Self::Forbidden).
    UnknownMethod,
    /// The application has failed, for example because it could not reach its database. A request is
    /// answered with `internal`; otherwise the close code is 1011.
    Failed,
    /// A reason of the application's own. Made by [`because`](Self::because).
    Because(Reason),
}

/// The application has failed to make JSON that clients can read.
impl From<BadContent> for Denied {
    fn from(_: BadContent) -> Self {
        Self::Failed
    }
}

/// The application's own reason for a refusal. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(Arc<Words>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Words {
    code: String,
    text: String,
    close: Option<ApplicationCode>,
}

impl Denied {
    /// Creates a refusal with a code defined by the application, such as `no_such_item`, and a text for
    /// people: the fields `code` and `message` of an `error`. The code should not be one of
    /// [`ErrorCode`].
    ///
    /// If it is sent as a Close frame or by HTTP, it is like [`Forbidden`](Self::Forbidden), unless it
    /// has a [close code](Self::closing_with).
    ///
    /// # Example
    ///
    /// ```
    /// use switchboard_core::{ApplicationCode, Denied};
    ///
    /// let denied = Denied::because("members_only", "this room is for members");
    /// // 4500 to 4999: clients do not come back.
    /// let banned = Denied::because("banned", "until Monday").closing_with(ApplicationCode::new(4510)?);
    /// # Ok::<(), switchboard_core::BadCloseCode>(())
    /// ```
    pub fn because(code: impl Into<String>, text: impl Into<String>) -> Self {
        Self::Because(Reason(Arc::new(Words {
            code: code.into(),
            text: text.into(),
            close: None,
        })))
    }

    /// Sets the code for refusals that are sent as a Close frame. The reason is the text, cut to 123
    /// bytes. An HTTP refusal is 403.
    #[must_use]
    pub fn closing_with(self, close: ApplicationCode) -> Self {
        let (code, text) = self.words();
        Self::Because(Reason(Arc::new(Words {
            close: Some(close),
            code: code.to_owned(),
            text: text.to_owned(),
        })))
    }

    /// Returns the code and the text of an `error`.
    pub(crate) fn words(&self) -> (&str, &str) {
        match self {
            Self::Unauthorized => (ErrorCode::Unauthorized.as_str(), "log in first"),
            Self::Forbidden => (
                ErrorCode::Forbidden.as_str(),
                "you are not allowed to do that",
            ),
            Self::UnknownMethod => (ErrorCode::UnknownType.as_str(), "there is no such method"),
            Self::Failed => (ErrorCode::Internal.as_str(), "the application has failed"),
            Self::Because(Reason(words)) => (&words.code, &words.text),
        }
    }

    /// Returns the application's close code and text.
    pub(crate) fn closing(&self) -> Option<(ApplicationCode, &str)> {
        match self {
            Self::Because(Reason(words)) => Some((words.close?, &words.text)),
            _ => None,
        }
    }

    /// Returns how a client is refused that is not admitted yet.
    pub(crate) fn refused(&self) -> Refused {
        match self {
            Self::Unauthorized => Refused::Unauthorized,
            Self::Forbidden | Self::UnknownMethod => Refused::Forbidden,
            Self::Failed => Refused::Internal,
            Self::Because(_) => self
                .closing()
                .map_or(Refused::Forbidden, |(code, _)| Refused::Application(code)),
        }
    }

    /// Returns how an open connection is closed.
    pub(crate) fn close_reason(&self) -> CloseReason {
        self.refused().close_upgraded()
    }
}
