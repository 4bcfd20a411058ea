//! A process without file descriptors left (row H22 of the catalogue of hostile inputs).

use std::env;
use std::net::TcpStream;
use std::process::Command;

use super::app::Plain;
use super::server::Server;
use crate::rt::Config;

const FEW_FILES: &str = "SWITCHBOARD_FEW_FILES";

/// The same test once more, in a process that may open few files.
#[test]
fn a_listener_survives_that_no_file_can_be_opened() {
    if env::var_os(FEW_FILES).is_some() {
        return exhaust();
    }
    let test = "suite::exhausted::a_listener_survives_that_no_file_can_be_opened";
    let output = Command::new("sh")
        .args([
            "-c",
            r#"ulimit -n 80 && exec "$0" --exact "$1" --nocapture"#,
        ])
        .arg(env::current_exe().expect("a path"))
        .arg(test)
        .env(FEW_FILES, "yes")
        .output()
        .expect("a process");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{output:?}"
    );
}

fn exhaust() {
    let server = Server::start(Config::default(), Plain::default());
    let member = server.member("/ws");
    for _ in 0..3 {
        let mut streams = Vec::new();
        while let Ok(stream) = TcpStream::connect(server.address) {
            streams.push(stream);
        }
        assert!(streams.len() > 20, "{}", streams.len());
        drop(streams);
        server.until("they have gone", |stats| stats.pending_handshakes == 0);
        server.member("/ws").leave();
    }
    member.leave();
    server.until_empty();
}
