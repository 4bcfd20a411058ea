//! What everything else is made of: time, ids, names, secrets, why connections end, and hashing with a key.

#[cfg(feature = "server")]
mod close_reason;
#[cfg(feature = "server")]
pub(crate) mod hash;
#[cfg(feature = "server")]
pub(crate) mod id;
#[cfg(feature = "server")]
pub(crate) mod name;
pub(crate) mod time;
#[cfg(feature = "server")]
mod token;

#[cfg(feature = "server")]
pub use self::close_reason::{ApplicationCode, BadCloseCode, CloseReason};
#[cfg(feature = "server")]
pub use self::id::{BadConnectionId, ConnectionId, StaleId};
#[cfg(feature = "server")]
pub use self::name::{BadName, check_name, check_user};
pub use self::time::Time;
#[cfg(feature = "server")]
pub use self::token::Token;
