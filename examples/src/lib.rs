//! The parts of the example programs that do not depend on the runtime: flags, applications, pages.

pub mod chat;
pub mod echo;
mod flags;
pub mod log;
pub mod tls;

pub use switchboard_runtime::Hub;

use std::fmt::Display;
use std::io::Write;
use std::net::SocketAddr;
use std::process::exit;

/// Prints an error in one line and exits with status 2.
pub fn fail(message: impl Display) -> ! {
    let message = message.to_string();
    let line: Vec<&str> = message.split_whitespace().collect();
    // Not `eprintln!`, which panics if standard error is closed.
    let _ = writeln!(std::io::stderr(), "error: {}", line.join(" "));
    exit(2)
}

/// Prints the listening address, as the first line on standard output.
pub fn announce(address: SocketAddr) {
    print(format_args!("listening on {address}"));
}

fn print(line: impl Display) {
    let mut out = std::io::stdout();
    // Serve even if standard output is closed.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Reports that an address cannot be listened on, and exits with status 2.
pub fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> ! {
    fail(format_args!(
        "--listen {address}: {error}: choose a free local address"
    ))
}
