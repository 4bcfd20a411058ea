//! What an operator reads.

use std::cell::RefCell;
use std::io;
use std::sync::Once;

use switchboard_tests::redis::Server;

use crate::control::Control;
use crate::node::{Node, config};
use crate::runtimes::{Host, on_both_runtimes};

on_both_runtimes!(
    a_problem_is_one_line_however_often_it_is_met_and_so_is_its_end,
    a_server_that_evicts_is_warned_of,
);

thread_local! {
    /// What this thread has logged.
    static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Writes to what the current thread has logged.
struct Lines;

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns what this thread logs at INFO or above meanwhile.
///
/// All threads have one subscriber, because what a call site has learned of the subscribers of other threads
/// may keep it from telling one that comes later.
fn logged(call: impl FnOnce()) -> Vec<String> {
    static SUBSCRIBER: Once = Once::new();
    SUBSCRIBER.call_once(|| {
        tracing_subscriber::fmt()
            .with_writer(|| Lines)
            .with_ansi(false)
            .without_time()
            .with_target(false)
            .init();
    });
    LOGGED.take();
    call();
    let bytes = LOGGED.take();
    let text = String::from_utf8_lossy(&bytes);
    text.lines().map(|line| line.trim().to_owned()).collect()
}

fn a_problem_is_one_line_however_often_it_is_met_and_so_is_its_end<H: Host + Send>() {
    let Some(server) = Server::start() else {
        return;
    };
    let address = server.address;
    Control::connect(address).ok(&["CONFIG", "SET", "requirepass", "right"]);
    let config = config(&format!("redis://:s3cr3t@{address}"), "a");
    let lines = logged(move || {
        Node::<H>::run_here(config, move |node| {
            node.until("tried", |it| it.problems.len() >= 3);
            let mut control = Control::connect(address);
            control.ok(&["AUTH", "right"]);
            control.ok(&["CONFIG", "SET", "requirepass", "s3cr3t"]);
            node.until_live();
            control.call(&["CLIENT", "KILL", "TYPE", "pubsub"]);
            node.until("back", |it| it.connects > 1);
            node.publish("hello");
            node.until_message("hello");
        });
    });
    assert_eq!(lines.len(), 4, "{lines:#?}");
    assert!(lines[0].starts_with("ERROR") && lines[0].contains("password"));
    assert!(
        lines[1].starts_with("INFO connected to Redis "),
        "{lines:#?}"
    );
    assert!(lines[2].starts_with("WARN the connection to Redis at"));
    assert_eq!(lines[3], lines[1]);
    assert!(!lines.concat().contains("s3cr3t"), "{lines:#?}");
}

fn a_server_that_evicts_is_warned_of<H: Host + Send>() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut control = Control::connect(server.address);
    control.ok(&["CONFIG", "SET", "maxmemory", "1gb"]);
    control.ok(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let config = config(&crate::node::url(server.address), "a");
    let lines = logged(move || Node::<H>::run_here(config, |node| node.until_live()));
    assert!(
        lines[0].starts_with("WARN") && lines[0].contains("allkeys-lru"),
        "{lines:#?}"
    );
}
