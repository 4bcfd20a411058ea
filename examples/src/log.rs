//! The log of the example programs. Lines go to standard error through a queue, so that a slow or
//! closed reader neither blocks nor ends a program.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Number of lines that may wait for standard error. Further ones are dropped and counted.
const LINES: usize = 4_096;
/// How long a program waits for the remaining lines when it ends.
const LAST_LINES: Duration = Duration::from_millis(500);

static LOG: OnceLock<Queue> = OnceLock::new();

/// Starts the log.
pub(crate) fn start(filter: EnvFilter) {
    let queue = Queue::new(io::stderr());
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(queue.clone());
    if log.try_init().is_ok() {
        let _ = LOG.set(queue);
    }
}

/// Waits briefly for the remaining lines. Call this at the end of a program.
pub fn flush() {
    if let Some(queue) = LOG.get() {
        queue.flush(LAST_LINES);
    }
}

enum Line {
    Text(Vec<u8>),
    Flush(SyncSender<()>),
}

/// The sending side of the queue to the writer thread.
#[derive(Clone)]
struct Queue {
    lines: SyncSender<Line>,
    dropped: Arc<AtomicU64>,
}

impl Queue {
    fn new(out: impl Write + Send + 'static) -> Self {
        let (lines, queue) = sync_channel(LINES);
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = dropped.clone();
        // Without the thread all lines are dropped; the program runs without a log.
        let _ = thread::Builder::new()
            .name("log".into())
            .spawn(move || write(&queue, out, &counter));
        Self { lines, dropped }
    }

    fn flush(&self, patience: Duration) {
        let (done, wait) = sync_channel(1);
        // If the queue is full, its reader does not read, and waiting is futile.
        if self.lines.try_send(Line::Flush(done)).is_ok() {
            let _: Result<(), RecvTimeoutError> = wait.recv_timeout(patience);
        }
    }
}

/// Writes each line, preceded by the number of lines that were lost before it.
fn write(queue: &Receiver<Line>, mut out: impl Write, dropped: &AtomicU64) {
    while let Ok(line) = queue.recv() {
        let text = match line {
            Line::Text(text) => text,
            Line::Flush(done) => {
                let _ = out.flush();
                let _ = done.try_send(());
                continue;
            }
        };
        let lost = dropped.swap(0, Ordering::Relaxed);
        let mut lines = match lost {
            0 => Vec::new(),
            lost => format!("{lost} log lines were lost\n").into_bytes(),
        };
        lines.extend(text);
        if out.write_all(&lines).is_err() {
            dropped.fetch_add(lost + 1, Ordering::Relaxed);
        }
    }
}

impl Write for &Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            self.lines.try_send(Line::Text(line.to_vec()))
        {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// Writes to a channel, once per permission; a refused write is an error.
    struct Out {
        permissions: Receiver<bool>,
        written: Sender<String>,
    }

    impl Write for Out {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if !self.permissions.recv().unwrap_or(true) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            let text = String::from_utf8_lossy(bytes).into_owned();
            self.written.send(text).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn queue() -> (Queue, Sender<bool>, Receiver<String>) {
        let (allow, permissions) = channel();
        let (written, lines) = channel();
        let out = Out {
            permissions,
            written,
        };
        (Queue::new(out), allow, lines)
    }

    #[test]
    fn a_reader_that_does_not_read_stops_nobody_and_is_told_what_it_missed() {
        let (queue, allow, lines) = queue();
        // The thread holds at most one line besides those in the queue.
        for _ in 0..LINES + 10 {
            (&queue).write_all(b"line\n").expect("it never fails");
        }
        let lost = queue.dropped.load(Ordering::Relaxed);
        assert!((9..=10).contains(&lost), "{lost}");
        drop(allow);
        let rest: String = (0..LINES).map(|_| lines.recv().expect("a line")).collect();
        assert!(rest.contains(" log lines were lost\n"), "{rest}");
    }

    #[test]
    fn an_error_of_the_output_ends_nothing_and_is_counted() {
        let (queue, allow, lines) = queue();
        for permission in [false, false, true] {
            allow.send(permission).expect("the thread lives");
        }
        for line in ["lost\n", "lost\n", "found\n"] {
            (&queue).write_all(line.as_bytes()).expect("it never fails");
        }
        let written = lines.recv().expect("a line");
        assert_eq!(written, "2 log lines were lost\nfound\n");
    }
}
