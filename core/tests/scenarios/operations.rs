//! The pages for operators: health checks and metrics.

use std::collections::BTreeMap;

use switchboard_core::protocol::Content;
use switchboard_core::{Compression, Deflater, Event, Exclude, RoomMessage, operations};
use switchboard_kit::{Family, openmetrics};

use crate::world::{World, secs};

/// Returns the metrics, read by a strict reader, by the name of the family.
fn metrics(world: &World) -> BTreeMap<String, Family> {
    let page = operations::metrics(&world.stats(), None);
    assert_eq!(
        (page.status, &*page.content_type),
        (
            200,
            "application/openmetrics-text; version=1.0.0; charset=utf-8"
        )
    );
    let text = String::from_utf8(page.body).unwrap();
    let families = openmetrics(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let named = families
        .into_iter()
        .map(|family| (family.name.clone(), family));
    named.collect()
}

/// Returns the value of the only series of a family, or of that with this label.
fn value(families: &BTreeMap<String, Family>, name: &str, label: Option<(&str, &str)>) -> f64 {
    let family = families
        .get(&format!("switchboard_{name}"))
        .unwrap_or_else(|| panic!("no {name}"));
    let mut samples = family.samples.iter().filter(|sample| {
        label.is_none_or(|(label, value)| sample.labels.get(label).is_some_and(|it| it == value))
    });
    let sample = samples
        .next()
        .unwrap_or_else(|| panic!("{name}: {label:?}"));
    assert_eq!(samples.next(), None, "{name}: {label:?}");
    sample.value
}

#[test]
fn the_metrics_are_openmetrics_and_say_what_the_statistics_say() {
    let mut world = World::with(|config| config.limits.connections = 3);
    let ann = world.connect("ann", "lobby");
    world.connect("bob", "lobby");
    world.connect("ann", "lobby");
    let cas = world.connect("cas", "");
    world.tries("dan", "");
    world.happens(cas, Event::Reset);
    world.broadcast("lobby", "0", Exclude::NOBODY);
    world.advance(secs(60));
    assert!(!world.is_open(ann));
    let (all, stats) = (metrics(&world), world.stats());
    for (name, expected) in [
        ("connections", 2.0),
        ("connections_limit", 3.0),
        ("connections_closing", 0.0),
        ("rooms", 1.0),
        ("lobbies", 1.0),
        ("users", 2.0),
        ("draining", 0.0),
        ("uptime_seconds", 60.0),
        ("send_queue_bytes", 0.0),
        ("messages_sent", stats.messages_out as f64),
        ("sent_bytes", stats.bytes_out as f64),
    ] {
        assert!((value(&all, name, None) - expected).abs() < 1e-9, "{name}");
    }
    for (name, label, expected) in [
        ("connections_opened", ("transport", "websocket"), 4.0),
        ("connections_closed", ("reason", "replaced"), 1.0),
        ("connections_closed", ("code", "1000"), 1.0),
        ("connections_closed", ("reason", "reset"), 1.0),
        ("connections_closed", ("reason", "kicked"), 0.0),
        ("handshakes_rejected", ("reason", "server_full"), 1.0),
        ("handshakes_rejected", ("reason", "origin"), 0.0),
        ("connections_opened", ("transport", "sse"), 0.0),
        ("messages_dropped", ("reason", "drop_oldest"), 0.0),
        ("messages_dropped", ("reason", "volatile"), 0.0),
        ("publish_fanout", ("le", "1.0"), 0.0),
        ("publish_fanout", ("le", "2.0"), 1.0),
    ] {
        let found = value(&all, name, Some(label));
        assert!((found - expected).abs() < 1e-9, "{name} {label:?} {found}");
    }
    let rtt = &all["switchboard_ping_rtt_seconds"].samples;
    let measured: u64 = stats.rtt.counts.iter().sum();
    assert!(measured > 0 && rtt.last().unwrap().value.to_bits() == (measured as f64).to_bits());
}

#[test]
fn the_metrics_say_what_compression_and_inflating_come_to() {
    let mut world = World::with(|config| config.compression = Some(Compression::default()));
    world.connect("plain", "lobby");
    world.connect_inflating("ann", "lobby", 15);
    let text = format!("{:?}", "how now brown cow ".repeat(100));
    let content = Content::parse(&text).unwrap();
    let mut message = RoomMessage::new("lobby", content);
    message.deflate(&mut Deflater::new(2));
    let sent = world
        .board
        .broadcast_message(world.now, &message, Exclude::NOBODY);
    assert_eq!(sent.unwrap().accepted, 2);
    let (all, stats) = (metrics(&world), world.stats());
    let (compressed, inflated) = (stats.compressed, stats.inflated);
    let (plain, left) = (compressed.bytes_in as f64, compressed.bytes_out as f64);
    assert!(0.0 < left && left < plain / 4.0, "{compressed:?}");
    for (name, expected) in [
        ("connections_inflating", 1.0),
        ("messages_compressed", 1.0),
        ("compression_input_bytes", plain),
        ("compression_output_bytes", left),
        ("compression_ratio", left / plain),
        ("messages_inflated", inflated.messages as f64),
        ("inflation_input_bytes", inflated.bytes_in as f64),
        ("inflation_output_bytes", inflated.bytes_out as f64),
    ] {
        assert!((value(&all, name, None) - expected).abs() < 1e-9, "{name}");
    }
}

#[test]
fn every_series_is_there_from_the_start() {
    let mut world = World::new();
    let series = |world: &World| -> Vec<_> {
        let samples = metrics(world).into_values();
        let samples = samples.flat_map(|family| family.samples);
        samples.map(|sample| (sample.name, sample.labels)).collect()
    };
    let before = series(&world);
    let ann = world.connect("ann", "lobby");
    world.tries("wrong", "");
    world.broadcast("lobby", "0", Exclude::NOBODY);
    world.happens(ann, Event::Eof);
    world.advance(secs(60));
    assert_eq!(series(&world), before);
}

#[test]
fn whoever_asks_for_plain_text_gets_the_older_format() {
    let world = World::new();
    let page = |accept| operations::metrics(&world.stats(), Some(accept));
    for accept in ["text/plain", "text/plain;version=0.0.4;q=0.5, */*;q=0.1"] {
        let page = page(accept);
        assert_eq!(
            page.content_type,
            "text/plain; version=0.0.4; charset=utf-8"
        );
        let text = String::from_utf8(page.body).unwrap();
        assert!(text.contains("# TYPE switchboard_messages_received_total counter\n"));
        assert!(text.contains("# TYPE switchboard_connections gauge\n"));
        assert!(!text.contains("# EOF"));
    }
    for accept in [
        "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
        "*/*",
        "text/html,application/xhtml+xml",
        "",
    ] {
        let kind = page(accept).content_type;
        assert!(kind.starts_with("application/openmetrics-text"), "{accept}");
    }
}

#[test]
fn readiness_ends_with_the_beginning_of_a_drain_and_life_does_not() {
    let mut world = World::with(|config| config.limits.connections = 1);
    world.connect("ann", "lobby");
    let told = |world: &World| {
        let stats = world.stats();
        let pages = [operations::livez(&stats), operations::readyz(&stats)];
        pages.map(|page| page.status)
    };
    // A full node tells each client so itself.
    assert_eq!(told(&world), [200, 200]);
    world.board.drain(world.now, secs(10), secs(15));
    assert_eq!(told(&world), [200, 503]);
    world.advance(secs(20));
    assert_eq!(told(&world), [200, 503]);
}
