//! What a user or a room may be called.

use std::fmt;

/// Why a name was not taken.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadName {
    /// It has no bytes.
    Empty,
    /// It has more bytes than the limit given here.
    TooLong(usize),
    /// It has a control character (C0, DEL or C1).
    Control,
    /// It is a user's, and begins like those of anonymous connections.
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

/// How the names of anonymous connections begin, and no others.
pub(crate) const ANONYMOUS: &str = "anon-";

/// Checks a name of a user or a room against the rules and a limit in bytes.
///
/// Names are compared byte for byte: two Unicode forms of one text are two names.
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

/// Checks the name that the application gives to a user: the rules of [`check_name`], and that it is
/// none of those kept for anonymous connections, which begin with `anon-`.
pub fn check_user(name: &str, limit: usize) -> Result<(), BadName> {
    check_name(name, limit)?;
    if name.starts_with(ANONYMOUS) {
        return Err(BadName::Reserved);
    }
    Ok(())
}
