//! The bodies of the fuzz targets. Each takes arbitrary bytes and panics if an invariant is
//! violated.
//!
//! `fuzz/fuzz_targets` calls them under libFuzzer on nightly Rust; `tests/replay.rs` calls them
//! with the committed seeds on stable Rust.

mod decoder;
mod deflate;
mod handshake;
mod heap;
mod limits;
mod protocol;
mod reads;
mod refusals;
mod switchboard;

pub use self::decoder::{Agreement, DIFFERENCES, Difference, LIMITS, Verdict, decoder};
pub use self::decoder::{compare, ours, theirs};
pub use self::deflate::deflate;
pub use self::handshake::handshake;
pub use self::limits::limits;
pub use self::protocol::protocol;
pub use self::refusals::refusals;
pub use self::switchboard::switchboard;

/// The body of a fuzz target.
pub type Body = fn(&[u8]);

/// The fuzz targets by name; the folders of seeds have the same names.
pub const TARGETS: [(&str, Body); 7] = [
    ("handshake", handshake),
    ("decoder", decoder),
    ("deflate", deflate),
    ("protocol", protocol),
    ("switchboard", switchboard),
    ("limits", limits),
    ("refusals", refusals),
];
