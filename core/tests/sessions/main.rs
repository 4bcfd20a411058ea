//! One session on a real switchboard in virtual time: the order of hooks, the backlog behind a busy
//! hook, what an end releases, and how often the lock is held.

#[path = "../support/mod.rs"]
mod support;

mod ending;
mod event_streams;
mod lock_holds;
mod login;
mod node;
mod order;
mod posts;
