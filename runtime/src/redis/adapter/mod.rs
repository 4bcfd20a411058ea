//! The adapter: one task that keeps the connection to Redis for a machine of a cluster.
//!
//! ```text
//!             Order                       requests
//! machine ─────────────▶ adapter ───────────────────────▶ Redis
//! (Link)  ◀───────────── (run)   ◀───────────────────────
//!             Event                 answers, pushes
//! ```
//!
//! It carries bytes and decides nothing: when to connect, when to give up and what to ask is the
//! machine's. What it adds is bounds: on the size of what it receives, and on the time that sentinels and
//! long reads may take, for which a machine has no orders.

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
