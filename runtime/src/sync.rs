//! The locks and atomics of the driver. All of them come from here, so that its unit tests, which
//! run it under every order of its threads that they can think of, can take those of the checker.
//!
//! What the checker does not see, it takes for one step: `Arc`, `Weak` and `OnceLock`, and what
//! `atomic-waker` and `futures-channel` do inside. Atomics are sequentially consistent to it.

pub(crate) use std::sync::{Arc, OnceLock, PoisonError, Weak};

#[cfg(not(test))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic};
#[cfg(not(test))]
pub(crate) use std::thread_local;

#[cfg(test)]
pub(crate) use shuttle::sync::{Mutex, MutexGuard, atomic};
#[cfg(test)]
pub(crate) use shuttle::thread_local;
