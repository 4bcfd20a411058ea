//! Evictions while a writer holds frames: whoever lets go last drops the socket.

use shuttle::thread;

use super::explore::explore;
use super::machine::draw;
use super::node::{Node, config};

#[test]
fn a_socket_is_dropped_once_by_whoever_lets_go_last() {
    explore("eviction", &["a writer let go last"], || {
        let mut node = Node::new(config(), 2);
        let mut peers = [node.enter("ann", "blue", 70), node.enter("bob", "blue", 70)];
        let hub = node.hub.clone();
        let publisher = thread::spawn(move || {
            for n in 0..3 {
                hub.broadcast("blue", &n.to_string()).expect("JSON");
            }
        });
        for _ in 0..draw(3) {
            peers[0].expect("message");
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
            // Somebody who is on the way in.
            let late = node.dial("cid", "blue", 300);
            let hub = node.hub.clone();
            let publisher = thread::spawn(move || {
                for n in 0..2 {
                    hub.broadcast("blue", &n.to_string()).expect("JSON");
                }
            });
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
