//! One suite, compiled once per runtime: `crate::rt` is the runtime, everything else is here.

mod app;
mod frames;
mod logs;
mod peer;
mod server;

mod delivery;
mod framing;
mod malformed;
