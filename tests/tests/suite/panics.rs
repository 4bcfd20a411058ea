//! A panic in a hook costs its connection and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::app::{Log, identify};
use super::catalogue::covers;
use super::logs;
use super::peer::{Peer, upgrade};
use super::server::Server;
use crate::rt::{
    Application, CloseReason, Config, Connection, Denied, Entry, Identity, Message, Notice,
    Refusal, Request, sleep,
};

covers! {
    a_panic_before_admission_is_told_by_status_or_close:
        "R13", "a panic before admission" => "Close 1011 or 500, as configured; the others are served";
    a_panic_after_admission_closes:
        "R13", "a panic in each hook" => "1011 for that connection; the others are served";
    a_panic_in_the_last_hook_costs_nothing_more:
        "R13", "a panic in the disconnect hook" => "nothing more is lost";
    a_panic_in_a_notice_costs_nothing:
        "R13", "a panic in a notice" => "nothing is lost";
    a_panic_while_dropping_what_a_hook_holds_costs_nothing_more:
        "R13", "a panic while a hook is given up" => "1011 for that connection";
    a_panic_of_the_log_costs_nothing:
        "R13", "a panic in the subscriber of the log" => "nothing is lost; a drain ends";
}

/// Panics once in the given hook, after it is armed.
struct Panics {
    log: Log,
    at: &'static str,
    armed: Arc<AtomicBool>,
}

impl Panics {
    fn step(&self, at: &str) {
        assert!(
            at != self.at || !self.armed.swap(false, Ordering::SeqCst),
            "told to panic in {at}"
        );
    }
}

impl Application for Panics {
    async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
        self.step("authenticate");
        identify(request).unwrap_or(Ok(Identity::FirstMessage))
    }

    async fn authorize_join(&self, _: &Connection, _: &str, entry: Entry) -> Result<(), Denied> {
        match entry {
            Entry::Lobby => self.step("lobby"),
            Entry::Subscribe => self.step("join"),
            other => panic!("unknown to this test: {other:?}"),
        }
        Ok(())
    }

    async fn authorize_direct(&self, _: &Connection, _: &str) -> Result<(), Denied> {
        self.step("direct");
        Ok(())
    }

    async fn on_connect(&self, _: &Connection) {
        self.step("connect");
    }

    async fn on_message(&self, _: &Connection, _: Message) -> Result<(), Denied> {
        sleep(Duration::from_millis(1)).await;
        self.step("message");
        Ok(())
    }

    async fn on_disconnect(&self, client: &Connection, _: &[Arc<str>], reason: CloseReason) {
        self.step("disconnect");
        self.log
            .add(format!("disconnect {} {reason}", client.user()));
    }

    fn on_notice(&self, _: &Notice) {
        self.step("notice");
    }
}

struct Scene {
    server: Server,
    log: Log,
    armed: Arc<AtomicBool>,
    other: Peer,
}

/// A connection exists already; from now on the hook panics.
fn scene(at: &'static str, refusal: Refusal) -> Scene {
    let (log, armed) = (Log::default(), Arc::new(AtomicBool::new(false)));
    let app = Panics {
        log: log.clone(),
        at,
        armed: armed.clone(),
    };
    let config = Config {
        refusal,
        ..Config::default()
    };
    let server = Server::start(config, app);
    let other = server.user("other", "blue");
    armed.store(true, Ordering::SeqCst);
    Scene {
        server,
        log,
        armed,
        other,
    }
}

impl Scene {
    /// Asserts that the other connection and a newcomer are served.
    fn unharmed(mut self) {
        assert!(!self.armed.load(Ordering::SeqCst), "the hook panicked");
        self.other.roundtrip();
        let newcomer = self.server.user("newcomer", "blue");
        newcomer.leave();
        self.other.leave();
        self.server.until_empty();
        self.log.until_has("disconnect other client_closed");
        self.log.until_has("disconnect newcomer client_closed");
    }
}

#[test]
fn a_panic_before_admission_is_told_by_status_or_close() {
    for at in ["authenticate", "lobby"] {
        let scene = scene(at, Refusal::Http);
        let mut peer = scene.server.tcp();
        peer.send(&upgrade("/ws/blue?token=s3cr3t-ann", &[]));
        assert_eq!(peer.head().status, 500, "{at}");
        drop(peer);
        assert_eq!(scene.server.refused("internal"), 1);
        assert_eq!(scene.log.count("disconnect ann"), 0);
        scene.unharmed();
    }
    for at in ["authenticate", "lobby"] {
        let scene = scene(at, Refusal::Close);
        let peer = scene.server.client("/ws/blue?token=s3cr3t-ann");
        assert_eq!(peer.closed(1011), "internal", "{at}");
        scene.unharmed();
    }
}

