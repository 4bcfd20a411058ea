//! Test oracles that share no code with the core.
//!
//! - [`broker`]: a second implementation of the broker between nodes, in virtual time.
//! - [`model`]: a plain second implementation of the core's rules.
//! - [`clients`]: ten thousand clients and their node, in virtual time.
//! - [`driver`]: plays a script against the switchboard and the model, and compares them.
//! - [`nodes`]: several nodes of a cluster and their clients over a simulated broker, from one seed.
//! - [`proxy`]: a TCP proxy that does what networks do.
//! - [`redis`]: a real Redis server for one test.
//! - [`replay`]: replays the recording of a node, and says why its connections ended.
//! - [`script`]: the steps of a script, and how scripts are drawn.
//! - [`seeds`]: runs a simulation for many seeds, and counts.
//! - [`simulation`]: a whole node and its clients over a simulated network, from one seed.

// Not published: an error here is a difference between two implementations.
#![allow(clippy::missing_errors_doc)]

pub mod broker;
pub mod clients;
pub mod driver;
pub mod model;
pub mod nodes;
pub mod proxy;
pub mod redis;
pub mod replay;
pub mod script;
pub mod seeds;
pub mod simulation;

/// The embeddings in the README compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}

/// And so do the programs of the guide.
#[cfg(doctest)]
#[doc = include_str!("../../docs/guide.md")]
mod guide {}
