//! The public type and what its calls do, step by step.
//!
//! Each file holds the calls of one subject. They change the sub-machines of the parent module,
//! which know nothing of them, and settle what these have recorded (docs/architecture.md).

mod admission;
mod arrival;
mod audit;
mod commands;
mod delivery;
mod denials;
mod drain;
mod ending;
mod health;
mod inbound;
mod outbound;
mod presence;
mod refusal;
mod reject;
mod rooms;
mod stats;
mod switchboard;
mod users;

pub use self::admission::Identity;
pub use self::arrival::RequestOutcome;
pub use self::commands::{Denied, Question};
pub use self::inbound::{Event, ReadMode};
pub use self::stats::Stats;
pub use self::switchboard::Switchboard;
