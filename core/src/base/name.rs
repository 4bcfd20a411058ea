//! Rules for the names of users and rooms.

use std::fmt;

use crate::ConnectionId;

/// Why a name was rejected.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadName {
    /// The name is empty.
    Empty,
    /// The name is longer than this limit in bytes.
    TooLong(usize),
    /// The name contains a control character (C0, DEL or C1).
    Control,
    /// The name of a user begins with `anon-`, which is reserved for anonymous connections.
    Reserved,
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a name must not be empty"),
            Self::TooLong(limit) => write!(f, "a name may have at most {limit} bytes"),
            Self::Control => f.write_str("a name must not have control characters"),
            Self::Reserved => write!(f, "a user's name must not begin with `{ANONYMOUS}`"),
        }
    }
}

impl std::error::Error for BadName {}

/// The prefix of the names of anonymous connections, which no other user may have.
const ANONYMOUS: &str = "anon-";

/// Returns the name of the user of an anonymous connection.
pub(crate) fn anonymous_user(id: ConnectionId) -> String {
    format!("{ANONYMOUS}{id}")
}

/// Checks the name of a user or a room; `limit` is in bytes.
///
/// Names are compared byte for byte, without Unicode normalization.
///
/// # Errors
///
/// The [`BadName`] says which rule the name breaks.
pub fn check_name(name: &str, limit: usize) -> Result<(), BadName> {
    if name.is_empty() {
        return Err(BadName::Empty);
    }
    if name.len() > limit {
        return Err(BadName::TooLong(limit));
    }
    if name.chars().any(char::is_control) {
        return Err(BadName::Control);
    }
    Ok(())
}

/// Checks the name of an authenticated user: applies [`check_name`] and rejects names with the
/// reserved prefix `anon-`.
///
/// # Errors
///
/// As for [`check_name`], and [`BadName::Reserved`].
pub fn check_user(name: &str, limit: usize) -> Result<(), BadName> {
    check_name(name, limit)?;
    if name.starts_with(ANONYMOUS) {
        return Err(BadName::Reserved);
    }
    Ok(())
}
