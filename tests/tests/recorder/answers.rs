//! What the program `replay` says.

use std::net::{IpAddr, Ipv4Addr};

use switchboard_core::{CloseReason, Config, FlightRecorder, Identity, Request, Switchboard, Time};
use switchboard_tests::replay::{Outcome, Question, answer, replay};

const NOW: Time = Time::from_millis(5_000);

/// A node with this memory, to which Ann has come.
fn node(bytes: usize) -> Switchboard {
    let config = Config {
        recorder: FlightRecorder { bytes },
        ..Config::default()
    };
    let mut node = Switchboard::new(config, 7, NOW).expect("a legal configuration");
    node.set_wall_clock(NOW, 1_000_000_000);
    let id = node.connect(NOW, IpAddr::V4(Ipv4Addr::LOCALHOST));
    let id = id.expect("a handshake seat");
    let headers = [("host", "example.org")];
    let request = Request::upgraded("/ws/blue", Some("blue".into()), headers);
    let mut request = request.expect("a request");
    request.set_peer(IpAddr::V4(Ipv4Addr::LOCALHOST));
    node.upgraded(NOW, id, &request).expect("it is there");
    let verdict = Ok(Identity::user("ann"));
    node.authenticated(NOW, id, verdict, None)
        .expect("it is there");
    while node.poll_action().is_some() {}
    node
}

fn kicked(bytes: usize, ticks: u64) -> Outcome {
    let mut node = node(bytes);
    for tick in 0..ticks {
        node.tick(Time::from_millis(5_000 + tick));
    }
    let now = Time::from_millis(6_000 + ticks);
    node.disconnect_user(now, "ann", CloseReason::Kicked);
    while node.poll_action().is_some() {}
    let dump = node.dump(now).expect("a recorder");
    replay(&dump.to_string()).expect("a recording")
}

#[test]
fn an_answer_names_the_connection_the_reason_and_the_rule() {
    let outcome = kicked(1 << 20, 0);
    let said = answer(&outcome, &Question::from("0-0"));
    assert!(said.contains("all actions are the same"), "{said}");
    let end = "Sun, 09 Sep 2001 01:46:41 GMT, 6.000 s 0-0 of ann (127.0.0.1) ended: kicked (4004) by the rule \
               application";
    assert!(said.contains(end), "{said}");
    assert!(
        said.contains(r#""op":"login","conn":"0-0""#),
        "its inputs: {said}"
    );
    assert_eq!(answer(&outcome, &Question::from("ann")), said);
    let all = answer(&outcome, &Question::All);
    assert!(all.contains(end) && !all.contains(r#""op""#), "{all}");
    let other = answer(&outcome, &Question::from("bob"));
    assert!(other.contains("no such connection has ended"), "{other}");
}

#[test]
fn an_answer_from_a_part_says_that_it_is_not_replayed() {
    let outcome = kicked(64 << 10, 5_000);
    assert!(outcome.replayed.is_none());
    let said = answer(&outcome, &Question::All);
    assert!(
        said.contains("not replayed: ") && said.contains("were forgotten"),
        "{said}"
    );
    assert!(
        said.contains("0-0 of ann (127.0.0.1) ended: kicked (4004)"),
        "{said}"
    );
}
