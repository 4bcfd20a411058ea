//! Decisions of the client that the vectors have no words for.

use std::time::Duration;

use switchboard_core::Time;
use switchboard_core::client::{Action, Config, Event, Machine, TokenReason};

const WELCOME: Event<'static> = Event::Message {
    text: r#"{"type":"welcome"}"#,
};

/// Hands these in at this time, in milliseconds; gives what is to be done.
fn play(machine: &mut Machine, at: u64, events: &[Event<'_>]) -> Vec<Action> {
    for event in events {
        machine.handle(Time::from_millis(at), *event);
    }
    std::iter::from_fn(|| machine.poll_action()).collect()
}

#[test]
fn after_a_stop_the_token_is_asked_for_anew() {
    let mut machine = Machine::new(Config {
        token: true,
        ..Config::default()
    });
    let first = [Event::Start, Event::Token, Event::Opened, WELCOME];
    play(&mut machine, 0, &first);
    let again = play(&mut machine, 10, &[Event::Stop, Event::Start]);
    assert!(again.contains(&Action::GetToken(TokenReason::Connect)));
    assert!(!again.contains(&Action::Dial), "not with the old one");

    // Nor with the one of a client that had stopped by itself.
    let refused = Event::Closed {
        code: 4003,
        reason: "forbidden",
    };
    play(&mut machine, 20, &[Event::Token, Event::Opened, refused]);
    let again = play(&mut machine, 30, &[Event::Stop, Event::Start]);
    assert!(again.contains(&Action::GetToken(TokenReason::Connect)));
}

#[test]
fn opening_may_take_longer_than_the_servers_hook_does() {
    let mut machine = Machine::new(Config::default());
    play(&mut machine, 0, &[Event::Start]);
    assert_eq!(machine.next_deadline(), Some(Time::from_millis(15_000)));

    let mut machine = Machine::new(Config {
        open: Duration::from_secs(2),
        ..Config::default()
    });
    play(&mut machine, 0, &[Event::Start]);
    assert_eq!(machine.next_deadline(), Some(Time::from_millis(2_000)));
}
