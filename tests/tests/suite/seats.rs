//! Concurrent connects never exceed the seats.

use std::sync::Barrier;
use std::thread;

use super::app::Plain;
use super::catalogue::covers;
use super::peer::{Peer, upgrade};
use super::server::Server;
use crate::rt::{self, CloseReason, Config, Limits, Refusal, Request};

covers! {
    many_devices_of_one_user_at_once_leave_one_connection:
        "R1", "many connects of one user at once" => "one is left, the others 1000 `replaced`";
}

/// Connects this many clients at once; returns how many were admitted.
fn storm(server: &Server, clients: usize, path: &str) -> usize {
    let barrier = Barrier::new(clients);
    let peers: Vec<Option<Peer>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|_| {
                scope.spawn(|| {
                    let mut peer = server.tcp();
                    barrier.wait();
                    peer.send(&upgrade(path, &[]));
                    let status = peer.head().status;
                    (status == 101).then_some(peer)
                })
            })
            .collect();
        let joined = threads
            .into_iter()
            .map(|thread| thread.join().expect("it ran"));
        joined.collect()
    });
    let stats = server.hub.stats();
    let admitted = peers.iter().flatten().count();
    assert_eq!(stats.total_connections, admitted);
    server.audit();
    for peer in peers.into_iter().flatten() {
        peer.leave();
    }
    server.until_empty();
    admitted
}

#[test]
fn many_connects_at_once_fill_the_seats_exactly() {
    let limits = Limits::default();
    let rows = [
        Limits {
            connections: 7,
            ..limits
        },
        Limits {
            room_members: 7,
            ..limits
        },
        Limits {
            per_ip: 7,
            ..limits
        },
    ];
    for limits in rows {
        let config = Config {
            limits,
            refusal: Refusal::Http,
            ..Config::default()
        };
        let server = Server::with_threads(2, config, Plain::default());
        for _ in 0..3 {
            assert_eq!(storm(&server, 16, "/ws/blue"), 7, "{limits:?}");
        }
    }
}

#[test]
fn many_devices_of_one_user_at_once_leave_one_connection() {
    let server = Server::with_threads(2, Config::default(), Plain::default());
    let path = "/ws/blue?token=s3cr3t-ann";
    thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                let mut peer = server.client(path);
                let end = peer.try_close();
                assert!(matches!(end, Ok((1000 | 4004, _))), "{end:?}");
            });
        }
        server.until("eleven are replaced", |stats| {
            stats.closes.get("replaced") == Some(&11)
        });
        assert_eq!(server.hub.connections_of("ann").len(), 1);
        assert_eq!(server.hub.members("blue").len(), 1);
        server.hub.disconnect_user("ann", CloseReason::Kicked);
    });
    server.until_empty();
}

#[test]
fn an_upgraded_stream_that_gets_no_seat_is_told_so_by_a_close_frame() {
    let mut config = Config::default();
    config.limits.handshakes = 40;
    let server = Server::start(config, Plain::default());
    // The share of one address, once half of the seats are taken.
    let held: Vec<Peer> = (0..20).map(|_| server.tcp()).collect();
    server.until("they hold seats", |stats| stats.pending_handshakes == 20);
    let listener = server.runtime.run(rt::bind());
    let mut late = Peer::connect(listener.local_addr().expect("an address"));
    let hub = server.hub.clone();
    server.runtime.run(async move {
        let (stream, peer) = listener.accept().await.expect("a stream");
        let request = Request::upgraded("/ws", None, [("Host", "a")]).expect("a request");
        hub.accept_upgraded(stream, peer.ip(), request, Vec::new())
            .expect("taken");
    });
    assert_eq!(late.close(), (4100, "ip_limit".to_owned()));
    assert_eq!(late.rest().0, b"");
    drop(held);
    server.until_empty();
}
