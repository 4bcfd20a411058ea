//! The core behind its lock, what follows from each call of it, and how connections are woken.

mod backlog;
mod clock;
mod effects;
mod inbox;
mod link;
mod shared;

pub(crate) use self::backlog::Held;
pub(crate) use self::link::{
    Arrival, Arrived, BLOCKED, CHANGED, End, Farewell, Inbox, Link, Pages, Posted, TaskWaker,
};
pub(crate) use self::shared::{Locked, Running, Shared};
