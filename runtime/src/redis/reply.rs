//! A reply of Redis, and what its errors mean.

use std::sync::Arc;

use switchboard_core::cluster::Failure;

/// A reply of Redis, whichever client library read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// No value.
    Nil,
    /// A number.
    Integer(i64),
    /// A simple or a bulk string.
    Text(Vec<u8>),
    /// A list.
    List(Vec<Reply>),
    /// An error, with its code: `OOM command not allowed…`.
    Error(String),
}

/// Returns what an error reply means. Redis 6.2 wraps the errors of a script's commands, so codes are
/// looked for further inside too.
pub fn failure(error: &str) -> Failure {
    let code = |word: &str| {
        Some(match word.trim_start_matches('-') {
            "READONLY" => Failure::ReadOnly,
            "LOADING" => Failure::Loading,
            "MASTERDOWN" => Failure::MasterDown,
            "MISCONF" => Failure::CannotSave,
            "OOM" => Failure::OutOfMemory,
            "NOSCRIPT" => Failure::NoScript,
            "NOAUTH" | "WRONGPASS" => Failure::NoAuth,
            "NOPERM" => Failure::NoPermission,
            "BUSY" => Failure::Busy,
            "WRONGTYPE" => Failure::WrongType,
            _ => return None,
        })
    };
    // Redis 6.2 and 7.0 give a refusal by access rules within a script no code.
    if error.contains("The user executing the script can't") {
        return Failure::NoPermission;
    }
    let mut words = error.split(' ');
    match words.next() {
        Some("ERR") if error.contains("@user_script") => {
            words.find_map(code).unwrap_or(Failure::Other)
        }
        first => first.and_then(code).unwrap_or(Failure::Other),
    }
}

impl Reply {
    /// The elements of a list.
    pub(super) fn list(self) -> Result<Elements, Failure> {
        match self {
            Self::List(list) => Ok(Elements(list.into_iter())),
            Self::Error(error) => Err(failure(&error)),
            _ => Err(Failure::Malformed),
        }
    }

    /// The elements of a list, or `None` if there is none.
    pub(super) fn list_if_any(self) -> Result<Option<Elements>, Failure> {
        match self {
            Self::Nil => Ok(None),
            other => other.list().map(Some),
        }
    }

    pub(super) fn bytes(self) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Text(bytes) => Ok(bytes),
            Self::Error(error) => Err(failure(&error)),
            _ => Err(Failure::Malformed),
        }
    }

    pub(super) fn text(self) -> Result<Arc<str>, Failure> {
        let bytes = self.bytes()?;
        let text = str::from_utf8(&bytes).map_err(|_| Failure::Malformed)?;
        Ok(text.into())
    }

    /// A number, which Redis keeps as text.
    pub(super) fn number(self) -> Result<u64, Failure> {
        match self {
            Self::Integer(number) => number.try_into().map_err(|_| Failure::Malformed),
            Self::Text(digits) => digits_to_number(&digits).ok_or(Failure::Malformed),
            Self::Error(error) => Err(failure(&error)),
            Self::Nil | Self::List(_) => Err(Failure::Malformed),
        }
    }

    pub(super) fn small_number(self) -> Result<u32, Failure> {
        self.number()?.try_into().map_err(|_| Failure::Malformed)
    }

    /// A number, or -1 where it is unknown.
    pub(super) fn number_if_known(self) -> Result<Option<u64>, Failure> {
        match self {
            Self::Integer(-1) => Ok(None),
            other => other.number().map(Some),
        }
    }
}

/// Reads a number that consists of digits only.
pub(super) fn digits_to_number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(digits).ok()?.parse().ok()
}

/// The elements of a list, each of which must exist.
pub(super) struct Elements(std::vec::IntoIter<Reply>);

impl Elements {
    pub(super) fn take(&mut self) -> Result<Reply, Failure> {
        self.0.next().ok_or(Failure::Malformed)
    }

    pub(super) fn rest(self) -> impl Iterator<Item = Reply> {
        self.0
    }
}
