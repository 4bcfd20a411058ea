//! Paused reading resumes by itself.

use shuttle::thread;
use switchboard_core::UserPolicy;

use super::explore::{explore, probe};
use super::node::{Node, config};

/// Sends `count` messages at once and awaits an answer to each.
fn converse(node: &mut Node, window: usize, count: u64) {
    let mut peer = node.enter("ann", "blue", window);
    let hub = node.hub.clone();
    let elsewhere = thread::spawn(move || {
        for _ in 0..3 {
            hub.broadcast("everybody", "0").expect("JSON");
        }
    });
    for n in 0..count {
        peer.send_text(&format!(r#"{{"type":"ping","timestamp":{n}}}"#));
        peer.send_text(r#"{"type":"message","channel":"blue","content":0,"id":1}"#);
    }
    for seq in 1..=count {
        assert_eq!(peer.expect("ack").seq(), seq);
    }
    elsewhere.join().expect("it ran");
    drop(peer);
}

#[test]
fn a_connection_paused_for_its_own_queue_is_read_again() {
    explore("pause", &["a socket was full"], || {
        let mut config = config();
        config.limits.pause_reading = Some(60);
        let mut node = Node::new(config, 2);
        converse(&mut node, 50, 4);
        node.until_empty(1);
        node.finish();
    });
}

#[test]
fn a_client_that_outpaces_its_hooks_is_read_again() {
    explore("backlog", &["more than fits in the backlog"], || {
        let mut node = Node::new(config(), 1);
        let count = 20;
        if 2 * count > switchboard_core::session::BACKLOG as u64 {
            probe("more than fits in the backlog");
        }
        converse(&mut node, 1 << 20, count);
        node.until_empty(1);
        node.finish();
    });
}

#[test]
fn a_connection_paused_for_what_waits_for_others_is_read_again() {
    explore("node's backlog", &["too much waits for hooks"], || {
        let mut config = config();
        config.limits.unfinished_bytes = 130;
        config.users = UserPolicy::Allow(2);
        let mut node = Node::new(config, 2);
        let peers: Vec<_> = (0..2)
            .map(|_| {
                let mut peer = node.enter("ann", "blue", 1 << 20);
                thread::spawn(move || {
                    for _ in 0..8 {
                        peer.send_text(r#"{"type":"message","channel":"blue","content":0,"id":1}"#);
                    }
                    for _ in 0..8 {
                        peer.expect("ack");
                    }
                })
            })
            .collect();
        for peer in peers {
            peer.join().expect("it ran");
        }
        node.until_empty(2);
        assert!(!node.hub.shared().backlog.is_full());
        node.finish();
    });
}
