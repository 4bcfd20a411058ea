//! Invariants of the client for any order of events.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use switchboard_core::Time;
use switchboard_core::client::{Input, Machine, MachineConfig, Output, Report, State};
use switchboard_core::protocol::Content;

#[derive(Clone, Debug)]
enum Step {
    Plain(Input<'static>),
    Message(String),
    Publish(&'static str, usize, Option<bool>),
    Call(Option<bool>),
    Wait(u64),
}

fn channel() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b"])
}

fn plain() -> impl Strategy<Value = Input<'static>> {
    let codes = vec![1000, 1001, 1005, 1006, 1008, 4001, 4002, 4201, 4202, 4500];
    prop_oneof![
        prop::sample::select(vec![
            Input::Start,
            Input::Stop,
            Input::Reconnect,
            Input::Opened,
            Input::Token { expires_in: None },
            Input::Token {
                expires_in: Some(Duration::from_millis(1_500))
            },
            Input::TokenFailed { last: false },
            Input::TokenFailed { last: true },
            Input::Tick,
            Input::Online,
            Input::Offline,
            Input::Visible,
            Input::Suspend,
            Input::Resume,
            Input::Ping,
        ]),
        prop::sample::select(codes).prop_map(|code| Input::Closed { code, reason: "" }),
        channel().prop_map(|channel| Input::Subscribe {
            channel,
            since: None,
            last: None
        }),
        channel().prop_map(|channel| Input::Unsubscribe { channel }),
        (1..40_u64).prop_map(|id| Input::Cancel { id }),
    ]
}

fn message() -> impl Strategy<Value = String> {
    let id = || 1..40_u64;
    prop_oneof![
        Just(r#"{"type":"welcome","ping_ms":1000,"max_bytes":500}"#.to_owned()),
        (channel(), id(), 0..9_u64).prop_map(|(channel, id, seq)| {
            format!(
                r#"{{"type":"subscribed","channel":"{channel}","id":{id},"seq":{seq},"epoch":"e"}}"#
            )
        }),
        (id(), 0..9_u64).prop_map(|(id, seq)| format!(r#"{{"type":"ack","id":{id},"seq":{seq}}}"#)),
        id().prop_map(|id| format!(r#"{{"type":"error","id":{id},"code":"forbidden"}}"#)),
        id().prop_map(|id| format!(r#"{{"type":"result","id":{id},"content":1}}"#)),
        Just(r#"{"type":"error","code":"rate_limited","retry_after_ms":50}"#.to_owned()),
        (channel(), 0..9_u64).prop_map(|(channel, seq)| {
            format!(r#"{{"type":"message","channel":"{channel}","content":1,"seq":{seq}}}"#)
        }),
        channel().prop_map(|channel| format!(r#"{{"type":"unsubscribed","channel":"{channel}"}}"#)),
        Just(r#"{"type":"bye","code":1001,"reason":"draining","reconnect_in_ms":7}"#.to_owned()),
        Just("[1".to_owned()),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let queue = prop::sample::select(vec![None, Some(true), Some(false)]);
    let queue_of_calls = queue.clone();
    let step = prop_oneof![
        3 => plain().prop_map(Step::Plain),
        3 => message().prop_map(Step::Message),
        2 => (channel(), 0..700_usize, queue).prop_map(|(a, b, c)| Step::Publish(a, b, c)),
        1 => queue_of_calls.prop_map(Step::Call),
        1 => (0..40_000_u64).prop_map(Step::Wait),
    ];
    // Purely random scripts rarely reach a connection.
    let in_already = vec![
        Step::Plain(Input::Start),
        Step::Plain(Input::Opened),
        Step::Message(r#"{"type":"welcome"}"#.to_owned()),
    ];
    prop::collection::vec(step, 1..120).prop_map(move |steps| {
        let mut all = in_already.clone();
        all.extend(steps);
        all
    })
}

#[derive(Default)]
struct Seen {
    /// The number of outcomes reported for each message.
    ends: BTreeMap<u64, u32>,
    sockets: i32,
    stopped: bool,
}

impl Seen {
    fn take(&mut self, machine: &mut Machine, gone: bool) {
        self.sockets -= i32::from(gone);
        while let Some(action) = machine.poll_output() {
            match action {
                Output::Dial { .. } => {
                    assert!(!self.stopped, "dialed after it has stopped");
                    self.sockets += 1;
                }
                Output::Close { .. } => self.sockets -= 1,
                Output::Done { id, .. } | Output::Result { id, .. } | Output::Failed { id, .. } => {
                    *self.ends.entry(id).or_default() += 1;
                }
                Output::Notify(Report::State(state)) => {
                    self.stopped = matches!(state, State::Stopped { .. });
                }
                Output::Send(text) => assert!(self.sockets == 1, "sent to nobody: {text}"),
                Output::Authenticate => assert!(self.sockets == 1, "sent to nobody"),
                Output::GetToken(_) | Output::Notify(_) => {}
            }
            assert!((0..=1).contains(&self.sockets), "more than one socket");
        }
    }
}

fn run(config: MachineConfig, steps: &[Step]) -> (u64, Seen) {
    let mut machine = Machine::new(config);
    let mut seen = Seen::default();
    let mut now = 0;
    for step in steps {
        let mut gone = false;
        match step {
            Step::Plain(event) => {
                gone = matches!(event, Input::Closed { .. }) && seen.sockets == 1;
                machine.handle(Time::from_millis(now), *event);
            }
            Step::Message(text) => {
                machine.handle(Time::from_millis(now), Input::Message { text });
            }
            Step::Publish(channel, bytes, queue) => {
                let event = Input::Publish {
                    channel,
                    content: Content::parse("1").unwrap(),
                    bytes: *bytes,
                    echo: None,
                    volatile: false,
                    key: None,
                    queue: *queue,
                };
                machine.handle(Time::from_millis(now), event);
            }
            Step::Call(queue) => {
                let mut event = Input::call("add", Content::parse("1").unwrap());
                if let Input::Call { queue: waits, .. } = &mut event {
                    *waits = *queue;
                }
                machine.handle(Time::from_millis(now), event);
            }
            Step::Wait(millis) => now += millis,
        }
        seen.take(&mut machine, gone);
        let mut ticks = 0;
        while machine
            .next_deadline()
            .is_some_and(|at| at <= Time::from_millis(now))
        {
            machine.handle(Time::from_millis(now), Input::Tick);
            seen.take(&mut machine, false);
            ticks += 1;
            assert!(ticks < 20, "ticks do not move the deadline");
        }
    }
    // After a stop everything open must end.
    machine.handle(Time::from_millis(now), Input::Stop);
    seen.take(&mut machine, false);
    (machine.next_id(), seen)
}

proptest! {
    #[test]
    fn every_message_has_one_end_and_there_is_one_socket_at_most(
        steps in steps(),
        token in any::<bool>(),
        queue in any::<bool>(),
        attempts in 0..4_u32,
    ) {
        let config = MachineConfig { token, queue, attempts, count: 5, bytes: 1_500, ..MachineConfig::default() };
        let (_, seen) = run(config, &steps);
        let sent = steps.iter().filter(|step| matches!(step, Step::Publish(..) | Step::Call(_))).count();
        prop_assert!(seen.ends.values().all(|&ends| ends == 1), "{:?}", seen.ends);
        prop_assert_eq!(seen.ends.len(), sent);
        prop_assert_eq!(seen.sockets, 0);
    }
}
