//! Requests other than upgrades.

use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use switchboard_core::response::HttpDate;

use super::app::Plain;
use super::peer::{End, Head, Peer, upgrade};
use super::server::Server;
use crate::rt::{Config, Limits, PageResponse, Refusal, Request, sleep};

fn page(status: u16, body: &[u8]) -> PageResponse {
    PageResponse {
        status,
        content_type: "text/plain".into(),
        headers: vec![("X-Made-By".into(), "a page".into())],
        body: body.to_vec(),
    }
}

async fn pages(request: Request) -> PageResponse {
    match request.path() {
        "/" => page(200, request.method().as_bytes()),
        "/large" => page(200, &vec![b'L'; 8 << 20]),
        "/slow" => {
            sleep(Duration::from_secs(60)).await;
            page(200, b"late")
        }
        "/dated" => PageResponse {
            headers: vec![("date".into(), "its own".into())],
            ..page(200, b"")
        },
        "/panic" => panic!("a page function panics"),
        "/early-panic" => page(200, b""),
        "/broken" => PageResponse {
            headers: vec![("X".into(), "a\r\nSet-Cookie: evil".into())],
            ..page(200, b"")
        },
        _ => page(404, b"nothing here"),
    }
}

fn server(config: Config) -> Server {
    Server::with_pages(config, Plain::default(), |request| {
        assert_ne!(request.path(), "/early-panic", "before its first await");
        Box::pin(pages(request))
    })
}

fn ask(server: &Server, method: &str, path: &str) -> (Head, String) {
    let mut peer = server.tcp();
    peer.send(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
    read(peer)
}

fn read(mut peer: Peer) -> (Head, String) {
    let head = peer.head();
    let (body, end) = peer.rest();
    assert_eq!(end, End::Eof);
    let options = if head.status == 426 {
        "close, Upgrade"
    } else {
        "close"
    };
    assert_eq!(head.header("Connection"), Some(options));
    (head, String::from_utf8(body).expect("text"))
}

#[test]
fn pages_are_answered_by_method_and_path() {
    let app = Plain::default();
    let server = server(Config::default());
    let (head, body) = ask(&server, "GET", "/");
    assert_eq!((head.status, &*body), (200, "GET"));
    assert_eq!(head.header("X-Made-By"), Some("a page"));
    let (head, body) = ask(&server, "HEAD", "/");
    assert_eq!((head.status, &*body), (200, ""));
    assert_eq!(head.header("Content-Length"), Some("4"));
    let (head, body) = ask(&server, "POST", "/?x=1");
    assert_eq!((head.status, &*body), (200, "POST"));
    assert_eq!(ask(&server, "GET", "/elsewhere").0.status, 404);
    assert_eq!(ask(&server, "GET", "/ws").0.status, 426);
    server.until_empty();
    assert_eq!(app.log.lines(), [""; 0]);
}

#[test]
fn no_answer_to_head_has_a_body() {
    // RFC 9110, section 9.3.2: whatever it answers, and whenever that is decided.
    let config = Config {
        sse: Some("/sse".into()),
        ..Config::default()
    };
    let server = server(config);
    let long = format!("/{}", "x".repeat(9_000));
    for (path, status) in [
        ("/", 200),
        ("/broken", 500),
        ("/panic", 500),
        ("/ws", 405),
        ("/sse/blue", 405),
        ("/%zz", 400),
        (&long, 414),
    ] {
        let (head, body) = ask(&server, "HEAD", path);
        assert_eq!((head.status, &*body), (status, ""), "{path}");
        assert!(head.header("Content-Length").is_some(), "{path}");
    }
}

#[test]
fn a_health_check_may_speak_http_1_0() {
    // Like the default health checks of nginx, and of HAProxy, which sends no Host.
    let server = server(Config::default());
    for host in ["Host: localhost\r\nConnection: close\r\n", ""] {
        let mut peer = server.tcp();
        peer.send(format!("GET / HTTP/1.0\r\n{host}\r\n").as_bytes());
        let (head, body) = read(peer);
        assert_eq!((head.status, &*body), (200, "GET"));
    }
    server.until_empty();
}

#[test]
fn every_answer_has_a_date() {
    let now = || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.expect("a time").as_secs()
    };
    let mut config = Config {
        refusal: Refusal::Http,
        ..Config::default()
    };
    config.timeouts.handshake = Duration::from_millis(100);
    let server = server(config);
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        ("GET /elsewhere HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        ("GET /ws HTTP/1.1\r\nHost: a\r\n\r\n", 426),
        ("GET /panic HTTP/1.1\r\nHost: a\r\n\r\n", 500),
        ("GET /ws HT", 408),
        ("\0", 400),
    ] {
        let before = now();
        let mut peer = server.tcp();
        peer.send(request.as_bytes());
        let head = peer.head();
        assert_eq!(head.status, status, "{request}");
        // The core counts whole seconds from the first connect.
        let dates = (before - 1..=now()).map(|it| HttpDate::from_unix_seconds(it).to_string());
        let dates: Vec<_> = dates.collect();
        let told = head.header("Date").expect(request);
        assert!(dates.iter().any(|date| date == told), "{told} {dates:?}");
    }
    let (head, _) = ask(&server, "GET", "/dated");
    assert_eq!(head.text.matches("ate: ").count(), 1, "{}", head.text);
    assert_eq!(head.header("Date"), Some("its own"));
    server.until_empty();
}

