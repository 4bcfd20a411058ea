//! Evictions while a writer holds frames: the last owner drops the socket.

use std::time::Duration;

use shuttle::thread::{self, JoinHandle};
use switchboard_core::CloseReason;

use super::explore::{explore, explore_times, probe};
use super::machine::{draw, exhaust};
use super::node::{Hub, Node, config, pass_time_until};
use super::peer::Peer;
use super::pipe::ServerEnd;
use super::runtime::Crew;

fn publish(hub: Hub, count: usize) -> JoinHandle<()> {
    thread::spawn(move || {
        for n in 0..count {
            hub.broadcast("blue", &n.to_string()).expect("JSON");
        }
    })
}

/// Reads to the end. If a Close frame arrives, it must have this code; it may be missing or cut.
fn read_on(mut peer: Peer, code: u16) -> JoinHandle<()> {
    thread::spawn(move || {
        let frames = peer.rest();
        match frames.last().and_then(super::frames::Frame::code) {
            Some(found) => {
                assert_eq!(found, code);
                probe("a Close frame got out");
            }
            None if peer.is_cut() => probe("a frame was cut"),
            None => probe("no Close frame got out"),
        }
    })
}

#[test]
fn a_socket_is_dropped_once_by_whoever_lets_go_last() {
    explore_times(10, "eviction", &["a writer let go last"], || {
        let mut node = Node::new(config(), 2);
        let mut peers = [
            node.enter("ann", "blue", 1 << 20),
            node.enter("bob", "blue", 70),
        ];
        let publisher = publish(node.hub.clone(), 12);
        for _ in 0..draw(8) {
            peers[0].hear("blue");
        }
        peers[0].reset();
        publisher.join().expect("it ran");
        drop(peers);
        node.until_empty(2);
        node.finish();
    });
}

#[test]
fn the_last_handle_may_go_at_any_time() {
    explore(
        "shutdown",
        &["a writer let go last", "a socket was full"],
        || {
            let mut node = Node::new(config(), 2);
            let peers = [
                node.enter("ann", "blue", 50),
                node.enter("bob", "blue", 1 << 20),
            ];
            // A connection whose admission is under way.
            let late = node.dial("cid", "blue", 300);
            let publisher = publish(node.hub.clone(), 2);
            let readers = peers.map(|mut peer| {
                thread::spawn(move || {
                    peer.rest();
                })
            });
            node.finish();
            publisher.join().expect("it ran");
            for reader in readers {
                reader.join().expect("it ran");
            }
            drop(late);
        },
    );
}

#[test]
fn a_connection_that_answers_no_ping_is_evicted_without_a_second_writer() {
    let happens = ["a Close frame got out", "no Close frame got out"];
    explore("no pong", &happens, || {
        let mut config = config();
        config.health.ping_interval = Duration::from_secs(2);
        config.health.ping_timeout = Duration::from_secs(1);
        let mut node = Node::new(config, 2);
        let peers = ["ann", "bob"].map(|user| node.enter(user, "blue", 40 + draw(200)));
        let publisher = publish(node.hub.clone(), 6);
        let readers = peers.map(|peer| read_on(peer, 4201));
        pass_time_until(Duration::from_millis(200), || {
            node.hub.members("blue").is_empty()
        });
        publisher.join().expect("it ran");
        for reader in readers {
            reader.join().expect("it ran");
        }
        node.until_empty(2);
        node.finish();
    });
}

#[test]
fn a_connection_that_may_not_linger_is_evicted_without_a_second_writer() {
    let happens = ["a Close frame got out", "no Close frame got out"];
    explore("no room to close", &happens, || {
        let mut config = config();
        config.limits.closing = 1;
        let mut node = Node::new(config, 2);
        let users = ["ann", "bob", "cid"];
        let peers = users.map(|user| node.enter(user, "blue", 40 + draw(200)));
        let publisher = publish(node.hub.clone(), 3);
        let readers = peers.map(|peer| read_on(peer, 4004));
        for user in users {
            let ended = node.hub.disconnect_user(user, CloseReason::Kicked);
            assert_eq!(ended, 1);
        }
        publisher.join().expect("it ran");
        for reader in readers {
            reader.join().expect("it ran");
        }
        node.until_empty(3);
        node.finish();
    });
}

#[test]
fn a_connection_that_arrives_just_before_the_end_is_released_too() {
    explore("arrival at the end", &[], || {
        let mut node = Node::new(config(), 1 + draw(2));
        drop(node.dial("ann", "blue", 300));
        node.finish();
    });
}

#[test]
fn a_connection_that_arrives_after_the_runtime_has_gone_is_released_at_once() {
    explore("arrival at no runtime", &[], || {
        let mut node = Node::on(Crew::with(1, usize::MAX), config());
        let publisher = publish(node.hub.clone(), 1);
        let pipe = node.pipe(300);
        let accepted = node.hub.accept(ServerEnd::new(pipe.clone()), Vec::new());
        assert!(accepted.is_err());
        assert!(pipe.is_dropped());
        publisher.join().expect("it ran");
        node.finish();
    });
}

#[test]
fn a_loop_that_ends_before_the_hub_is_started_again_and_gets_no_connection_until_then() {
    explore("a loop that ends", &[], || {
        // The ticker and one of two event loops.
        let mut node = Node::on(Crew::with(2, 2), config());
        let peers = ["ann", "bob", "cid"].map(|user| node.enter(user, "blue", 300));
        drop(peers);
        node.until_empty(3);
        node.finish();
    });
}

#[test]
fn a_connection_that_arrives_while_no_file_can_be_opened_keeps_none_for_ever() {
    explore("no file to watch sockets with", &[], || {
        let step = Duration::from_millis(50);
        exhaust(true);
        let mut node = Node::new(config(), 1);
        let early = node.dial("ann", "blue", 300);
        pass_time_until(step, || early.pipe.is_dropped());
        exhaust(false);
        let late = node.dial("bob", "blue", 300);
        pass_time_until(step, || !node.hub.members("blue").is_empty());
        drop((early, late));
        node.until_empty(1);
        node.finish();
    });
}
