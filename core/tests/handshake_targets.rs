//! Request targets: rooms in the path, pages, and the query.

mod requests;

use requests::{FIELDS, accepted, anywhere, config, outcome, status, upgrade, with_pages};
use switchboard_core::{Endpoint, HandshakeConfig};

#[track_caller]
fn refused(target: &str) -> u16 {
    status(&config(), upgrade(target))
}

#[track_caller]
fn lobby(target: &str) -> String {
    let request = accepted(&config(), upgrade(target));
    request.lobby().expect("a lobby").to_owned()
}

#[test]
fn the_last_segment_is_the_lobby() {
    assert_eq!(lobby("/ws/den"), "den");
    assert_eq!(lobby("/ws/den?x=/y"), "den");
    assert_eq!(lobby("/%77s/den"), "den", "the decoded path decides");
    assert_eq!(lobby("/ws/K%C3%BCche"), "Küche");
    assert_eq!(lobby("/ws/a+b"), "a+b", "a plus is a plus in a path");
    assert_eq!(lobby("/ws/a%20b"), "a b");
    assert_eq!(accepted(&config(), upgrade("/ws/a%20b")).path(), "/ws/a b");
}

#[test]
fn h13_a_path_is_decoded_once() {
    assert_eq!(lobby("/ws/%252f"), "%2f");
    assert_eq!(lobby("/ws/%2525"), "%25");
}

