//! The sizes of the tests.

use std::time::Duration;

/// The sizes of the tests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    pub(crate) rounds: usize,
    pub(crate) warm_up: Duration,
    pub(crate) time: Duration,
    pub(crate) after_burst: Duration,
    pub(crate) idle: usize,
    pub(crate) storm: usize,
    pub(crate) recoveries: usize,
}
