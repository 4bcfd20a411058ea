//! What the clients of event streams post.

use switchboard_core::session::{Call, Reply};
use switchboard_core::{Denied, Origins, Rooms};

use super::event_streams::{GET, open, status, with_sse};
use super::node::Node;

#[test]
fn what_a_client_posts_is_taken_in_order_and_answered_on_the_stream() {
    let mut node = open(|config| config.rooms = Rooms::Ask);
    let body = r#"[{"type":"subscribe","channel":"red","id":1},{"type":"ping","timestamp":7}]"#;
    assert_eq!(status(&node.post(body)), "202");
    let Some(Call::Ask(question)) = node.call.take() else {
        panic!("expected a question");
    };
    // What comes behind a busy hook waits.
    assert_eq!(
        status(&node.post(r#"{"type":"ping","timestamp":8}"#)),
        "202"
    );
    assert!(!node.has_sent("pong"));
    node.reply(Reply::Verdict(question, Ok(())));
    let places = [
        r#""type":"subscribed","channel":"red""#,
        r#"{"type":"pong","timestamp":7}"#,
        r#"{"type":"pong","timestamp":8}"#,
    ];
    let places = places.map(|text| node.position(text));
    assert!(places.is_sorted(), "{places:?}");
    // The position is that in the room of the URL.
    assert_eq!(node.ids().len(), 1);
}

#[test]
fn a_body_may_come_in_any_split() {
    let mut node = open(|_| {});
    let path = node.post_path();
    let body = r#"{"type":"ping","timestamp":1}"#;
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: here\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let bytes: Vec<&[u8]> = request.as_bytes().chunks(1).collect();
    assert_eq!(status(&node.exchange(&bytes)), "202");
    assert_eq!(status(&node.exchange(&[request.as_bytes()])), "202");
    assert_eq!(node.stream().matches("pong").count(), 2);
}

#[test]
fn a_post_that_cannot_be_passed_on_is_told_so() {
    let mut node = open(|config| {
        config.limits.message_bytes = 200;
        config.origins = Origins::List(vec!["https://example.org".into()]);
    });
    let path = node.post_path();
    for (path, headers, body, expected) in [
        ("/sse/0-0-00000000000000000000000000000000", "", "{}", "404"),
        ("/sse/blue", "", "{}", "404"),
        ("/sse", "", "{}", "404"),
        (&*path, "", "", "400"),
        (&*path, "", "{", "400"),
        (&*path, "", "[{},]", "400"),
        (&*path, "", "[", "400"),
        (&*path, "", "{}{}", "400"),
        (&*path, "", &"7".repeat(201), "413"),
        (&*path, "", &format!("[{}7]", "7,".repeat(64)), "413"),
        (&*path, "Origin: https://example.com\r\n", "{}", "403"),
        (&*path, "Transfer-Encoding: chunked\r\n", "{}", "411"),
        (&*path, "Content-Length: 3\r\n", "{}", "400"),
        (&*path, "Origin: https://example.org\r\n", "[]", "202"),
    ] {
        let answer = node.post_to(path, headers, body);
        assert_eq!(
            status(&answer),
            expected,
            "{path} {headers} {body}: {answer}"
        );
        let shared = "Access-Control-Allow-Origin: https://example.org\r\n";
        assert_eq!(answer.contains(shared), headers.contains("example.org"));
    }
    for (request, expected) in [
        (format!("POST {path} HTTP/1.1\r\nHost: here\r\n\r\n"), "411"),
        (format!("POST {path} HTTP/1.1\r\n\r\n"), "400"),
        (format!("PUT {path} HTTP/1.1\r\nHost: here\r\n\r\n"), "405"),
        (
            format!("OPTIONS {path} HTTP/1.1\r\nHost: here\r\nContent-Length: 1\r\n\r\n"),
            "400",
        ),
        (format!("HEAD {path} HTTP/1.1\r\nHost: here\r\n\r\n"), "405"),
        (
            "GET /sse/blue HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\n\r\n".into(),
            "400",
        ),
        ("GET /sse/a/b HTTP/1.1\r\nHost: here\r\n\r\n".into(), "404"),
        (
            "GET /sse/a%2Fb HTTP/1.1\r\nHost: here\r\n\r\n".into(),
            "400",
        ),
    ] {
        let answer = node.exchange(&[request.as_bytes()]);
        assert_eq!(status(&answer), expected, "{request}: {answer}");
    }
    assert!(node.board.is_connected("ann"));
}

#[test]
fn a_post_is_refused_while_too_much_waits_for_a_busy_hook() {
    let mut node = open(|config| config.rooms = Rooms::Ask);
    node.post(r#"{"type":"subscribe","channel":"red"}"#);
    let Some(Call::Ask(question)) = node.call.take() else {
        panic!("expected a question");
    };
    let pings = format!("[{}]", [r#"{"type":"ping"}"#; 40].join(","));
    assert_eq!(status(&node.post(&pings)), "202");
    let answer = node.post(&pings);
    assert!(status(&answer) == "429" && answer.contains("Retry-After: 1\r\n"));
    node.reply(Reply::Verdict(question, Err(Denied::Forbidden)));
    assert_eq!(status(&node.post("7")), "202");
    assert_eq!(node.board.audit(), Ok(()));
}

#[test]
fn the_rates_hold_for_what_is_posted() {
    let mut node = open(|config| {
        let rates = &mut config.rates;
        rates.messages = rates.messages.map(|mut rate| {
            (rate.per_second, rate.burst) = (1, 2);
            rate
        });
    });
    let many = format!("[{}]", [r#"{"type":"ping"}"#; 7].join(","));
    assert_eq!(status(&node.post(&many)), "202");
    assert_eq!(node.stream().matches("pong").count(), 2);
    assert_eq!(node.stream().matches(r#""code":"rate_limited""#).count(), 5);
    assert_eq!(status(&node.post(&many)), "202");
    assert!(node.has_sent("event: close\ndata: {\"code\":4102,\"reason\":\"rate_limited\"}\n\n"));
    assert_eq!(status(&node.post("7")), "404");
    assert_eq!(node.board.audit(), Ok(()));
}

#[test]
fn a_client_may_post_its_first_message() {
    let mut node = Node::new(with_sse);
    node.read(GET);
    let Some(Call::Authenticate(login)) = node.call.take() else {
        panic!("expected authentication");
    };
    let first = switchboard_core::Identity::FirstMessage;
    node.reply(Reply::Identity(login, Ok(first.into())));
    assert!(!node.has_sent("welcome"));
    assert_eq!(
        status(&node.post(r#"{"type":"auth","token":"ann"}"#)),
        "202"
    );
    node.let_in();
    assert!(node.has_sent(r#"{"type":"authenticated","user":"ann"}"#));
    assert!(node.has_sent(r#""type":"subscribed""#));
}

#[test]
fn a_browser_is_told_whether_a_page_of_another_origin_may_post() {
    let mut node = open(|config| {
        config.origins = Origins::List(vec!["https://app.example".into()]);
    });
    let ask = |path: &str, origin: &str| {
        format!(
            "OPTIONS {path} HTTP/1.1\r\nHost: here\r\nOrigin: {origin}\r\n\
             Access-Control-Request-Method: POST\r\n\r\n"
        )
    };
    for path in ["/sse", "/sse/blue", &node.post_path()] {
        let answer = node.exchange(&[ask(path, "https://app.example").as_bytes()]);
        assert_eq!(status(&answer), "204", "{answer}");
        for header in [
            "Access-Control-Allow-Origin: https://app.example\r\n",
            "Access-Control-Allow-Methods: GET, POST\r\n",
            "Access-Control-Allow-Headers: Authorization, Content-Type, Last-Event-ID\r\n",
        ] {
            assert!(answer.contains(header), "{header} in {answer}");
        }
        let answer = node.exchange(&[ask(path, "https://evil.example").as_bytes()]);
        assert_eq!(status(&answer), "403", "{answer}");
        assert!(!answer.contains("Access-Control"), "{answer}");
    }
}
