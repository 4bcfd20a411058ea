//! Floods: rows L1 to L8 of the catalogue of hostile inputs.

use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use super::app::Plain;
use super::catalogue::covers;
use super::frames::{BINARY, PING, PONG, TEXT, frame};
use super::peer::{Peer, upgrade};
use super::server::{Server, until};
use crate::rt::{self, Config, Frame, Hub, Limits, Rate, Rates, Rooms, Wire};

covers! {
    a_flood_of_pings_is_answered_and_starves_nobody:
        "L1", "10 000 pings" => "the last is answered, and others are served in between";
    while_nothing_can_be_written_only_the_latest_ping_waits:
        "L1", "1 000 pings while our writes block" => "one pong, of the latest";
    pings_and_unasked_pongs_are_charged:
        "L2", "40 unasked pongs at a rate of 10" => "4102";
        "L1", "40 pings at a rate of 10" => "4102";
    empty_messages_are_charged:
        "F10", "40 empty messages at a rate of 10" => "4102";
    twenty_thousand_tiny_messages_starve_nobody:
        "L4", "20 000 messages of one byte in one packet" => "all echoed; others are served in between";
    rooms_of_a_connection_have_a_limit:
        "L7", "20 rooms at a limit of 5" => "`limit_exceeded` 16 times, and 5 rooms";
    rooms_that_are_left_leave_nothing:
        "L8", "2 000 rooms joined and left" => "no room is left";
    a_message_in_pieces_is_no_silence:
        "S3", "a large message, slower than the heartbeat" => "echoed: every byte is life";
    a_flood_of_connections_starves_nobody:
        "L5", "100 connections at once" => "accepted, with turns for others in between";
    an_address_that_is_only_ever_refused_keeps_nobody_out:
        "L5", "100 malformed requests of an address, each kept open, at 40 seats for handshakes" =>
            "it holds 20 of them; others are let in";
        "L5", "100 wrong tokens of an address, each kept open" => "the same";
    joins_of_many_cost_each_one_list:
        "L9", "60 join one room within an interval of presence" => "60 lists, and nothing to the others";
}

fn open() -> Config {
    Config {
        rooms: Rooms::Open,
        rates: Rates::unlimited(),
        ..Config::default()
    }
}

#[test]
fn a_flood_of_pings_is_answered_and_starves_nobody() {
    let server = Server::start(open(), Plain::default());
    let mut flood = server.user("flood", "");
    let mut other = server.user("other", "");
    let mut writer = flood.clone_for_writing();
    thread::scope(|scope| {
        scope.spawn(move || {
            let pings: Vec<u8> = (0..10_000_u32)
                .flat_map(|n| frame(PING, &n.to_be_bytes()))
                .collect();
            writer.send(&pings);
        });
        for _ in 0..20 {
            other.roundtrip();
        }
        let last = 9_999_u32.to_be_bytes();
        while flood.frame().payload != last {}
    });
    flood.roundtrip();
}

#[test]
fn an_address_that_is_only_ever_refused_keeps_nobody_out() {
    let wrong = upgrade("/ws?token=wrong", &[]);
    for request in [&b"\0"[..], &wrong] {
        let mut config = open();
        config.limits.handshakes = 40;
        // No refused connection ends by itself while others try to connect.
        config.timeouts.refusal = Duration::from_secs(60);
        let server = Server::start(config, Plain::default());
        let attackers: Vec<Peer> = (0..100)
            .map(|_| {
                let mut peer = server.tcp();
                peer.try_send(request);
                peer
            })
            .collect();
        server.until("all of them are refused", |stats| {
            stats.refused.values().sum::<u64>() == 100
        });
        assert_eq!(server.refused("ip_limit"), 80);
        for n in 2..12 {
            let source = Ipv4Addr::new(127, 0, 0, n);
            let mut other = Peer::connect_from(source, server.address).upgrade("/ws", &[]);
            other.expect("welcome");
            other.leave();
        }
        drop(attackers);
        server.until_empty();
    }
}

#[test]
fn pings_and_unasked_pongs_are_charged() {
    for opcode in [PING, PONG] {
        let mut config = open();
        config.rates.messages = Some(Rate {
            per_second: 1,
            burst: 10,
        });
        config.rates.strikes = 5;
        let server = Server::start(config, Plain::default());
        let mut peer = server.user("ann", "");
        for _ in 0..40 {
            peer.try_send(&frame(opcode, b"unasked"));
        }
        assert_eq!(peer.closed(4102), "rate_limited");
        server.until_empty();
    }
}

#[test]
fn while_nothing_can_be_written_only_the_latest_ping_waits() {
    let mut config = open();
    config.wire = Wire::Raw;
    config.limits.queue_bytes = 64 << 20;
    let app = Plain::default();
    let server = Server::start(config, app.clone());
    let mut peer = Peer::connect_narrow(server.address).upgrade("/ws?token=s3cr3t-ann", &[]);
    app.log.until_has("connect ann");
    let large = Frame::binary(&vec![0; 16 << 20]);
    assert_eq!(
        server
            .hub
            .send_to_user("ann", large)
            .expect("sent")
            .accepted,
        1
    );
    // It was partly written and must be finished first.
    peer.wait_for_bytes();
    let pings: Vec<u8> = (0..1_000_u32)
        .flat_map(|n| frame(PING, &n.to_be_bytes()))
        .collect();
    peer.send(&pings);
    peer.say("over");
    app.log.until_has("text ann 4");
    assert_eq!(peer.frame().payload.len(), 16 << 20);
    let pong = peer.frame();
    assert_eq!(
        (pong.first, &*pong.payload),
        (0x80 | PONG, &999_u32.to_be_bytes()[..])
    );
    assert_eq!(peer.text(), "over", "one pong, and no other");
}

