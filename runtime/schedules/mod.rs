//! The real driver, on a runtime made for it, under many orders of its threads: `shuttle` decides
//! at each lock, atomic, read, write and poll who goes on. Time stands still unless a test moves it,
//! so a wake-up that is lost is never made good by a timer: it is a deadlock, which the checker
//! reports with the schedule that leads there.
//!
//! | to run | command |
//! |---|---|
//! | a few schedules per test | `cargo test -p switchboard-runtime` |
//! | more, here 20 000 of each scheduler | `SWITCHBOARD_SCHEDULES=20000 cargo test --release -p switchboard-runtime -- --nocapture` |
//! | others | `SHUTTLE_RANDOM_SEED=7` before it |
//! | one that failed | `SWITCHBOARD_REPLAY=<file with the schedule> cargo test -p switchboard-runtime <test>` |

mod admission;
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
