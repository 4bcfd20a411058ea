//! Tests of the real driver on a simulated runtime, under many thread schedules. At each lock, atomic
//! operation, read, write and poll, `shuttle` decides which thread continues. Time stands still unless
//! a test advances it, so no timer makes up for a lost wake-up: it is a deadlock, which the checker
//! reports together with its schedule.
//!
//! | to run | command |
//! |---|---|
//! | a few schedules per test | `cargo test -p switchboard-runtime` |
//! | more, here 20 000 of each scheduler | `SWITCHBOARD_SCHEDULES=20000 cargo test --release -p switchboard-runtime -- --nocapture` |
//! | different ones | `SHUTTLE_RANDOM_SEED=7` before it |
//! | a failed one | `SWITCHBOARD_REPLAY=<file with schedule> cargo test -p switchboard-runtime <test>` |

mod admission;
pub(crate) mod alarm;
mod application;
mod delivery;
mod drains;
mod endings;
pub(crate) mod explore;
mod frames;
mod handover;
pub(crate) mod machine;
mod node;
mod peer;
mod pipe;
mod polled;
mod reading;
mod runtime;
mod slow;
