//! The flight recorder.

use serde::{Deserialize, Serialize};

/// The flight recorder: records the inputs of the node and the reasons why connections ended, for a
/// dump on demand (docs/operations.md).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct FlightRecorder {
    /// Bytes of memory for it (0: it is off, and costs nothing). At least 64 KiB. An input takes about
    /// 100 bytes. The oldest inputs give way; ends of connections have an eighth of the memory to themselves.
    pub bytes: usize,
}
