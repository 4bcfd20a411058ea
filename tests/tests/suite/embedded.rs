//! A hub inside an application of hyper.

use std::convert::Infallible;
use std::future::Ready;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::service::TowerToHyperService;
use tower_service::Service;

use super::app::{Log, Plain};
use super::frames::{TEXT, frame, part};
use super::peer::{Peer, upgrade};
use super::server::{Server, raw};
use crate::rt::http::http::{Request, Response};
use crate::rt::http::{HubService, Upgrade, UpgradeRejection, hyper::Method};
use crate::rt::{
    self, Admission, Application, Compression, Config, Connection, Denied, Endpoint, Identity,
    Message,
};

/// How the application knows who a client is.
struct Source(&'static str);

/// States the user that the header `x-user` names, as a middleware of the application would.
#[derive(Clone)]
struct Known(HubService);

impl Service<Request<Incoming>> for Known {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Incoming>>::poll_ready(&mut self.0, context)
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        if let Some(user) = request.headers().get("x-user") {
            let user = user.to_str().expect("text").to_owned();
            request
                .extensions_mut()
                .insert(Admission::user(user).with(Source("header")));
        }
        self.0.call(request)
    }
}

/// Opens a port of hyper in front of this server's hub.
fn embed(server: &Server) -> SocketAddr {
    let listener = server.runtime.run(rt::bind());
    let address = listener.local_addr().expect("an address");
    let service = Known(HubService::new(server.hub.clone()));
    server.runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            let connection = http1::Builder::new().serve_connection(rt::hyper_io(stream), service);
            rt::spawn_here(async move {
                let _ = connection.with_upgrades().await;
            });
        }
    });
    address
}

/// Returns status and body of the answer to a request that is refused.
fn refused(address: SocketAddr, request: &[u8]) -> (u16, String) {
    let mut peer = Peer::connect(address);
    peer.send(request);
    let head = peer.head();
    let length = head.header("Content-Length").expect("a length");
    let body = peer.bytes(length.parse().expect("a number"));
    (head.status, String::from_utf8(body).expect("text"))
}

