//! The public type and what its calls do, step by step.

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
