//! The core behind its lock, what follows from each call of it, and how connections are woken.

mod awaited;
mod backlog;
mod clock;
mod cluster;
mod congestion;
mod deflaters;
mod effects;
mod inbox;
mod joined;
mod link;
mod locked;
mod port;
mod shared;

pub(crate) use self::backlog::Held;
pub(crate) use self::link::{
    Arrival, Arrived, BLOCKED, CHANGED, End, Farewell, Inbox, Link, LogFields, Pages, Posted,
    ROOMS, TaskWaker, Upgraded,
};
pub(crate) use self::locked::Locked;
pub(crate) use self::shared::{Running, Shared};
