//! Nodes over a real Redis: the machine of a cluster and its adapter, on both runtimes.
//!
//! Each test starts a server of its own, and is skipped where none is installed.

mod control;
mod node;
mod runtimes;

mod access;
mod faults;
mod log;
mod order;
mod restarts;
mod sentinels;
mod tls;
mod together;
