//! Random operations against a model that knows nothing of logs and cursors.

mod check;
mod coming;
mod frames;
mod full;
mod histories;
mod keyed;
mod model;
mod moved;
mod random;
mod recovering;
mod rooms;
mod scenarios;
mod sending;
mod slow_values;
mod slowness;
mod storage;
mod values;
mod visits;
mod volatile;
mod world;
mod writing;
