//! The node's bound on queued memory (docs/behaviour.md, section 4).

use std::sync::Barrier;
use std::thread;

use serde_json::Value;

use super::app::Plain;
use super::catalogue::covers;
use super::frames::{TEXT, frame};
use super::peer::{Peer, upgrade};
use super::server::Server;
use crate::rt::{Config, Frame, Presence, Rates};

covers! {
    a_burst_of_one_client_costs_no_reader_its_connection:
        "L11", "one client bursts to 250 readers, over the bound counted in copies" =>
            "nobody is closed, and all get all of it";
    over_what_is_really_held_the_stalled_go_and_readers_stay:
        "L11", "other messages for each of the stalled, over the bound of the node" =>
            "of the stalled those with the most waiting are closed; readers miss nothing";
}

const MIB: usize = 1 << 20;

fn config(queued_bytes: usize) -> Config {
    let mut config = Config {
        rates: Rates::unlimited(),
        presence: Presence {
            enabled: false,
            ..Presence::default()
        },
        ..Config::default()
    };
    config.limits.per_ip = 1_000;
    config.limits.queued_bytes = queued_bytes;
    config
}

fn text_of(peer: &mut Peer) -> Value {
    peer.find("message")["content"]["n"].clone()
}

#[test]
fn a_burst_of_one_client_costs_no_reader_its_connection() {
    const THREADS: usize = 5;
    const EACH: usize = 50;
    const MESSAGES: usize = 12;
    let server = Server::start(config(8 * MIB), Plain::default());
    let mut sender = server.user("sender", "hall");
    let joined = Barrier::new(THREADS + 1);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (server, joined) = (&server, &joined);
                scope.spawn(move || {
                    let mut peers: Vec<Peer> = (0..EACH)
                        .map(|n| server.user(&format!("reader-{thread}-{n}"), "hall"))
                        .collect();
                    joined.wait();
                    for n in 0..=MESSAGES {
                        for peer in &mut peers {
                            assert_eq!(text_of(peer), n, "all messages, in order");
                        }
                    }
                    peers
                })
            })
            .collect();
        joined.wait();
        // 195 MB in copies, but 0.8 MB in memory: less than one queue may hold.
        let burst: Vec<u8> = (0..MESSAGES)
            .flat_map(|n| {
                let content = format!(r#"{{"n":{n},"x":"{}"}}"#, "x".repeat(65_000));
                let text = format!(r#"{{"type":"message","id":{n},"content":{content}}}"#);
                frame(TEXT, text.as_bytes())
            })
            .collect();
        sender.send(&burst);
        for n in 0..MESSAGES {
            let ack = sender.expect("ack");
            assert_eq!((&ack["id"], &ack["seq"]), (&n.into(), &(n + 1).into()));
        }
        let last = format!(r#"{{"n":{MESSAGES}}}"#);
        let receipt = server.hub.broadcast("hall", &last).expect("JSON");
        assert_eq!((receipt.accepted, receipt.closed), (THREADS * EACH + 1, 0));
        let peers: Vec<Peer> = readers
            .into_iter()
            .flat_map(|reader| reader.join().expect("a reader"))
            .collect();
        let stats = server.hub.stats();
        assert_eq!(stats.total_connections, THREADS * EACH + 1, "{stats:?}");
        assert!(stats.closes.is_empty(), "{stats:?}");
        assert!(stats.dropped.is_empty(), "{stats:?}");
        drop(peers);
    });
    drop(sender);
    server.until_empty();
}

#[test]
fn over_what_is_really_held_the_stalled_go_and_readers_stay() {
    let bound = 2 * MIB;
    let server = Server::start(config(bound), Plain::default());
    let mut readers: Vec<Peer> = (0..10)
        .map(|n| server.user(&format!("reader-{n}"), "hall"))
        .collect();
    let stalled: Vec<Peer> = (0..4)
        .map(|n| {
            let mut peer = Peer::connect_narrow(server.address);
            peer.send(&upgrade(&format!("/ws/hall?token=s3cr3t-stalled-{n}"), &[]));
            assert_eq!(peer.head().status, 101);
            peer
        })
        .collect();
    server.until_connected(14);
    let mut closed = 0;
    let mut n = 0;
    // The network buffers some of it; each stalled member may have 1 MiB queued.
    while closed < 2 {
        for stalled in 0..4 {
            let frame = Frame::binary(&vec![stalled; 32 << 10]);
            let receipt = server
                .hub
                .send_to_user(&format!("stalled-{stalled}"), frame)
                .expect("only stalled members hold messages");
            closed += receipt.closed as u64;
            let stats = server.hub.stats();
            assert!(stats.queued_bytes <= bound, "{stats:?}");
        }
        let receipt = server
            .hub
            .broadcast("hall", &format!(r#"{{"n":{n}}}"#))
            .expect("JSON");
        closed += receipt.closed as u64;
        let left = server.hub.stats().total_connections;
        assert_eq!(receipt.accepted, left, "closed members get nothing");
        for reader in &mut readers {
            assert_eq!(text_of(reader), n);
        }
        n += 1;
        assert!(n < 10_000, "the network buffers everything");
    }
    let stats = server.hub.stats();
    assert!(stats.total_connections >= readers.len(), "{stats:?}");
    drop((readers, stalled));
    server.until_empty();
}
