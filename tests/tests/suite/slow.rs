//! Slow consumers (docs/behaviour.md, sections 4 and 5).

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::app::Plain;
use super::catalogue::covers;
use super::peer::{End, Peer, upgrade};
use super::server::Server;
use crate::rt::{CloseReason, Config, Frame, Presence, Rates, RoomRule, SlowPolicy, Wire};

covers! {
    a_client_that_reads_nothing_is_closed_and_the_others_miss_nothing:
        "S1", "a member reads nothing" => "4101 `slow_consumer`; the others miss nothing";
    the_oldest_or_the_newest_may_be_dropped_instead:
        "S1", "the same where messages may be dropped" => "dropped and counted; a gap in `seq`";
    a_reader_that_swings_below_the_limit_stays:
        "S9", "a reader stops until its queue is long, and goes on, five times" =>
            "nothing is lost, and the queue is empty after";
    bytes_that_wait_too_long_close:
        "S2", "a window of zero, acknowledged for ever" => "`slow_consumer` after `write_stall`";
    the_node_has_a_bound_over_all_queues:
        "L11", "stalled members, over the bound of the node" => "those with the most queued are closed";
    a_peer_that_never_reads_its_close_is_dropped_in_time:
        "S6", "our Close is not answered" => "dropped after `close_timeout`";
    an_end_that_flushes_delivers_what_was_queued_first:
        "S7", "messages, then the application closes" => "all of them, then Close";
        "S7", "messages, then a kick" => "whole frames, then Close 4004; the rest is counted";
    a_large_message_comes_through_a_narrow_network:
        "S8", "a socket that takes little at a time" => "the exact bytes";
    too_many_messages_are_strikes_and_then_the_end:
        "L3", "messages over the rate" => "`rate_limited` with `retry_after_ms`, then 4102";
}

fn config(slow: SlowPolicy) -> Config {
    let mut config = Config {
        slow,
        rates: Rates::unlimited(),
        presence: Presence {
            enabled: false,
            ..Presence::default()
        },
        ..Config::default()
    };
    config.limits.queue_bytes = 256 << 10;
    config.timeouts.close = Duration::from_millis(400);
    config
}

/// Connects a member that reads nothing, with small socket buffers.
fn stuck(server: &Server, path: &str) -> Peer {
    let mut peer = Peer::connect_narrow(server.address);
    peer.send(&upgrade(path, &[]));
    assert_eq!(peer.head().status, 101);
    peer
}

const LARGE: usize = 32 << 10;

