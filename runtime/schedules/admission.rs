//! Simultaneous connects at a limit.

use shuttle::thread;
use switchboard_core::CloseReason;

use super::explore::{explore, probe};
use super::frames::Frame;
use super::node::{Node, config, until};

const SEATS: usize = 2;

#[test]
fn simultaneous_connects_fill_the_seats_exactly() {
    explore("seats", &["refused"], || {
        let mut config = config();
        config.limits.connections = SEATS;
        let mut node = Node::new(config, 2);
        let users = ["ann", "bob", "cid"];
        let peers = users.map(|user| node.dial(user, "blue", 400));
        let arrivals = peers.map(|mut peer| {
            thread::spawn(move || {
                assert_eq!(peer.status(), Some(101));
                let first = peer.frame().expect("a welcome or a Close frame");
                if first.is("welcome") {
                    return Some(peer);
                }
                assert_eq!(first.code(), Some(4002));
                assert_eq!(peer.rest(), [], "nothing after a Close frame");
                probe("refused");
                None
            })
        });
        let inside: Vec<_> = arrivals
            .into_iter()
            .filter_map(|arrival| arrival.join().expect("it ran"))
            .collect();
        assert_eq!(inside.len(), SEATS);
        assert_eq!(node.hub.stats().total_connections, SEATS);
        drop(inside);
        node.until_empty(SEATS);
        node.finish();
    });
}

#[test]
fn two_connects_of_one_user_leave_one_connection() {
    explore("twins", &[], || {
        let mut node = Node::new(config(), 2);
        let twins = [(); 2].map(|()| node.dial("ann", "blue", 200));
        let twins = twins.map(|mut peer| {
            let hub = node.hub.clone();
            thread::spawn(move || {
                assert_eq!(peer.status(), Some(101));
                hub.broadcast("blue", "0").expect("JSON");
                peer.rest().last().and_then(Frame::code)
            })
        });
        until(|| node.hub.stats().closes.get("replaced") == Some(&1));
        assert_eq!(node.hub.disconnect_user("ann", CloseReason::Kicked), 1);
        let mut codes = twins.map(|twin| twin.join().expect("it ran"));
        codes.sort_unstable();
        assert_eq!(codes, [Some(1000), Some(4004)]);
        node.until_empty(2);
        node.finish();
    });
}
