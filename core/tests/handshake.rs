//! Accepted and refused handshakes: the hostile inputs H1 to H21, in every split.

mod requests;

use requests::{
    accepted, config, feed, outcome, refused, status, upgrade, upgrade_replacing, upgrade_with,
};
use switchboard_core::{BadRequest, Handshake, HandshakeConfig};

#[test]
fn the_request_of_the_rfc_is_accepted() {
    let request = accepted(&config(), upgrade("/ws"));
    assert!(request.is_upgrade());
    assert_eq!(request.method(), "GET");
    assert_eq!(request.path(), "/ws");
    assert_eq!(request.lobby(), None);
    assert_eq!(request.token(), None);
    assert_eq!(request.accept_key(), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(request.header("HOST"), Some("server.example.com"));
    assert_eq!(request.headers().count(), 5);
    assert!(request.peer().is_unspecified());
}

#[test]
fn a_request_split_in_three_anywhere_is_the_same() {
    let bytes = upgrade("/ws/den?token=x");
    let bytes = bytes.as_bytes();
    let config = std::sync::Arc::new(config());
    let whole = feed(&config, [bytes]);
    assert!(matches!(whole, Ok(Some(_))));
    for first in 0..bytes.len() {
        for second in (first..bytes.len()).step_by(7) {
            let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
            assert_eq!(feed(&config, pieces), whole);
        }
    }
}

#[test]
fn h1_only_get_upgrades() {
    for method in ["POST", "HEAD", "PUT", "get", "CONNECT", "OPTIONS"] {
        let request = upgrade("/ws").replacen("GET", method, 1);
        assert_eq!(refused(request), 405, "{method}");
    }
    assert_eq!(
        refused("POST /ws HTTP/1.1\r\n\r\n"),
        405,
        "refused before the rest"
    );
}

#[test]
fn h2_another_protocol_is_told_from_its_first_bytes() {
    // None of these ends with a blank line: they are refused early.
    assert_eq!(refused("GET /ws HTTP/1.2"), 505);
    assert_eq!(refused("GET /ws HTTP/0.9"), 505);
    assert_eq!(refused("GET /ws HTTP/2"), 505);
    assert_eq!(refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
    assert_eq!(refused([0x16, 0x03, 0x01, 0x02, 0x00]), 400);
    assert_eq!(refused([0x16]), 400, "one byte of TLS is enough");
    assert_eq!(refused("\n"), 400);
    assert_eq!(refused("\0"), 400);
    assert_eq!(refused(b"\xff\xfe"), 400);
    assert_eq!(refused("(hello)"), 400);
    assert_eq!(refused("A".repeat(33)), 400, "the method is too long");
    assert_eq!(refused("GET /ws\r\n"), 400, "HTTP/0.9");
    for version in [
        "http/1.1",
        "HTTP/11",
        "HTTP/1.1 ",
        "HTTP/1.0 ",
        "HTTP/1.01",
        "HTTP/1.10",
        "HTTP/x.1",
        "HTTP/1,1",
        "",
    ] {
        let request = upgrade("/ws").replacen("HTTP/1.1", version, 1);
        assert_eq!(refused(request), 400, "{version:?}");
    }
}

#[test]
fn h2_http_1_0_cannot_be_upgraded() {
    // Only the end of the head tells an upgrade from a page.
    assert_eq!(outcome(&config(), "GET /ws HTTP/1.0\r\n"), Ok(None));
    for target in ["/ws", "/ws/den"] {
        let request = upgrade(target).replacen("HTTP/1.1", "HTTP/1.0", 1);
        for config in [config(), requests::with_pages(), requests::anywhere()] {
            assert_eq!(status(&config, &request), 505, "{target}");
        }
    }
    assert_eq!(refused("GET /ws HTTP/1.0\r\n\r\n"), 505);
    assert_eq!(refused("GET /elsewhere HTTP/1.0\r\n\r\n"), 404);
}

#[test]
fn h2_a_prefix_of_a_legal_request_waits() {
    let request = upgrade("/ws");
    for end in 0..request.len() {
        assert_eq!(outcome(&config(), &request[..end]), Ok(None));
    }
}

#[test]
fn h3_upgrade_and_connection_are_lists() {
    for lines in [
        "Connection: keep-alive, Upgrade\r\n",
        "Connection: keep-alive\r\nConnection: Upgrade\r\n",
        "connection:upgrade\r\n",
        "CONNECTION: \t UPGRADE \t ,\r\n",
        "Connection: ,,upgrade\r\n",
        "Connection:\r\nConnection: Upgrade\r\n",
    ] {
        let request = upgrade_replacing("Connection", lines);
        assert_eq!(refused(request), 0, "{lines}");
    }
    for lines in [
        "Upgrade: h2c, WebSocket\r\n",
        "Upgrade: websocket, h2c\r\n",
        "Upgrade: h2c\r\nUPGRADE: WEBSOCKET\r\n",
        "Upgrade: , ,websocket,\r\n",
    ] {
        assert_eq!(refused(upgrade_replacing("Upgrade", lines)), 0, "{lines}");
    }
}

#[test]
fn h3_no_upgrade_is_426() {
    let not = Err(BadRequest::NotAnUpgrade);
    for lines in [
        "",
        "Connection: notupgrade\r\n",
        "Connection: upgrades\r\n",
        "Connection: keep-alive\r\n",
        "Connection: up grade\r\n",
        "Connection: \"upgrade\"\r\n",
    ] {
        let request = upgrade_replacing("Connection", lines);
        assert_eq!(outcome(&config(), request), not, "{lines}");
    }
    for lines in [
        "",
        "Upgrade: notwebsocket\r\n",
        "Upgrade: websocket2\r\n",
        "Upgrade:\r\n",
    ] {
        let request = upgrade_replacing("Upgrade", lines);
        assert_eq!(outcome(&config(), request), not, "{lines}");
    }
}

#[test]
fn h4_only_version_13() {
    for lines in [
        "",
        "Sec-WebSocket-Version: 8\r\n",
        "Sec-WebSocket-Version: 7\r\n",
        "Sec-WebSocket-Version: 255\r\n",
        "Sec-WebSocket-Version: 013\r\n",
        "Sec-WebSocket-Version: 13, 8\r\n",
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13\r\n",
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 8\r\n",
        "Sec-WebSocket-Version:\r\n",
    ] {
        let request = upgrade_replacing("Sec-WebSocket-Version", lines);
        assert_eq!(
            outcome(&config(), request),
            Err(BadRequest::Version),
            "{lines}"
        );
    }
    let spaced = upgrade_replacing("Sec-WebSocket-Version", "sec-websocket-version: \t13 \r\n");
    assert_eq!(refused(spaced), 0);
}

#[test]
fn h5_the_key_is_16_bytes_once() {
    let line = |key: &str| format!("Sec-WebSocket-Key: {key}\r\n");
    let twice = line("dGhlIHNhbXBsZSBub25jZQ==").repeat(2);
    for lines in [
        String::new(),
        twice,
        line(""),
        line("AAAAAAAAAAAAAAAAAAAA"),     // 15
        line("AAAAAAAAAAAAAAAAAAAAAAA="), // 17
        line("AAAAAAAAAAAAAAAAAAAAAA"),   // no padding
        line("AAAAAAAAAAAAAAAAAAAA-_=="), // the other alphabet
        line("not base64 at all!!!!!!!"),
        line(&"A".repeat(4096)),
    ] {
        let request = upgrade_replacing("Sec-WebSocket-Key", &lines);
        assert_eq!(refused(request), 400, "{lines}");
    }
}

#[test]
fn h6_host_is_one_name() {
    for lines in [
        "",
        "Host:\r\n",
        "Host: a\r\nHost: a\r\n",
        "Host: a/b\r\n",
        "Host: a?b\r\n",
        "Host: a#b\r\n",
        "Host: user@a\r\n",
        "Host: a b\r\n",
        "Host: a, b\r\n",
        "Host: a,b\r\n",
        "Host: a:b\r\n",
        "Host: a:+80\r\n",
        "Host: a:65536\r\n",
        "Host: :80\r\n",
        "Host: [::1\r\n",
        "Host: [::1]80\r\n",
        "Host: [x]\r\n",
        "Host: [fe80::1%]\r\n",
        "Host: [fe80::1%eth/0]\r\n",
        "Host: [fe80::1%eth0\r\n",
        "Host: [%eth0]\r\n",
        "Host: ::1\r\n",
        "Host: a\\b\r\n",
    ] {
        assert_eq!(refused(upgrade_replacing("Host", lines)), 400, "{lines}");
    }
    for host in [
        "a",
        "a:",
        "a:8080",
        "127.0.0.1:1",
        "[::1]",
        "[::1]:8080",
        "[fe80::1%25eth0]:80",
        "[fe80::1%eth0]",
        "[fe80::1%1]:80",
        "my_host.local",
    ] {
        let line = format!("Host: {host}\r\n");
        assert_eq!(refused(upgrade_replacing("Host", &line)), 0, "{host}");
    }
}

#[test]
fn h12_lines_are_strict() {
    let good = upgrade_with("X: y\r\n");
    for (from, to) in [
        ("X: y\r\n", "X: y\n"),
        ("HTTP/1.1\r\n", "HTTP/1.1\n"),
        ("X: y\r\n\r\n", "X: y\r\n\n"),
        ("X: y\r\n", "X: y\r\n folded\r\n"),
        ("X: y\r\n", "X: y\r\n\tfolded\r\n"),
        ("X: y", "X: y\rz"),
        ("X: y\r\n\r\n", "X: y\r\n\rX"),
        ("X: y", "X: \0"),
        ("X: y", "X: \x07"),
        ("X: y", "X: \x7f"),
        ("X: y", "X : y"),
        ("X: y", "X\t: y"),
        ("X: y", "X"),
        ("X: y", ": y"),
        ("X: y", "X(: y"),
        ("X: y", "\u{e9}: y"),
        ("GET ", "GET  "),
        ("GET ", " GET "),
        ("GET ", "GET\t"),
        ("/ws ", "/ws  "),
        ("GET ", "\nGET "),
        ("GET ", "\r\n\r\nGET "),
        ("GET ", "\r\rGET "),
    ] {
        assert!(good.contains(from));
        assert_eq!(refused(good.replacen(from, to, 1)), 400, "{to:?}");
    }
    assert_eq!(
        refused("\r\n".to_owned() + &good),
        0,
        "one blank line first is legal"
    );
    assert_eq!(refused("\r\n".repeat(1000)), 400);
    let latin = [
        b"GET /ws HTTP/1.1\r\nX: \xe9\r\n",
        requests::FIELDS.as_bytes(),
        b"\r\n",
    ]
    .concat();
    assert_eq!(accepted(&config(), latin).header("x"), Some("\u{fffd}"));
}

#[test]
fn h15_subprotocols_are_a_list_of_tokens() {
    let offer = |list: &str| upgrade_with(&format!("Sec-WebSocket-Protocol: {list}\r\n"));
    for list in [
        "a b",
        "a;b",
        "a/b",
        "\"a\"",
        "a, a",
        "caf\u{e9}",
        &format!("b{}x", " ".repeat(32_000)),
    ] {
        assert_eq!(refused(offer(list)), 400, "{list:.20}");
    }
    let twice = "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n";
    assert_eq!(refused(upgrade_with(twice)), 400);
    let lines = "Sec-WebSocket-Protocol: b ,\ta\r\nsec-websocket-protocol: switchboard.v1.json\r\n";
    let request = accepted(&config(), upgrade_with(lines));
    assert!(request.protocols().eq(["b", "a", "switchboard.v1.json"]));
    assert!(request.speaks_json());
    assert!(!accepted(&config(), offer("Switchboard.v1.json")).speaks_json());
    let raw = HandshakeConfig {
        json: false,
        ..config()
    };
    assert!(!accepted(&raw, offer("switchboard.v1.json")).speaks_json());
}

#[test]
fn h15_empty_elements_of_a_list_count_for_nothing() {
    // RFC 9110, section 5.6.1.2. Some clients send an empty list to offer nothing.
    let commas = ",".repeat(32_000);
    for list in ["", ",", " ,\t, ", &commas] {
        let line = format!("Sec-WebSocket-Protocol: {list}\r\n");
        let request = accepted(&config(), upgrade_with(&line));
        assert_eq!(request.protocols().count(), 0, "{list:.20}");
    }
    for list in ["a,,b", ",a,b", "a, ,\tb,", &format!("a{commas}b")] {
        let line = format!("Sec-WebSocket-Protocol:\r\nSec-WebSocket-Protocol: {list}\r\n");
        let request = accepted(&config(), upgrade_with(&line));
        assert!(request.protocols().eq(["a", "b"]), "{list:.20}");
    }
    let lines = "Sec-WebSocket-Protocol: switchboard.v1.json,\r\n";
    assert!(accepted(&config(), upgrade_with(lines)).speaks_json());
}

#[test]
fn h16_extensions_are_ignored() {
    for junk in [
        "permessage-deflate; client_max_window_bits",
        ";;;=\"",
        "",
        ",,x,",
    ] {
        let line = format!("Sec-WebSocket-Extensions: {junk}\r\n");
        assert_eq!(refused(upgrade_with(&line)), 0, "{junk}");
    }
}

#[test]
fn a_request_with_several_faults_is_told_the_first_in_order() {
    let mut request =
        "POST /no%zz HTTP/1.1\r\nUpgrade: x\r\nSec-WebSocket-Version: 8\r\n\r\n".to_owned();
    assert_eq!(refused(&request), 400, "syntax");
    request = request.replace("/no%zz", "/no");
    assert_eq!(refused(&request), 404);
    request = request.replace("/no", "/ws");
    let old = request.replace("HTTP/1.1", "HTTP/1.0");
    assert_eq!(refused(old), 505, "an upgrade wants HTTP/1.1");
    assert_eq!(refused(&request), 405);
    request = request.replace("POST", "GET");
    assert_eq!(outcome(&config(), &request), Err(BadRequest::NotAnUpgrade));
    request = request.replace("Upgrade: x", "Upgrade: websocket\r\nConnection: upgrade");
    assert_eq!(outcome(&config(), &request), Err(BadRequest::Version));
    request = request.replace(": 8", ": 13");
    assert_eq!(refused(&request), 400, "no key");
}

#[test]
fn an_error_stays() {
    let mut handshake = Handshake::new(std::sync::Arc::new(config()));
    let bad = handshake.receive(b"\x16").unwrap_err();
    assert_eq!(handshake.receive(upgrade("/ws").as_bytes()), Err(bad));
    assert_eq!(handshake.receive(b""), Err(bad));
}
