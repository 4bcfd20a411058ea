//! Checks that no log line of the suite contains a token.

use std::cell::Cell;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};

use tracing::Level;
use tracing_subscriber::fmt;

/// The prefix of all tokens of the suite, which base64 preserves.
pub(crate) const MARK: &str = "s3cr3t";
pub(crate) const MARK_BASE64: &str = "czNjcjN0";

static LEAK: AtomicBool = AtomicBool::new(false);
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// Lines with one of these words are kept for inspection. The peer address is one that no socket of
/// the suite has.
const WATCHED: [&str; 3] = ["watched", "an invalid user name", WATCHED_PEER];
pub(crate) const WATCHED_PEER: &str = "203.0.113.77";

thread_local! {
    /// Whether logging on this thread panics.
    static BROKEN: Cell<bool> = const { Cell::new(false) };
}

/// From now on each log line of this thread panics, as `eprintln!` does if standard error is
/// closed.
pub(crate) fn break_here() {
    BROKEN.set(true);
}

struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!BROKEN.get(), "the log cannot be written");
        let line = String::from_utf8_lossy(bytes);
        if line.contains(MARK) || line.contains(MARK_BASE64) {
            LEAK.store(true, Ordering::Relaxed);
            eprintln!("a token in a log line: {line}");
        }
        // Keep what the test of secrets looks for, but not the floods of other tests.
        if line.contains("switchboard") && WATCHED.iter().any(|word| line.contains(word)) {
            let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push(line.into_owned());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts checking every log line.
pub(crate) fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let subscriber = fmt()
            .with_max_level(Level::TRACE)
            .with_ansi(false)
            .with_writer(|| Lines)
            .finish();
        tracing::subscriber::set_global_default(subscriber).expect("the only one");
    });
}

/// Asserts that no line so far contained a token.
pub(crate) fn check() {
    assert!(!LEAK.load(Ordering::Relaxed), "a log line had a token");
}

/// Returns whether a line with all these words was logged.
pub(crate) fn logged(words: &[&str]) -> bool {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines
        .iter()
        .any(|line| words.iter().all(|word| line.contains(word)))
}
