//! The chat: rooms, names, direct messages, presence.

pub mod api;
mod application;
mod callers;
mod cluster;
mod debug;
mod options;
mod pages;

pub use application::Chat;
pub use options::Options;
pub use pages::pages;
