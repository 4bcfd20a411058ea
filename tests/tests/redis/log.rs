//! What an operator reads.

use std::io;
use std::sync::{Arc, Mutex};

use switchboard_tests::redis::Server;
use tracing_subscriber::fmt::MakeWriter;

use crate::control::Control;
use crate::node::{Node, config};
use crate::runtimes::{Host, on_both_runtimes};

on_both_runtimes!(
    a_problem_is_one_line_however_often_it_is_met_and_so_is_its_end,
    a_server_that_evicts_is_warned_of,
);

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("unharmed").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// What is logged at INFO or above meanwhile.
fn logged(call: impl FnOnce()) -> Vec<String> {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(lines.clone())
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .finish();
    tracing::subscriber::with_default(subscriber, call);
    let bytes = lines.0.lock().expect("unharmed");
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
