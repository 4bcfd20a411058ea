//! Event streams through axum, over both versions of HTTP.

use std::future::poll_fn;
use std::pin::Pin;

use hyper::body::{Body, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use switchboard_tokio::{Config, Origins};
use tokio::net::TcpStream;

use crate::server::Server;

/// A connection of a client.
enum Client {
    Http1(http1::SendRequest<String>),
    Http2(http2::SendRequest<String>),
}

impl Client {
    async fn connect(server: &Server, version: u8) -> Self {
        let stream = TcpStream::connect(server.address).await.expect("there");
        if version == 1 {
            let (sender, connection) = http1::handshake(TokioIo::new(stream))
                .await
                .expect("HTTP/1");
            tokio::spawn(connection);
            return Self::Http1(sender);
        }
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (sender, connection) = handshake.await.expect("HTTP/2");
        tokio::spawn(connection);
        Self::Http2(sender)
    }

    async fn send(
        &mut self,
        server: &Server,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = match self {
            Self::Http1(sender) => {
                let request = request
                    .uri(target)
                    .header("host", server.address.to_string());
                let request = request.body(body.to_owned()).expect("a request");
                sender.send_request(request).await
            }
            Self::Http2(sender) => {
                let request = request.uri(format!("http://{}{target}", server.address));
                let request = request.body(body.to_owned()).expect("a request");
                sender.send_request(request).await
            }
        };
        let (text, rest) = (String::new(), answer.expect("an answer"));
        Answer { text, rest }
    }
}

struct Answer {
    /// What of the body has been read and not been looked at.
    text: String,
    rest: Response<Incoming>,
}

impl Answer {
    fn status(&self) -> u16 {
        self.rest.status().as_u16()
    }

    fn header(&self, name: &str) -> &str {
        let value = self.rest.headers().get(name);
        value.map_or("", |value| value.to_str().expect("text"))
    }

    /// Reads on. Returns whether there was more.
    async fn read(&mut self) -> bool {
        let body = self.rest.body_mut();
        let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await;
        let Some(frame) = frame else {
            return false;
        };
        let data = frame.expect("a stream").into_data().expect("data");
        self.text.push_str(str::from_utf8(&data).expect("text"));
        true
    }

    /// Reads until `what` was read, and returns what follows it on its line.
    async fn find(&mut self, what: &str) -> String {
        loop {
            if let Some(at) = self.text.find(what)
                && let Some((line, rest)) = self.text[at + what.len()..].split_once('\n')
            {
                let (line, rest) = (line.to_owned(), rest.to_owned());
                self.text = rest;
                return line;
            }
            assert!(self.read().await, "{what} is missing in {}", self.text);
        }
    }

    async fn rest(mut self) -> String {
        while self.read().await {}
        self.text
    }
}

fn with_streams(config: &mut Config) {
    config.sse = Some("/sse".into());
}

/// Opens a stream. Returns also the path to which its client posts.
async fn open(server: &Server, version: u8, token: &str) -> (Answer, String) {
    let mut client = Client::connect(server, version).await;
    let target = format!("/sse/blue?token={token}");
    let mut stream = client.send(server, "GET", &target, &[], "").await;
    assert_eq!(stream.status(), 200);
    assert_eq!(stream.header("content-type"), "text/event-stream");
    let session = stream.find(r#"{"session":""#).await;
    let path = format!("/sse/{}", session.trim_end_matches("\"}"));
    (stream, path)
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_stream_gets_what_websockets_get_and_what_its_client_posts_reaches_them() {
    for version in [1, 2] {
        let server = Server::start(with_streams).await;
        let (mut stream, path) = open(&server, version, "ann").await;
        stream.find(r#""type":"subscribed","channel":"blue""#).await;
        let mut bob = server.open("/ws/blue?token=bob", &[]).await.expect("in");
        bob.find("welcome").await;
        bob.say(json!({"type": "message", "content": "hello"}))
            .await;
        stream.find(r#""content":"hello","sender":"bob""#).await;
        let mut client = Client::connect(&server, version).await;
        let long = "x".repeat(60_000);
        let body = json!({"type": "message", "content": long}).to_string();
        let posted = client.send(&server, "POST", &path, &[], &body).await;
        assert_eq!(posted.status(), 202);
        let message = bob.find("message").await;
        assert_eq!(
            (&message["sender"], &message["content"]),
            (&"ann".into(), &long.into())
        );
        for (path, body, status) in [
            (path.as_str(), "no JSON", 400),
            ("/sse/unknown", "{}", 404),
            (path.as_str(), &"1".repeat(70_000), 413),
        ] {
            let posted = client.send(&server, "POST", path, &[], body).await;
            assert_eq!(posted.status(), status, "{path}");
            posted.rest().await;
        }
        // Whoever stops reading it has gone.
        drop(stream);
        until("ann has gone", || !server.hub.is_connected("ann")).await;
        assert_eq!(server.hub.audit(), Ok(()));
    }
}

#[tokio::test]
async fn the_middleware_says_who_the_client_of_a_stream_is() {
    let server = Server::start(with_streams).await;
    let mut client = Client::connect(&server, 2).await;
    let stranger = client.send(&server, "GET", "/sse/blue", &[], "").await;
    assert_eq!(stranger.status(), 401);
    let asked = server.asked().len();
    let session = [("x-session", "ann")];
    let mut stream = client.send(&server, "GET", "/sse/blue", &session, "").await;
    assert_eq!(stream.status(), 200);
    stream.find(r#""type":"welcome""#).await;
    assert!(server.hub.is_connected("ann"));
    assert_eq!(server.asked().len(), asked, "the application is not asked");
}

#[tokio::test]
async fn browsers_are_told_whether_a_page_of_another_origin_may_post() {
    let server = Server::start(|config| {
        with_streams(config);
        config.origins = Origins::List(vec!["https://app.example".into()]);
    })
    .await;
    let mut client = Client::connect(&server, 1).await;
    let own = [
        ("origin", "https://app.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ];
    let answer = client.send(&server, "OPTIONS", "/sse/1f2e", &own, "").await;
    assert_eq!(answer.status(), 204);
    for (name, value) in [
        ("access-control-allow-origin", "https://app.example"),
        ("access-control-allow-methods", "GET, POST"),
        (
            "access-control-allow-headers",
            "Authorization, Content-Type, Last-Event-ID",
        ),
        ("vary", "Origin"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    let foreign = [("origin", "https://evil.example")];
    for (method, target) in [("OPTIONS", "/sse/1f2e"), ("GET", "/sse/blue?token=ann")] {
        let answer = client.send(&server, method, target, &foreign, "").await;
        assert_eq!(answer.status(), 403, "{method}");
        assert_eq!(answer.header("access-control-allow-origin"), "");
        answer.rest().await;
    }
}

#[tokio::test]
async fn streams_are_drained_like_websockets() {
    let server = Server::start(with_streams).await;
    let (mut stream, _) = open(&server, 1, "ann").await;
    let stopped = tokio::spawn(server.stop());
    stream.find(r#""type":"bye","code":1001"#).await;
    assert!(
        stream
            .rest()
            .await
            .contains(r#"{"code":1001,"reason":"draining"}"#)
    );
    let hub = stopped.await.expect("it stops");
    assert!(hub.upgrade().is_none(), "something still holds the hub");
}