#[test]
fn empty_messages_are_charged() {
    for opcode in [TEXT, BINARY] {
        let mut config = open();
        config.wire = Wire::Raw;
        config.rates.messages = Some(Rate {
            per_second: 1,
            burst: 10,
        });
        config.rates.strikes = 5;
        let server = Server::start(config, Plain::default());
        let mut peer = server.client("/ws");
        for _ in 0..40 {
            peer.try_send(&frame(opcode, b""));
        }
        assert_eq!(peer.closed(4102), "rate_limited");
        server.until_empty();
    }
}

#[test]
fn joins_of_many_cost_each_one_list() {
    let mut config = open();
    config.presence.interval = Duration::from_secs(3_600);
    let server = Server::start(config, Plain::default());
    let mut members: Vec<Peer> = (0..60)
        .map(|n| server.user(&n.to_string(), "blue"))
        .collect();
    for (index, member) in members.iter_mut().enumerate() {
        let list = member.json();
        assert_eq!(
            (&list["type"], &list["count"]),
            (&"presence".into(), &(index + 1).into())
        );
        member.say(r#"{"type":"ping"}"#);
        assert_eq!(member.json()["type"], "pong", "and nothing else came");
    }
}

#[test]
fn twenty_thousand_tiny_messages_starve_nobody() {
    let mut config = open();
    config.wire = Wire::Raw;
    let app = Plain::default();
    let server = Server::start(config, app.clone());
    let mut flood = server.client("/ws?token=s3cr3t-flood");
    let mut other = server.client("/ws?token=s3cr3t-other");
    let mut writer = flood.clone_for_writing();
    let count = 20_000;
    thread::scope(|scope| {
        scope.spawn(move || {
            let packet = frame(TEXT, b"x").repeat(count);
            writer.send(&packet);
        });
        let reader = scope.spawn(|| {
            for _ in 0..count {
                assert_eq!(flood.frame().payload, b"x");
            }
        });
        for _ in 0..20 {
            other.say("hello");
            assert_eq!(other.text(), "hello");
        }
        reader.join().expect("all came back");
    });
    assert_eq!(app.log.count("text flood"), count);
}

#[test]
fn rooms_of_a_connection_have_a_limit() {
    let mut config = open();
    config.limits = Limits {
        rooms_per_connection: 5,
        ..Limits::default()
    };
    let server = Server::start(config, Plain::default());
    let mut peer = server.user("ann", "blue");
    for n in 0..20 {
        peer.say(&format!(r#"{{"type":"subscribe","channel":"r{n}"}}"#));
    }
    for _ in 0..4 {
        peer.expect("subscribed");
    }
    for _ in 0..16 {
        assert_eq!(peer.expect("error")["code"], "limit_exceeded");
    }
    assert_eq!(server.hub.stats().active_rooms, 5);
}

#[test]
fn rooms_that_are_left_leave_nothing() {
    let server = Server::start(open(), Plain::default());
    let mut peer = server.user("ann", "");
    for n in 0..2_000 {
        let room = format!(r#""channel":"r{n}""#);
        peer.say(&format!(r#"{{"type":"subscribe",{room}}}"#));
        peer.say(&format!(r#"{{"type":"unsubscribe",{room}}}"#));
        peer.find("unsubscribed");
    }
    assert_eq!(server.hub.stats().active_rooms, 0);
    server.audit();
}

#[test]
fn a_message_in_pieces_is_no_silence() {
    // A slow upload counts as life.
    let mut config = open();
    config.wire = Wire::Raw;
    config.health.ping_interval = Duration::from_millis(100);
    config.health.ping_timeout = Duration::from_millis(300);
    let server = Server::start(config, Plain::default());
    let mut peer = server.client("/ws");
    let upload = frame(TEXT, &[b'x'; 100]);
    for byte in upload.chunks(4) {
        peer.send(byte);
        thread::sleep(Duration::from_millis(25));
    }
    loop {
        let frame = peer.try_frame().expect("the echo");
        if frame.first == 0x81 {
            assert_eq!(frame.payload.len(), 100);
            break;
        }
    }
}

#[test]
fn a_flood_of_connections_starves_nobody() {
    let runtime = rt::Runtime::new(1);
    let listener = runtime.run(rt::bind());
    let address = listener.local_addr().expect("an address");
    let flood: Vec<_> = (0..100)
        .map(|_| TcpStream::connect(address).expect("a place in the backlog"))
        .collect();
    let hub = Hub::new(open(), Plain::default())
        .expect("a configuration")
        .spawn_on(runtime.executor());
    let (serving, asking) = (hub.clone(), hub.clone());
    let seen = Arc::new(AtomicUsize::new(0));
    let saw = seen.clone();
    // The listener gets the first turn, another task the second.
    let (begin, waits) = mpsc::channel::<()>();
    runtime.spawn(async move {
        let _ = waits.recv();
    });
    runtime.spawn(async move {
        let _ = rt::serve(listener, serving).await;
    });
    runtime.spawn(async move {
        saw.store(1 + asking.stats().pending_handshakes, Ordering::SeqCst);
    });
    drop(begin);
    until(
        "all are accepted",
        || hub.stats().pending_handshakes == flood.len(),
        || hub.stats(),
    );
    let seen = seen.load(Ordering::SeqCst);
    assert!((1..=32).contains(&seen), "{seen}");
}
