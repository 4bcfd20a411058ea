//! Rows of the catalogue without a test over the sockets of one node, each with its reason and its
//! proof elsewhere.

use std::fs;

pub(super) struct Exception {
    pub(super) row: &'static str,
    pub(super) input: &'static str,
    pub(super) why: &'static str,
    /// Files of the repository, most with the name of a test.
    pub(super) proofs: &'static [&'static str],
}

impl Exception {
    /// Checks that the files and tests exist.
    pub(super) fn check(&self) {
        for proof in self.proofs {
            let (file, test) = proof.split_once("::").unwrap_or((proof, ""));
            let path = format!("{}/../{file}", env!("CARGO_MANIFEST_DIR"));
            let source =
                fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
            assert!(
                source.contains(&format!("fn {test}")) || test.is_empty(),
                "{proof}"
            );
        }
    }
}

pub(super) const EXCEPTIONS: &[Exception] = &[
    Exception {
        row: "F23",
        input: "illegal frames of a server to our client",
        why: "our client has no frames of its own: it is built on the WebSocket of its host",
        proofs: &[],
    },
    Exception {
        row: "F24",
        input: "the masks of our client",
        why: "drawn by the WebSocket of its host; the server masks nothing, and every test's client \
              refuses a masked frame",
        proofs: &[],
    },
    Exception {
        row: "L10",
        input: "room names that collide",
        why: "names are hashed by SipHash with a key that is drawn for each node: nobody outside can \
              find names that collide",
        proofs: &["core/src/base/hash.rs"],
    },
    Exception {
        row: "R7",
        input: "the clock goes back, jumps, or stands still",
        why: "the clock of a runtime is monotonic; the core takes any time it is given",
        proofs: &[
            "core/tests/scenarios/clock.rs::a_clock_that_goes_backward_or_stands_still_does_nothing",
            "core/tests/scenarios/clock.rs::a_huge_jump_fires_each_timer_once_and_evicts_nobody_who_answers",
        ],
    },
    Exception {
        row: "R15",
        input: "10 000 clients come back after a restart",
        why: "when they come back is decided by the client",
        proofs: &["tests/vectors/backoff.json", "tests/vectors/bands.json"],
    },
    Exception {
        row: "A5",
        input: "a secret is compared",
        why: "the library compares none; the chat leaves it to the verification of `jsonwebtoken`",
        proofs: &["examples/src/chat/application.rs"],
    },
    Exception {
        row: "A9",
        input: "a redirect to another host",
        why: "the server sends none, and our client follows none: the WebSocket of its host does not",
        proofs: &[],
    },
];
