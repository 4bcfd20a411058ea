//! The locks and atomics of the driver. In unit tests they are replaced by those of the schedule
//! checker, which runs the driver's threads in many orders.
//!
//! The checker treats operations on `Arc`, `Weak` and `OnceLock`, and those inside `atomic-waker` and
//! `futures-channel`, as one step. To it, atomics are sequentially consistent.

pub(crate) use std::sync::{Arc, OnceLock, PoisonError, Weak};

#[cfg(not(test))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic};
#[cfg(not(test))]
pub(crate) use std::thread_local;

#[cfg(test)]
pub(crate) use shuttle::sync::{Mutex, MutexGuard, atomic};
#[cfg(test)]
pub(crate) use shuttle::thread_local;