#[test]
fn h13_a_bad_encoding_is_400_anywhere_in_the_path() {
    for bad in [
        "%",
        "%z",
        "%zz",
        "%2",
        "%00",
        "%FF",
        "%C0%AF",
        "%0a",
        "%7F",
        "%C2%85",
        "%ed%a0%80",
        "%+1",
    ] {
        assert_eq!(refused(&format!("/ws/{bad}")), 400, "{bad}");
        assert_eq!(refused(&format!("/{bad}")), 400, "{bad}");
        assert_eq!(refused(&format!("/ws/a/{bad}")), 400, "{bad}");
        assert_eq!(refused(&format!("/ws/x{bad}?q")), 400, "{bad}");
        let page = format!("GET /{bad} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(status(&with_pages(), page), 400, "{bad}");
    }
    for slash in ["%2e%2e%2f", "a%2fb", "%2F"] {
        assert_eq!(refused(&format!("/ws/{slash}")), 400, "{slash}");
    }
    for raw in ["/ws/\u{e9}", "/ws/\x01", "/ws/\t", "/ws/#x", "/ws/\x7f"] {
        assert_eq!(refused(raw), 400, "{raw:?}");
    }
}

#[test]
fn a_name_has_a_limit_in_decoded_bytes() {
    assert_eq!(lobby(&format!("/ws/{}", "%61".repeat(128))).len(), 128);
    assert_eq!(refused(&format!("/ws/{}", "a".repeat(129))), 400);
    let short = HandshakeConfig {
        name_bytes: 3,
        ..config()
    };
    assert_eq!(status(&short, upgrade("/ws/%C3%A9%C3%A9")), 400);
}

#[test]
fn h14_other_paths_are_404() {
    for target in [
        "/",
        "/w",
        "/wsx",
        "/WS",
        "/ws/",
        "/ws//",
        "/ws//den",
        "/ws/a/b",
        "/ws/a/",
        "//ws",
        "//ws/den",
        "/ws%2fden",
        "/%2fws",
        "*",
        "ws",
        "?ws",
        "http:",
        "http:/ws",
        "http//a/ws",
        "ftp://server.example.com/ws",
        "://server.example.com/ws",
        "http://server.example.com",
        "http://server.example.com/",
        "http://server.example.com//ws",
        "server.example.com:443",
    ] {
        assert_eq!(refused(target), 404, "{target}");
        assert_eq!(status(&with_pages(), upgrade(target)), 404, "{target}");
    }
}

#[test]
fn a_path_that_is_no_endpoint_may_be_a_page() {
    let page = |text: &str| accepted(&with_pages(), text.replace('|', "\r\n"));
    let request = page("GET / HTTP/1.1|Host: a||");
    assert!(!request.is_upgrade());
    assert_eq!((request.method(), request.path()), ("GET", "/"));
    assert_eq!(request.accept_key(), None);
    let request =
        page("POST /debug/kick?user=al%20ice HTTP/1.1|Host: a|Content-Length: 9||some body");
    assert_eq!((request.method(), request.path()), ("POST", "/debug/kick"));
    assert_eq!(request.query("user"), Some("al ice"));
    page("PUT /x HTTP/1.1|Host: a|Transfer-Encoding: chunked||5|");
    page("GET /ws/a/b HTTP/1.1|Host: a|Upgrade: h2c||");
}

#[test]
fn a_page_request_must_still_be_http() {
    let page = |text: &str| status(&with_pages(), text.replace('|', "\r\n"));
    assert_eq!(page("GET / HTTP/1.1||"), 400, "no host");
    assert_eq!(page("GET / HTTP/1.1|Host: a|Host: b||"), 400);
    assert_eq!(
        page("GET / HTTP/1.1|Host: a|Upgrade: foo, WebSocket||"),
        404
    );
    assert_eq!(page("GET http://a/ HTTP/1.1||"), 400, "no Host");
    assert_eq!(page("GET http://a/ HTTP/1.1|Host: a/b||"), 400);
    assert_eq!(page("GET //a HTTP/1.1|Host: a||"), 404);
    assert_eq!(page("OPTIONS * HTTP/1.1|Host: a||"), 404);
    assert_eq!(
        page("GET /ws HTTP/1.1|Host: a||"),
        426,
        "an upgrade path is never a page"
    );
    assert_eq!(page("POST /ws/den HTTP/1.1|Host: a||"), 405);
    assert_eq!(
        status(&config(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        404,
        "pages are off"
    );
}

#[test]
fn h14_the_authority_of_an_absolute_form_replaces_host() {
    // RFC 9112, section 3.2.2.
    for (target, host) in [
        ("http://other.example/ws/den?a=b", "other.example"),
        (
            "HTTPS://other.example:8443/ws/den?a=b",
            "other.example:8443",
        ),
        ("ws://[::1]:80/ws/den?a=b", "[::1]:80"),
        ("wss://other.example./ws/den?a=b", "other.example."),
    ] {
        let request = accepted(&config(), upgrade(target));
        assert_eq!((request.path(), request.lobby()), ("/ws/den", Some("den")));
        assert_eq!(request.query("a"), Some("b"));
        let hosts = request
            .headers()
            .filter(|(name, _)| name.eq_ignore_ascii_case("host"));
        assert!(hosts.map(|(_, value)| value).eq([host]), "{target}");
        assert_eq!(request.headers().count(), 5);
        assert_eq!(request.header("Upgrade"), Some("websocket"));
    }
    for (target, path, query) in [("http://a", "/", None), ("http://a?q=1", "/", Some("1"))] {
        let request = accepted(&anywhere(), upgrade(target));
        assert_eq!((request.path(), request.query("q")), (path, query));
    }
    for page in [
        "GET http://b/x HTTP/1.1|Host: a||",
        "GET http://b/x HTTP/1.0||",
    ] {
        let request = accepted(&with_pages(), page.replace('|', "\r\n"));
        assert_eq!((request.path(), request.header("host")), ("/x", Some("b")));
    }
    for authority in ["", ":80", "user@a", "a:b", "a:65536", "[::1", "a,b", "a\\b"] {
        let target = format!("http://{authority}/ws");
        assert_eq!(refused(&target), 400, "{target}");
    }
}

#[test]
fn a_page_may_be_asked_for_with_http_1_0() {
    let page = |text: &str| outcome(&with_pages(), text.replace('|', "\r\n"));
    for text in [
        "GET /healthz HTTP/1.0|Host: a||",
        "GET /healthz HTTP/1.0||",
        "GET /healthz HTTP/1.0|Host: a:80|Connection: close||",
        // Of HTTP/1.0, `Upgrade` is ignored (RFC 9110, section 7.8).
        "GET /healthz HTTP/1.0|Upgrade: websocket|Connection: upgrade||",
    ] {
        let request = page(text).expect(text).expect(text);
        assert_eq!((request.path(), request.is_upgrade()), ("/healthz", false));
    }
    for text in [
        "GET /healthz HTTP/1.0|Host: a|Host: b||",
        "GET /healthz HTTP/1.0|Host: a/b||",
        "GET /healthz HTTP/1.0|Host:||",
        "GET /healthz HTTP/1.00||",
        "GET /healthz HTTP/1.0 ||",
    ] {
        assert_eq!(page(text).expect_err(text).status(), 400, "{text}");
    }
}

#[test]
fn a_query_is_decoded_as_browsers_write_it() {
    let request = accepted(
        &config(),
        upgrade("/ws?a=1&b&&c=x%20y+z&a=2&%64=%26%3D&e=%zz%ff&=f&__proto__=1&g=h=i"),
    );
    let pairs: Vec<_> = request.query_pairs().collect();
    assert_eq!(
        pairs,
        [
            ("a", "1"),
            ("b", ""),
            ("c", "x y z"),
            ("a", "2"),
            ("d", "&="),
            ("e", "%zz\u{fffd}"),
            ("", "f"),
            ("__proto__", "1"),
            ("g", "h=i"),
        ]
    );
    assert_eq!(request.query("a"), Some("1"));
    assert_eq!(request.query("z"), None);
    assert_eq!(
        accepted(&config(), upgrade("/ws?")).query_pairs().count(),
        0
    );
}

#[test]
fn h21_a_query_has_at_most_100_parameters() {
    let query = vec!["a=b"; 100].join("&");
    assert_eq!(refused(&format!("/ws?{query}")), 0);
    assert_eq!(refused(&format!("/ws?{query}&c")), 400);
    assert_eq!(refused(&format!("/ws?{}", "a&".repeat(4000))), 400);
    assert_eq!(refused(&format!("/ws?{}", "a&".repeat(10_000))), 414);
    assert_eq!(
        refused(&format!("/ws?{}", "&".repeat(8000))),
        0,
        "none of these is one"
    );
}

#[test]
fn a_page_may_be_asked_for_with_any_headers() {
    let lines = FIELDS.replace("Upgrade: websocket\r\n", "");
    let request = format!("GET /page HTTP/1.1\r\n{lines}Sec-WebSocket-Protocol: ,,\r\n\r\n");
    assert!(!accepted(&with_pages(), request).is_upgrade());
}

#[test]
fn any_path_may_be_the_endpoint() {
    for (target, path) in [
        ("/", "/"),
        ("/a/b/", "/a/b/"),
        ("//x", "//x"),
        ("/a%2fb", "/a/b"),
    ] {
        let request = accepted(&anywhere(), upgrade(target));
        assert_eq!(request.path(), path);
        assert_eq!(request.lobby(), None);
    }
    assert_eq!(status(&anywhere(), upgrade("/%00")), 400);
    assert_eq!(status(&anywhere(), upgrade("*")), 404);
}

#[test]
fn the_endpoint_may_be_the_root_or_deep() {
    let at = |path: &str| HandshakeConfig {
        endpoint: Endpoint::At(path.into()),
        ..config()
    };
    assert_eq!(accepted(&at("/"), upgrade("/")).lobby(), None);
    assert_eq!(accepted(&at("/"), upgrade("/den")).lobby(), Some("den"));
    assert_eq!(status(&at("/"), upgrade("//")), 404);
    assert_eq!(accepted(&at("/a/b/"), upgrade("/a/b")).lobby(), None);
    assert_eq!(
        accepted(&at("/a/b"), upgrade("/a/%62/den")).lobby(),
        Some("den")
    );
    assert_eq!(status(&at("/a/b"), upgrade("/a")), 404);
    assert_eq!(status(&at("/a/b"), upgrade("/a/c")), 404);
}
