//! Liveness (docs/behaviour.md, section 6).

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::app::{Log, Plain};
use super::catalogue::covers;
use super::frames::{PING, PONG, frame};
use super::server::Server;
use crate::rt::{
    Application, Config, Connection, Denied, HealthPing, Message, Notice, Rates, UserPolicy, Wire,
};

covers! {
    a_silent_peer_is_gone_within_interval_and_timeout:
        "S4", "a peer vanishes without a word" => "4201 `heartbeat_timeout`; every count is back";
    a_stall_of_the_host_is_not_a_stall_of_its_clients:
        "R12", "the host stood still, and the pongs wait in the sockets" => "nobody is evicted";
}

const INTERVAL: Duration = Duration::from_millis(150);
const TIMEOUT: Duration = Duration::from_millis(150);

fn brisk(wire: Wire) -> Config {
    let mut config = Config {
        wire,
        users: UserPolicy::Allow(5),
        ..Config::default()
    };
    config.health.ping_interval = INTERVAL;
    config.health.ping_timeout = TIMEOUT;
    config
}

#[test]
fn a_silent_peer_is_gone_within_interval_and_timeout() {
    let app = Plain::default();
    let server = Server::start(brisk(Wire::Json), app.clone());
    let mut silent = server.user("silent", "blue");
    let begun = Instant::now();
    let mut pings = 0;
    let end = loop {
        match silent.try_frame() {
            Ok(frame) if frame.first == 0x80 | PING => pings += 1,
            Ok(frame) if frame.first == 0x88 => {
                assert_eq!(frame.payload[..2], 4201_u16.to_be_bytes());
            }
            Ok(_) => {}
            Err(end) => break end,
        }
    };
    assert!(pings >= 1, "{end:?}");
    assert!(begun.elapsed() >= TIMEOUT);
    app.log
        .until_has("disconnect silent [blue] heartbeat_timeout");
    server.until_empty();
}

#[test]
fn a_quiet_peer_that_answers_stays_and_so_does_one_that_only_talks() {
    let mut config = brisk(Wire::Raw);
    config.health.ping_timeout = 3 * TIMEOUT;
    let server = Server::start(config, Plain::default());
    let mut quiet = server.client("/ws?token=s3cr3t-quiet");
    let mut talks = server.client("/ws?token=s3cr3t-talks");
    let mut pongs = 0;
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                talks.say("not a pong");
                thread::sleep(Duration::from_millis(20));
            }
        });
        while pongs < 8 {
            let ping = quiet.try_frame().expect("a ping");
            assert_eq!(ping.first, 0x80 | PING);
            quiet.send(&frame(PONG, &ping.payload));
            pongs += 1;
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(server.hub.stats().total_connections, 2);
    let id = server.hub.connections_of("quiet")[0];
    assert!(server.hub.round_trip(id).is_some());
    assert!(server.hub.last_heard("quiet") < Some(Duration::from_secs(2)));
    assert_eq!(server.hub.last_heard("nobody"), None);
    assert!(server.hub.stats().rtt_ms.p50 > 0.0);
}

#[test]
fn all_devices_of_a_user_are_asked() {
    for wire in [Wire::Json, Wire::Raw] {
        let mut config = brisk(wire);
        config.health = crate::rt::Health::default();
        let server = Server::start(config, Plain::default());
        let mut answers = server.client("/ws?token=s3cr3t-ann");
        let silent = server.client("/ws?token=s3cr3t-ann");
        server.until_connected(2);
        let (first, second) = thread::scope(|scope| {
            let ask = || {
                let hub = server.hub.clone();
                let timeout = Duration::from_millis(400);
                server
                    .runtime
                    .run(async move { hub.ping_user("ann", timeout).await })
            };
            let (one, two) = (scope.spawn(ask), scope.spawn(ask));
            for _ in 0..2 {
                if wire == Wire::Json {
                    let timestamp = answers.find("health_ping")["timestamp"].clone();
                    answers.say(&json!({"type":"health_pong","timestamp":timestamp}).to_string());
                } else {
                    let ping = answers.try_frame().expect("a ping");
                    answers.send(&frame(PONG, &ping.payload));
                }
            }
            (one.join().expect("results"), two.join().expect("results"))
        });
        for results in [first, second] {
            let answered = results.iter().filter(|result| result.rtt.is_some());
            assert_eq!((answered.count(), results.len()), (1, 2), "{wire:?}");
            assert!(results[0].rtt.is_some(), "the older device answered");
        }
        drop(silent);
        let hub = server.hub.clone();
        let nobody = async move { hub.ping_user("nobody", Duration::from_secs(9)).await };
        assert_eq!(server.runtime.run(nobody), []);
    }
}

#[test]
fn where_messages_count_a_pong_is_no_life() {
    let mut config = brisk(Wire::Json);
    config.health.health_ping = HealthPing::All;
    let server = Server::start(config, Plain::default());
    let mut answers = server.user("answers", "");
    let mut proxied = server.user("proxied", "");
    let begun = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            // A proxy answers protocol pings for it, and sends nothing else.
            while proxied.try_send(&frame(PONG, b"")) {
                thread::sleep(Duration::from_millis(20));
            }
        });
        while begun.elapsed() < 4 * (INTERVAL + TIMEOUT) / 2 {
            let timestamp = answers.find("health_ping")["timestamp"].clone();
            answers.say(&json!({"type":"health_pong","timestamp":timestamp}).to_string());
        }
        server.until_closed("heartbeat_timeout", 1);
        assert!(server.hub.is_connected("answers"));
    });
}

/// Blocks the server's only thread.
struct Stalls(Log);

impl Application for Stalls {
    async fn on_message(&self, client: &Connection, message: Message) -> Result<(), Denied> {
        if message == Message::Text("stall".into()) {
            thread::sleep(Duration::from_millis(1_500));
            let _ = client.send_text("over");
        }
        Ok(())
    }

    fn on_notice(&self, notice: &Notice) {
        if let Notice::HostStalled { .. } = notice {
            self.0.add("stalled");
        }
    }
}

#[test]
fn a_stall_of_the_host_is_not_a_stall_of_its_clients() {
    let log = Log::default();
    let mut config = brisk(Wire::Raw);
    config.health.stall_threshold = Duration::from_millis(400);
    config.health.ping_timeout = Duration::from_millis(400);
    config.rates = Rates::unlimited();
    let server = Server::start(config, Stalls(log.clone()));
    let mut stalls = server.client("/ws");
    let mut quiet = server.client("/ws");
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let ping = quiet.try_frame().expect("a ping");
                quiet.send(&frame(PONG, &ping.payload));
            }
        });
        stalls.say("stall");
        assert_eq!(stalls.text(), "over");
        for _ in 0..5 {
            let ping = stalls.try_frame().expect("a ping");
            stalls.send(&frame(PONG, &ping.payload));
        }
        log.until_has("stalled");
        assert_eq!(server.closes("heartbeat_timeout"), 0);
        over.store(true, Ordering::Relaxed);
    });
}
