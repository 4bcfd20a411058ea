//! The decoder of client frames.

#[path = "../support/mod.rs"]
mod support;

mod deflated;
mod framing;
mod lending;
mod messages;
mod split;
