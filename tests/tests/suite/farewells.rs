//! A client's Close: earlier messages are answered first, then the Close (docs/behaviour.md,
//! section 5).

use std::iter;
use std::thread;
use std::time::{Duration, Instant};

use super::app::{Log, Plain};
use super::catalogue::covers;
use super::frames::{BINARY, PING, TEXT, close, frame};
use super::gate::Gate;
use super::peer::{End, Peer, upgrade};
use super::server::Server;
use crate::rt::{Application, CloseReason, Config, Connection, Denied, Message, Rates, Wire};

covers! {
    messages_before_a_close_are_answered_before_it:
        "R11", "messages, or a ping, and Close in one packet" => "the answers, then Close";
    a_hook_does_not_hold_up_a_close_for_longer_than_its_timeout:
        "R11", "a Close behind a hook that does not return" =>
            "answered after `close_timeout`";
}

fn config(wire: Wire) -> Config {
    let mut config = Config {
        wire,
        rates: Rates::unlimited(),
        ..Config::default()
    };
    config.limits.message_bytes = 2 << 20;
    config.limits.queue_bytes = 8 << 20;
    config
}

/// Reads to the end, a Close with 1000 and nothing after it; returns the frames before it.
fn until_closed(peer: &mut Peer) -> Vec<(u8, Vec<u8>)> {
    let frames: Vec<_> = iter::from_fn(|| peer.try_frame().ok())
        .map(|frame| (frame.first, frame.payload))
        .collect();
    assert_eq!(peer.rest(), (Vec::new(), End::Eof));
    let (last, before) = frames.split_last().expect("a Close");
    assert_eq!(*last, (0x88, 1000_u16.to_be_bytes().to_vec()));
    before.to_vec()
}

#[test]
fn messages_before_a_close_are_answered_before_it() {
    let server = Server::start(config(Wire::Raw), Plain::default());
    let goodbye = close(1000, b"");
    for count in [1, 1, 1, 2, 100, 200] {
        let mut peer = server.client("/ws");
        let mut packet = frame(TEXT, b"hi").repeat(count);
        packet.extend(frame(PING, b"alive?"));
        packet.extend(&goodbye);
        peer.send(&packet);
        let answers = until_closed(&mut peer);
        let echoes = answers.iter().filter(|answer| answer.0 == 0x81);
        assert_eq!(echoes.count(), count, "{answers:?}");
        assert!(answers.contains(&(0x8a, b"alive?".to_vec())), "{answers:?}");
    }
    server.until_empty();
    assert_eq!(server.hub.stats().dropped.values().sum::<u64>(), 0);
}

#[test]
fn a_message_is_acknowledged_before_the_close_that_came_with_it() {
    let server = Server::start(config(Wire::Json), Plain::default());
    let mut other = server.user("other", "blue");
    for id in 1..=20 {
        let mut ann = server.user("ann", "blue");
        let said = format!(r#"{{"type":"message","channel":"blue","content":0,"id":{id}}}"#);
        let lost = format!(r#"{{"type":"direct","to":"nobody","content":0,"id":-{id}}}"#);
        let packet = [
            frame(TEXT, said.as_bytes()),
            frame(TEXT, lost.as_bytes()),
            close(1000, b""),
        ];
        ann.send(&packet.concat());
        let answers = until_closed(&mut ann);
        let answered = |answer: &str| {
            let found = answers
                .iter()
                .filter_map(|(_, text)| std::str::from_utf8(text).ok());
            found.filter(|text| text.contains(answer)).count() == 1
        };
        assert_eq!(other.expect("message")["seq"], id);
        assert!(answered(&format!(r#""id":{id}"#)), "{answers:?}");
        assert!(answered(&format!(r#""id":-{id}"#)), "{answers:?}");
    }
    other.leave();
    server.until_empty();
}

#[test]
fn a_client_that_ends_its_side_after_its_close_still_gets_ready_answers() {
    let server = Server::start(config(Wire::Raw), Plain::default());
    let mut peer = Peer::connect_narrow(server.address);
    peer.send(&upgrade("/ws", &[]));
    assert_eq!(peer.head().status, 101);
    let payload = vec![7; 1 << 20];
    let mut writer = peer.clone_for_writing();
    thread::scope(|scope| {
        let packets = [frame(BINARY, &payload).repeat(4), close(1000, b"")].concat();
        scope.spawn(move || {
            writer.send(&packets);
            writer.finish();
        });
        // More is queued than the network holds, and the end arrived before anything is read.
        server.until("it is closing", |stats| {
            stats.closing == 1 && stats.queued_bytes > 1 << 20
        });
        let answers = until_closed(&mut peer);
        assert_eq!(answers, vec![(0x82, payload.clone()); 4]);
    });
    drop(peer);
    server.until_empty();
}

/// Answers once the gate is open.
struct Gated {
    log: Log,
    gate: Gate,
}

impl Application for Gated {
    async fn on_message(&self, client: &Connection, message: Message) -> Result<(), Denied> {
        self.gate.wait().await;
        if let Message::Text(text) = message {
            let _ = client.send_text(&text);
            self.log.add(text);
        }
        Ok(())
    }

    async fn on_disconnect(&self, _: &Connection, _: &[std::sync::Arc<str>], reason: CloseReason) {
        self.log.add(format!("disconnect {reason}"));
    }
}

fn gated() -> (Log, Gate, Gated) {
    let (log, gate) = (Log::default(), Gate::default());
    let app = Gated {
        log: log.clone(),
        gate: gate.clone(),
    };
    (log, gate, app)
}

/// Returns messages and a Close in one packet.
fn texts_and_close(texts: &[&str]) -> Vec<u8> {
    let texts: Vec<_> = texts
        .iter()
        .map(|text| frame(TEXT, text.as_bytes()))
        .collect();
    [texts.concat(), close(1000, b"")].concat()
}

#[test]
fn a_close_waits_for_the_hooks_before_it_and_no_ping_times_out_meanwhile() {
    let (log, gate, app) = gated();
    let mut config = config(Wire::Raw);
    config.health.ping_interval = Duration::from_millis(30);
    config.health.ping_timeout = Duration::from_millis(100);
    let server = Server::start(config, app);
    let mut peer = server.client("/ws");
    peer.send(&texts_and_close(&["first", "second"]));
    server.until("both are in", |stats| stats.messages_in == 2);
    // A client that sent Close answers no ping; its ping timeout must not end it.
    thread::sleep(Duration::from_millis(400));
    server.until_connected(1);
    gate.open();
    let answers = until_closed(&mut peer);
    let texts: Vec<_> = answers.iter().filter(|answer| answer.0 == 0x81).collect();
    assert_eq!(texts[0].1, b"first");
    assert_eq!(texts[1].1, b"second");
    drop(peer);
    log.until(&["first", "second", "disconnect client_closed"]);
    server.until_empty();
}

#[test]
fn a_hook_does_not_hold_up_a_close_for_longer_than_its_timeout() {
    let (log, gate, app) = gated();
    let mut config = config(Wire::Raw);
    config.timeouts.close = Duration::from_millis(300);
    let server = Server::start(config, app);
    let mut peer = server.client("/ws");
    let begun = Instant::now();
    peer.send(&texts_and_close(&["first", "second"]));
    assert_eq!(until_closed(&mut peer), []);
    assert!(begun.elapsed() >= Duration::from_millis(290));
    server.until_closed("client_closed", 1);
    drop(peer);
    // The application is still told of the end after its hook, but not of messages that waited.
    gate.open();
    log.until(&["first", "disconnect client_closed"]);
    server.until_empty();
}
