//! Decisions of the client that the test vectors cannot express.

use std::time::Duration;

use switchboard_core::Time;
use switchboard_core::client::{
    Failure, Input, Machine, MachineConfig, Output, Report, TokenReason,
};
use switchboard_core::protocol::Content;

const WELCOME: Input<'static> = Input::Message {
    text: r#"{"type":"welcome"}"#,
};

const DIAL: Output = Output::Dial {
    session: String::new(),
    since: None,
};

const fn subscribe_to(channel: &str) -> Input<'_> {
    Input::Subscribe {
        channel,
        since: None,
        last: None,
    }
}

/// Passes events at a time in milliseconds and returns the resulting actions.
fn play(machine: &mut Machine, at: u64, events: &[Input<'_>]) -> Vec<Output> {
    for event in events {
        machine.handle(Time::from_millis(at), *event);
    }
    std::iter::from_fn(|| machine.poll_output()).collect()
}

#[test]
fn after_a_stop_the_token_is_asked_for_anew() {
    let mut machine = Machine::new(MachineConfig {
        token: true,
        ..MachineConfig::default()
    });
    let first = [
        Input::Start,
        Input::Token { expires_in: None },
        Input::Opened,
        WELCOME,
    ];
    play(&mut machine, 0, &first);
    let again = play(&mut machine, 10, &[Input::Stop, Input::Start]);
    assert!(again.contains(&Output::GetToken(TokenReason::Connect)));
    assert!(!again.contains(&DIAL), "not with the old one");

    // The same applies to a client that stopped by itself.
    let refused = Input::Closed {
        code: 4003,
        reason: "forbidden",
    };
    play(
        &mut machine,
        20,
        &[Input::Token { expires_in: None }, Input::Opened, refused],
    );
    let again = play(&mut machine, 30, &[Input::Stop, Input::Start]);
    assert!(again.contains(&Output::GetToken(TokenReason::Connect)));
}

#[test]
fn opening_may_take_longer_than_the_servers_hook_does() {
    let mut machine = Machine::new(MachineConfig::default());
    play(&mut machine, 0, &[Input::Start]);
    assert_eq!(machine.next_deadline(), Some(Time::from_millis(15_000)));

    let mut machine = Machine::new(MachineConfig {
        open: Duration::from_secs(2),
        ..MachineConfig::default()
    });
    play(&mut machine, 0, &[Input::Start]);
    assert_eq!(machine.next_deadline(), Some(Time::from_millis(2_000)));
}

/// A welcomed client whose earlier actions were discarded.
fn welcomed(config: MachineConfig) -> Machine {
    let mut machine = Machine::new(config);
    play(&mut machine, 0, &[Input::Start, Input::Opened, WELCOME]);
    machine
}

fn publish(channel: &str) -> Input<'_> {
    Input::publish(channel, Content::parse("1").unwrap())
}

fn message(text: &str) -> Input<'_> {
    Input::Message { text }
}

const TIMED_OUT: Failure = Failure::TimedOut;

fn failed(id: u64, failure: Failure) -> Output {
    Output::Failed { id, failure }
}

#[test]
fn a_message_without_an_answer_fails_while_the_connection_lives() {
    let mut machine = welcomed(MachineConfig::default());
    play(&mut machine, 1_000, &[publish("a")]);
    play(&mut machine, 2_000, &[publish("a")]);
    assert_eq!(machine.next_deadline(), Some(Time::from_millis(5_000)));
    play(&mut machine, 5_000, &[Input::Tick]);
    assert_eq!(machine.next_deadline(), Some(Time::from_millis(11_000)));
    assert_eq!(play(&mut machine, 10_999, &[Input::Tick]), []);
    let first = play(&mut machine, 11_000, &[Input::Tick]);
    assert_eq!(first, [failed(1, TIMED_OUT)]);
    let second = play(&mut machine, 12_000, &[Input::Tick]);
    assert_eq!(second, [failed(2, TIMED_OUT)]);
    assert_eq!(machine.unanswered(), 0);
    // Its outcome was reported, so the end of the connection adds nothing.
    let closed = Input::Closed {
        code: 1006,
        reason: "",
    };
    let ends = play(&mut machine, 13_000, &[closed]);
    assert!(
        !ends.iter().any(|end| matches!(end, Output::Failed { .. })),
        "{ends:?}"
    );
}

