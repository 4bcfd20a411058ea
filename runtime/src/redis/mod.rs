//! The cluster's commands as calls of Redis: which script, with which keys and arguments, and the
//! meaning of its reply.
//!
//! ```text
//! Command ──▶ encode ──▶ EVALSHA sha keys arguments ──▶ Redis
//!    Done ◀── decode ◀── Reply ◀──────────────────────────┘
//! ```
//!
//! None of this does I/O or depends on a client library: `encode` returns the arguments of one request,
//! and `decode` takes the reply as a `Reply`. The scripts are in `redis/scripts`; each documents its
//! arguments, result and guarantees.
//!
//! The connection is in the module `adapter`, with the features `redis-tokio` and `redis-smol`.

#[cfg(any(feature = "redis-tokio", feature = "redis-smol"))]
pub mod adapter;
mod decode;
mod encode;
mod names;
mod reply;
mod script;

pub use self::decode::decode;
pub use self::encode::encode;
pub use self::names::Names;
pub use self::reply::{Reply, failure};
pub use self::script::Script;
