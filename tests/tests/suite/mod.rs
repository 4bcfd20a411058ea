//! One suite, compiled once per runtime: `crate::rt` is the runtime, everything else is here.

mod app;
mod frames;
mod gate;
mod logs;
mod peer;
mod server;

mod admission;
mod delivery;
mod drain;
mod framing;
mod health;
mod hooks;
mod malformed;
mod pages;
mod panics;
mod reentrant;
mod slow;
mod users;
