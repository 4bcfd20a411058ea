//! Sockets: what the driver needs of a stream, and how an event loop watches it.

mod any;
#[cfg(target_os = "linux")]
pub mod epoll;
mod polled;
mod socket;
mod sockets;
#[cfg(target_os = "linux")]
mod tcp;
#[cfg(feature = "tls")]
mod tls;
mod token;

pub use self::any::AnySocket;
pub(crate) use self::any::NoSocket;
pub use self::polled::{PolledSocket, Stream};
pub use self::socket::Socket;
pub use self::sockets::{SelfWaking, Sockets};
#[cfg(feature = "tls")]
pub(crate) use self::tls::check as check_tls;
pub use self::token::{Readiness, SocketToken};
