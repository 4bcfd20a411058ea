//! Health checks and metrics, beside the sockets that they are about.

use std::time::Duration;

use switchboard_kit::{Family, openmetrics};

use super::app::Plain;
use super::event_streams::Stream;
use super::peer::{End, Head};
use super::server::Server;
use crate::rt::Config;

fn ask(server: &Server, method: &str, path: &str) -> (Head, String) {
    let mut peer = server.tcp();
    peer.send(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
    let head = peer.head();
    let (body, end) = peer.rest();
    assert_eq!(end, End::Eof);
    (head, String::from_utf8(body).expect("text"))
}

fn metrics(server: &Server) -> (String, Vec<Family>) {
    let (head, text) = ask(server, "GET", "/metrics");
    assert_eq!(head.status, 200);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(head.header("Content-Type"), Some(kind));
    let families = openmetrics(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    (text, families)
}

fn value(families: &[Family], name: &str) -> f64 {
    let family = families.iter().find(|family| family.name == name);
    let family = family.unwrap_or_else(|| panic!("no {name}"));
    assert_eq!(family.samples.len(), 1, "{name}");
    family.samples[0].value
}

#[test]
fn metrics_count_what_clients_do_and_name_none_of_them() {
    let server = Server::with_operations(Config::default(), Plain::default());
    let mut ann = server.user("ann", "blue");
    let mut bob = server.user("bob", "blue");
    ann.say(r#"{"type":"message","content":"hello"}"#);
    bob.expect("message");
    let (text, families) = metrics(&server);
    for (name, least, most) in [
        ("switchboard_connections", 2.0, 2.0),
        ("switchboard_rooms", 1.0, 1.0),
        ("switchboard_users", 2.0, 2.0),
        ("switchboard_messages_received", 1.0, 1.0),
        ("switchboard_received_bytes", 36.0, 36.0),
        ("switchboard_messages_sent", 7.0, 100.0),
        ("switchboard_sent_bytes", 500.0, 100_000.0),
    ] {
        let value = value(&families, name);
        assert!((least..=most).contains(&value), "{name} {value}");
    }
    for secret in ["ann", "bob", "blue", "s3cr3t", "127.0.0.1"] {
        assert!(!text.contains(secret), "{secret}\n{text}");
    }
}

#[test]
fn metrics_tell_event_streams_from_web_sockets() {
    let config = Config {
        sse: Some("/sse".into()),
        ..Config::default()
    };
    let server = Server::with_operations(config, Plain::default());
    let _ann = server.user("ann", "blue");
    let _bob = server.user("bob", "blue");
    Stream::open(&server, "/sse/blue?token=s3cr3t-cas").find("welcome");
    let (_, families) = metrics(&server);
    let mut families = families.iter();
    let opened = families.find(|it| it.name == "switchboard_connections_opened");
    let samples = opened.expect("the family").samples.iter();
    let samples = samples.map(|it| (it.labels["transport"].clone(), it.value.to_string()));
    let samples: Vec<_> = samples.collect();
    let expected =
        [("websocket", "2"), ("sse", "1")].map(|(kind, count)| (kind.into(), count.into()));
    assert_eq!(samples, expected);
    let stats = server.hub.stats();
    assert_eq!((stats.opened, stats.opened_streams), (3, 1));
}

#[test]
fn a_draining_node_is_alive_but_not_ready_and_counts_until_the_end() {
    let server = Server::with_operations(Config::default(), Plain::default());
    let _ann = server.user("ann", "blue");
    for path in ["/livez", "/readyz"] {
        let (head, body) = ask(&server, "GET", path);
        assert_eq!((head.status, &*body), (200, "ok\n"), "{path}");
        assert_eq!(head.header("Cache-Control"), Some("no-store"));
    }
    let (hub, long) = (server.hub.clone(), Duration::from_secs(60));
    server.runtime.spawn(async move {
        hub.drain(long, long).await;
    });
    server.until("it drains", |stats| stats.draining);
    let (head, body) = ask(&server, "GET", "/readyz");
    assert_eq!((head.status, &*body), (503, "draining\n"));
    assert_eq!(ask(&server, "GET", "/livez").0.status, 200);
    let (_, families) = metrics(&server);
    assert!(value(&families, "switchboard_draining") > 0.0);
}

#[test]
fn pages_for_operators_are_got_and_nothing_else() {
    let server = Server::with_operations(Config::default(), Plain::default());
    for path in ["/livez", "/readyz", "/metrics", "/stats.json"] {
        let (head, body) = ask(&server, "POST", path);
        assert_eq!(head.status, 405, "{path}");
        assert_eq!(head.header("Allow"), Some("GET, HEAD"));
        assert_eq!(body, "the method must be GET\n");
        let (head, body) = ask(&server, "HEAD", path);
        assert_eq!((head.status, &*body), (200, ""), "{path}");
    }
    assert_eq!(ask(&server, "GET", "/metrics/").0.status, 404);
}
