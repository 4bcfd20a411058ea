//! The handle to a node: the state that it shares with the node's tasks, and its methods.

mod cluster;
mod connections;
mod handle;
mod histories;
mod message;
mod node;
mod sending;

pub use self::handle::{Connection, Hub, WeakHub};
pub use self::message::{Delivery, Entry, Message};
pub use self::sending::BroadcastError;

pub(crate) use self::handle::{Hooks, Host};
