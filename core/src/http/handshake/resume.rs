//! The URL parameters of clients that reconnect.

use super::headers::Known;
use super::request::Request;
use crate::{BadRequest, JoinFrom, Position};

/// The longest name of a session, in bytes.
const LONGEST: usize = 64;

/// The URL parameters by which a client is recognised and continues from its position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resume {
    /// The session that its successive connections belong to.
    pub(crate) session: Option<Box<str>>,
    /// From where on it wants the messages of the lobby, if it says so.
    pub(crate) from: Option<JoinFrom>,
}

impl Request {
    /// Returns what the parameters `session`, `since` and `last` say.
    pub(crate) fn resume(&self) -> Result<Resume, BadRequest> {
        let session = match self.single("session") {
            Ok(None) => None,
            Ok(Some(name)) if is_session(name) => Some(name.into()),
            _ => {
                let rule = "`session` must be one name of 1 to 64 of A-Z a-z 0-9 - _";
                return Err(BadRequest::Syntax(rule));
            }
        };
        Ok(Resume {
            session,
            from: self.join_from()?,
        })
    }

    /// Returns from where on the client wants the messages of the lobby: after the position that the
    /// parameter `since` names, or the `last` ones. A browser that opens an event stream again does so
    /// at the same URL, and names its position in `Last-Event-ID`.
    ///
    /// A position that is not legal is one nowhere, so that the client learns that nothing is recovered.
    pub(crate) fn join_from(&self) -> Result<Option<JoinFrom>, BadRequest> {
        let seen = if self.is_event_stream() {
            self.header_values(Known::LastEventId).next()
        } else {
            None
        };
        let since = match seen.filter(|id| !id.is_empty()) {
            Some(id) => Some(id),
            None => self.single("since").unwrap_or(Some("")),
        };
        if let Some(text) = since {
            let position = text.parse().unwrap_or_else(|_| Position::nowhere());
            return Ok(Some(JoinFrom::Since(position)));
        }
        match self.single("last").map(|last| last.map(str::parse)) {
            Ok(None) => Ok(None),
            Ok(Some(Ok(last))) => Ok(Some(JoinFrom::Last(last))),
            _ => Err(BadRequest::Syntax("`last` must be one number")),
        }
    }

    /// Returns a parameter that must not be given more than once.
    fn single(&self, name: &str) -> Result<Option<&str>, Repeated> {
        let mut given = self.query_pairs().filter(|(key, _)| *key == name);
        let first = given.next().map(|(_, value)| value);
        if given.next().is_some() {
            return Err(Repeated);
        }
        Ok(first)
    }
}

/// A parameter is given more than once.
struct Repeated;

/// Returns whether a client may call its session so.
pub(crate) fn is_session(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=LONGEST).contains(&name.len()) && name.bytes().all(legal)
}
