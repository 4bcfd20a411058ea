//! The text of recordings (`docs/operations.md`): what it has, what it must not have, and what is wrong with it.

use serde_json::{Value, json};
use switchboard_core::protocol::Content;
use switchboard_core::recorder::{BadRecording, Recording};
use switchboard_core::{
    CloseFrame, Clustering, Direct, Event, Exclude, Frame, Identity, PresenceInfo, Question,
    Replay, Rooms,
};

use crate::recorder::recorded;
use crate::world::{World, secs};

fn dump(world: &mut World) -> String {
    world.board.dump(world.now).expect("a recorder").to_string()
}

#[test]
fn without_memory_nothing_is_recorded() {
    let mut world = World::new();
    world.connect("ann", "lobby");
    assert_eq!(world.board.dump(world.now), None);
}

#[test]
fn no_payload_and_no_token_is_in_a_recording() {
    let mut world = recorded(|config| {
        config.rooms = Rooms::Open;
        config.direct = Direct::Open;
    });
    let from = world.new_address();
    let headers = "Authorization: Bearer S3CRET\r\nCookie: token=S3CRET\r\nX-Other: S3CRET\r\n";
    let (ann, _) = world.asks(
        from,
        "/ws/lobby?token=S3CRET&other=S3CRET&session=tab1",
        headers,
    );
    world.authenticate(ann, Ok(Identity::user("ann")));
    let info = PresenceInfo::encode("S3CRET").expect("JSON");
    let _ = world
        .board
        .set_presence(world.now, world.id(ann), Some(info));
    let late = world.connect_to_log_in("lobby");
    let asked = world.asks_to(late, json!({"type": "auth", "token": "S3CRET"}));
    assert!(matches!(asked, Some(Question::Token { .. })));
    world.authenticate(late, Ok(Identity::user("bob")));
    let secret = json!("S3CRET");
    for said in [
        json!({"type": "message", "channel": "lobby", "content": secret, "id": 1}),
        json!({"type": "direct", "to": "ann", "content": secret}),
        json!({"type": "call", "id": 2, "method": "add", "params": secret}),
        json!({"type": "ping", "timestamp": secret}),
        json!({"type": "S3CRET"}),
    ] {
        world.says(ann, said);
    }
    world.says(ann, "S3CRET");
    world.happens(ann, Event::Ping(b"S3CRET"));
    world.happens(ann, Event::Pong(b"8-S3CRET"));
    let content = Content::parse("\"S3CRET\"").expect("JSON");
    let _ = world
        .board
        .broadcast(world.now, "lobby", content, None, Exclude::NOBODY);
    let frame = Frame::text("S3CRET");
    let _ = world
        .board
        .broadcast_raw(world.now, "lobby", frame.clone(), Exclude::NOBODY);
    let _ = world
        .board
        .broadcast_all(world.now, frame.clone(), Exclude::NOBODY);
    let _ = world.board.send(world.now, world.id(ann), frame);
    world.flush();
    let close = CloseFrame {
        code: 1000,
        reason: "S3CRET",
    };
    world.happens(ann, Event::Close(Some(close)));
    let text = dump(&mut world);
    assert!(!text.contains("S3CRET"), "{text}");
    assert!(!text.contains("tab1"), "{text}");
    assert!(text.contains(r#""room":"lobby""#) && text.contains(r#""name":"ann""#));
}

#[test]
fn the_url_of_the_broker_is_not_in_a_recording() {
    let mut world = recorded(|config| {
        config.cluster = Some(Clustering {
            url: "redis://:S3CRET@10.0.0.1".into(),
            ..Clustering::default()
        });
    });
    let text = dump(&mut world);
    assert!(!text.contains("S3CRET"), "{text}");
    let recording = Recording::read(&text).expect("a recording");
    assert!(!recording.is_whole(), "what the broker says is missing");
}

#[test]
fn a_payload_is_its_length_and_a_hash() {
    let mut world = recorded(|_| {});
    world.connect("ann", "lobby");
    for text in ["\"one\"", "\"one\"", "\"two\""] {
        world.broadcast("lobby", text, Exclude::NOBODY);
    }
    let text = dump(&mut world);
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let contents: Vec<Value> = lines
        .filter(|line| line["op"] == "broadcast")
        .map(|line| line["content"].clone())
        .collect();
    assert_eq!(contents[0]["bytes"], 5);
    assert_eq!(contents[0], contents[1]);
    assert_ne!(contents[0]["hash"], contents[2]["hash"]);
}

#[test]
fn a_full_recorder_forgets_inputs_before_it_forgets_why_connections_ended() {
    let mut world = recorded(|config| config.recorder.bytes = 64 << 10);
    world.connect("ann", "lobby");
    world.connect("ann", "lobby");
    let bob = world.connect("bob", "lobby");
    for _ in 0..2_000 {
        world.broadcast("lobby", "1", Exclude::NOBODY);
    }
    world.happens(bob, Event::Eof);
    let text = dump(&mut world);
    assert!(text.len() < 70 << 10, "{} bytes", text.len());
    let recording = Recording::read(&text).expect("a recording");
    assert!(recording.lost_inputs > 100 && !recording.is_whole());
    assert_eq!(recording.lost_ends, 0);
    let reasons: Vec<_> = recording.ends().map(|ended| &*ended.reason).collect();
    assert_eq!(reasons, ["replaced", "eof"]);
    let numbers = recording.lines.iter().map(|line| line.number);
    assert!(numbers.is_sorted(), "lines stand in their order");
}

#[test]
fn an_audit_that_fails_stops_the_recorder_until_it_is_dumped() {
    let mut world = recorded(|_| {});
    world.connect("ann", "lobby");
    world.board.stop_recording("seats: kept 1, counted 2");
    world.connect("bob", "lobby");
    let text = dump(&mut world);
    assert!(text.contains("ann") && !text.contains("bob"), "{text}");
    let recording = Recording::read(&text).expect("a recording");
    assert_eq!(
        recording.stopped.as_deref(),
        Some("seats: kept 1, counted 2")
    );
    assert!(recording.is_whole());
    world.connect("cyd", "lobby");
    let later = Recording::read(&dump(&mut world)).expect("a recording");
    assert_eq!(later.stopped, None);
    assert!(
        later.interrupted && !later.is_whole(),
        "something is missing"
    );
}

#[test]
fn a_recording_that_was_changed_is_not_like_its_replay() {
    let mut world = recorded(|_| {});
    world.connect("ann", "lobby");
    world.advance(secs(60));
    let text = dump(&mut world).replace(r#""name":"ann""#, r#""name":"bob""#);
    let recording = Recording::read(&text).expect("a recording");
    let replayed = Replay::run(&recording).expect("a legal configuration");
    assert!(replayed.unlike.is_some());
}

#[test]
fn what_is_no_recording_is_refused_with_a_reason() {
    let mut world = recorded(|_| {});
    world.connect("ann", "lobby");
    let text = dump(&mut world);
    let refused = |text: &str| Recording::read(text).expect_err("no recording");
    for other in ["", "hello", "{}", "[1]"] {
        assert_eq!(refused(other), BadRecording::NotARecording);
    }
    let newer = text.replace(
        r#"{"switchboard_recording":1"#,
        r#"{"switchboard_recording":2"#,
    );
    assert_eq!(refused(&newer), BadRecording::Format(2));
    assert!(refused(&newer).to_string().contains("format 2"));
    let (all_but_last, _) = text.trim_end().rsplit_once('\n').expect("lines");
    assert_eq!(refused(all_but_last), BadRecording::CutOff);
    let unknown = text.replace(r#""op":"connect""#, r#""op":"teleport""#);
    assert!(matches!(refused(&unknown), BadRecording::Line(2, _)));
    let config = text.replace(r#""limits":{"#, r#""limits":{"teapots":1,"#);
    let BadRecording::Config(rule) = refused(&config) else {
        panic!("the configuration is wrong");
    };
    assert!(rule.contains("teapots"), "{rule}");
}
