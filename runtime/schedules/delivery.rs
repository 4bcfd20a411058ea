//! Delivery to a room while several threads publish and several threads write.

use shuttle::thread;

use super::explore::{explore, probe};
use super::node::{Hub, Node, config, until};
use super::peer::Peer;

const PUBLISHERS: usize = 2;
const EACH: usize = 3;

fn publish(hub: &Hub, publisher: usize) {
    for n in 0..EACH {
        let receipt = hub.broadcast("blue", &format!("[{publisher},{n}]"));
        receipt.expect("JSON");
    }
}

/// Receives all messages. Checks that the numbers have no gap and that each publisher's order is kept.
fn hear(peer: &mut Peer) -> Vec<String> {
    let heard: Vec<_> = (0..PUBLISHERS * EACH).map(|_| peer.hear("blue")).collect();
    for (index, message) in heard.iter().enumerate() {
        assert_eq!(message.seq(), index as u64 + 1, "{}", message.text());
    }
    let texts: Vec<String> = heard
        .iter()
        .map(|message| message.text().to_owned())
        .collect();
    for publisher in 0..PUBLISHERS {
        let own: Vec<_> = texts
            .iter()
            .filter_map(|text| text.split_once(&format!("[{publisher},")))
            .map(|(_, n)| &n[..1])
            .collect();
        assert_eq!(own, ["0", "1", "2"]);
    }
    texts
}

/// Publishes from several threads, and checks that all members receive the same sequence.
pub(super) fn publish_and_compare(node: &Node, peers: Vec<Peer>) -> Vec<Peer> {
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|publisher| {
            let hub = node.hub.clone();
            thread::spawn(move || publish(&hub, publisher))
        })
        .collect();
    let readers: Vec<_> = peers
        .into_iter()
        .map(|mut peer| thread::spawn(move || (hear(&mut peer), peer)))
        .collect();
    for publisher in publishers {
        publisher.join().expect("it ran");
    }
    let (heard, mut peers): (Vec<_>, Vec<_>) = readers
        .into_iter()
        .map(|reader| reader.join().expect("it ran"))
        .unzip();
    assert!(heard.iter().all(|one| *one == heard[0]), "{heard:?}");
    // The message of `on_connect` may come after the published ones.
    until(|| {
        peers.iter_mut().for_each(Peer::read_on);
        node.hub.stats().queued_bytes == 0
    });
    peers
}

#[test]
fn members_hear_all_publishers_in_one_order() {
    explore(
        "delivery",
        &["a socket was full", "a write took a part"],
        || {
            let mut node = Node::new(config(), 2);
            let peers = vec![
                node.enter("ann", "blue", 60),
                node.enter("bob", "blue", 100),
                node.enter("cid", "blue", 1 << 20),
            ];
            let peers = publish_and_compare(&node, peers);
            drop(peers);
            node.until_empty(3);
            node.finish();
        },
    );
}

#[test]
fn a_publisher_that_waits_for_the_writers_resumes_and_makes_no_member_slow() {
    explore("gate", &["a publisher had to wait"], || {
        let mut config = config();
        config.limits.queue_messages = 12;
        let mut node = Node::new(config, 1);
        let mut peer = node.enter("ann", "blue", 1 << 20);
        let publishers: Vec<_> = (0..2)
            .map(|_| {
                let hub = node.hub.clone();
                thread::spawn(move || {
                    for _ in 0..8 {
                        if hub.shared().is_congested() {
                            probe("a publisher had to wait");
                        }
                        shuttle::future::block_on(hub.ready());
                        hub.broadcast("blue", "0").expect("JSON");
                    }
                })
            })
            .collect();
        for seq in 1..=16 {
            assert_eq!(peer.hear("blue").seq(), seq);
        }
        for publisher in publishers {
            publisher.join().expect("it ran");
        }
        drop(peer);
        node.until_empty(1);
        node.finish();
    });
}
