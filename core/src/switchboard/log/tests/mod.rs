//! Random operations against a model that knows nothing of logs and cursors.

mod check;
mod model;
mod random;
mod rooms;
mod scenarios;
mod storage;
