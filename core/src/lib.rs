//! The pure heart of Switchboard.
#![allow(missing_docs)] // skeleton

mod address;
mod decoder;
mod frame;
mod handshake;
mod id;
mod name;
mod origin;
mod reason;
mod request;
mod response;
mod time;

pub use address::{IpKey, client_address};
pub use decoder::{Decoded, Decoder, DecoderLimits, Incoming, ProtocolError};
pub use frame::{BadCloseCode, CloseFrame, Frame};
pub use handshake::{Endpoint, Handshake, HandshakeConfig};
pub use id::{ConnectionId, StaleId};
pub use name::{BadName, check_name};
pub use origin::Origins;
pub use reason::{BadRequest, CloseReason, Refused};
pub use request::{Request, Token};
pub use response::{BadPage, PageResponse, page, refusal, request_timeout, switching_protocols};
pub use time::Time;
