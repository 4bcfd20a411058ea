//! A process without free file descriptors (row H22 of the catalogue of hostile inputs).

use std::net::TcpStream;

use super::alone::alone;
use super::app::Plain;
use super::catalogue::{covers, test_path};
use super::server::Server;
use crate::rt::Config;

covers! {
    a_listener_survives_that_no_file_can_be_opened:
        "H22", "no file is left for a connection, three times over" =>
            "who is in is served; newcomers are, once files are free";
        "R16", "connections that cannot be accepted for want of a file" => "nothing is half-registered: every count is back";
}

#[test]
fn a_listener_survives_that_no_file_can_be_opened() {
    let test = test_path!(a_listener_survives_that_no_file_can_be_opened);
    alone(test, "ulimit -n 80 &&", exhaust);
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
        server.until("the handshakes are gone", |stats| {
            stats.pending_handshakes == 0
        });
        server.member("/ws").leave();
    }
    member.leave();
    server.until_empty();
}
