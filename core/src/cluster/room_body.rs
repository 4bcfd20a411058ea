//! A message on its way to the members of a room.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::Twin;

/// The body of a message to a room as stored in the log, which [`Body::parse`](super::Body::parse)
/// reads, and the form that this node has compressed.
///
/// The latter is created before the lock of the node is acquired, and never leaves the node. It exists
/// only for messages that were published here or arrived through a channel; messages that are read from
/// the log are sent uncompressed.
#[derive(Clone, PartialEq, Eq)]
pub struct RoomBody {
    bytes: Arc<[u8]>,
    twin: Option<Arc<Twin>>,
}

impl RoomBody {
    /// Adds the compressed form of what the members get.
    #[must_use]
    pub fn with_twin(self, twin: Option<Twin>) -> Self {
        Self {
            twin: twin.map(Arc::new),
            ..self
        }
    }

    /// Returns the body as it stands in the log.
    pub const fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    pub(crate) fn twin(&self) -> Option<&Twin> {
        self.twin.as_deref()
    }
}

impl Deref for RoomBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl From<Arc<[u8]>> for RoomBody {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self { bytes, twin: None }
    }
}

impl From<&[u8]> for RoomBody {
    fn from(bytes: &[u8]) -> Self {
        Arc::<[u8]>::from(bytes).into()
    }
}

/// Prints sizes, never content.
impl fmt::Debug for RoomBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoomBody")
            .field("bytes", &self.bytes.len())
            .field("twin", &self.twin)
            .finish()
    }
}
