//! The catalogue of hostile inputs and faults. Every row has a test over real sockets, on both
//! runtimes. `covers!` beside a test lists what it covers; `tests/CATALOGUE.md` is generated from
//! that.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::process::Command;
use std::{env, fs};

use super::advisories::{self, ADVISORIES};
use super::exceptions::EXCEPTIONS;

/// One input or event, the server's answer, and the test that proves it.
pub(crate) struct Entry {
    /// A row of the catalogue, or an advisory with its own replay.
    row: &'static str,
    input: String,
    answer: String,
    test: &'static str,
}

impl Entry {
    pub(crate) fn new(
        row: &'static str,
        input: impl Into<String>,
        answer: impl Into<String>,
        test: &'static str,
    ) -> Self {
        Self {
            row,
            input: input.into(),
            answer: answer.into(),
            test,
        }
    }
}

/// The path of a test in this module. The test program itself is asked whether it exists and runs.
macro_rules! test_path {
    ($test:ident) => {{
        const _: fn() = $test;
        concat!(module_path!(), "::", stringify!($test))
    }};
}

/// Lists what the tests of a module cover: `test: "row", "input" => "answer"; ...`.
macro_rules! covers {
    ($($test:ident: $($row:literal, $input:literal => $answer:literal;)+)+) => {
        pub(super) fn covers() -> Vec<super::catalogue::Entry> {
            use super::catalogue::{Entry, test_path};
            vec![$($(Entry::new($row, $input, $answer, test_path!($test)),)+)+]
        }
    };
}

pub(super) use {covers, test_path};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/CATALOGUE.md");
const ACCEPT: &str = "SWITCHBOARD_ACCEPT";

/// The sections of the catalogue, and the number of rows in each.
const SECTIONS: [(&str, usize, &str); 10] = [
    ("H", 22, "Handshake"),
    ("F", 26, "Framing"),
    ("D", 13, "Compression"),
    ("L", 12, "Floods"),
    ("S", 9, "Slow and half-dead peers"),
    ("R", 16, "Races"),
    ("J", 12, "JSON"),
    ("A", 9, "Authentication"),
    ("K", 12, "Histories"),
    ("E", 9, "Event streams"),
];

fn entries() -> Vec<Entry> {
    let modules = [
        super::admission::covers(),
        super::admission::covers_rows(),
        super::compression::covers(),
        super::compression::covers_rows(),
        super::compressing::covers(),
        super::coming_back::covers(),
        super::delivery::covers(),
        super::drain::covers(),
        super::event_stream_rows::covers(),
        super::exhausted::covers(),
        super::farewells::covers(),
        super::floods::covers(),
        super::framing::covers(),
        super::framing::covers_rows(),
        super::health::covers(),
        super::busy_hooks::covers(),
        super::interrupted::covers(),
        super::json::covers(),
        super::json::covers_rows(),
        super::late::covers(),
        super::logins::covers(),
        super::logins::covers_rows(),
        super::malformed::covers(),
        super::malformed::covers_rows(),
        super::memory::covers(),
        super::node_bound::covers(),
        super::panics::covers(),
        super::races::covers(),
        super::reentrant::covers(),
        super::seats::covers(),
        super::secrets::covers(),
        super::slow::covers(),
        super::streams::covers(),
        super::users::covers(),
    ];
    modules.into_iter().flatten().collect()
}

fn rows() -> impl Iterator<Item = String> {
    let rows = |(letter, count, _)| (1..=count).map(move |number| format!("{letter}{number}"));
    SECTIONS.into_iter().flat_map(rows)
}

/// Returns the name in the test program: `suite::slow::some_test`.
fn path(test: &str) -> &str {
    test.split_once("::").expect("a crate").1
}

/// Returns the name in the table: `slow::some_test`.
fn short(test: &str) -> &str {
    path(test).trim_start_matches("suite::")
}

/// Returns the tests of this program that run by default.
fn running() -> BTreeSet<String> {
    let list = |options: &[&str]| -> BTreeSet<String> {
        let program = env::current_exe().expect("a path");
        let output = Command::new(program).args(options).output();
        let said = String::from_utf8(output.expect("a list").stdout).expect("text");
        let lines = said.lines();
        lines
            .filter_map(|line| line.strip_suffix(": test"))
            .map(str::to_owned)
            .collect()
    };
    let ignored = list(&["--list", "--format", "terse", "--ignored"]);
    let mut all = list(&["--list", "--format", "terse"]);
    all.retain(|test| !ignored.contains(test));
    all
}

#[test]
fn every_test_that_the_table_names_runs() {
    let running = running();
    assert!(running.contains(path(test_path!(every_test_that_the_table_names_runs))));
    for entry in entries() {
        assert!(running.contains(path(entry.test)), "{}", entry.test);
    }
}

