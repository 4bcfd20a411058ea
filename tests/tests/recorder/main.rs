//! The flight recorder: a replay does what was recorded, and says why connections ended.

mod answers;
mod runs;
