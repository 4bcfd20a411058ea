//! The planned end of a node (docs/behaviour.md, section 9), and the unplanned one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::app::Plain;
use super::catalogue::covers;
use super::gate::Gate;
use super::peer::{End, Peer, upgrade};
use super::server::{Server, until};
use crate::rt::{
    self, Application, CloseReason, Config, Connection, DrainReport, Frame, Refusal, Wire,
};

covers! {
    newcomers_are_told_until_the_end:
        "H17", "a server that drains" => "Close 1012 or 503 with `Retry-After`, as configured";
    a_pending_handshake_is_refused_too:
        "R8", "handshakes that are under way when the drain begins" => "1012";
    a_second_drain_waits_for_the_same_end:
        "R9", "a drain within a drain" => "one end, and the same report";
    a_connection_left_at_the_deadline_is_evicted:
        "R8", "nobody answers the Close" => "evicted at the deadline, and counted";
}

const LONG: Duration = Duration::from_secs(60);

/// Starts a drain; `Server::report` returns its report.
fn begin(server: &Server, window: Duration, deadline: Duration) {
    let hub = server.hub.clone();
    server.runtime.spawn(async move {
        hub.drain(window, deadline).await;
    });
    server.until("it drains", |stats| stats.draining);
}

/// Waits for the end. Returns the numbers of connections and of those that were evicted.
fn counts(server: &Server) -> (usize, usize) {
    let report = report(server);
    (report.connections, report.evicted)
}

fn report(server: &Server) -> DrainReport {
    until(
        "serve returns",
        || server.report().is_some(),
        || server.hub.stats(),
    );
    server.report().expect("a report")
}

#[test]
fn everybody_is_sent_away_within_the_window_and_told_when_to_return() {
    let app = Plain::default();
    let server = Server::start(Config::default(), app.clone());
    let peers: Vec<Peer> = (0..10)
        .map(|n| server.user(&n.to_string(), "blue"))
        .collect();
    let begun = Instant::now();
    begin(&server, Duration::from_millis(500), LONG);
    for peer in peers {
        let mut peer = peer;
        let bye = peer.find("bye");
        assert_eq!(
            (&bye["code"], &bye["reason"]),
            (&1001.into(), &"draining".into())
        );
        assert!(bye["reconnect_in_ms"].as_u64() > Some(0), "{bye}");
        assert_eq!(peer.closed(1001), "draining");
    }
    assert!(
        begun.elapsed() >= Duration::from_millis(450),
        "spread over the window"
    );
    assert_eq!(counts(&server), (10, 0));
    assert_eq!(app.log.count("disconnect"), 10);
    assert_eq!(server.closes("draining"), 10);
    server.until_empty();
}

#[test]
fn newcomers_are_told_until_the_end() {
    for refusal in [Refusal::Close, Refusal::Http] {
        let config = Config {
            refusal,
            ..Config::default()
        };
        let server = Server::start(config, Plain::default());
        let mut member = server.user("ann", "blue");
        begin(&server, LONG, LONG);
        for _ in 0..3 {
            let mut newcomer = server.tcp();
            newcomer.send(&upgrade("/ws", &[]));
            let head = newcomer.head();
            if refusal == Refusal::Http {
                assert_eq!(head.status, 503);
                assert!(head.header("Retry-After").is_some());
                assert_eq!(newcomer.rest().1, End::Eof);
            } else {
                assert_eq!(newcomer.closed(1012), "restart");
            }
            // Until its close, a connection works as before.
            member.roundtrip();
        }
        assert_eq!(server.report(), None);
        member.leave();
        assert_eq!(report(&server).connections, 1);
    }
}

#[test]
fn a_pending_handshake_is_refused_too() {
    let app = Plain::first_message();
    let server = Server::start(Config::default(), app.clone());
    let member = server.member("/ws?token=s3cr3t-ann");
    let waiting = server.client("/ws");
    let mut half = server.tcp();
    half.send(&upgrade("/ws", &[])[..40]);
    server.until("two wait", |stats| stats.pending_handshakes == 2);
    begin(&server, LONG, LONG);
    assert_eq!(waiting.closed(1012), "restart");
    half.send(&upgrade("/ws", &[])[40..]);
    assert_eq!(half.head().status, 101);
    assert_eq!(half.closed(1012), "restart");
    member.leave();
    report(&server);
    server.until_empty();
}

#[test]
fn a_connection_left_at_the_deadline_is_evicted() {
    let mut config = Config {
        wire: Wire::Raw,
        ..Config::default()
    };
    config.timeouts.close = LONG;
    let server = Server::start(config, Plain::default());
    let mut silent = server.client("/ws");
    server.until_connected(1);
    begin(
        &server,
        Duration::from_millis(50),
        Duration::from_millis(300),
    );
    assert_eq!(silent.close().0, 1001);
    assert_eq!(counts(&server), (1, 1));
    silent.rest();
    server.until_empty();
}

