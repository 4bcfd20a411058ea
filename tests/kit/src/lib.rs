//! The wire as a client sees it (RFC 6455), for the tests of every crate: frames of clients, valid
//! or not, and strict readers of what a server sends, also to a collector of metrics. It shares no code with the core.

mod client;
pub mod deflate;
mod openmetrics;
mod server;

pub use self::client::{ClientFrame, Length, close, frame, part, wire};
pub use self::openmetrics::{Family, Sample, openmetrics};
pub use self::server::{Reader, Received, Sent, ServerFrame, split, split_deflated};

/// The opcode of a later part of a message.
pub const CONTINUATION: u8 = 0x0;
/// The opcode of text.
pub const TEXT: u8 = 0x1;
/// The opcode of binary content.
pub const BINARY: u8 = 0x2;
/// The opcode of a Close frame.
pub const CLOSE: u8 = 0x8;
/// The opcode of a ping.
pub const PING: u8 = 0x9;
/// The opcode of a pong.
pub const PONG: u8 = 0xA;
