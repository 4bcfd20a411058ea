//! Ten thousand clients and their node in virtual time, from one seed: clients connect, some are
//! closed for good, the node restarts, all connections break at once, some clients stop reading, some
//! miss more than their rooms keep, half of the network is cut off, the node drains into another. The
//! test counts connection attempts and when all clients are back; while the node lives, those recover,
//! miss nothing and get nothing twice, unless a room no longer has it, and what they sent is published
//! once.
//!
//! ```text
//!   World: one clock, one queue of arrivals
//!     Guest × 10 000: the client's machine, its socket ◀── delay ──▶ Node: the server's core
//! ```

mod bound;
mod following;
mod guest;
mod losses;
mod node;
mod story;
mod world;

pub use self::story::{Figures, Outcome, Scene, run};
