//! A drain while clients arrive.

use std::sync::Arc;
use std::time::Duration;

use shuttle::thread;

use super::explore::{explore, probe};
use super::frames::Frame;
use super::node::{Node, config, pass_time_until};
use super::peer::Peer;
use super::runtime::Listener;

const STEP: Duration = Duration::from_millis(50);
const WINDOW: Duration = Duration::from_millis(200);
const DEADLINE: Duration = Duration::from_millis(500);

/// A client that accepts any outcome.
fn visit(mut peer: Peer) {
    peer.request("/ws/blue?token=ann");
    match peer.status() {
        Some(101) => {}
        Some(status) => {
            assert_eq!(status, 503);
            return probe("told by HTTP");
        }
        None => return probe("cut off on the way in"),
    }
    see_the_end(peer);
}

fn see_the_end(mut peer: Peer) {
    let frames = peer.rest();
    match frames.last().and_then(Frame::code) {
        Some(1001) => probe("drained"),
        Some(1012) => probe("told to restart"),
        None => probe("evicted"),
        Some(other) => panic!("closed with {other}"),
    }
}

#[test]
fn a_drain_ends_and_so_does_everybody_who_arrives_meanwhile() {
    explore("drain", &["drained", "told to restart"], || {
        let mut config = config();
        config.users = switchboard_core::UserPolicy::Allow(9);
        let mut node = Node::new(config, 2);
        let resident = node.enter("bob", "blue", 60);
        let resident = thread::spawn(move || see_the_end(resident));
        let listener = Listener::new();
        let serve = node.hub.clone().serve(Arc::clone(&listener));
        let serving = thread::spawn(move || shuttle::future::block_on(serve.into_future()));
        let visitors: Vec<_> = (0..3)
            .map(|_| {
                let pipe = node.pipe(120);
                let listener = Arc::clone(&listener);
                thread::spawn(move || {
                    listener.arrive(&pipe);
                    drop(listener);
                    visit(Peer::new(pipe));
                })
            })
            .collect();
        let hub = node.hub.clone();
        let drain = thread::spawn(move || shuttle::future::block_on(hub.drain(WINDOW, DEADLINE)));
        let drained = || node.hub.shared().drained();
        pass_time_until(STEP, || drained().is_some());
        let report = drain.join().expect("it ran");
        let report_of_serve = serving.join().expect("it ran").expect("no error");
        assert_eq!(report, report_of_serve);
        // Streams that arrived after the last accept are dropped with the listener.
        drop(listener);
        resident.join().expect("it ran");
        for visitor in visitors {
            visitor.join().expect("it ran");
        }
        node.finish();
    });
}

#[test]
fn every_waiter_for_the_end_of_a_drain_hears_of_it() {
    explore("waiters", &[], || {
        let node = Node::new(config(), 1);
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                let hub = node.hub.clone();
                thread::spawn(move || shuttle::future::block_on(hub.drained()))
            })
            .collect();
        let report = shuttle::future::block_on(node.hub.drain(WINDOW, DEADLINE));
        for waiter in waiters {
            assert_eq!(waiter.join().expect("it ran"), report);
        }
        node.finish();
    });
}
