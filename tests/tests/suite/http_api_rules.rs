//! What the HTTP API refuses (docs/http-api.md), and the listener of the example programs.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use serde_json::{Value, json};
use switchboard_examples::chat::api::listen;

use super::http_api::{Api, KEY, error, header, start};
use super::peer::PATIENCE;
use crate::rt::Token;
use crate::rt::http_api::{ApiRequest, HttpApi};

#[test]
fn nobody_gets_anywhere_without_the_key() {
    let api = start(|_| {});
    for key in [
        None,
        Some(""),
        Some("s3cr3t"),
        Some("s3cr3t-key2"),
        Some("S3CR3T-KEY"),
    ] {
        for path in ["/api/info", "/api/nothing", "/"] {
            let answer = api.request("POST", path, key, "");
            assert_eq!(
                error(&answer),
                (401, "unauthorized".into(), String::new()),
                "{key:?}"
            );
            assert!(header(&answer, "WWW-Authenticate").is_some());
        }
    }
    let open = HttpApi::new(api.server.hub.clone(), Token::new(""));
    let request = ApiRequest::new("POST", "/api/info", |_| Some(""));
    assert_eq!(
        open.answer(&request, b"").status,
        401,
        "an empty key is none"
    );
    assert!(!format!("{:?} {:?}", api.api, request).contains("s3cr3t"));
}

#[test]
fn a_call_that_breaks_a_rule_is_told_which() {
    let api = start(|_| {});
    let told =
        |method: &str, path: &str, body: &str| error(&api.request(method, path, Some(KEY), body));
    let wrong = |status: u16, code: &str| (status, code.to_owned(), String::new());
    for path in [
        "/",
        "/api",
        "/api/",
        "/api/nothing",
        "/api/publish/",
        "/publish",
        "/api//info",
    ] {
        assert_eq!(told("POST", path, ""), wrong(404, "not_found"), "{path}");
    }
    for method in ["GET", "PUT", "DELETE", "HEAD", "post"] {
        assert_eq!(
            told(method, "/api/info", ""),
            wrong(405, "method_not_allowed")
        );
    }
    let get = api.request("GET", "/api/info", Some(KEY), "");
    assert_eq!(header(&get, "Allow"), Some("POST"));
    assert_eq!(
        api.request("POST", "/api/info?x=1", Some(KEY), "").status,
        200
    );
    let large = " ".repeat(api.api.max_body() + 1);
    assert_eq!(told("POST", "/api/info", &large), wrong(413, "too_large"));
    let plain = |name: &'static str| match name {
        "X-API-Key" => Some(KEY),
        _ => Some("text/plain"),
    };
    let request = ApiRequest::new("POST", "/api/info", plain);
    let answer = api.api.answer(&request, b"{}");
    assert_eq!(error(&answer), wrong(415, "unsupported_media_type"));
    assert_eq!(
        api.api.answer(&request, b"").status,
        200,
        "no body has no type"
    );
    for body in ["x", "[]", "1", "{\"channel\":", "{}{}", "\u{0}"] {
        assert_eq!(
            told("POST", "/api/presence", body),
            wrong(400, "bad_request"),
            "{body}"
        );
    }
}

