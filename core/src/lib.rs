//! The pure heart of Switchboard.
#![allow(missing_docs)] // skeleton

mod decoder;
mod frame;
mod handshake;
mod id;
mod name;
pub mod protocol;
mod reason;
mod request;
mod time;

pub use decoder::{Decoded, Decoder, DecoderLimits, Incoming, ProtocolError};
pub use frame::{BadCloseCode, CloseFrame, Frame};
pub use id::{ConnectionId, StaleId};
pub use name::{BadName, check_name};
pub use reason::{BadRequest, CloseReason, Refused};
pub use request::Token;
pub use time::Time;
