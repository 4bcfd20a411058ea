//! Heap and work are bounded by what was received (a counting allocator, and counted steps).
//!
//! What is measured: bytes and blocks of heap that one thread allocates, by an allocator that counts,
//! and the steps that a decoder or a driver takes. Both are the same in every run. What is not
//! measured: work that neither allocates nor takes a step, such as a scan over a list. For the
//! handshake and the decoder the core's own tests count that too (`core/src/handshake/tests.rs`,
//! `core/src/decoder/tests.rs`); for the switchboard `bench/benches/growth.rs` shows it as time.
//!
//! What these tests are here to catch: CVE-2026-48779 and CVE-2026-12151 (objects per fragment that
//! nobody counts), RUSTSEC-2022-0035 (the declared length is allocated), RUSTSEC-2020-0043 (the queue of
//! a slow peer has no end), CVE-2023-43669 (a growing head is parsed again and again), CVE-2024-37890
//! (many headers), CVE-2026-32689 (an object per separator), CVE-2023-32695 and CVE-2020-36049
//! (memory out of JSON), CVE-2014-0193 and RUSTSEC-2026-0258 (endless continuations, empty frames),
//! RUSTSEC-2026-0185 (memory by gaps), socket.io#1736 (rooms that nobody is in stay).

mod broadcast;
mod decoder;
mod handshake;
#[path = "../../../fuzz/bodies/src/heap.rs"]
mod heap;
mod protocol;
mod rest;
mod switchboard;
mod world;
