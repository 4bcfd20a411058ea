//! The hub's handle on many threads, while many clients connect and leave.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::app::Plain;
use super::frames::{TEXT, close, frame};
use super::peer::Peer;
use super::server::Server;
use crate::rt::{CloseReason, Config, Exclude, Frame, Limits, Presence, Rates};

const STORM: Duration = Duration::from_millis(1_500);

fn config() -> Config {
    Config {
        rates: Rates::unlimited(),
        limits: Limits {
            handshakes: 100,
            queue_messages: 100_000,
            queue_bytes: 64 << 20,
            ..Limits::default()
        },
        presence: Presence {
            leave_grace: Duration::from_millis(10),
            interval: Duration::from_millis(10),
            ..Presence::default()
        },
        ..Config::default()
    }
}

/// A client's short life.
fn visit(server: &Server, number: usize) {
    let mut peer: Peer = server.client(&format!(
        "/ws/room{}?token=s3cr3t-{}",
        number % 3,
        number % 7
    ));
    peer.try_send(&frame(TEXT, br#"{"type":"subscribe","channel":"all"}"#));
    peer.try_send(&frame(
        TEXT,
        br#"{"type":"message","channel":"all","content":1,"id":1}"#,
    ));
    for _ in 0..number % 5 {
        if peer.try_frame().is_err() {
            return;
        }
    }
    match number % 3 {
        0 => peer.reset(),
        1 => drop(peer),
        _ => {
            peer.try_send(&close(1000, b""));
            let _ = peer.try_close();
        }
    }
}

/// A call that an application may make from any thread.
fn command(server: &Server, number: usize) {
    let hub = &server.hub;
    match number % 8 {
        0 => drop(hub.broadcast_all(Frame::text("{}"), Exclude::NOBODY)),
        1 => drop(hub.send_to_user("3", Frame::text("{}"))),
        2 => drop(hub.disconnect_user("4", CloseReason::Kicked)),
        3 => {
            for id in hub.members("all") {
                let _ = hub.join(id, "extra");
                let _ = hub.leave(id, "room1");
            }
        }
        4 => hub.audit().expect("consistent"),
        5 => drop((hub.stats(), hub.room_users("all"), hub.connections_of("1"))),
        6 => {
            if let Some(&id) = hub.members("room2").first() {
                let _ = hub.close(id, CloseReason::Kicked);
            }
        }
        _ => drop(hub.broadcast("all", r#"{"from":"the application"}"#)),
    }
}

fn storm(threads: usize) {
    let app = Plain::default();
    let server = Server::with_threads(threads, config(), app.clone());
    let over = AtomicBool::new(false);
    let begun = Instant::now();
    thread::scope(|scope| {
        for thread in 0..4 {
            let (server, over) = (&server, &over);
            scope.spawn(move || {
                let mut number = thread;
                while !over.load(Ordering::Relaxed) {
                    command(server, number);
                    number += 1;
                    thread::sleep(Duration::from_micros(300));
                }
            });
        }
        let visitors: Vec<_> = (0..6)
            .map(|thread| {
                let server = &server;
                scope.spawn(move || {
                    let mut visits = 0;
                    while begun.elapsed() < STORM {
                        visit(server, thread + visits * 6);
                        visits += 1;
                    }
                    visits
                })
            })
            .collect();
        let visits: usize = visitors
            .into_iter()
            .map(|thread| thread.join().expect("it ran"))
            .sum();
        over.store(true, Ordering::Relaxed);
        assert!(visits > 20, "{visits} visits");
    });
    server.until_empty();
    let heard = || (app.log.count("connect"), app.log.count("disconnect"));
    let all = || heard().0 == heard().1;
    super::server::until("each end is heard", all, heard);
    let closes: u64 = server.hub.stats().closes.values().sum();
    assert_eq!(closes as usize, heard().0);
}

#[test]
fn many_threads_and_many_clients_leave_nothing_behind_on_one_thread() {
    storm(1);
}

#[test]
fn many_threads_and_many_clients_leave_nothing_behind_on_two_threads() {
    storm(2);
}

#[test]
fn members_of_one_room_hear_all_publishers_in_one_order() {
    let server = Server::with_threads(2, config(), Plain::default());
    let mut peers: Vec<Peer> = (0..4)
        .map(|n| server.user(&format!("m{n}"), "blue"))
        .collect();
    let each = 250;
    thread::scope(|scope| {
        for publisher in 0..4 {
            let hub = &server.hub;
            scope.spawn(move || {
                for n in 0..each {
                    let content = format!("[{publisher},{n}]");
                    let receipt = hub.broadcast("blue", &content).expect("JSON");
                    assert_eq!(receipt.accepted, 4);
                }
            });
        }
    });
    let mut first: Vec<String> = Vec::new();
    for peer in &mut peers {
        let mut heard = Vec::new();
        for seq in 1..=4 * each {
            let message = peer.expect("message");
            assert_eq!(message["seq"], seq);
            heard.push(message["content"].to_string());
        }
        if first.is_empty() {
            first.clone_from(&heard);
        }
        assert_eq!(heard, first);
    }
    for publisher in 0..4 {
        let own = format!("[{publisher},");
        let in_order: Vec<String> = (0..each).map(|n| format!("[{publisher},{n}]")).collect();
        let heard: Vec<&String> = first.iter().filter(|text| text.starts_with(&own)).collect();
        assert!(
            heard.into_iter().eq(&in_order),
            "each publisher's own order is kept"
        );
    }
}

#[test]
fn a_publisher_may_wait_for_the_writers() {
    let mut config = config();
    config.limits.queue_messages = 64;
    let server = Server::with_threads(2, config, Plain::default());
    let peers: Vec<Peer> = (0..5)
        .map(|n| server.user(&format!("m{n}"), "blue"))
        .collect();
    let hub = server.hub.clone();
    let count = 2_000_u64;
    thread::scope(|scope| {
        for mut peer in peers {
            scope.spawn(move || {
                for seq in 1..=count {
                    assert_eq!(peer.expect("message")["seq"], seq);
                }
                peer
            });
        }
        server.runtime.run(async move {
            for n in 0..count {
                hub.ready().await;
                hub.broadcast("blue", &n.to_string()).expect("JSON");
            }
        });
    });
    assert_eq!(server.closes("slow_consumer"), 0);
    server.until_empty();
}
