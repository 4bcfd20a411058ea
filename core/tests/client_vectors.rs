//! Runs the scripts of `tests/vectors` against the machine; the README there defines the format.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use switchboard_core::Time;
use switchboard_core::client::{
    Close, Failure, Input, Machine, MachineConfig, Output, Presence, Report, ServerText, Stage,
    State, StopReason, TokenReason, WaitReason,
};
use switchboard_core::protocol::{Content, Since};

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the vectors are files, whose folder may be given"
)]
fn the_machine_decides_as_every_vector_says() {
    // Others than those of the repository: `client-ts/scripts/random-vectors.mjs`.
    let others = std::env::var_os("SWITCHBOARD_VECTORS").map(PathBuf::from);
    let ours = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors");
    let folder = others.unwrap_or(ours);
    let files = fs::read_dir(folder).expect("the vectors");
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|it| it == "json"));
    files.sort();
    let (mut count, mut differences) = (0, Vec::new());
    for path in &files {
        let file: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        for scenario in file["scenarios"].as_array().unwrap() {
            count += 1;
            let script = scenario["script"].as_array().unwrap();
            let played = play(&scenario["config"], script);
            let same = script.iter().zip(&played).take_while(|(a, b)| a == b);
            let same = same.count();
            if same < script.len().max(played.len()) {
                let name = path.file_stem().unwrap().to_string_lossy();
                let (expected, got) = (script.get(same), played.get(same));
                differences.push(format!(
                    "{name}, {}, entry {same}\n  expected {}\n  got      {}",
                    scenario["name"],
                    expected.unwrap_or(&Value::Null),
                    got.unwrap_or(&Value::Null),
                ));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(
        count >= 200,
        "only {count} scenarios in {} files",
        files.len()
    );
}

/// Returns the script with the machine's actions in place of the expected ones.
fn play(config: &Value, script: &[Value]) -> Vec<Value> {
    let mut player = Player {
        machine: Machine::new(read_config(config)),
        now: 0,
        played: Vec::new(),
    };
    for entry in script.iter().filter(|entry| entry["action"].is_null()) {
        let at = entry["at_ms"].as_u64().unwrap();
        if entry["asleep"] != json!(true) {
            player.tick_until(at);
        }
        player.played.push(entry.clone());
        player.now = at;
        if !entry["event"].is_null() {
            player.happen(&entry["event"]);
        }
        player.tick_until(at);
    }
    player.played
}

struct Player {
    machine: Machine,
    now: u64,
    played: Vec<Value>,
}

impl Player {
    fn tick_until(&mut self, at: u64) {
        while let Some(due) = self.machine.next_deadline().map(millis)
            && due <= at
        {
            self.now = self.now.max(due);
            self.handle(Input::Tick);
        }
    }

    fn handle(&mut self, event: Input<'_>) {
        self.machine.handle(Time::from_millis(self.now), event);
        while let Some(action) = self.machine.poll_output() {
            let action = write_action(&self.machine, &action);
            self.played
                .push(json!({"at_ms": self.now, "action": action}));
        }
    }

    fn happen(&mut self, event: &Value) {
        let text = |field: &str| event[field].as_str().unwrap_or_default();
        let channel = text("channel");
        let content = event["content"].to_string();
        let content = || Content::parse(&content).unwrap();
        let bytes = || event["bytes"].as_u64().unwrap() as usize;
        let queue = event["queue"].as_bool();
        let frame = event["frame"].to_string();
        let since = event["since"].as_object().map(|since| Since {
            epoch: since["epoch"].as_str().unwrap().into(),
            seq: since["seq"].as_u64().unwrap(),
        });
        self.handle(match text("type") {
            "start" => Input::Start,
            "stop" => Input::Stop,
            "reconnect" => Input::Reconnect,
            "opened" => Input::Opened,
            "closed" => Input::Closed {
                code: event["code"].as_u64().unwrap() as u16,
                reason: text("reason"),
            },
            "message" => Input::Message { text: &frame },
            "token" => Input::Token {
                expires_in: event["expires"].as_u64().map(Duration::from_millis),
            },
            "token_failed" => Input::TokenFailed {
                last: event["final"] == json!(true),
            },
            "tick" => Input::Tick,
            "online" => Input::Online,
            "offline" => Input::Offline,
            "visible" => Input::Visible,
            "hidden" => Input::Hidden,
            "suspend" => Input::Suspend,
            "resume" => Input::Resume,
            "ping" => Input::Ping,
            "subscribe" => Input::Subscribe {
                channel,
                since: since.as_ref(),
                last: event["last"].as_u64(),
            },
            "unsubscribe" => Input::Unsubscribe { channel },
            "publish" => Input::Publish {
                channel,
                content: content(),
                bytes: bytes(),
                echo: event["echo"].as_bool(),
                volatile: event["volatile"] == json!(true),
                key: event["key"].as_str(),
                queue,
            },
            "direct" => Input::Direct {
                to: text("to"),
                content: content(),
                bytes: bytes(),
                queue,
            },
            "call" => Input::Call {
                method: text("method"),
                params: content(),
                bytes: bytes(),
                queue,
            },
            "cancel" => Input::Cancel {
                id: event["id"].as_u64().unwrap(),
            },
            other => panic!("an event of the type {other}"),
        });
    }
}

fn read_config(config: &Value) -> MachineConfig {
    let mut read = MachineConfig::default();
    for (field, value) in config.as_object().unwrap() {
        let number = || value.as_u64().unwrap();
        let duration = || Duration::from_millis(number());
        match field.as_str() {
            "seed" => read.seed = number() as u32,
            "min" => read.min = duration(),
            "max" => read.max = duration(),
            "factor" => read.factor = value.as_f64().unwrap(),
            "attempts" => read.attempts = number() as u32,
            "open" => read.open = duration(),
            "request" => read.request = duration(),
            "session" => value.as_str().unwrap().clone_into(&mut read.session),
            "token" => read.token = value.as_bool().unwrap(),
            "queue" => read.queue = value.as_bool().unwrap(),
            "count" => read.count = number() as usize,
            "bytes" => read.bytes = number() as usize,
            "age" => read.age = duration(),
            other => panic!("a field {other}"),
        }
    }
    read
}

fn millis(time: Time) -> u64 {
    assert_eq!(time.as_nanos() % 1_000_000, 0, "whole milliseconds");
    time.as_nanos() / 1_000_000
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn write_frame(frame: &ServerText) -> Value {
    parse(frame.as_json())
}

fn write_action(machine: &Machine, action: &Output) -> Value {
    match action {
        Output::Dial { session, since } => {
            let mut action = json!({"type": "dial"});
            if !session.is_empty() {
                action["session"] = json!(session);
            }
            if let Some(since) = since {
                action["since"] = json!(since);
            }
            action
        }
        Output::Close { reason } => json!({"type": "close", "reason": reason}),
        Output::GetToken(reason) => json!({"type": "get_token", "reason": match reason {
            TokenReason::Connect => "connect",
            TokenReason::Unauthorized => "unauthorized",
            TokenReason::Expired => "expired",
            TokenReason::Expiring => "expiring",
            other => unreachable!("{other:?} has no name in the vectors"),
        }}),
        Output::Authenticate => json!({"type": "send", "frame": {"type": "auth"}}),
        Output::Send(text) => json!({"type": "send", "frame": parse(text)}),
        Output::Done { id, value } => json!({"type": "done", "id": id, "value": value}),
        Output::Result { id, frame } => {
            let mut action = json!({"type": "done", "id": id});
            if let Some(content) = frame.content_json() {
                action["value"] = parse(content);
            }
            action
        }
        Output::Failed { id, failure } => {
            let mut action = json!({"type": "failed", "id": id, "code": failure.code()});
            if let Failure::Refused {
                frame: Some(frame), ..
            } = failure
            {
                action["frame"] = write_frame(frame);
            }
            action
        }
        Output::Notify(notice) => write_notice(machine, notice),
    }
}

fn write_notice(machine: &Machine, notice: &Report) -> Value {
    let with_presence = |mut notice: Value, channel: Option<&str>| {
        if let Some(presence) = machine.presence(channel.unwrap_or_default()) {
            notice["presence"] = write_presence(presence);
        }
        notice
    };
    match notice {
        Report::State(state) => json!({"type": "state", "state": write_state(state)}),
        Report::Deliver(frame) => {
            let notice = json!({"type": "deliver", "frame": write_frame(frame)});
            let channel = frame.channel().filter(|_| frame.kind() == "presence");
            with_presence(notice, channel)
        }
        Report::Refused { channel, frame } => {
            json!({"type": "refused", "channel": &**channel, "frame": write_frame(frame)})
        }
        Report::Entered { channel } => {
            let notice = json!({"type": "entered", "channel": &**channel});
            with_presence(notice, Some(channel))
        }
        Report::Unanswered { channel } => json!({"type": "unanswered", "channel": &**channel}),
        Report::Gap(gap) => json!({
            "type": "gap", "channel": &*gap.channel,
            "from": gap.from, "to": gap.to, "away": gap.away,
        }),
        Report::Epoch { channel, from, to } => {
            json!({"type": "epoch", "channel": &**channel, "from": from, "to": to})
        }
        Report::RoundTrip(time) => json!({"type": "rtt", "ms": time.as_millis() as u64}),
    }
}

fn write_presence(presence: &Presence) -> Value {
    json!({
        "count": presence.count, "users": presence.users, "complete": presence.complete,
        "info": presence.info,
    })
}

fn write_state(state: &State) -> Value {
    match state {
        State::Idle => json!({"status": "idle", "last": null}),
        State::Connecting { last } => {
            json!({"status": "connecting", "last": write_close(last.as_ref())})
        }
        State::Connected { welcome, last } => json!({
            "status": "connected", "welcome": write_frame(welcome), "last": write_close(last.as_ref()),
        }),
        State::Waiting { until, why, last } => json!({
            "status": "waiting", "until": until.map(millis), "last": write_close(last.as_ref()),
            "why": match why {
                WaitReason::Backoff => "backoff",
                WaitReason::Full => "full",
                WaitReason::Jitter => "jitter",
                WaitReason::Told => "told",
                WaitReason::Offline => "offline",
                WaitReason::Suspended => "suspended",
                WaitReason::Asked => "asked",
                other => unreachable!("{other:?} has no name in the vectors"),
            },
        }),
        State::Stopped { why, last } => json!({
            "status": "stopped", "last": write_close(last.as_ref()),
            "why": match why {
                StopReason::Asked => "asked",
                StopReason::Code => "code",
                StopReason::Attempts => "attempts",
                StopReason::Token => "token",
                other => unreachable!("{other:?} has no name in the vectors"),
            },
        }),
        other => unreachable!("{other:?} has no name in the vectors"),
    }
}

fn write_close(close: Option<&Close>) -> Value {
    let Some(close) = close else {
        return Value::Null;
    };
    json!({
        "code": close.code, "reason": close.reason, "silent": close.silent,
        "phase": match close.stage {
            Stage::Dialing => "dialing",
            Stage::Opened => "opened",
            Stage::Welcomed => "welcomed",
            other => unreachable!("{other:?} has no name in the vectors"),
        },
    })
}
