//! [`PresenceInfo`]: information about a user that members of a room receive along with the name.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::Denied;
use crate::protocol::{BadContent, Json};

/// Information about a user that members of a room receive along with the name, such as a colour or a
/// status: JSON of at most [`MAX_BYTES`](Self::MAX_BYTES) bytes.
///
/// # Example
///
/// ```
/// use std::collections::BTreeMap;
///
/// use switchboard_core::PresenceInfo;
///
/// let info = PresenceInfo::encode(&BTreeMap::from([("colour", "teal")]))?;
/// assert_eq!(info.as_json(), r#"{"colour":"teal"}"#);
/// # Ok::<(), switchboard_core::BadPresenceInfo>(())
/// ```
#[derive(Clone, Debug)]
pub struct PresenceInfo(Json);

impl PresenceInfo {
    /// The largest size of the JSON text, in bytes.
    pub const MAX_BYTES: usize = 1 << 10;

    /// Checks the size.
    ///
    /// # Errors
    ///
    /// [`BadPresenceInfo::TooLong`].
    pub fn new(json: Json) -> Result<Self, BadPresenceInfo> {
        let bytes = json.as_json().len();
        if bytes > Self::MAX_BYTES {
            return Err(BadPresenceInfo::TooLong { bytes });
        }
        Ok(Self(json))
    }

    /// Encodes a value of the application.
    ///
    /// # Errors
    ///
    /// The [`BadPresenceInfo`] says what is wrong with it.
    pub fn encode(value: &(impl Serialize + ?Sized)) -> Result<Self, BadPresenceInfo> {
        Self::new(Json::encode(value).map_err(BadPresenceInfo::Content)?)
    }

    /// Returns the JSON text.
    pub fn as_json(&self) -> &str {
        self.0.as_json()
    }

    /// Returns the JSON text in one line, for other nodes. Control characters are blanks there, because
    /// strings have none.
    pub(crate) fn to_line(&self) -> Arc<str> {
        self.as_json()
            .replace(|it: char| it.is_ascii_control(), " ")
            .into()
    }

    pub(crate) const fn json(&self) -> &Json {
        &self.0
    }
}

/// Why a value cannot be the presence info of a user.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPresenceInfo {
    /// It is not JSON that clients can read.
    Content(BadContent),
    /// Its JSON text is longer than [`PresenceInfo::MAX_BYTES`].
    TooLong {
        /// The length in bytes.
        bytes: usize,
    },
}

impl fmt::Display for BadPresenceInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content(bad) => bad.fmt(f),
            Self::TooLong { bytes } => write!(
                f,
                "presence info of {bytes} bytes: at most {} are allowed",
                PresenceInfo::MAX_BYTES
            ),
        }
    }
}

impl std::error::Error for BadPresenceInfo {}

/// The application has supplied invalid presence info.
impl From<BadPresenceInfo> for Denied {
    fn from(_: BadPresenceInfo) -> Self {
        Self::Failed
    }
}