#[test]
fn the_timeout_of_an_answer_is_an_option() {
    let mut machine = welcomed(MachineConfig {
        request: Duration::from_millis(300),
        ..MachineConfig::default()
    });
    play(&mut machine, 100, &[publish("a")]);
    let ends = play(&mut machine, 400, &[Input::Tick]);
    assert_eq!(ends, [failed(1, TIMED_OUT)]);

    let mut machine = welcomed(MachineConfig {
        request: Duration::MAX,
        ..MachineConfig::default()
    });
    play(&mut machine, 100, &[publish("a")]);
    assert_eq!(play(&mut machine, 20_000, &[Input::Tick]), []);
}

#[test]
fn the_number_of_a_late_ack_counts_and_nothing_else_of_it() {
    let mut machine = welcomed(MachineConfig::default());
    let subscribed = r#"{"type":"subscribed","channel":"a","seq":4,"epoch":"e","id":1}"#;
    let entered = [subscribe_to("a"), message(subscribed)];
    play(&mut machine, 0, &entered);
    play(&mut machine, 100, &[publish("a"), publish("a")]);
    let ends = play(&mut machine, 10_100, &[Input::Tick]);
    assert_eq!(ends, [failed(2, TIMED_OUT), failed(3, TIMED_OUT)]);

    let late = [message(r#"{"type":"ack","id":2,"seq":5}"#)];
    assert_eq!(play(&mut machine, 10_200, &late), []);
    // Number 5 was the client's own, so it is not missing.
    let next = r#"{"type":"message","channel":"a","content":1,"seq":6}"#;
    let delivered = play(&mut machine, 10_300, &[message(next)]);
    assert!(
        matches!(delivered[..], [Output::Notify(Report::Deliver(_))]),
        "{delivered:?}"
    );
    let late = [message(r#"{"type":"error","id":3,"code":"forbidden"}"#)];
    assert_eq!(play(&mut machine, 10_400, &late), []);
}

#[test]
fn a_request_that_was_not_read_may_be_one_that_has_timed_out() {
    let mut machine = welcomed(MachineConfig::default());
    play(&mut machine, 0, &[publish("a")]);
    play(&mut machine, 1, &[publish("a")]);
    let ends = play(&mut machine, 10_000, &[Input::Tick]);
    assert_eq!(ends, [failed(1, TIMED_OUT)]);
    // Answers come in order, so the unread request is the oldest, whose outcome was reported
    // already.
    let limited = [message(r#"{"type":"error","code":"rate_limited"}"#)];
    let told = play(&mut machine, 10_000, &limited);
    assert!(
        matches!(told[..], [Output::Notify(Report::Deliver(_))]),
        "{told:?}"
    );
    let acked = [message(r#"{"type":"ack","id":2,"seq":1}"#)];
    let done = play(&mut machine, 10_000, &acked);
    assert_eq!(done, [Output::Done { id: 2, value: 1 }]);
}

#[test]
fn a_host_that_slept_reads_the_answers_before_it_calls_them_late() {
    let mut machine = welcomed(MachineConfig::default());
    play(&mut machine, 0, &[publish("a"), publish("a")]);
    let woken = play(&mut machine, 12_001, &[Input::Tick]);
    assert!(
        !woken.iter().any(|end| matches!(end, Output::Failed { .. })),
        "{woken:?}"
    );
    let acked = [message(r#"{"type":"ack","id":1,"seq":1}"#)];
    let done = play(&mut machine, 12_002, &acked);
    assert_eq!(done, [Output::Done { id: 1, value: 1 }]);
    // The extension is limited.
    let ends = play(&mut machine, 15_001, &[Input::Tick]);
    assert_eq!(ends, [failed(2, TIMED_OUT)]);
}

#[test]
fn a_subscribe_without_an_answer_is_told_and_may_yet_be_answered() {
    let mut machine = welcomed(MachineConfig::default());
    let subscribe = subscribe_to("a");
    let unsubscribe = Input::Unsubscribe { channel: "a" };
    play(&mut machine, 0, &[subscribe]);
    let told = play(&mut machine, 10_000, &[Input::Tick]);
    assert_eq!(
        told,
        [Output::Notify(Report::Unanswered {
            channel: "a".into()
        })]
    );
    assert_eq!(play(&mut machine, 20_000, &[Input::Tick]), []);
    let subscribed = r#"{"type":"subscribed","channel":"a","seq":4,"epoch":"e","id":1}"#;
    play(&mut machine, 20_001, &[message(subscribed)]);
    assert!(machine.is_active("a"));

    // A cancelled subscription is not reported.
    play(&mut machine, 20_002, &[unsubscribe, subscribe, unsubscribe]);
    assert_eq!(play(&mut machine, 31_000, &[Input::Tick]), []);
}

#[test]
fn a_server_that_never_answers_does_not_fill_the_memory() {
    let mut machine = welcomed(MachineConfig::default());
    let subscribed = r#"{"type":"subscribed","channel":"a","seq":0,"epoch":"e","id":1}"#;
    let entered = [subscribe_to("a"), message(subscribed)];
    play(&mut machine, 0, &entered);
    // Enough that the first ones are forgotten but not the last ones.
    for turn in 0..5_000 {
        play(&mut machine, turn, &[publish("a")]);
    }
    let now = 16_000;
    for at in 10_000..now {
        play(
            &mut machine,
            at,
            &[Input::Tick, message(r#"{"type":"pong"}"#)],
        );
    }
    assert_eq!(machine.unanswered(), 0);
    let late = message(r#"{"type":"ack","id":2,"seq":5000}"#);
    play(&mut machine, now, &[late]);
    let late = message(r#"{"type":"ack","id":5001,"seq":1}"#);
    play(&mut machine, now, &[late]);
    let next = r#"{"type":"message","channel":"a","content":1,"seq":3}"#;
    let delivered = play(&mut machine, now, &[message(next)]);
    let gap = matches!(&delivered[..], [Output::Notify(Report::Gap(gap)), _] if (gap.from, gap.to) == (2, 2));
    assert!(gap, "{delivered:?}");
}

const LOBBY: Input<'static> = subscribe_to("lobby");
const ALREADY_IN: Input<'static> = Input::Message {
    text: r#"{"type":"error","code":"already_subscribed","channel":"lobby","id":1}"#,
};

/// A client that joined a lobby by its URL, at this number.
fn in_a_lobby(seq: u64) -> Machine {
    let mut machine = welcomed(MachineConfig::default());
    let subscribed =
        format!(r#"{{"type":"subscribed","channel":"lobby","seq":{seq},"epoch":"e1"}}"#);
    play(&mut machine, 10, &[message(&subscribed)]);
    machine
}

fn said(seq: u64) -> String {
    format!(r#"{{"type":"message","channel":"lobby","content":1,"seq":{seq}}}"#)
}

fn sent(actions: &[Output]) -> Vec<&str> {
    let sent = actions.iter().filter_map(|action| match action {
        Output::Send(text) => Some(text.as_str()),
        _ => None,
    });
    sent.collect()
}

#[test]
fn a_lobby_that_is_subscribed_late_is_entered() {
    let mut machine = in_a_lobby(12);
    let heard = [message(&said(13))].map(|one| play(&mut machine, 20, &[one]));
    assert!(matches!(heard[0][..], [Output::Notify(Report::Deliver(_))]));
    let asked = play(&mut machine, 30, &[LOBBY, publish("lobby")]);
    assert_eq!(
        sent(&asked),
        [r#"{"type":"subscribe","channel":"lobby","id":1}"#]
    );
    play(&mut machine, 31, &[message(&said(14))]);
    // Messages that waited for the answer are sent.
    let entered = play(&mut machine, 40, &[ALREADY_IN]);
    let channel = "lobby".into();
    assert_eq!(
        entered,
        [
            Output::Notify(Report::Entered { channel }),
            Output::Send(r#"{"type":"message","channel":"lobby","content":1,"id":2}"#.to_owned()),
        ]
    );
    assert!(machine.is_active("lobby"));
    // Its position is known, so gaps are reported from now on.
    let gap = play(&mut machine, 50, &[message(&said(16))]);
    assert!(
        matches!(&gap[..], [Output::Notify(Report::Gap(gap)), _] if (gap.from, gap.to) == (15, 15)),
        "{gap:?}"
    );
    // So are messages missed between two connections.
    let closed = Input::Closed {
        code: 1006,
        reason: "",
    };
    play(&mut machine, 60, &[closed, Input::Reconnect]);
    play(&mut machine, 70, &[Input::Opened, WELCOME]);
    let subscribed = r#"{"type":"subscribed","channel":"lobby","seq":18,"epoch":"e1"}"#;
    let gap = play(&mut machine, 80, &[message(subscribed)]);
    assert!(
        matches!(&gap[..], [_, Output::Notify(Report::Gap(gap))] if (gap.from, gap.to, gap.away) == (17, 18, true)),
        "{gap:?}"
    );
}

#[test]
fn a_lobby_can_be_left_whether_or_not_it_was_subscribed() {
    let leave = Input::Unsubscribe { channel: "lobby" };
    let unsubscribe = |id| format!(r#"{{"type":"unsubscribe","channel":"lobby","id":{id}}}"#);
    let mut machine = in_a_lobby(12);
    let left = play(&mut machine, 20, &[leave]);
    assert_eq!(left, [Output::Send(unsubscribe(1))]);
    assert_eq!(play(&mut machine, 30, &[leave]), [], "once");

    let mut machine = in_a_lobby(12);
    let left = play(&mut machine, 20, &[LOBBY, ALREADY_IN, leave]);
    assert_eq!(sent(&left)[1..], [unsubscribe(2)]);
    assert_eq!(play(&mut machine, 30, &[leave]), [], "once");

    // Subscribing again is like the first time.
    let again = play(&mut machine, 40, &[LOBBY]);
    assert_eq!(
        sent(&again),
        [r#"{"type":"subscribe","channel":"lobby","id":3}"#]
    );
    let answer = r#"{"type":"subscribed","channel":"lobby","seq":30,"epoch":"e1","id":3}"#;
    let entered = play(&mut machine, 50, &[message(answer)]);
    assert!(
        matches!(entered[..], [Output::Notify(Report::Deliver(_))]),
        "{entered:?}"
    );
}

#[test]
fn a_client_removed_from_its_lobby_is_in_it_no_more() {
    let mut machine = in_a_lobby(12);
    let put_out = message(r#"{"type":"unsubscribed","channel":"lobby"}"#);
    play(&mut machine, 20, &[put_out]);
    let leave = Input::Unsubscribe { channel: "lobby" };
    assert_eq!(play(&mut machine, 30, &[leave]), []);
}

#[test]
fn a_channel_that_was_left_before_its_answer_came_is_no_lobby() {
    let mut machine = welcomed(MachineConfig::default());
    let leave = Input::Unsubscribe { channel: "lobby" };
    play(&mut machine, 10, &[LOBBY, leave]);
    let late = r#"{"type":"subscribed","channel":"lobby","seq":1,"epoch":"e1","id":1}"#;
    play(&mut machine, 20, &[message(late)]);
    assert_eq!(play(&mut machine, 20, &[leave]), []);
    // The application added the client; the earlier unsubscribe removes it.
    let put_in = r#"{"type":"subscribed","channel":"lobby","seq":1,"epoch":"e1"}"#;
    let left = r#"{"type":"unsubscribed","channel":"lobby","id":2}"#;
    play(&mut machine, 30, &[message(put_in), message(left)]);
    assert_eq!(play(&mut machine, 40, &[leave]), []);
}

#[test]
fn already_subscribed_means_subscribed_even_without_an_earlier_answer() {
    let mut machine = welcomed(MachineConfig::default());
    let entered = play(&mut machine, 10, &[LOBBY, publish("lobby"), ALREADY_IN]);
    assert_eq!(sent(&entered).len(), 2, "{entered:?}");
    assert!(machine.is_active("lobby"));
}

#[test]
fn a_server_that_names_ever_new_lobbies_does_not_fill_the_memory() {
    let mut machine = welcomed(MachineConfig::default());
    for lobby in 0..5_000 {
        let subscribed =
            format!(r#"{{"type":"subscribed","channel":"{lobby}","seq":1,"epoch":"e1"}}"#);
        play(&mut machine, 10, &[message(&subscribed)]);
    }
    // The first ones are remembered and can be left.
    let left = (0..5_000).filter(|lobby| {
        let channel = &lobby.to_string();
        let leave = Input::Unsubscribe { channel };
        !play(&mut machine, 20, &[leave]).is_empty()
    });
    assert_eq!(left.count(), 1_024);
}

#[test]
fn numbers_at_the_end_of_their_range_and_inverted_ranges_change_nothing_else() {
    let mut machine = Machine::new(MachineConfig::default());
    play(&mut machine, 0, &[Input::Start, Input::Opened, WELCOME]);
    play(&mut machine, 0, &[subscribe_to("a")]);
    let last = u64::MAX;
    let subscribed = format!(
        r#"{{"type":"subscribed","channel":"a","id":1,"seq":{},"epoch":"e","first":1}}"#,
        last - 1
    );
    play(&mut machine, 1, &[Input::Message { text: &subscribed }]);
    play(
        &mut machine,
        2,
        &[Input::publish("a", Content::parse("1").expect("JSON"))],
    );
    for id in 1..5 {
        let ack = format!(r#"{{"type":"ack","id":{id},"seq":{last}}}"#);
        play(&mut machine, 3, &[Input::Message { text: &ack }]);
    }
    let inverted = r#"{"type":"gap","channel":"a","from":9,"to":7}"#;
    let told = play(&mut machine, 4, &[Input::Message { text: inverted }]);
    assert!(told.is_empty(), "{told:?}");
}