#[test]
fn a_page_takes_a_body_without_reading_it() {
    let server = server(Config::default());
    let mut peer = server.tcp();
    peer.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n");
    peer.try_send(&vec![b'x'; 100_000]);
    assert_eq!(read(peer).1, "POST");
    server.until_empty();
}

#[test]
fn without_pages_there_is_nothing() {
    let server = Server::start(Config::default(), Plain::default());
    assert_eq!(ask(&server, "GET", "/").0.status, 404);
    server.until_empty();
}

#[test]
fn a_page_function_that_fails_is_answered_with_500() {
    let mut config = Config::default();
    config.timeouts.hook = Duration::from_millis(100);
    let server = server(config);
    for path in ["/panic", "/early-panic", "/broken", "/slow"] {
        let (head, body) = ask(&server, "GET", path);
        assert_eq!(head.status, 500, "{path}");
        assert!(!body.contains("evil") && !head.text.contains("evil"));
    }
    assert_eq!(ask(&server, "GET", "/").0.status, 200);
    server.until_empty();
}

#[test]
fn a_large_page_reaches_a_slow_reader_whole() {
    let server = server(Config::default());
    let mut peer = Peer::connect_narrow(server.address);
    peer.send(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
    // It waits until the network is full.
    server.until("some of it waits", |stats| stats.queued_bytes > 0);
    thread::sleep(Duration::from_millis(100));
    let head = peer.head();
    assert_eq!(head.header("Content-Length"), Some("8388608"));
    let (body, end) = peer.rest();
    assert_eq!((body.len(), end), (8 << 20, End::Eof));
    assert!(body.iter().all(|&byte| byte == b'L'));
    server.until_empty();
}

#[test]
fn a_page_that_flows_may_take_longer_than_a_close() {
    let mut config = Config::default();
    config.timeouts.close = Duration::from_millis(100);
    let server = server(config);
    let mut peer = Peer::connect_narrow(server.address);
    peer.send(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
    server.until("some of it waits", |stats| stats.queued_bytes > 0);
    assert_eq!(peer.head().status, 200);
    let mut length = 0;
    // Slowly, because the duration is what is tested.
    for _ in 0..10 {
        length += peer.bytes(16 << 10).len();
        thread::sleep(Duration::from_millis(50));
    }
    let (body, end) = peer.rest();
    assert_eq!((length + body.len(), end), (8 << 20, End::Eof));
    server.until_empty();
}

#[test]
fn a_client_may_end_its_side_before_it_reads_its_page() {
    let server = server(Config::default());
    for path in ["/", "/large"] {
        let mut peer = Peer::connect_narrow(server.address);
        peer.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
        peer.finish();
        thread::sleep(Duration::from_millis(100));
        let head = peer.head();
        let (body, end) = peer.rest();
        let length = body.len().to_string();
        assert_eq!(
            (head.header("Content-Length"), end),
            (Some(&*length), End::Eof)
        );
    }
    server.until_empty();
}

#[test]
fn pages_are_answered_when_the_house_is_full_and_while_it_drains() {
    let limits = Limits {
        connections: 1,
        ..Limits::default()
    };
    let server = server(Config {
        limits,
        ..Config::default()
    });
    let member = server.member("/ws");
    server.client("/ws").closed(4002);
    assert_eq!(ask(&server, "GET", "/").0.status, 200);
    let hub = server.hub.clone();
    let wait = Duration::from_secs(30);
    server.runtime.spawn(async move {
        hub.drain(wait, wait).await;
    });
    server.until("it drains", |stats| stats.draining);
    assert_eq!(ask(&server, "GET", "/").0.status, 200);
    let mut newcomer = server.tcp();
    newcomer.send(&upgrade("/ws", &[]));
    assert_eq!(newcomer.head().status, 101);
    newcomer.closed(1012);
    member.leave();
}
