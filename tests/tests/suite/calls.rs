//! Calls of the application's methods (`Application::on_call`).

use serde_json::json;

use super::app::Log;
use super::frames::{TEXT, frame, joined};
use super::gate::Gate;
use super::guest::{Guest, hasty};
use super::server::Server;
use crate::rt::client::{Failure, RequestError};
use crate::rt::{Application, Config, Connection, Denied, Identity, Json, Message, Request};

#[derive(Clone, Default)]
struct Methods {
    log: Log,
    gate: Gate,
}

impl Application for Methods {
    async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
        let name = request.token().map_or("ann", crate::rt::Token::reveal);
        Ok(Identity::user(name))
    }

    async fn on_message(&self, _: &Connection, _: Message) -> Result<(), Denied> {
        self.log.add("message");
        Ok(())
    }

    async fn on_call(
        &self,
        client: &Connection,
        method: &str,
        params: &str,
    ) -> Result<Json, Denied> {
        self.log.add(format!("{method} {params}"));
        match method {
            "echo" => Ok(Json::parse(params)?),
            "whoami" => Ok(Json::encode(client.user())?),
            "slow" => {
                self.gate.wait().await;
                Ok(Json::encode(&())?)
            }
            "large" => Ok(Json::encode(&"x".repeat(2 << 20))?),
            "buy" => Err(Denied::because("sold_out", "none left")),
            "broken" => Ok(Json::parse("{")?),
            "panic" => panic!("the method panics"),
            _ => Err(Denied::UnknownMethod),
        }
    }
}

fn start() -> (Server, Methods) {
    let app = Methods::default();
    let config = Config::default();
    (Server::start(config, app.clone()), app)
}

#[test]
fn a_call_is_answered_by_its_result() {
    let (server, app) = start();
    let mut ann = server.member("/ws/blue?token=ann");
    ann.say(r#"{"type":"call","method":"whoami","id":"a"}"#);
    assert_eq!(
        ann.find("result"),
        json!({"type":"result","id":"a","content":"ann"})
    );
    // Passed through byte for byte in both directions.
    ann.say(r#"{"params":{"x": 1.0, "y":[ ]},"id":2,"method":"echo","type":"call"}"#);
    let text = ann.text();
    assert_eq!(
        text,
        r#"{"type":"result","id":2,"content":{"x": 1.0, "y":[ ]}}"#
    );
    ann.say(r#"{"type":"call","method":"echo","id":3,"params":null}"#);
    assert_eq!(ann.find("result")["content"], json!(null));
    app.log
        .until(&["whoami null", r#"echo {"x": 1.0, "y":[ ]}"#, "echo null"]);
}

#[test]
fn a_call_that_fails_is_answered_by_an_error_and_the_connection_stays() {
    let (server, _) = start();
    let mut ann = server.member("/ws?token=ann");
    for (method, code) in [
        ("buy", "sold_out"),
        ("broken", "internal"),
        ("large", "too_large"),
        ("nothing", "unknown_type"),
    ] {
        ann.say(&format!(r#"{{"type":"call","method":"{method}","id":7}}"#));
        let error = ann.find("error");
        assert_eq!(
            (&error["code"], &error["id"]),
            (&json!(code), &json!(7)),
            "{method}"
        );
        assert_eq!(error.get("channel"), None);
    }
    ann.say(r#"{"type":"ping"}"#);
    ann.find("pong");
}

#[test]
fn what_comes_after_a_call_waits_for_it() {
    let (server, app) = start();
    let mut ann = server.member("/ws/blue?token=ann");
    let packet = [
        r#"{"type":"call","method":"slow","id":1}"#,
        r#"{"type":"message","content":1,"id":2}"#,
        r#"{"type":"call","method":"echo","params":3,"id":3}"#,
    ];
    ann.send(&joined(&packet.map(|text| frame(TEXT, text.as_bytes()))));
    app.log.until(&["slow null"]);
    app.gate.open();
    assert_eq!(ann.find("result")["id"], 1);
    assert_eq!(ann.find("ack")["id"], 2);
    assert_eq!(ann.find("result")["id"], 3);
    app.log.until(&["slow null", "message", "echo 3"]);
}

#[test]
fn a_method_that_panics_or_takes_too_long_ends_its_connection_only() {
    let mut config = Config::default();
    config.timeouts.hook = std::time::Duration::from_millis(100);
    let server = Server::start(config, Methods::default());
    let mut bob = server.member("/ws?token=bob");
    for method in ["panic", "slow"] {
        let mut ann = server.member("/ws?token=ann");
        ann.say(&format!(r#"{{"type":"call","method":"{method}","id":1}}"#));
        assert_eq!(ann.closed(1011), "internal", "{method}");
    }
    bob.say(r#"{"type":"call","method":"whoami","id":1}"#);
    assert_eq!(bob.find("result")["content"], "bob");
}

#[test]
fn without_methods_ten_calls_end_the_connection() {
    struct Nothing;
    impl Application for Nothing {}
    let server = Server::start(Config::default(), Nothing);
    let mut peer = server.member("/ws");
    for id in 0..10 {
        peer.say(&format!(r#"{{"type":"call","method":"admin","id":{id}}}"#));
        assert_eq!(peer.find("error")["code"], "unknown_type");
    }
    assert_eq!(peer.closed(4102), "rate_limited");
}

#[test]
fn the_rust_client_calls_methods() {
    let (server, _) = start();
    let ann = Guest::at(server.address, "/ws?token=ann", hasty());
    let result = ann.run(|client| async move { client.call("echo", &[1, 2]).await });
    assert_eq!(result.expect("a result").content_json(), Some("[1,2]"));
    let refused = ann.run(|client| async move { client.call("buy", "shoes").await });
    assert_eq!(
        refused.expect_err("an error").to_string(),
        "sold_out: none left"
    );
    let lost = ann.run(|client| async move { client.call("panic", &()).await });
    assert_eq!(lost, Err(RequestError::Failed(Failure::Unconfirmed)));
}
