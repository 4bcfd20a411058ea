//! More waits for Redis than a node keeps: publishers wait, or are refused.

use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use switchboard_core::{Config, SendError};
use switchboard_runtime::BroadcastError;
use switchboard_tests::redis::Server;

use crate::client::Client;
use crate::hub::{Node, ROOM, config};
use crate::runtimes::on_both_runtimes;
use crate::serving::Serve;

on_both_runtimes!(who_is_ready_to_wait_loses_nothing_where_too_much_waits_for_redis);

/// So many messages may wait for Redis, and an eighth of them for one room.
const OUTBOX: usize = 16;
const PER_ROOM: usize = OUTBOX / 8;

/// A node on which messages wait for Redis for longer than the test takes.
fn patient(server: &Server) -> Config {
    let mut config = config(server, "a");
    if let Some(cluster) = &mut config.cluster {
        cluster.hold = Duration::from_secs(120);
        cluster.lease = Duration::from_secs(240);
        cluster.outbox_messages = OUTBOX;
    }
    config
}

fn who_is_ready_to_wait_loses_nothing_where_too_much_waits_for_redis<H: Serve>() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let node = Node::<H>::start_all(vec![patient(&server)]).remove(0);
    let (mut ann, ..) = Client::entered(node.address, "ann", ROOM);
    H::block_on(node.hub.ready());
    server.kill();
    let mut waiting = Vec::new();
    for number in 0..OUTBOX {
        let room = format!("room-{}", number / PER_ROOM);
        let content = number.to_string();
        let receipt = node.hub.broadcast(&room, &content).expect("a place");
        assert!(receipt.forwarded, "{receipt:?}");
        waiting.push(room);
    }
    for room in ["room-0", "another"] {
        let refused = node.hub.broadcast(room, "0").expect_err("no place");
        assert_eq!(refused, BroadcastError::Send(SendError::Busy));
    }
    let mut ready = pin!(node.hub.ready());
    let mut context = Context::from_waker(Waker::noop());
    assert!(ready.as_mut().poll(&mut context).is_pending());
    // It is not read, so it is not refused either.
    ann.say(ROOM, "patience", 1);
    server.revive();
    H::block_on(ready);
    assert_eq!(ann.until_answered(1)["type"], "ack");
    waiting.dedup();
    for room in waiting {
        let published = H::block_on(node.hub.publish(&room, "0")).expect("published");
        assert_eq!(published.seq, PER_ROOM as u64 + 1, "{room}");
    }
    assert_eq!(node.hub.audit(), Ok(()));
}
