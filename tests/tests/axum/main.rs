//! A hub inside an existing axum application: routers, middleware, state, HTTP/1.1 and HTTP/2.

mod server;
mod socket;
mod streams;

use std::net::IpAddr;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;

use crate::server::Server;

#[tokio::test]
async fn rooms_are_shared_by_handlers_services_and_both_versions_of_http() {
    let server = Server::start(|_| {}).await;
    let mut ann = server.open("/ws/blue?token=ann", &[]).await.expect("in");
    assert_eq!(ann.find("welcome").await["user"], "ann");
    let mut bob = server.connect("/ws/blue?token=bob", &[]).await.expect("in");
    assert_eq!(bob.find("welcome").await["user"], "bob");
    let mut cem = server
        .open("/service/blue?token=cem", &[])
        .await
        .expect("in");
    assert_eq!(cem.find("welcome").await["user"], "cem");
    bob.say(json!({"type": "message", "content": "hello"}))
        .await;
    for client in [&mut ann, &mut cem] {
        assert_eq!(client.find("message").await["sender"], "bob");
    }
    let stream = TcpStream::connect(server.address).await.expect("there");
    let (mut rest, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .expect("HTTP/1.1");
    tokio::spawn(connection);
    let post = hyper::Request::post("/rooms/blue/messages").header("host", "localhost");
    let post = post.body("\"from outside\"".to_owned()).expect("a request");
    assert_eq!(
        rest.send_request(post).await.expect("an answer").status(),
        200
    );
    for client in [&mut ann, &mut bob, &mut cem] {
        assert_eq!(client.find("message").await["content"], "from outside");
    }
    assert_eq!(server.hub.audit(), Ok(()));
}

#[tokio::test]
async fn the_middleware_of_a_nested_router_says_who_a_client_is() {
    let server = Server::start(|_| {}).await;
    assert_eq!(server.open("/api/v1/live", &[]).await.err(), Some(401));
    let session = [("x-session", "ann")];
    let mut ann = server.open("/api/v1/live", &session).await.expect("in");
    assert_eq!(ann.find("welcome").await["user"], "ann");
    assert_eq!(ann.find("subscribed").await["channel"], "members");
    let mut again = server.connect("/api/v1/live", &session).await.expect("in");
    assert_eq!(again.find("welcome").await["user"], "ann");
    assert_eq!(ann.closed().await, 1000, "replaced");
    assert_eq!(server.asked(), []);
}

#[tokio::test]
async fn the_application_sees_the_whole_path_and_the_client_behind_a_proxy() {
    let proxied = [("x-forwarded-for", "203.0.113.9, 198.51.100.7")];
    let client: IpAddr = "198.51.100.7".parse().expect("an address");
    let local: IpAddr = "127.0.0.1".parse().expect("an address");
    for (trusted, expected) in [(true, client), (false, local)] {
        let server = Server::start(|config| {
            if trusted {
                config.trusted_proxies.push(local.into());
            }
        })
        .await;
        let mut first = server
            .open("/ws/a%20b?token=ann", &proxied)
            .await
            .expect("in");
        assert_eq!(first.find("subscribed").await["channel"], "a b");
        let mut second = server
            .connect("/both?token=bob", &proxied)
            .await
            .expect("in");
        second.find("welcome").await;
        let asked = [
            ("/ws/a b".to_owned(), expected),
            ("/both".to_owned(), expected),
        ];
        assert_eq!(server.asked(), asked);
    }
}

#[tokio::test]
async fn a_route_may_serve_a_page_beside_its_websocket() {
    let server = Server::start(|_| {}).await;
    let stream = TcpStream::connect(server.address).await.expect("there");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .expect("HTTP/1.1");
    tokio::spawn(connection);
    for (path, status) in [("/both", 200), ("/ws/blue", 426), ("/service/blue", 426)] {
        let page = hyper::Request::get(path).header("host", "localhost");
        let page = page.body(String::new()).expect("a request");
        let response = sender.send_request(page).await.expect("an answer");
        assert_eq!(response.status(), status, "{path}");
    }
    let mut ann = server.open("/both?token=ann", &[]).await.expect("in");
    ann.find("welcome").await;
}

#[tokio::test]
async fn what_needs_no_login_is_refused_by_status_and_the_rest_by_close() {
    let server = Server::start(|config| config.limits.connections = 1).await;
    let foreign = [("origin", "https://evil.example")];
    let own = format!("http://{}", server.address);
    let own = [("origin", own.as_str())];
    assert_eq!(
        server.open("/ws/blue?token=ann", &foreign).await.err(),
        Some(403)
    );
    assert_eq!(
        server.connect("/ws/blue?token=ann", &foreign).await.err(),
        Some(403)
    );
    assert_eq!(
        server.connect("/ws/%ff?token=ann", &own).await.err(),
        Some(400)
    );
    let stranger = server.connect("/ws/blue", &own).await.expect("an upgrade");
    assert_eq!(stranger.closed().await, 4001);
    let mut ann = server
        .connect("/ws/blue?token=ann", &own)
        .await
        .expect("in");
    ann.find("welcome").await;
    // Whoever has yet to log in might be ann, who may replace her connection.
    let bob = server
        .open("/ws/blue?token=bob", &own)
        .await
        .expect("an upgrade");
    assert_eq!(bob.closed().await, 4002);
    let bob = [("x-session", "bob")];
    assert_eq!(server.open("/api/v1/live", &bob).await.err(), Some(503));
    let mut ann = server.open("/ws/blue?token=ann", &own).await.expect("in");
    ann.find("welcome").await;
    assert_eq!(server.hub.stats().refused["server_full"], 2);
}

#[tokio::test]
async fn both_shut_down_together_and_leave_nothing_behind() {
    let server = Server::start(|_| {}).await;
    let mut ann = server.open("/ws/blue?token=ann", &[]).await.expect("in");
    let mut bob = server.connect("/ws/blue?token=bob", &[]).await.expect("in");
    ann.find("welcome").await;
    bob.find("welcome").await;
    let stopped = tokio::spawn(server.stop());
    assert_eq!(ann.find("bye").await["reason"], "draining");
    assert_eq!(ann.closed().await, 1001);
    assert_eq!(bob.closed().await, 1001);
    let hub = stopped.await.expect("it stops");
    assert!(hub.upgrade().is_none(), "something still holds the hub");
}

#[tokio::test]
async fn while_it_drains_newcomers_are_told_to_come_back() {
    let server = Server::start(|_| {}).await;
    let mut ann = server.open("/ws/blue?token=ann", &[]).await.expect("in");
    ann.find("welcome").await;
    let hub = server.hub.clone();
    let window = Duration::from_secs(60);
    let draining = tokio::spawn(async move { hub.drain(window, window).await });
    while !server.hub.stats().draining {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        server.open("/ws/blue?token=bob", &[]).await.err(),
        Some(503)
    );
    assert_eq!(
        server.connect("/service/blue?token=bob", &[]).await.err(),
        Some(503)
    );
    drop(ann);
    draining.await.expect("drained");
}
