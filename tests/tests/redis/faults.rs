//! What networks do to the link: nothing is lost, nothing comes twice, and the order stays.

use std::collections::BTreeSet;
use std::time::Duration;

use switchboard_runtime::redis::adapter::{Config, Problem};
use switchboard_tests::proxy::{Proxy, Way};
use switchboard_tests::redis::Server;

use crate::node::{Node, config, url};
use crate::runtimes::{Host, on_both_runtimes};

on_both_runtimes!(
    a_link_that_is_cut_loses_and_repeats_nothing,
    a_half_open_link_is_given_up,
    a_link_that_carries_nothing_out_is_given_up,
    a_link_that_carries_nothing_in_is_given_up,
    a_slow_link_loses_and_repeats_nothing,
    a_server_that_cannot_be_reached_leaves_the_room_alone_and_is_found_again,
);

/// A node behind a proxy, and one that has no faults.
struct Pair<H> {
    _server: Server,
    proxy: Proxy,
    far: Node<H>,
    near: Node<H>,
    sent: usize,
}

impl<H: Host> Pair<H> {
    fn start() -> Option<Self> {
        Self::start_with(Node::start_with)
    }

    fn start_with(start: impl FnOnce(Config) -> Node<H>) -> Option<Self> {
        let server = Server::start()?;
        let proxy = Proxy::to(server.address);
        let pair = Self {
            far: start(config(&url(proxy.address), "far")),
            near: Node::start(server.address, "near"),
            proxy,
            _server: server,
            sent: 0,
        };
        pair.far.until_live();
        pair.near.until_live();
        Some(pair)
    }

    /// Both nodes publish.
    fn publish(&mut self, count: usize) {
        for _ in 0..count {
            for (node, name) in [(&self.far, "far"), (&self.near, "near")] {
                node.publish(&format!("{name}{}", self.sent));
            }
            self.sent += 1;
        }
    }

    /// All messages arrived at both, once, and in one order.
    fn check(&self) {
        for node in [&self.far, &self.near] {
            node.until("all", |it| it.messages("lobby").len() >= 2 * self.sent);
        }
        let (far, near) = (self.far.messages(), self.near.messages());
        assert_eq!(far, near);
        assert_eq!(far.len(), 2 * self.sent);
        assert_eq!(far.iter().collect::<BTreeSet<_>>().len(), far.len());
        assert_eq!(self.far.look(super::node::Locked::lost), 0);
    }
}

fn a_link_that_is_cut_loses_and_repeats_nothing<H: Host>() {
    let Some(mut pair) = Pair::<H>::start() else {
        return;
    };
    for round in 1..=5 {
        pair.publish(100);
        pair.proxy.cut();
        pair.publish(20);
        pair.far.until("back", |it| it.connects > round);
    }
    pair.check();
    let ends = |it: &Problem| matches!(it, Problem::Ended(..) | Problem::Unreachable(..));
    pair.far.look(|it| {
        assert!(
            it.problems.iter().all(ends) && !it.problems.is_empty(),
            "{:?}",
            it.problems
        );
    });
}

fn a_link_that_swallows<H: Host>(ways: &[Way]) {
    let Some(mut pair) = Pair::<H>::start() else {
        return;
    };
    pair.publish(10);
    for &way in ways {
        pair.proxy.swallow(way, true);
    }
    pair.publish(10);
    // Longer than an answer may take: the node tries again, and is swallowed again.
    let attempts = |it: &crate::node::Locked| it.attempts();
    let before = pair.far.look(attempts);
    pair.far.until("given up", |it| it.attempts() > before);
    for &way in ways {
        pair.proxy.swallow(way, false);
    }
    pair.far.until("back", |it| it.connects == 2);
    pair.publish(10);
    pair.check();
}

fn a_half_open_link_is_given_up<H: Host>() {
    a_link_that_swallows::<H>(&[Way::Out, Way::In]);
}

fn a_link_that_carries_nothing_out_is_given_up<H: Host>() {
    a_link_that_swallows::<H>(&[Way::Out]);
}

fn a_link_that_carries_nothing_in_is_given_up<H: Host>() {
    a_link_that_swallows::<H>(&[Way::In]);
}

fn a_slow_link_loses_and_repeats_nothing<H: Host>() {
    let Some(mut pair) = Pair::<H>::start() else {
        return;
    };
    pair.proxy.delay(Duration::from_millis(30));
    pair.publish(100);
    pair.check();
    assert_eq!(pair.far.look(|it| it.connects), 1);
}

fn a_server_that_cannot_be_reached_leaves_the_room_alone_and_is_found_again<H: Host>() {
    let Some(mut pair) = Pair::<H>::start_with(Node::start_hasty) else {
        return;
    };
    pair.publish(10);
    pair.check();
    pair.proxy.refuse(true);
    pair.proxy.cut();
    pair.far.until("alone", |it| !it.is_live());
    // It goes on by itself, and so do the others.
    pair.far.publish("here only");
    pair.far.until_message("here only");
    pair.near.publish("there");
    pair.near.until_message("there");
    pair.proxy.refuse(false);
    pair.far.until("back", super::node::Locked::is_live);
    pair.far.until_message("there");
    pair.far.publish("together");
    pair.near.until_message("together");
    assert!(!pair.near.messages().contains(&"here only".to_owned()));
}