/// Returns content with this number and some length.
fn content(number: usize) -> String {
    format!(r#"{{"n":{number},"x":"{}"}}"#, "x".repeat(LARGE))
}

/// Sends large messages to the room, no faster than `reader` reads them.
fn pour(server: &Server, reader: &mut Peer, count: usize) {
    for number in 0..count {
        server
            .hub
            .broadcast("blue", &content(number))
            .expect("JSON");
        let message = reader.expect("message");
        assert_eq!(message["content"]["n"], number);
        assert_eq!(message["seq"], number + 1, "gapless");
    }
}

#[test]
fn a_client_that_reads_nothing_is_closed_and_the_others_miss_nothing() {
    let app = Plain::default();
    let server = Server::start(config(SlowPolicy::Disconnect), app.clone());
    let mut reader = server.user("reader", "blue");
    let mut stuck = stuck(&server, "/ws/blue?token=s3cr3t-stuck");
    server.until_connected(2);
    pour(&server, &mut reader, 500);
    assert_eq!(server.closes("slow_consumer"), 1);
    assert!(!server.hub.is_connected("stuck"));
    app.log.until_has("disconnect stuck [blue] slow_consumer");
    let stats = server.hub.stats();
    assert!(stats.dropped["slow_consumer"] > 0, "{stats:?}");
    // Its Close could not be written in time.
    server.until("it has gone", |stats| stats.closing == 0);
    reader.leave();
    // What it can still read is a prefix of what was sent.
    let mut last = 0;
    let mut messages = 0;
    while let Ok(frame) = stuck.try_frame() {
        let text: Value = serde_json::from_slice(&frame.payload).unwrap_or_default();
        if text["type"] == "message" {
            let seq = text["seq"].as_u64().expect("a number");
            assert_eq!(seq, last + 1);
            last = seq;
            messages += 1;
        }
    }
    assert!(messages < 500);
    server.until_empty();
}

/// Reads up to the given number; returns all numbers seen.
fn numbers(peer: &mut Peer, last: u64) -> Vec<u64> {
    let mut numbers = Vec::new();
    while numbers.last() != Some(&last) {
        let message = peer.find("message");
        numbers.push(message["seq"].as_u64().expect("a number"));
    }
    numbers
}

#[test]
fn the_oldest_or_the_newest_may_be_dropped_instead() {
    for (policy, key) in [
        (SlowPolicy::DropOldest, "drop_oldest"),
        (SlowPolicy::DropNewest, "drop_newest"),
    ] {
        let mut config = config(SlowPolicy::Disconnect);
        config.room_rules = vec![RoomRule {
            prefix: "bl".into(),
            slow: Some(policy),
            ..RoomRule::default()
        }];
        let server = Server::start(config, Plain::default());
        let mut reader = server.user("reader", "blue");
        let mut stuck = stuck(&server, "/ws/blue?token=s3cr3t-stuck");
        server.until_connected(2);
        pour(&server, &mut reader, 400);
        let stats = server.hub.stats();
        let dropped = stats.dropped.get(key).copied().unwrap_or_default();
        assert!(dropped > 0 && stats.total_connections == 2, "{stats:?}");
        // It reads again: the gap shows in the numbers, and nothing is repeated.
        let marked = thread::scope(|scope| {
            let seen = scope.spawn(|| numbers(&mut stuck, 401));
            server.until("the queue is short again", |stats| {
                stats.queued_bytes < 100_000
            });
            server.hub.broadcast("blue", "\"last\"").expect("JSON");
            assert_eq!(reader.expect("message")["seq"], 401);
            seen.join().expect("numbers")
        });
        assert!(marked.is_sorted_by(|a, b| a < b), "{marked:?}");
        assert_eq!(
            marked.len() as u64 + dropped,
            401,
            "all messages are accounted for"
        );
        let kept_oldest = marked.contains(&1);
        assert!(kept_oldest, "the first were out before the queue was full");
        assert_eq!(marked.contains(&400), policy == SlowPolicy::DropOldest);
        server.hub.disconnect_user("stuck", CloseReason::Kicked);
        stuck.closed(4004);
    }
}

/// `TCP_NOTSENT_LOWAT` is set on Linux only, for sockets in an epoll set.
#[cfg(all(target_os = "linux", not(switchboard_portable)))]
#[test]
fn a_slow_reader_is_shown_recent_messages() {
    let mut config = config(SlowPolicy::DropOldest);
    config.limits.unsent_bytes = 64 << 10;
    let server = Server::start(config, Plain::default());
    let mut reader = server.user("reader", "blue");
    let mut stuck = stuck(&server, "/ws/blue?token=s3cr3t-stuck");
    server.until_connected(2);
    pour(&server, &mut reader, 100);
    let shown = numbers(&mut stuck, 100);
    // The queue, the kernel's 64 KiB, and one frame at each boundary.
    let most = (256 + 64) / (LARGE >> 10) + 2;
    assert!(shown.len() <= most, "{shown:?}");
    let dropped = server.hub.stats().dropped["drop_oldest"];
    assert_eq!(
        shown.len() as u64 + dropped,
        100,
        "all messages are accounted for"
    );
    stuck.leave();
    reader.leave();
    server.until_empty();
}

/// `TCP_NOTSENT_LOWAT` is set on Linux only, for sockets in an epoll set.
#[cfg(all(target_os = "linux", not(switchboard_portable)))]
#[test]
fn a_slow_reader_that_answers_its_pings_is_kept() {
    let mut config = config(SlowPolicy::Disconnect);
    config.limits.queue_bytes = 8 << 20;
    config.limits.unsent_bytes = 64 << 10;
    config.health.ping_interval = Duration::from_millis(300);
    config.health.ping_timeout = Duration::from_millis(600);
    config.timeouts.write_stall = Duration::from_secs(1);
    let server = Server::start(config, Plain::default());
    // One large frame, or many frames with room for pings in between.
    for (frames, bytes) in [(1, 3 << 20), (48, 64 << 10)] {
        let mut slow = stuck(&server, "/ws?token=s3cr3t-slow");
        server.until_connected(1);
        slow.find("welcome");
        slow.reads_slowly(Duration::from_millis(5));
        for _ in 0..frames {
            let frame = Frame::binary(&vec![0; bytes]);
            assert_eq!(server.hub.send_to_user("slow", frame).unwrap().accepted, 1);
        }
        let begun = Instant::now();
        for _ in 0..frames {
            assert_eq!(slow.frame().payload.len(), bytes);
        }
        let taken = begun.elapsed();
        assert!(
            taken > Duration::from_secs(2),
            "the reader was not slow: {taken:?}"
        );
        slow.leave();
        server.until_empty();
    }
    assert_eq!(server.closes("client_closed"), 2);
}

#[test]
fn a_reader_that_swings_below_the_limit_stays() {
    let server = Server::start(config(SlowPolicy::Disconnect), Plain::default());
    let mut steady = server.user("steady", "blue");
    let mut swings = stuck(&server, "/ws/blue?token=s3cr3t-swings");
    server.until_connected(2);
    swings.find("subscribed");
    let mut seq = 0;
    for _ in 0..5 {
        let read = seq;
        // Until the network's buffers are full and 5 of the 8 frames that fit are queued.
        while server.hub.stats().queued_bytes < 5 * LARGE {
            seq += 1;
            server.hub.broadcast("blue", &content(seq)).expect("JSON");
            assert_eq!(steady.expect("message")["seq"], seq);
            assert_eq!(server.closes("slow_consumer"), 0);
        }
        for expected in read + 1..=seq {
            assert_eq!(swings.expect("message")["seq"], expected);
        }
        server.until("the queue is empty", |stats| stats.queued_bytes == 0);
    }
    let stats = server.hub.stats();
    assert_eq!(
        (stats.total_connections, stats.dropped.values().sum()),
        (2, 0_u64)
    );
    swings.leave();
    steady.leave();
    server.until_empty();
}

#[test]
fn bytes_that_wait_too_long_close() {
    let mut config = config(SlowPolicy::Disconnect);
    config.limits.queue_bytes = 32 << 20;
    config.limits.queued_bytes = 64 << 20;
    config.timeouts.write_stall = Duration::from_millis(300);
    let server = Server::start(config, Plain::default());
    let mut stuck = stuck(&server, "/ws?token=s3cr3t-stuck");
    for _ in 0..16 {
        let frame = Frame::binary(&vec![0; 1 << 20]);
        let _ = server.hub.send_to_user("stuck", frame);
    }
    server.until_closed("slow_consumer", 1);
    server.until_empty();
    stuck.rest();
}

#[test]
fn the_node_has_a_bound_over_all_queues() {
    let mut config = config(SlowPolicy::Disconnect);
    config.limits.queue_bytes = 8 << 20;
    config.limits.queued_bytes = 16 << 20;
    let server = Server::start(config, Plain::default());
    let stuck: Vec<Peer> = (0..4)
        .map(|n| stuck(&server, &format!("/ws?token=s3cr3t-{n}")))
        .collect();
    server.until_connected(4);
    for n in 0..7 {
        // The same frame to all of them would be in memory once.
        for user in 0..4 {
            let frame = Frame::binary(&vec![user; 1 << 20]);
            let user = user.to_string();
            server.hub.send_to_user(&user, frame).expect("it fits");
            let stats = server.hub.stats();
            assert!(stats.queued_bytes <= 16 << 20, "{n}: {stats:?}");
        }
    }
    let stats = server.hub.stats();
    assert!(stats.closes["slow_consumer"] >= 1, "{stats:?}");
    assert!(stats.total_connections >= 1, "{stats:?}");
    drop(stuck);
    server.until_empty();
}

#[test]
fn a_peer_that_never_reads_its_close_is_dropped_in_time() {
    let server = Server::start(config(SlowPolicy::Disconnect), Plain::default());
    let mut silent = server.user("silent", "");
    let begun = Instant::now();
    server.hub.disconnect_user("silent", CloseReason::Kicked);
    let stats = server.hub.stats();
    assert_eq!((stats.closing, stats.total_connections), (1, 0));
    // It reads the Close and does not answer.
    assert_eq!(silent.close().0, 4004);
    server.until("it has gone", |stats| stats.closing == 0);
    assert!(begun.elapsed() >= Duration::from_millis(390));
    server.until_empty();
}

#[test]
fn an_end_that_flushes_delivers_what_was_queued_first() {
    let mut config = config(SlowPolicy::Disconnect);
    config.limits.queue_bytes = 16 << 20;
    config.timeouts.close = Duration::from_secs(8);
    let server = Server::start(config, Plain::default());
    for (reason, all) in [
        (CloseReason::application(4500).unwrap(), true),
        (CloseReason::Kicked, false),
    ] {
        let mut late = stuck(&server, "/ws?token=s3cr3t-late");
        server.until_connected(1);
        for _ in 0..8 {
            let frame = Frame::binary(&vec![1; 1 << 20]);
            let receipt = server.hub.send_to_user("late", frame).expect("sent");
            assert_eq!(receipt.accepted, 1);
        }
        server.hub.disconnect_user("late", reason);
        let mut whole = 0;
        loop {
            let frame = late.try_frame().expect("a Close comes");
            match frame.first {
                0x82 => {
                    assert_eq!(
                        frame.payload.len(),
                        1 << 20,
                        "a partly written frame is finished"
                    );
                    whole += 1;
                }
                0x88 => break,
                _ => {}
            }
        }
        assert_eq!(whole == 8, all, "{reason}: {whole} frames");
        assert_eq!(late.rest(), (Vec::new(), End::Eof));
        drop(late);
        server.until_empty();
    }
}

#[test]
fn a_large_message_comes_through_a_narrow_network() {
    let mut config = config(SlowPolicy::Disconnect);
    config.wire = Wire::Raw;
    config.limits.queue_bytes = 8 << 20;
    let server = Server::start(config, Plain::default());
    let mut peer = stuck(&server, "/ws?token=s3cr3t-ann");
    server.until_connected(1);
    let payload: Vec<u8> = (0..4 << 20).map(|index| (index % 253) as u8).collect();
    let sent = server.hub.send_to_user("ann", Frame::binary(&payload));
    assert_eq!(sent.expect("sent").accepted, 1);
    assert!(peer.frame().payload == payload);
    peer.leave();
}

#[test]
fn too_many_messages_are_strikes_and_then_the_end() {
    let mut config = Config::default();
    config.rates.messages = Some(crate::rt::Rate {
        per_second: 1,
        burst: 5,
    });
    config.rates.strikes = 3;
    let server = Server::start(config, Plain::default());
    let mut peer = server.user("ann", "");
    // The last error is sent with the Close.
    let (mut pongs, mut errors) = (0, 0);
    while errors < 3 {
        peer.say(r#"{"type":"ping"}"#);
        let answer = peer.json();
        if answer["type"] == "pong" {
            pongs += 1;
            continue;
        }
        assert_eq!(answer["code"], "rate_limited");
        assert!(answer["retry_after_ms"].as_u64() > Some(0), "{answer}");
        errors += 1;
    }
    assert!(pongs >= 5, "the burst");
    assert_eq!(peer.closed(4102), "rate_limited");
    server.until_empty();
}

#[test]
fn reading_may_pause_while_the_queue_is_long() {
    let mut config = config(SlowPolicy::Disconnect);
    config.wire = Wire::Raw;
    config.limits.queue_bytes = 4 << 20;
    config.limits.pause_reading = Some(1 << 20);
    config.limits.message_bytes = 128 << 10;
    let server = Server::start(config, Plain::default());
    let mut peer = stuck(&server, "/ws");
    let chunk = vec![5; 100 << 10];
    let count = 100;
    thread::scope(|scope| {
        let mut writer = peer.clone_for_writing();
        scope.spawn(move || {
            let frame = super::frames::frame(2, &chunk);
            for _ in 0..count {
                writer.send(&frame);
            }
        });
        // All are answered, although more than the queue holds was sent before the first was read.
        server.until("it pauses", |stats| stats.queued_bytes > 1 << 20);
        for _ in 0..count {
            assert_eq!(peer.frame().payload.len(), 100 << 10);
        }
    });
    server.until_connected(1);
    peer.leave();
}
