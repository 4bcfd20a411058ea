//! The adapter: one task that maintains the connection to Redis for the state machine of a cluster.
//!
//! ```text
//!             Order                       requests
//! machine ─────────────▶ adapter ───────────────────────▶ Redis
//! (Link)  ◀───────────── (run)   ◀───────────────────────
//!             Event                 answers, pushes
//! ```
//!
//! It transfers bytes and makes no decisions: the state machine decides when to connect, when to give
//! up and what to send. The adapter only adds limits on the size of received data, and on the time that
//! sentinels and long reads may take, which the state machine does not control.

mod config;
mod connection;
mod dial;
mod inbound;
mod introduction;
mod journal;
mod link;
mod live;
mod problem;
mod reach;
mod reading;
mod sentinel;
mod serve;
mod stream;
mod target;
mod value;

pub use self::config::Config;
pub use self::link::{Event, Link, Order};
pub use self::problem::Problem;
pub use self::reach::{Address, Reach};
pub use self::serve::run;
pub use self::target::{BadTarget, Host, Target};
