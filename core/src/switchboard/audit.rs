//! Comparing an index with a recount.

use std::fmt;

/// An index that disagrees with what it indexes.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inconsistency {
    /// The name of the index.
    pub what: &'static str,
    /// What the index says.
    pub kept: String,
    /// What the recount says.
    pub counted: String,
}

impl fmt::Display for Inconsistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: kept {}, counted {}",
            self.what, self.kept, self.counted
        )
    }
}

impl std::error::Error for Inconsistency {}

/// Compares what an index says with a recount.
#[allow(clippy::needless_pass_by_value)] // most arguments are temporaries
pub(super) fn same<T: PartialEq + fmt::Debug>(
    what: &'static str,
    kept: T,
    counted: T,
) -> Result<(), Inconsistency> {
    if kept == counted {
        return Ok(());
    }
    Err(Inconsistency {
        what,
        kept: format!("{kept:?}"),
        counted: format!("{counted:?}"),
    })
}