#[test]
fn a_second_drain_waits_for_the_same_end() {
    let server = Server::start(Config::default(), Plain::default());
    let peer = server.member("/ws");
    begin(&server, Duration::from_millis(300), LONG);
    let hub = server.hub.clone();
    let second = std::thread::scope(|scope| {
        let second = scope.spawn(|| {
            let at_once = async move { hub.drain(Duration::ZERO, Duration::ZERO).await };
            server.runtime.run(at_once)
        });
        peer.closed(1001);
        second.join().expect("a report")
    });
    assert_eq!(second, report(&server));
    assert_eq!((second.connections, second.evicted), (1, 0));
    let hub = server.hub.clone();
    let third = async move { hub.drain(LONG, LONG).await };
    assert_eq!(server.runtime.run(third), second);
}

#[test]
fn a_drain_of_nobody_is_over_at_once() {
    let server = Server::start(Config::default(), Plain::default());
    let hub = server.hub.clone();
    let drain = async move { hub.drain(LONG, LONG).await };
    assert_eq!(server.runtime.run(drain), DrainReport::default());
    assert_eq!(report(&server), DrainReport::default());
}

#[test]
fn a_drain_sends_what_is_queued_first() {
    let mut config = Config {
        wire: Wire::Raw,
        ..Config::default()
    };
    config.limits.queue_bytes = 8 << 20;
    let server = Server::start(config, Plain::default());
    let mut peer = Peer::connect_narrow(server.address).upgrade("/ws?token=s3cr3t-ann", &[]);
    server.until_connected(1);
    for _ in 0..4 {
        let frame = Frame::binary(&vec![9; 1 << 20]);
        server.hub.send_to_user("ann", frame).expect("sent");
    }
    begin(&server, Duration::ZERO, LONG);
    for _ in 0..4 {
        assert_eq!(peer.frame().payload.len(), 1 << 20);
    }
    peer.closed(1001);
    assert_eq!(report(&server).evicted, 0);
}

#[test]
fn one_hub_may_serve_several_listeners_and_each_returns_its_report() {
    let server = Server::start(Config::default(), Plain::default());
    let hub = server.hub.clone();
    let (sender, second) = std::sync::mpsc::channel();
    let listener = server.runtime.run(rt::bind());
    let address = listener.local_addr().expect("an address");
    server.runtime.spawn(async move {
        let _ = sender.send(rt::serve(listener, hub).await.expect("a report"));
    });
    let mut ann = server.user("ann", "blue");
    let mut ben = Peer::connect(address).upgrade("/ws/blue?token=s3cr3t-ben", &[]);
    ben.expect("welcome");
    ben.say(r#"{"type":"message","content":1}"#);
    assert_eq!(ann.expect("message")["sender"], "ben");
    begin(&server, Duration::ZERO, LONG);
    ann.closed(1001);
    ben.closed(1001);
    let report = report(&server);
    assert_eq!(report.connections, 2);
    let second = second.recv_timeout(super::peer::PATIENCE);
    assert_eq!(second.expect("both calls return"), report);
}

/// Its disconnect hook runs until the gate opens.
struct Farewell(Gate);

impl Application for Farewell {
    async fn on_disconnect(&self, _: &Connection, _: &[Arc<str>], _: CloseReason) {
        self.0.wait().await;
    }
}

#[test]
fn a_drain_waits_for_the_last_hooks() {
    let gate = Gate::default();
    let server = Server::start(Config::default(), Farewell(gate.clone()));
    let gone_before = server.member("/ws");
    let member = server.member("/ws");
    gone_before.leave();
    server.until_connected(1);
    begin(&server, Duration::ZERO, LONG);
    member.closed(1001);
    server.until("only hooks are left", |stats| {
        (stats.closing, stats.disconnecting) == (0, 2)
    });
    // Newcomers are still refused with a reason.
    assert_eq!(server.client("/ws").closed(1012), "restart");
    assert_eq!(server.report(), None);
    gate.open();
    assert_eq!(counts(&server), (1, 0));
    assert_eq!(server.hub.stats().disconnecting, 0);
}

#[test]
fn a_hook_that_does_not_end_holds_up_a_drain_until_the_deadline() {
    let server = Server::start(Config::default(), Farewell(Gate::default()));
    let member = server.member("/ws");
    begin(&server, Duration::ZERO, Duration::from_millis(300));
    member.closed(1001);
    assert_eq!(report(&server).hooks_cut_off, 1);
    assert_eq!(counts(&server), (1, 0));
}

#[test]
fn where_the_deadline_comes_at_once_everybody_is_told_as_well() {
    let server = Server::start(Config::default(), Plain::default());
    let peers: Vec<Peer> = (0..10)
        .map(|n| server.user(&n.to_string(), "blue"))
        .collect();
    begin(&server, Duration::ZERO, Duration::ZERO);
    for mut peer in peers {
        assert!(peer.find("bye")["reconnect_in_ms"].as_u64() > Some(0));
        assert_eq!(peer.close(), (1001, "draining".into()));
    }
    assert_eq!(report(&server).connections, 10);
    server.until_empty();
}
