//! What the example programs of both runtimes share: flags, the applications, the pages. What is
//! left to a program is its runtime.

pub mod chat;
pub mod echo;
mod flags;
pub mod log;

pub use switchboard_runtime::Hub;

use std::fmt::Display;
use std::io::Write;
use std::net::SocketAddr;
use std::process::exit;

/// Says what is wrong, in one line, and ends the program (2).
pub fn fail(message: impl Display) -> ! {
    let message = message.to_string();
    let line: Vec<&str> = message.split_whitespace().collect();
    // Not `eprintln!`, which panics where standard error is closed.
    let _ = writeln!(std::io::stderr(), "error: {}", line.join(" "));
    exit(2)
}

/// Says where the program listens: the first line on standard output.
pub fn announce(address: SocketAddr) {
    let mut out = std::io::stdout();
    // Nobody reads it: that is no reason not to serve.
    let _ = writeln!(out, "listening on {address}").and_then(|()| out.flush());
}

/// An address that cannot be listened on.
pub fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> ! {
    fail(format_args!(
        "--listen {address}: {error}: choose a free address of this machine"
    ))
}
