//! Compression: what is agreed on, and messages that are inflated.

mod bounds;
mod messages;
mod offers;
