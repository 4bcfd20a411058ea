//! Tests of Switchboard that need more than one crate.

/// The embeddings in the README compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
