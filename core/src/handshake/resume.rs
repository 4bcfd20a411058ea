//! What the URL of a client says that comes back.

use super::request::Request;
use crate::{BadRequest, Position};

/// The longest name of a session, in bytes.
const LONGEST: usize = 64;

/// What a client says in its URL to be recognised and to go on where it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resume {
    /// The session that its successive connections belong to.
    pub(crate) session: Option<Box<str>>,
    /// Its position in the lobby. One that is not legal is a position nowhere, so that the client
    /// learns that nothing is recovered.
    pub(crate) since: Option<Position>,
}

impl Request {
    /// Returns what the parameters `session` and `since` say.
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
            since: self.since(),
        })
    }

    /// Returns the position in the lobby that the parameter `since` names.
    pub(crate) fn since(&self) -> Option<Position> {
        match self.single("since") {
            Ok(None) => None,
            Ok(Some(text)) => Some(text.parse().unwrap_or_else(|_| Position::nowhere())),
            Err(Repeated) => Some(Position::nowhere()),
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

fn is_session(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=LONGEST).contains(&name.len()) && name.bytes().all(legal)
}
