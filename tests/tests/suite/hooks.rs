//! The application's hooks: their order, their timeouts, and what they may do (docs/behaviour.md,
//! section 10).

use std::cell::RefCell;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use serde_json::json;

use super::app::{Log, Plain, identify};
use super::frames::{TEXT, frame, joined};
use super::gate::Gate;
use super::server::{Server, raw, until};
use crate::rt::{
    Application, CloseReason, Config, Connection, Denied, Direct, Entry, Identity, Message, Notice,
    Request, Rooms, sleep,
};

/// Each hook takes a while, and logs its begin and end.
struct Slow {
    log: Log,
    running: Arc<AtomicUsize>,
}

impl Slow {
    async fn step(&self, what: String) {
        assert_eq!(
            self.running.fetch_add(1, Ordering::SeqCst),
            0,
            "one at a time"
        );
        sleep(Duration::from_millis(5)).await;
        self.log.add(what);
        self.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Application for Slow {
    async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
        self.step("authenticate".into()).await;
        identify(request).unwrap_or(Ok(Identity::Anonymous))
    }

    async fn authorize_join(&self, _: &Connection, room: &str, entry: Entry) -> Result<(), Denied> {
        self.step(format!("join {room} {entry:?}")).await;
        Ok(())
    }

    async fn authorize_direct(&self, _: &Connection, to: &str) -> Result<(), Denied> {
        self.step(format!("direct {to}")).await;
        Ok(())
    }

    async fn on_connect(&self, _: &Connection) {
        self.step("connect".into()).await;
    }

    async fn on_message(&self, _: &Connection, message: Message) -> Result<(), Denied> {
        let Message::Room { room, content, .. } = message else {
            return Err(Denied::Forbidden);
        };
        self.step(format!("message {room} {content}")).await;
        Ok(())
    }

    async fn on_disconnect(&self, _: &Connection, rooms: &[Arc<str>], reason: CloseReason) {
        self.step(format!("disconnect {} {reason}", rooms.join(",")))
            .await;
    }
}

#[test]
fn hooks_run_one_at_a_time_in_the_order_of_what_came() {
    let log = Log::default();
    let app = Slow {
        log: log.clone(),
        running: Arc::default(),
    };
    let server = Server::start(Config::default(), app);
    let mut ann = server.client("/ws/blue?token=s3cr3t-ann");
    let packet = [
        r#"{"type":"subscribe","channel":"a","id":1}"#,
        r#"{"type":"message","channel":"a","content":1,"id":2}"#,
        r#"{"type":"message","channel":"a","content":2,"id":3}"#,
        r#"{"type":"unsubscribe","channel":"blue","id":4}"#,
        r#"{"type":"direct","to":"ann","content":0,"id":5}"#,
        r#"{"type":"ping","id":6}"#,
    ];
    let packet = packet.map(|text| frame(TEXT, text.as_bytes()));
    ann.send(&joined(&packet));
    ann.expect("welcome");
    assert_eq!(ann.expect("subscribed")["channel"], "blue");
    let subscribed = ann.expect("subscribed");
    assert_eq!(
        (&subscribed["channel"], &subscribed["id"]),
        (&json!("a"), &json!(1))
    );
    assert_eq!(ann.expect("ack"), json!({"type":"ack","id":2,"seq":1}));
    assert_eq!(ann.expect("ack"), json!({"type":"ack","id":3,"seq":2}));
    ann.expect("unsubscribed");
    ann.expect("direct");
    assert_eq!(ann.expect("ack")["delivered"], 1);
    ann.expect("pong");
    drop(ann);
    log.until(&[
        "authenticate",
        "join blue Lobby",
        "connect",
        "join a Subscribe",
        "message a 1",
        "message a 2",
        "direct ann",
        "disconnect a eof",
    ]);
    server.until_empty();
}

#[test]
fn without_hooks_a_client_is_only_in_its_lobby() {
    struct Nothing;
    impl Application for Nothing {}
    let server = Server::start(Config::default(), Nothing);
    let mut peer = server.member("/ws/blue");
    peer.say(r#"{"type":"subscribe","channel":"red"}"#);
    assert_eq!(peer.expect("error")["code"], "forbidden");
    peer.say(r#"{"type":"direct","to":"x","content":1}"#);
    assert_eq!(peer.expect("error")["code"], "forbidden");
    drop(server);
    let open = Config {
        rooms: Rooms::Open,
        direct: Direct::Open,
        ..Config::default()
    };
    let server = Server::start(open, Nothing);
    let mut peer = server.member("/ws");
    peer.say(r#"{"type":"subscribe","channel":"red"}"#);
    peer.expect("subscribed");
    peer.say(r#"{"type":"direct","to":"x","content":1}"#);
    assert_eq!(peer.expect("error")["code"], "not_connected");
}

#[test]
fn connect_is_heard_before_and_disconnect_after_all_messages() {
    let app = Plain::default();
    let server = Server::start(raw(), app.clone());
    for _ in 0..20 {
        let mut peer = server.client("/ws/blue?token=s3cr3t-ann");
        peer.say("x");
        peer.say("yy");
        drop(peer);
        server.until_empty();
    }
    let round = [
        "connect ann",
        "text ann 1",
        "text ann 2",
        "disconnect ann [blue] eof",
    ];
    server.until("all are over", |_| app.log.count("disconnect") == 20);
    for lines in app.log.lines().chunks(4) {
        let ended = lines.last().map_or("", String::as_str);
        assert!(lines[..3] == round[..3], "{lines:?}");
        assert!(ended.starts_with("disconnect ann [blue] "), "{lines:?}");
    }
}

/// A hook that first looks at the clock: at the last poll of a turn it finds that its time has
/// come, and its timer is cancelled.
struct OnTheDot;

impl Application for OnTheDot {
    async fn on_message(&self, client: &Connection, message: Message) -> Result<(), Denied> {
        let Message::Text(text) = message else {
            return Err(Denied::Forbidden);
        };
        if text == "first" {
            // Polled when it starts, when it is stored, and at the end of the turn.
            let mut asked = 0;
            poll_fn(|_| {
                asked += 1;
                if asked > 2 {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
        }
        let _ = client.send_text(&text);
        Ok(())
    }
}

#[test]
fn reading_goes_on_when_a_hook_ends_at_the_end_of_a_turn() {
    let server = Server::start(raw(), OnTheDot);
    let mut peer = server.client("/ws");
    server.until_connected(1);
    let mut packet = frame(TEXT, b"first");
    for n in 0..50 {
        packet.extend(frame(TEXT, n.to_string().as_bytes()));
    }
    peer.send(&packet);
    assert_eq!(peer.text(), "first");
    for n in 0..50 {
        assert_eq!(peer.text(), n.to_string());
    }
}

/// Its disconnect hook runs until the gate opens.
struct Farewell(Gate);

impl Application for Farewell {
    async fn authenticate(&self, _: &Request) -> Result<Identity, Denied> {
        Ok(Identity::user("ann"))
    }

    async fn on_disconnect(&self, _: &Connection, _: &[Arc<str>], _: CloseReason) {
        self.0.wait().await;
    }
}

#[test]
fn a_socket_is_not_kept_open_for_the_last_hook() {
    let gate = Gate::default();
    let mut config = raw();
    config.timeouts.close = Duration::from_millis(50);
    let server = Server::start(config, Farewell(gate.clone()));
    let mut peer = server.client("/ws");
    server.until_connected(1);
    assert_eq!(server.hub.disconnect_user("ann", CloseReason::Kicked), 1);
    peer.close();
    server.until("only the hook is left", |stats| {
        (stats.closing, stats.disconnecting) == (0, 1)
    });
    // Data for a closed socket is answered by a reset.
    let peer = RefCell::new(peer);
    until(
        "the socket is closed",
        || !peer.borrow_mut().try_send(b"?"),
        || server.hub.stats(),
    );
    assert_eq!(server.hub.stats().disconnecting, 1);
    gate.open();
    server.until("the hook has ended", |stats| stats.disconnecting == 0);
    server.until_empty();
}

/// Grants rooms once its gate is open, and lobbies at once.
struct Grants {
    log: Log,
    gate: Gate,
}

impl Application for Grants {
    async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
        identify(request).unwrap_or(Err(Denied::Unauthorized))
    }

    async fn authorize_join(
        &self,
        client: &Connection,
        _: &str,
        entry: Entry,
    ) -> Result<(), Denied> {
        if entry == Entry::Subscribe {
            self.log.add(format!("asked {}", client.id()));
            self.gate.wait().await;
        }
        Ok(())
    }

    fn on_notice(&self, notice: &Notice) {
        if let Notice::JoinFailed { id, room, error } = notice {
            self.log.add(format!("{id} {room} {error}"));
        }
    }
}

#[test]
fn a_room_that_was_granted_and_is_full_by_then_is_told_the_application() {
    let (log, gate) = (Log::default(), Gate::default());
    let mut config = Config::default();
    config.limits.room_members = 1;
    let grants = Grants {
        log: log.clone(),
        gate: gate.clone(),
    };
    let server = Server::start(config, grants);
    let mut ann = server.user("ann", "");
    let id = server.hub.connections_of("ann")[0];
    ann.say(r#"{"type":"subscribe","channel":"blue","id":1}"#);
    log.until(&[&format!("asked {id}")]);
    let bob = server.user("bob", "blue");
    gate.open();
    assert_eq!(ann.expect("error")["code"], "room_full");
    log.until_has(&format!("{id} blue the room is full"));
    ann.leave();
    bob.leave();
    server.until_empty();
}
