//! With tokio's clock paused, time passes for the hub and for clients as for the rest of the test.

use std::future::pending;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use futures_util::SinkExt;
use switchboard_tokio::client::{
    Client, Event, Events, Failure, Options, RequestError, State, WaitReason,
};
use switchboard_tokio::{Application, Config, Hub};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio::time;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;

const REQUEST: &[u8] =
    b"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// How far the clock is ahead of the machine's before anything begins.
const AHEAD: Duration = Duration::from_secs(24 * 3_600);
/// A timer of tokio counts whole milliseconds.
const GRANULARITY: Duration = Duration::from_millis(10);

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
    let (begun, really) = (time::Instant::now(), Instant::now());
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
    assert_quick(really);
}

#[tokio::test(start_paused = true)]
async fn a_client_backs_off_by_the_clock_of_the_runtime() {
    time::advance(AHEAD).await;
    let really = Instant::now();
    let (_refusing, url) = refusing();
    let options = Options {
        max_attempts: 8,
        seed: Some(1),
        ..Options::default()
    };
    let (client, mut events) = Client::connect(url, options).expect("an address");
    let begun = time::Instant::now();
    let mut delays = 0;
    while let Some(until) = next_delay(&client, &mut events).await {
        assert!(until >= time::Instant::now(), "{delays} delays before");
        let tries = |event: &Event| matches!(event, Event::State(State::Connecting { .. }));
        while !tries(&events.next().await.expect("an event")) {}
        let late = time::Instant::now().checked_duration_since(until);
        let late = late.unwrap_or_else(|| panic!("{delays} delays before"));
        assert!(late < GRANULARITY, "{late:?}");
        delays += 1;
    }
    assert_eq!(delays, 7);
    let passed = begun.elapsed();
    assert!(passed > Duration::from_secs(10), "{passed:?}");
    assert_quick(really);
}

#[tokio::test(start_paused = true)]
async fn a_token_takes_too_long_by_the_clock_of_the_runtime() {
    time::advance(AHEAD).await;
    let really = Instant::now();
    let options = Options {
        token_timeout: Duration::from_secs(3_600),
        ..Options::default()
    };
    let patience = options.token_timeout;
    let options = options.with_token(|_| pending());
    let (client, mut events) = Client::connect("ws://127.0.0.1:9/ws", options).expect("an address");
    let begun = time::Instant::now();
    next_delay(&client, &mut events).await.expect("a delay");
    assert_close(begun.elapsed(), patience);
    assert_quick(really);
}

#[tokio::test(start_paused = true)]
async fn a_message_waits_for_a_connection_by_the_clock_of_the_runtime() {
    time::advance(AHEAD).await;
    let really = Instant::now();
    let (_refusing, url) = refusing();
    let options = Options::default();
    let age = options.queue.expect("a queue").age;
    let (client, _events) = Client::connect(url, options).expect("an address");
    let begun = time::Instant::now();
    let published = client.publish("den", "anybody?").await;
    assert_eq!(published, Err(RequestError::Failed(Failure::Expired)));
    assert_close(begun.elapsed(), age);
    assert_quick(really);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_close_is_left_by_the_clock_of_the_runtime() {
    time::advance(AHEAD).await;
    let really = Instant::now();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("ws://{}/ws", listener.local_addr().expect("an address"));
    tokio::spawn(welcome_and_sleep(listener));
    let (client, _events) = Client::connect(url, Options::default()).expect("an address");
    client.connected().await.expect("it is in");
    let begun = time::Instant::now();
    client.close().await;
    assert_close(begun.elapsed(), Duration::from_secs(1));
    assert_quick(really);
}

/// An address where connections are refused for as long as the socket lives.
fn refusing() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().expect("a socket");
    let any = (Ipv4Addr::LOCALHOST, 0).into();
    socket.bind(any).expect("a port");
    let url = format!("ws://{}/ws", socket.local_addr().expect("an address"));
    (socket, url)
}

/// Lets every client in, and does nothing else.
async fn welcome_and_sleep(listener: TcpListener) {
    #[expect(
        clippy::result_large_err,
        clippy::unnecessary_wraps,
        reason = "tungstenite's callback"
    )]
    fn agree(_: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
        let protocol = HeaderValue::from_static("switchboard.v1.json");
        response
            .headers_mut()
            .insert("sec-websocket-protocol", protocol);
        Ok(response)
    }
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut socket = accept_hdr_async(stream, agree).await.expect("a handshake");
            let welcome = r#"{"type":"welcome","connection":"c","user":"u"}"#;
            socket.send(Message::text(welcome)).await.expect("taken");
            pending::<()>().await;
        });
    }
}

/// Until when the client waits next; `None` where it stops instead.
async fn next_delay(client: &Client, events: &mut Events) -> Option<time::Instant> {
    loop {
        match events.next().await.expect("an event") {
            Event::State(State::Waiting { until, why, .. }) => {
                assert_eq!(why, WaitReason::Backoff);
                let until = client.instant(until.expect("a time")).expect("an instant");
                return Some(until.into());
            }
            Event::State(State::Stopped { .. }) => return None,
            _ => {}
        }
    }
}

fn assert_close(passed: Duration, expected: Duration) {
    assert!(
        passed >= expected && passed < expected + GRANULARITY,
        "{passed:?}, not {expected:?}"
    );
}

/// Waiting takes no time on the machine's clock.
fn assert_quick(begun: Instant) {
    let really = begun.elapsed();
    assert!(really < Duration::from_secs(10), "{really:?}");
}
