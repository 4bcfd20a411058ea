//! HTTP, as far as upgrades, pages and event streams need it (RFC 9112).

pub(crate) mod address;
mod date;
pub(crate) mod event_stream;
pub(crate) mod handshake;
mod origin;
mod refused;
pub mod response;
mod tokens;

pub use self::address::{IpKey, client_address};
pub use self::handshake::{
    Endpoint, Handshake, HandshakeConfig, PerMessageDeflate, Request, UpgradeRequest,
};
pub use self::origin::{BadOrigin, Origins};
pub use self::refused::{BadRequest, Refused};
pub use self::tokens::Tokens;
