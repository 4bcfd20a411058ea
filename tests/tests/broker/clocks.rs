//! A server whose clock is set back, as the scripts in a real Redis see it.

use std::time::Duration;

use switchboard_core::cluster::{Answer, Command, Seats};
use switchboard_runtime::redis::{Names, Reply, Script, decode, encode};
use switchboard_tests::redis::Server;

use crate::client::Client;

const MINUTE: Duration = Duration::from_secs(60);

/// Else they would be taken until that time comes.
#[test]
fn seats_that_were_confirmed_in_the_future_have_to_be_confirmed_from_now_on() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut client = Client::connect(server.address);
    client.call(&["SCRIPT", "LOAD", Script::Seats.source()]);
    let key = "sb1:{lobby}:n";
    client.call(&["HSET", key, "a-0.1", "1 2 9000000000000000"]);
    let seats = Command::Seats(Seats {
        room: "lobby".into(),
        registration: "b-0.1".into(),
        session: 1,
        held: 0,
        wanted: 3,
        total: 3,
        stale: MINUTE,
        table: 5 * MINUTE,
        dead: vec![],
    });
    let reply = client.call(&encode(&Names::new("sb1"), &seats));
    let Ok(Answer::Seats { granted, at, .. }) = decode(&seats, reply) else {
        panic!("no answer");
    };
    assert_eq!(granted, 1);
    let row = format!("1 2 {}", at.0);
    let confirmed = client.call(&["HGET", key, "a-0.1"]);
    assert_eq!(confirmed, Reply::Text(row.into_bytes()));
}