#[test]
fn a_client_of_hyper_talks_to_those_of_the_hub() {
    let server = Server::start(Config::default(), Plain::default());
    let address = embed(&server);
    let mut bob = server.user("bob", "blue");
    let protocol = "Sec-WebSocket-Protocol: x, switchboard.v1.json";
    let request = upgrade("/ws/blue?token=s3cr3t-ann", &[protocol]);
    let mut ann = Peer::connect(address);
    // The first frame does not wait for the answer.
    ann.send(&[request, frame(TEXT, br#"{"type":"message","content":1}"#)].concat());
    let head = ann.head();
    assert_eq!(head.status, 101, "{}", head.text);
    assert_eq!(
        head.header("Sec-WebSocket-Protocol"),
        Some("switchboard.v1.json")
    );
    let answer = head.header("Sec-WebSocket-Accept");
    assert_eq!(answer, Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(ann.expect("welcome")["user"], "ann");
    assert_eq!(bob.expect("message")["sender"], "ann");
    bob.say(r#"{"type":"message","content":2}"#);
    assert_eq!(ann.find("message")["content"], 2);
    ann.leave();
    bob.leave();
    server.until_empty();
}

#[test]
fn compression_is_agreed_on_with_a_client_of_hyper() {
    let config = Config {
        compression: Some(Compression::default()),
        ..raw()
    };
    let server = Server::start(config, Plain::default());
    let offer = "Sec-WebSocket-Extensions: permessage-deflate";
    let mut peer = Peer::connect(embed(&server));
    peer.send(&upgrade("/ws?token=s3cr3t-ann", &[offer]));
    let head = peer.head();
    let agreed = head.header("Sec-WebSocket-Extensions").expect("agreed");
    assert!(agreed.starts_with("permessage-deflate; server_no_context_takeover"));
    // "Hello" in RFC 7692, section 7.2.3.1.
    peer.send(&part(
        0xC0 | TEXT,
        &[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00],
    ));
    assert_eq!(peer.text(), "Hello");
}

/// An application that notes the address of each client.
#[derive(Clone, Default)]
struct Addresses(Log);

impl Application for Addresses {
    async fn authenticate(&self, request: &rt::Request) -> Result<Identity, Denied> {
        self.0.add(format!("{} {}", request.peer(), request.path()));
        Ok(Identity::Anonymous)
    }
}

#[test]
fn the_stream_is_taken_out_of_hyper_with_the_address_of_its_peer() {
    let app = Addresses::default();
    let config = Config {
        endpoint: Endpoint::At("/chat".into()),
        ..Config::default()
    };
    let server = Server::start(config, app.clone());
    let address = embed(&server);
    // hyper does not say who its peer is.
    let peer = Peer::connect(address).upgrade("/chat/blue?token=s3cr3t-x", &[]);
    app.0.until(&["127.0.0.1 /chat/blue"]);
    peer.leave();
}

#[test]
fn what_needs_no_login_is_refused_by_status_and_the_connection_goes_on() {
    let mut config = Config::default();
    config.limits.connections = 1;
    let server = Server::start(config, Plain::default());
    let address = embed(&server);
    let page = b"GET /ws HTTP/1.1\r\nHost: a\r\n\r\n";
    let text = "malformed: this path serves WebSocket: send an upgrade request\n".to_owned();
    assert_eq!(refused(address, page), (426, text));
    assert_eq!(
        refused(address, b"POST /ws HTTP/1.1\r\nHost: a\r\n\r\n").0,
        405
    );
    assert_eq!(refused(address, &upgrade("/other", &[])).0, 404);
    assert_eq!(refused(address, &upgrade("/ws/a%0ab", &[])).0, 400);
    let origin = "Origin: http://evil.example";
    let text = "origin: the host of Origin is not that of Host\n".to_owned();
    assert_eq!(refused(address, &upgrade("/ws", &[origin])), (403, text));
    let mut only = Peer::connect(address);
    only.send(&upgrade("/other", &[]));
    assert_eq!(only.head().status, 404);
    only.bytes("malformed: no such path\n".len());
    let mut only = only.upgrade("/ws", &[]);
    only.expect("welcome");
    let full = (503, "server_full\n".to_owned());
    assert_eq!(refused(address, &upgrade("/ws", &[])), full);
    let hub = server.hub.clone();
    server.runtime.spawn(async move {
        let window = Duration::from_secs(60);
        hub.drain(window, window).await;
    });
    server.until("it drains", |stats| stats.draining);
    let text = "restart\n".to_owned();
    assert_eq!(refused(address, &upgrade("/ws", &[])), (503, text));
    for reason in ["origin", "server_full", "restart"] {
        assert_eq!(server.refused(reason), 1, "{reason}");
    }
    only.leave();
}

/// An application that must not be asked who a client is.
#[derive(Clone, Default)]
struct Trusting(Arc<Mutex<Vec<String>>>);

impl Application for Trusting {
    async fn authenticate(&self, request: &rt::Request) -> Result<Identity, Denied> {
        let token = request.token().map(rt::Token::reveal);
        assert_eq!(token, Some("s3cr3t-bob"), "asked without need");
        Ok(Identity::user("bob"))
    }

    async fn on_message(&self, client: &Connection, _: Message) -> Result<(), Denied> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.push(client.user().to_owned());
        let source = client.get().unwrap_or(&Source("token")).0;
        let _ = client.send_text(&format!("{} by {source}", client.user()));
        Ok(())
    }
}

#[test]
fn who_is_known_to_the_framework_is_not_authenticated_again() {
    let server = Server::start(raw(), Trusting::default());
    let address = embed(&server);
    for (header, name) in [
        ("x-user: ann", "ann by header"),
        ("x-other: ann", "bob by token"),
    ] {
        let target = "/ws?token=s3cr3t-bob";
        let mut peer = Peer::connect(address).upgrade(target, &[header]);
        peer.say("who am I?");
        assert_eq!(peer.text(), name);
        peer.leave();
    }
    let stranger = Peer::connect(address).upgrade("/ws?token=s3cr3t-bob", &["x-user: anon-1"]);
    assert_eq!(stranger.closed(1011), "internal");
}

#[test]
fn a_request_that_hyper_cannot_upgrade_is_no_upgrade() {
    let mut request = Request::builder().method(Method::GET).uri("/ws");
    for line in String::from_utf8(upgrade("/ws", &[]))
        .expect("text")
        .lines()
        .skip(1)
    {
        if let Some((name, value)) = line.split_once(": ") {
            request = request.header(name, value);
        }
    }
    let mut request = request.body(()).expect("a request");
    let rejection: UpgradeRejection = Upgrade::from_request(&mut request).expect_err("no stream");
    assert_eq!(rejection.to_response::<String>().status(), 426);
}
