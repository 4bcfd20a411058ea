//! Ten thousand clients and the node that they are connected to, in one process and in virtual time,
//! from one seed: they come, some are told to stay away, the node restarts, half of the network is cut
//! off, the node drains into another. How often they knock, and when all are back, is counted.
//!
//! ```text
//!   World: one clock, one queue of what arrives when
//!     Guest × 10 000: the client's machine, its socket ◀── delay ──▶ Node: the server's core
//! ```

mod bound;
mod guest;
mod node;
mod story;
mod world;

pub use self::story::{Figures, Outcome, Scene, run};
