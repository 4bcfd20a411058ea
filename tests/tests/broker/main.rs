//! The broker between nodes: its model against the scripts in a real Redis, and what replies mean.

mod client;
mod clocks;
mod commands;
mod differential;
mod permissions;
mod replies;
mod virtual_time;
