//! The end-to-end suite, compiled once per runtime; `crate::rt` adapts the runtime.

mod catalogue;

mod alone;
mod app;
mod frames;
mod gate;
mod guest;
mod logs;
mod peer;
mod server;

mod admission;
mod advisories;
mod clients;
mod defaults;
mod delivery;
mod drain;
mod exceptions;
mod exhausted;
mod farewells;
mod floods;
mod framing;
mod framing_rows;
mod health;
mod hooks;
mod hostile_servers;
mod json;
mod late;
mod logins;
mod malformed;
mod malformed_rows;
mod memory;
mod node_bound;
mod outliving;
mod pages;
mod panics;
mod races;
mod reentrant;
mod returning;
mod seats;
mod secrets;
mod slow;
pub(crate) mod streams;
mod threads;
mod tls;
mod turns;
mod users;
