//! Tests of the whole, apart from what they test: nothing here shares code with the core.
//!
//! - [`model`]: the manager once more, naive and plain.
//! - [`clients`]: ten thousand clients and their node, in virtual time.
//! - [`driver`]: plays a script against the real one and the model, and compares.
//! - [`script`]: what a script can say, and how one is drawn.
//! - [`simulation`]: a whole node and its clients over a simulated network, from one seed.
//! - [`wire`]: a small reader of what a server sends.

pub mod clients;
pub mod driver;
pub mod model;
pub mod script;
pub mod simulation;
pub mod wire;

/// The embeddings in the README compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
