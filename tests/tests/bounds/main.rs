//! Heap and work are bounded by the received input.
//!
//! A counting allocator measures bytes and blocks of one thread; steps of a decoder or driver are
//! counted. Both are deterministic. Work that neither allocates nor takes a step, such as a scan of
//! a list, is not measured here: see `core/src/http/handshake/tests.rs` and `core/src/wire/decoder/tests.rs`,
//! and `bench/benches/growth.rs` for the switchboard's running time.
//!
//! Covers CVE-2026-48779 and CVE-2026-12151 (uncounted objects per fragment), RUSTSEC-2022-0035
//! (allocation of a declared length), RUSTSEC-2020-0043 (unbounded queue of a slow peer),
//! CVE-2023-43669 (repeated parsing of a growing head), CVE-2024-37890 (many headers),
//! CVE-2026-32689 (an object per separator), CVE-2023-32695 and CVE-2020-36049 (JSON memory),
//! CVE-2014-0193 and RUSTSEC-2026-0258 (endless continuations, empty frames), RUSTSEC-2026-0185
//! (memory through gaps), socket.io#1736 (empty rooms that stay).

mod broadcast;
mod decoder;
mod deflate;
mod everybody;
mod handshake;
#[path = "../../../fuzz/bodies/src/heap.rs"]
mod heap;
mod large;
mod protocol;
mod rest;
#[path = "../support/mod.rs"]
mod support;
mod switchboard;
mod world;
