//! The end-to-end suite over real sockets, on smol.

#[path = "suite/rt_smol.rs"]
mod rt;
#[path = "suite/mod.rs"]
mod suite;