#[test]
fn every_row_of_the_catalogue_has_a_test() {
    let entries = entries();
    let known: BTreeSet<String> = rows().collect();
    for row in &known {
        let covered = entries.iter().any(|entry| entry.row == row);
        let excepted = EXCEPTIONS.iter().any(|exception| exception.row == row);
        assert!(
            covered != excepted,
            "{row}: tested or excepted, and not both"
        );
    }
    for exception in EXCEPTIONS {
        assert!(known.contains(exception.row), "{}", exception.row);
        exception.check();
    }
    for entry in entries {
        let advisory = ADVISORIES.iter().any(|advisory| advisory.has(entry.row));
        assert!(
            known.contains(entry.row) || advisory,
            "{}: no such row",
            entry.row
        );
    }
}

#[test]
fn every_advisory_has_its_replay() {
    let entries = entries();
    for advisory in ADVISORIES {
        let known = |row: &str| entries.iter().any(|entry| entry.row == row);
        assert!(
            advisory.rows.iter().all(|row| known(row)),
            "{}",
            advisory.ids
        );
        let direct = entries.iter().any(|entry| advisory.has(entry.row));
        let replayed = direct || !advisory.rows.is_empty();
        assert!(replayed == advisory.except.is_empty(), "{}", advisory.ids);
    }
}

#[test]
fn the_committed_table_is_what_the_tests_say() {
    let table = table(&entries());
    if env::var_os(ACCEPT).is_some() {
        fs::write(FILE, &table).expect("written");
    }
    let committed = fs::read_to_string(FILE).unwrap_or_default();
    assert!(
        committed == table,
        "tests/CATALOGUE.md is stale: {ACCEPT}=yes cargo test -p switchboard-tests --test tokio catalogue"
    );
}

fn table(entries: &[Entry]) -> String {
    let mut table = String::from(
        "# What is thrown at the server, and what it answers\n\n\
         Made from the tests by `SWITCHBOARD_ACCEPT=yes cargo test -p switchboard-tests --test tokio \
         catalogue`; a test fails\nwhen it is stale. Every test named here is in `tests/tests/suite` \
         and runs over real sockets on tokio and on smol.\n",
    );
    for (letter, count, title) in SECTIONS {
        let _ = write!(
            table,
            "\n## {title}\n\n| row | input or event | answer | test |\n|---|---|---|---|\n"
        );
        for number in 1..=count {
            section_row(&mut table, entries, &format!("{letter}{number}"));
        }
    }
    advisories::table(&mut table, |advisory| replays(entries, advisory));
    table
}

/// Appends the lines of one row; inputs with the same answer and test share a line.
fn section_row(table: &mut String, entries: &[Entry], row: &str) {
    if let Some(exception) = EXCEPTIONS.iter().find(|exception| exception.row == row) {
        let proofs = exception.proofs.join("`, `");
        let proofs = if proofs.is_empty() {
            "none".into()
        } else {
            format!("`{proofs}`")
        };
        let _ = writeln!(
            table,
            "| {row} | {} | not here: {} | {proofs} |",
            exception.input, exception.why
        );
        return;
    }
    let mut lines: Vec<(&str, &str, Vec<&str>)> = Vec::new();
    for entry in entries.iter().filter(|entry| entry.row == row) {
        let same =
            |line: &&mut (&str, &str, Vec<&str>)| (line.0, line.1) == (entry.test, &*entry.answer);
        match lines.iter_mut().find(same) {
            Some(line) if line.2.contains(&&*entry.input) => {}
            Some(line) => line.2.push(&entry.input),
            None => lines.push((entry.test, &entry.answer, vec![&entry.input])),
        }
    }
    for (test, answer, inputs) in lines {
        let inputs = inputs.join("; ").replace('|', "\\|");
        let _ = writeln!(table, "| {row} | {inputs} | {answer} | `{}` |", short(test));
    }
}

/// Returns the tests that replay an advisory, its own first, without duplicates.
fn replays(entries: &[Entry], advisory: &advisories::Advisory) -> Vec<String> {
    let own = entries.iter().filter(|entry| advisory.has(entry.row));
    let mut tests: Vec<String> = own
        .map(|entry| format!("`{}`: {}, {}", short(entry.test), entry.input, entry.answer))
        .collect();
    let mut of_rows: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in advisory.rows {
        for entry in entries.iter().filter(|entry| entry.row == *row) {
            let rows = of_rows.entry(short(entry.test)).or_default();
            if !rows.contains(row) {
                rows.push(row);
            }
        }
    }
    tests.extend(
        of_rows
            .iter()
            .map(|(test, rows)| format!("{}: `{test}`", rows.join(", "))),
    );
    tests
}
