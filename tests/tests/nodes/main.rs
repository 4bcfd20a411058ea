//! Hubs that are the nodes of a cluster, over a real Redis, on both runtimes, as their clients see it.
//!
//! Each test starts a server of its own, and is skipped where none is installed.

#[path = "../redis/runtimes.rs"]
mod runtimes;

mod client;
mod hub;
mod serving;

mod away;
mod compressing;
mod congestion;
mod messages;
mod users;
mod values;
