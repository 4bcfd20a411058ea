//! Advisories about WebSocket libraries and their dependencies, and the tests that replay each.

use std::fmt::Write;

pub(super) struct Advisory {
    /// One or several ids, separated by commas.
    pub(super) ids: &'static str,
    pub(super) cause: &'static str,
    /// Rows of the catalogue that replay it, in addition to tests that name it.
    pub(super) rows: &'static [&'static str],
    /// Why it cannot occur here; empty if it is replayed.
    pub(super) except: &'static str,
}

impl Advisory {
    pub(super) fn has(&self, id: &str) -> bool {
        self.ids.split(", ").any(|own| own == id)
    }
}

const fn replayed(
    ids: &'static str,
    cause: &'static str,
    rows: &'static [&'static str],
) -> Advisory {
    Advisory {
        ids,
        cause,
        rows,
        except: "",
    }
}

const fn elsewhere(ids: &'static str, cause: &'static str, except: &'static str) -> Advisory {
    Advisory {
        ids,
        cause,
        rows: &[],
        except,
    }
}

pub(super) const ADVISORIES: &[Advisory] = &[
    replayed(
        "CVE-2023-43669, RUSTSEC-2023-0065",
        "tungstenite: a growing head is parsed again with every read",
        &["H7"],
    ),
    replayed(
        "CVE-2020-35896, RUSTSEC-2020-0043",
        "ws-rs: what waits for one slow peer has no bound",
        &["S1", "L11"],
    ),
    replayed(
        "CVE-2022-35922, RUSTSEC-2022-0035",
        "rust-websocket: the declared length is allocated",
        &["F9"],
    ),
    replayed(
        "tungstenite 0.30 (changelog)",
        "64-bit lengths narrowed on 32-bit machines; the key not checked",
        &["F7", "H5"],
    ),
    replayed(
        "RUSTSEC-2026-0258, CVE-2026-33871",
        "h2, Netty: empty frames without end",
        &["F11"],
    ),
    replayed(
        "RUSTSEC-2023-0063, RUSTSEC-2024-0373, RUSTSEC-2026-0037, RUSTSEC-2026-0185",
        "quinn-proto: a panic on an unknown frame; the wrong id cleaned up; memory taken by gaps",
        &["F3", "R5", "R6", "F12"],
    ),
    replayed(
        "RUSTSEC-2024-0336, RUSTSEC-2024-0399",
        "rustls: an endless loop and a panic on a fragmented greeting",
        &["H20", "F26"],
    ),
    elsewhere(
        "RUSTSEC-2025-0023, RUSTSEC-2026-0007, RUSTSEC-2025-0047",
        "tokio, bytes, slab: unsound in some versions",
        "faults inside dependencies: `cargo deny check advisories`, and Cargo.lock holds versions \
         without them",
    ),
    replayed(
        "CVE-2026-48779, GHSA-96hv-2xvq-fx4p",
        "ws: the objects of fragments are not counted",
        &["F11", "F12"],
    ),
    replayed(
        "CVE-2026-45736",
        "ws: memory that was never written goes out in the reason of a Close",
        &["F25"],
    ),
    replayed(
        "CVE-2024-37890, CVE-2021-32640, GHSA-5v72-xg48-5rpm",
        "ws: a crash on many headers; quadratic time in the subprotocols; junk extensions",
        &["H7", "H15", "H16"],
    ),
    replayed(
        "CVE-2016-10518, CVE-2016-10542",
        "ws: old memory in pings; messages without a limit",
        &["F25", "F6"],
    ),
    replayed(
        "CVE-2026-12151, CVE-2026-1526, CVE-2026-1528, CVE-2026-2229",
        "undici: fragments without a limit; inflated bombs; 64-bit lengths; window bits",
        &["F11", "F6", "F7", "F2", "H16"],
    ),
    replayed(
        "CVE-2026-33151, CVE-2026-69185, CVE-2026-48804",
        "socket.io, python-socketio: a message announces how many parts follow",
        &["J11"],
    ),
    replayed(
        "CVE-2023-32695, CVE-2022-2421, CVE-2020-36049, CVE-2020-36048",
        "socket.io, engine.io: decoded without a check; quadratic joining",
        &["J5", "J10", "J12"],
    ),
    replayed(
        "CVE-2022-21676, CVE-2022-41940, CVE-2023-31125, CVE-2024-38355",
        "engine.io, socket.io: one request ends the process",
        &["R13", "H21"],
    ),
    replayed(
        "CVE-2020-36406",
        "uWebSockets: the tree of topics overflows",
        &["L7", "L8"],
    ),
    replayed(
        "CVE-2020-27813",
        "gorilla: the sum of lengths overflows",
        &["F6", "F7"],
    ),
    elsewhere(
        "GHSA-w67g-5rqw-f597",
        "gorilla: masks that can be guessed",
        "the server masks nothing, and our client leaves it to the WebSocket of its host",
    ),
    replayed(
        "CVE-2018-1000518",
        "websockets: a compressed bomb",
        &["F2", "H16"],
    ),
    elsewhere(
        "CVE-2021-33880",
        "websockets: the time of a comparison tells the password",
        "the library compares no secret (row A5)",
    ),
    replayed(
        "CVE-2026-69243, CVE-2026-59881, CVE-2026-34525",
        "aiohttp: an upgrade with a body; deflate that nobody agreed on; two Hosts",
        &["H10", "F2", "H6"],
    ),
    replayed(
        "CVE-2014-0193, CVE-2026-59898, CVE-2026-50020",
        "Netty: continuations without end; an upgrade without its headers; control bytes first",
        &["F11", "H3", "H12"],
    ),
    replayed(
        "CVE-2026-48710",
        "Starlette: the path is rebuilt from Host",
        &["H6", "H14"],
    ),
    replayed(
        "CVE-2020-13935",
        "Tomcat: a bad length is an endless loop",
        &["F7"],
    ),
    replayed(
        "CVE-2022-42975",
        "Phoenix: a wildcard in origins matches too much",
        &["A4"],
    ),
    replayed(
        "CVE-2026-32689",
        "Phoenix: a batch of nothing but separators",
        &["L12"],
    ),
    replayed(
        "CVE-2024-26135",
        "MeshCentral: no origin is checked",
        &["A4"],
    ),
    replayed(
        "CVE-2026-50161",
        "libre: a masked length overflows into the heap",
        &["F7"],
    ),
    replayed(
        "CVE-2024-31228",
        "Redis: a long pattern in PSUBSCRIBE",
        &["J6"],
    ),
    elsewhere(
        "CVE-2025-21605",
        "Redis: output to who has not logged in grows without bound",
        "there is no Redis behind one node; of our own output to such clients see A1 and L1",
    ),
];

/// Appends the table of advisories to `tests/CATALOGUE.md`.
pub(super) fn table(table: &mut String, replays: impl Fn(&Advisory) -> Vec<String>) {
    table.push_str("\n## Advisories\n\n| advisory | cause | replayed by |\n|---|---|---|\n");
    for advisory in ADVISORIES {
        let mut tests = replays(advisory);
        if tests.is_empty() {
            tests.push(format!("not here: {}", advisory.except));
        }
        let tests = tests.join("<br>");
        let _ = writeln!(table, "| {} | {} | {tests} |", advisory.ids, advisory.cause);
    }
}
