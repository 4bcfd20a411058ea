//! How much of a request is taken, and what is left of the bytes behind it: the hostile inputs H7
//! to H18.

mod requests;

use requests::{config, outcome, refused, upgrade, upgrade_replacing, upgrade_with};
use switchboard_core::{BadRequest, Handshake};

#[test]
fn h7_124_headers_are_taken_and_125_are_not() {
    assert_eq!(refused(upgrade_with(&"X: y\r\n".repeat(124 - 5))), 0);
    assert_eq!(refused(upgrade_with(&"X: y\r\n".repeat(125 - 5))), 431);
    let unfinished = format!("GET / HTTP/1.1\r\n{}X", "X: y\r\n".repeat(124));
    assert_eq!(
        refused(unfinished),
        431,
        "told with the first byte of the 125th"
    );
}

#[test]
fn h7_64_kib_of_head_are_taken_and_more_is_not() {
    let empty = upgrade_with("X: \r\n").len();
    let fits = upgrade_with(&format!("X: {}\r\n", "x".repeat(65_536 - empty)));
    assert_eq!(fits.len(), 65_536);
    assert_eq!(refused(fits), 0);
    let unfinished = "GET / HTTP/1.1\r\nX: ".to_owned() + &"x".repeat(70_000);
    assert_eq!(refused(&unfinished), 431);
    assert_eq!(
        refused(&unfinished[..65_536]),
        431,
        "refused before its end"
    );
    assert_eq!(outcome(&config(), &unfinished[..65_535]), Ok(None));
    let name = "GET / HTTP/1.1\r\n".to_owned() + &"x".repeat(70_000);
    assert_eq!(refused(name), 431);
}

#[test]
fn h8_a_target_over_8_kib_is_414() {
    let target = "/ws?".to_owned() + &"x".repeat(8192 - 4);
    assert_eq!(refused(upgrade(&target)), 0);
    assert_eq!(refused(upgrade(&(target.clone() + "x"))), 414);
    assert_eq!(
        refused(format!("GET {target}x")),
        414,
        "refused before its end"
    );
}

#[test]
fn h10_an_upgrade_has_no_body() {
    for lines in [
        "Content-Length: 5\r\n",
        "Content-Length: 00\r\n",
        "Content-Length: -0\r\n",
        "Content-Length: x\r\n",
        "Content-Length: 0\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "transfer-encoding:\r\n",
    ] {
        assert_eq!(refused(upgrade_with(lines)), 400, "{lines}");
    }
    assert_eq!(refused(upgrade_with("Content-Length: 0\r\n")), 0);
}

#[test]
fn h11_nothing_behind_a_refused_request_is_read() {
    let smuggled = upgrade_replacing("Sec-WebSocket-Version", "Sec-WebSocket-Version: 1777\r\n")
        + &upgrade("/ws");
    assert_eq!(outcome(&config(), smuggled), Err(BadRequest::Version));
}

#[test]
fn h18_what_follows_an_upgrade_request_is_left_for_the_decoder() {
    let request = upgrade("/ws");
    let frame = [0x81, 0x80, 0, 0, 0, 0];
    let bytes = [request.as_bytes(), &frame, b"\r\n"].concat();
    let config = std::sync::Arc::new(config());
    for size in 1..=bytes.len() {
        let mut handshake = Handshake::new(std::sync::Arc::clone(&config));
        let (mut found, mut unread) = (None, Vec::new());
        for piece in bytes.chunks(size) {
            found = handshake.receive(piece).expect("a legal request").or(found);
            unread.extend_from_slice(&piece[piece.len() - handshake.unread()..]);
        }
        assert!(found.is_some(), "in pieces of {size}");
        assert_eq!(unread, &bytes[request.len()..], "in pieces of {size}");
    }
}

#[test]
fn h18_what_follows_a_page_or_a_refused_request_is_read_by_nobody() {
    let page = "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
    for bytes in [page, "POST /ws HTTP/1.1\r\n\r\nbody", "\0"] {
        let mut handshake = Handshake::new(std::sync::Arc::new(requests::with_pages()));
        let _ = handshake.receive(bytes.as_bytes());
        assert_eq!(handshake.unread(), 0, "{bytes}");
        let _ = handshake.receive(b"more");
        assert_eq!(handshake.unread(), 0, "{bytes}");
    }
}
