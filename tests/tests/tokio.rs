//! The end-to-end suite over real sockets, on tokio.

#[path = "suite/rt_tokio.rs"]
mod rt;
#[path = "suite/mod.rs"]
mod suite;
