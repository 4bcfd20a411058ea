//! Ten thousand clients and their node in virtual time, from one seed: clients connect, some are
//! closed for good, the node restarts, half of the network is cut off, the node drains into
//! another. The test counts connection attempts and when all clients are back.
//!
//! ```text
//!   World: one clock, one queue of arrivals
//!     Guest × 10 000: the client's machine, its socket ◀── delay ──▶ Node: the server's core
//! ```

mod bound;
mod guest;
mod node;
mod story;
mod world;

pub use self::story::{Figures, Outcome, Scene, run};