#[test]
fn a_panic_in_the_first_message_closes() {
    let scene = scene("lobby", Refusal::Http);
    let mut peer = scene.server.client("/ws/blue");
    peer.say(r#"{"type":"auth","token":"s3cr3t-ann"}"#);
    assert_eq!(peer.closed(1011), "internal");
    scene.unharmed();
}

#[test]
fn a_panic_after_admission_closes() {
    let said = [
        ("connect", ""),
        ("join", r#"{"type":"subscribe","channel":"a"}"#),
        ("direct", r#"{"type":"direct","to":"other","content":1}"#),
        ("message", r#"{"type":"message","content":1}"#),
        ("authenticate", r#"{"type":"auth","token":"s3cr3t-ann"}"#),
    ];
    for (at, text) in said {
        let scene = scene(at, Refusal::Close);
        let armed = scene.armed.swap(at == "connect", Ordering::SeqCst);
        let mut peer = scene.server.client("/ws/blue?token=s3cr3t-ann");
        if at != "connect" {
            peer.expect("welcome");
            scene.armed.store(armed, Ordering::SeqCst);
            peer.say(text);
        }
        assert_eq!(peer.closed(1011), "internal", "{at}");
        scene.log.until_has("disconnect ann internal");
        scene.unharmed();
    }
}

#[test]
fn a_panic_in_the_last_hook_costs_nothing_more() {
    let scene = scene("disconnect", Refusal::Close);
    scene.server.user("ann", "blue").leave();
    scene.server.until_connected(1);
    let armed = scene.armed.clone();
    scene
        .server
        .until("the hook panicked", |_| !armed.load(Ordering::SeqCst));
    scene.unharmed();
}

#[test]
fn a_panic_in_a_notice_costs_nothing() {
    let scene = scene("notice", Refusal::Close);
    scene.server.user("ann", "blue").leave();
    scene.unharmed();
}

/// Panics when it is dropped.
struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        panic!("given up");
    }
}

/// Its message hook never returns and holds such a guard.
#[derive(Default)]
struct Guarded(Log);

impl Application for Guarded {
    async fn on_message(&self, _: &Connection, _: Message) -> Result<(), Denied> {
        let _guard = Guard;
        std::future::pending().await
    }

    async fn on_disconnect(&self, _: &Connection, _: &[Arc<str>], reason: CloseReason) {
        self.0.add(format!("disconnect {reason}"));
    }
}

#[test]
fn a_panic_while_dropping_what_a_hook_holds_costs_nothing_more() {
    let mut config = Config::default();
    config.timeouts.hook = Duration::from_millis(50);
    let app = Guarded::default();
    let log = app.0.clone();
    let server = Server::start(config, app);
    let mut peer = server.member("/ws/blue");
    peer.say(r#"{"type":"message","content":1}"#);
    assert_eq!(peer.closed(1011), "internal");
    server.until_empty();
    log.until(&["disconnect internal"]);
}

#[test]
fn a_panic_of_the_log_costs_nothing() {
    let mut config = Config::default();
    // The first connection exceeds 80 % of the limit, which is logged.
    config.limits.connections = 2;
    let server = Server::start(config, Everybody);
    // The server's only thread.
    server.runtime.run(async { logs::break_here() });
    let mut ann = server.user("ann", "blue");
    let bob = server.user("bob", "blue");
    let refused = server.client("/ws/blue?token=s3cr3t-eve");
    assert_eq!(refused.closed(4002), "server_full");
    ann.roundtrip();
    bob.leave();
    server.until_connected(1);
    let mut carol = server.user("carol", "blue");
    carol.roundtrip();
    let hub = server.hub.clone();
    let report = server
        .runtime
        .run(async move { hub.drain(Duration::ZERO, Duration::from_secs(5)).await });
    assert_eq!(report.connections, 2);
    server.until("serve has returned", |_| server.report().is_some());
}

/// Allows everything.
struct Everybody;

impl Application for Everybody {
    async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
        identify(request).unwrap_or(Ok(Identity::Anonymous))
    }
}
