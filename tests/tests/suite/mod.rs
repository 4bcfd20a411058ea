//! One suite, compiled once per runtime: `crate::rt` is the runtime, everything else is here.

mod app;
mod frames;
mod gate;
mod guest;
mod logs;
mod peer;
mod server;

mod admission;
mod clients;
mod defaults;
mod delivery;
mod drain;
mod exhausted;
mod floods;
mod framing;
mod health;
mod hooks;
mod hostile_servers;
mod json;
mod late;
mod malformed;
mod pages;
mod panics;
mod reentrant;
mod returning;
mod seats;
mod secrets;
mod slow;
mod streams;
mod threads;
mod tls;
mod users;
