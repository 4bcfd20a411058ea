//! With tokio's clock paused, time passes for the hub as for the rest of the test.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use switchboard_tokio::{Application, Config, Hub};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const REQUEST: &[u8] =
    b"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

struct Nothing;

impl Application for Nothing {}

#[tokio::test(start_paused = true)]
async fn time_passes_by_the_clock_of_the_runtime() {
    let config = Config::default();
    let longest = config.health.ping_interval + config.health.ping_timeout;
    let hub = Hub::new(config, Nothing).expect("a configuration");
    let (near, mut far) = tokio::io::duplex(10_000);
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    hub.accept_stream(near, peer, Vec::new()).expect("taken");
    let (begun, really) = (tokio::time::Instant::now(), Instant::now());
    far.write_all(REQUEST).await.expect("taken");
    // It answers no ping and is evicted; until then the test only waits.
    let mut received = Vec::new();
    far.read_to_end(&mut received).await.expect("an end");
    assert!(received.starts_with(b"HTTP/1.1 101"));
    assert_eq!(hub.stats().closes["heartbeat_timeout"], 1);
    let passed = begun.elapsed();
    let some = Duration::from_secs(1);
    assert!(
        passed > Duration::from_secs(10) && passed < longest + some,
        "{passed:?}"
    );
    let uptime = Duration::from_secs_f64(hub.stats().uptime_s);
    assert!(uptime.abs_diff(passed) < some, "{uptime:?}, {passed:?}");
    let really = really.elapsed();
    assert!(really < Duration::from_secs(10), "{really:?}");
}