#[test]
fn an_error_names_the_field() {
    let api = start(|_| {});
    let long = "x".repeat(129);
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for (method, body, field) in [
        ("publish", r#"{"content":1}"#.to_owned(), "channel"),
        (
            "publish",
            r#"{"channel":"","content":1}"#.to_owned(),
            "channel",
        ),
        (
            "publish",
            r#"{"channel":7,"content":1}"#.to_owned(),
            "channel",
        ),
        (
            "publish",
            format!(r#"{{"channel":"{long}","content":1}}"#),
            "channel",
        ),
        ("publish", r#"{"channel":"a"}"#.to_owned(), "content"),
        (
            "publish",
            format!(r#"{{"channel":"a","content":{deep}}}"#),
            "content",
        ),
        (
            "publish",
            r#"{"channel":"a","content":"\ud800"}"#.to_owned(),
            "content",
        ),
        (
            "publish",
            r#"{"channel":"a","content":1,"sender":1}"#.to_owned(),
            "sender",
        ),
        (
            "publish",
            r#"{"chanel":"a","content":1}"#.to_owned(),
            "chanel",
        ),
        (
            "publish",
            r#"{"channel":"a","content":1,"exclude":[]}"#.to_owned(),
            "exclude",
        ),
        (
            "publish",
            r#"{"channel":"a","content":1,"exclude":{"x":1}}"#.to_owned(),
            "x",
        ),
        (
            "publish",
            r#"{"channel":"a","content":1,"exclude":{"connections":["x"]}}"#.to_owned(),
            "connections",
        ),
        (
            "broadcast",
            r#"{"channels":["a",""],"content":1}"#.to_owned(),
            "channels",
        ),
        (
            "broadcast",
            r#"{"channels":"a","content":1}"#.to_owned(),
            "channels",
        ),
        ("direct", r#"{"content":1}"#.to_owned(), "user"),
        ("subscribe", r#"{"channel":"a"}"#.to_owned(), "user"),
        (
            "subscribe",
            r#"{"channel":"a","user":"ann","connection":"0-1"}"#.to_owned(),
            "user",
        ),
        (
            "subscribe",
            r#"{"channel":"a","connection":"ann"}"#.to_owned(),
            "connection",
        ),
        (
            "disconnect",
            r#"{"user":"ann","code":1000}"#.to_owned(),
            "code",
        ),
        (
            "disconnect",
            r#"{"user":"ann","reason":"x"}"#.to_owned(),
            "code",
        ),
        (
            "disconnect",
            format!(r#"{{"user":"ann","code":4400,"reason":"{long}"}}"#),
            "reason",
        ),
        ("extend", r#"{"user":"ann"}"#.to_owned(), "expires_in"),
        (
            "extend",
            r#"{"user":"ann","expires_in":-1}"#.to_owned(),
            "expires_in",
        ),
        (
            "extend",
            r#"{"user":"ann","expires_in":1e99}"#.to_owned(),
            "expires_in",
        ),
        (
            "presence",
            r#"{"channel":"a","limit":0}"#.to_owned(),
            "limit",
        ),
        ("channels", r#"{"limit":10001}"#.to_owned(), "limit"),
        ("info", r#"{"x":1}"#.to_owned(), "x"),
        (
            "publish",
            r#"{"channel":"a","content":1,"sender":""}"#.to_owned(),
            "sender",
        ),
        (
            "publish",
            r#"{"channel":"a","content":1,"key":"b"}"#.to_owned(),
            "key",
        ),
        (
            "publish",
            r#"{"channel":"a","content":1,"id":""}"#.to_owned(),
            "id",
        ),
        (
            "publish",
            r#"{"channel":"a","content":1,"id":7}"#.to_owned(),
            "id",
        ),
        (
            "publish",
            r#"{"channel":"a","content":1,"again":7}"#.to_owned(),
            "again",
        ),
        (
            "publish",
            r#"{"channel":"a","content":1,"id":"x","epoch":"e"}"#.to_owned(),
            "epoch",
        ),
        (
            "broadcast",
            r#"{"channels":["a"],"content":1,"id":"x"}"#.to_owned(),
            "id",
        ),
        (
            "broadcast",
            r#"{"channels":["a"],"content":1,"sender":"a\tb"}"#.to_owned(),
            "sender",
        ),
        (
            "direct",
            format!(r#"{{"user":"ann","content":1,"sender":"{long}"}}"#),
            "sender",
        ),
        (
            "publish",
            r#"{"channel":"a","channel":"b","content":1}"#.to_owned(),
            "channel",
        ),
        (
            "direct",
            r#"{"user":"ann","content":1,"content":2}"#.to_owned(),
            "content",
        ),
        (
            "publish",
            r#"{"channel":"a","content":1,"exclude":{"users":[],"users":["ann"]}}"#.to_owned(),
            "users",
        ),
    ] {
        let told = error(&api.ask(method, &body));
        assert_eq!(
            told,
            (400, "bad_request".into(), field.into()),
            "{method} {body}"
        );
    }
}

/// Starts the listener of the example programs.
fn listening(api: &Api) -> SocketAddr {
    let address = "127.0.0.1:0".parse().expect("an address");
    listen(address, api.api.clone()).expect("a listener")
}

/// Sends these bytes to the listener of the example programs, and returns the answer and its body.
fn over_http(address: SocketAddr, parts: &[&[u8]]) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("an option");
    for part in parts {
        stream.write_all(part).expect("sent");
    }
    stream.shutdown(Shutdown::Write).expect("an end");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let answer = answer.trim_start_matches("HTTP/1.1 100 Continue\r\n\r\n");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.get(9..12).and_then(|status| status.parse().ok());
    let length = format!("Content-Length: {}", body.len());
    assert!(head.contains(&length), "{head}");
    (
        status.expect("a status"),
        serde_json::from_str(body).expect("JSON"),
    )
}

#[test]
fn the_listener_of_the_example_programs_reads_calls_and_refuses_what_is_none() {
    let api = start(|_| {});
    let address = listening(&api);
    let head = |more: &str| {
        format!("POST /api/presence HTTP/1.1\r\nHost: a\r\nX-API-Key: {KEY}\r\n{more}\r\n")
    };
    let json = "Content-Type: application/json\r\nContent-Length: 15\r\n";
    let body: &[u8] = br#"{"channel":"a"}"#;
    let nobody = (200, json!({"count": 0, "users": [], "members": 0}));
    assert_eq!(over_http(address, &[head(json).as_bytes(), body]), nobody);
    let waits = head(&format!("{json}Expect: 100-continue\r\n"));
    assert_eq!(over_http(address, &[waits.as_bytes(), body]), nobody);
    let long = format!(
        "Content-Type: application/json\r\nContent-Length: {}\r\n",
        u64::MAX
    );
    let many = "a: b\r\n".repeat(100);
    for (request, status, code) in [
        (
            head("Content-Length: 15\r\n"),
            415,
            "unsupported_media_type",
        ),
        (
            head("Transfer-Encoding: chunked\r\n"),
            411,
            "length_required",
        ),
        (
            head("Content-Length: 1\r\nContent-Length: 2\r\n"),
            400,
            "bad_request",
        ),
        (head("Content-Length: +1\r\n"), 400, "bad_request"),
        (head(&long), 413, "too_large"),
        (head(&many), 431, "bad_request"),
        (head(json), 400, "bad_request"),
        (
            "POST /api/info HTTP/1.1\r\nHost".to_owned(),
            400,
            "bad_request",
        ),
        (head("").replace(KEY, "other"), 401, "unauthorized"),
        (head("").replace("POST", "GET"), 405, "method_not_allowed"),
        ("\0".to_owned(), 400, "bad_request"),
    ] {
        // What is refused by its head is answered though no body comes.
        let (told, value) = over_http(address, &[request.as_bytes()]);
        assert_eq!(
            (told, &value["error"]["code"]),
            (status, &json!(code)),
            "{request}"
        );
    }
}

#[test]
fn callers_that_say_nothing_keep_nobody_from_the_listener() {
    let api = start(|_| {});
    let address = listening(&api);
    // More than it serves at a time. Some have begun to say something.
    let silent: Vec<TcpStream> = (0..100)
        .map(|n| {
            let mut stream = TcpStream::connect(address).expect("a connection");
            stream.write_all(&b"POST /api"[..n % 10]).expect("sent");
            stream
        })
        .collect();
    let call = format!("POST /api/info HTTP/1.1\r\nHost: a\r\nX-API-Key: {KEY}\r\n\r\n");
    assert_eq!(over_http(address, &[call.as_bytes()]).0, 200);
    drop(silent);
}
