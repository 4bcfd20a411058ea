//! Arbitrary requests at a node in any state: one HTTP response, which is correct, and 101 only for
//! a legal request.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use arbitrary::Unstructured;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use switchboard_core::{
    Action, CloseReason, Config, Endpoint, Handshake, HandshakeConfig, Identity, Notice, Refusal,
    Refused, Request, RequestOutcome, Switchboard, Time, WriteTurn,
};
use switchboard_kit::{Reader, Received};

const NOW: Time = Time::from_millis(1_000);
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// The state of the node, and the application's verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Welcomes,
    Unauthorized,
    Forbidden,
    Fails,
    Drains,
    IpFull,
    HandshakesFull,
    ServerFull,
}

const MOODS: [Mood; 8] = [
    Mood::Welcomes,
    Mood::Unauthorized,
    Mood::Forbidden,
    Mood::Fails,
    Mood::Drains,
    Mood::IpFull,
    Mood::HandshakesFull,
    Mood::ServerFull,
];

/// Fuzzes refusals. Two bytes select the state of the node, and the rest is the request.
///
/// # Panics
///
/// Panics if an invariant is violated.
pub fn refusals(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let Ok((choice, mood)) = input.arbitrary::<(u8, u8)>() else {
        return;
    };
    let mood = MOODS[usize::from(mood) % MOODS.len()];
    let http = choice & 1 != 0;
    let pages = choice & 2 != 0;
    let request = input.take_rest();
    let Some((refused, answer)) = answered(mood, http, pages, request) else {
        return;
    };
    well_formed(&answer, request, refused, http);
}

/// Returns the response and the refusal; `None` if the request is incomplete.
fn answered(
    mood: Mood,
    http: bool,
    pages: bool,
    bytes: &[u8],
) -> Option<(Option<Refused>, Vec<u8>)> {
    let mut board = node(mood, http);
    let id = board.connect(NOW, PEER).expect("a handshake seat");
    let mut handshake = Handshake::new(Arc::new(HandshakeConfig {
        endpoint: Endpoint::default(),
        pages,
        json: true,
        compression: false,
        room_contexts: false,
        sse: None,
        name_bytes: 128,
        tokens: switchboard_core::Tokens::default(),
    }));
    match handshake.receive(bytes) {
        Ok(None) if mood != Mood::HandshakesFull => return None,
        Ok(None) => {}
        Err(bad) => board.malformed(NOW, id, bad).expect("a live connection"),
        Ok(Some(mut request)) => {
            request.set_peer(PEER);
            match board.request(NOW, id, &request).expect("a live connection") {
                RequestOutcome::Authenticate => {
                    board
                        .authenticated(NOW, id, verdict(mood), None)
                        .expect("a live connection");
                }
                RequestOutcome::Page => {
                    let page = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec();
                    board.answer_page(NOW, id, page).expect("a live connection");
                }
                RequestOutcome::Refused => {}
                other => panic!("unknown to the oracle: {other:?}"),
            }
        }
    }
    let (mut refused, mut out) = (None, Vec::new());
    while let Some(action) = board.poll_action() {
        match action {
            Action::Notify(Notice::Refused {
                id: whom,
                refused: why,
            }) if whom == id => {
                refused = Some(why);
            }
            _ => {}
        }
    }
    let mut turn = WriteTurn::default();
    while board.wants_write() {
        board.take_turn(&mut turn, 32);
        turn.write_each(|whom, bytes| {
            if whom == id {
                out.extend_from_slice(bytes);
            }
            bytes.len()
        });
        board.report(NOW, &mut turn);
        while board.poll_action().is_some() {}
    }
    assert_eq!(board.audit(), Ok(()));
    Some((refused, out))
}

/// Returns a node in this state, before any request.
fn node(mood: Mood, http: bool) -> Switchboard {
    let mut config = Config {
        refusal: if http { Refusal::Http } else { Refusal::Close },
        ..Config::default()
    };
    config.limits.connections = 1;
    config.limits.per_ip = 1;
    config.limits.handshakes = 4;
    config.health.ping_interval = Duration::from_secs(86_400);
    let mut board = Switchboard::new(config, 1, NOW).expect("a valid configuration");
    let other = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
    match mood {
        Mood::IpFull => enter(&mut board, PEER),
        Mood::ServerFull => enter(&mut board, other),
        Mood::HandshakesFull => {
            for _ in 0..4 {
                board.connect(NOW, other).expect("a seat");
            }
        }
        Mood::Drains => {
            let second = Duration::from_secs(1);
            board.drain(NOW, second, second);
        }
        _ => {}
    }
    while board.poll_action().is_some() {}
    board
}

fn enter(board: &mut Switchboard, from: IpAddr) {
    let id = board.connect(NOW, from).expect("a seat");
    let nothing = std::iter::empty::<(&str, &str)>();
    let mut request = Request::upgraded("/ws", None, nothing).expect("a valid request");
    request.set_peer(from);
    board
        .upgraded(NOW, id, &request)
        .expect("a live connection");
    board
        .authenticated(NOW, id, Ok(Identity::user("first")), None)
        .expect("a live connection");
}

fn verdict(mood: Mood) -> Result<Identity, Refused> {
    match mood {
        Mood::Unauthorized => Err(Refused::Unauthorized),
        Mood::Forbidden => Err(Refused::Forbidden),
        Mood::Fails => Err(Refused::Internal),
        _ => Ok(Identity::user("ann")),
    }
}

/// The unused bits of a key's last letter may have any value (RFC 4648, section 3.5).
const KEY: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// Checks that another parser reads the response, and that it matches the refusal.
fn well_formed(answer: &[u8], request: &[u8], refused: Option<Refused>, by_http: bool) {
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(answer).expect("an HTTP response");
    let httparse::Status::Complete(head) = parsed else {
        panic!("an incomplete head");
    };
    let status = response.code.expect("a status");
    let body = &answer[head..];
    let all = |name: &str| -> Vec<&[u8]> {
        let named = response
            .headers
            .iter()
            .filter(|it| it.name.eq_ignore_ascii_case(name));
        named.map(|it| it.value).collect()
    };
    if status == 101 {
        let illegal = illegal(request);
        assert_eq!(illegal, None, "101 to an illegal request");
        assert!(all("content-length").is_empty() && all("connection") == [b"Upgrade"]);
        let mut peer = Reader::new(true);
        let told = peer.read(answer).expect("frames after the head");
        assert!(peer.is_between_frames());
        match (
            refused.map(|it| it.close().and_then(CloseReason::code)),
            told.last(),
        ) {
            (None, Some(Received::Text(_))) => {}
            (Some(Some(code)), Some(Received::Close(Some((sent, _))))) => {
                assert!(!by_http && code == *sent);
            }
            (refused, last) => panic!("{refused:?} is told as {last:?}"),
        }
        return;
    }
    assert_eq!(
        all("connection").len() + usize::from(refused.is_none()),
        1,
        "it ends"
    );
    let length = std::str::from_utf8(all("content-length")[0]).expect("digits");
    assert_eq!(length.parse(), Ok(body.len()), "its length");
    let Some(refused) = refused else {
        assert_eq!(
            status, 200,
            "a response other than a page without a refusal"
        );
        return;
    };
    assert_eq!(status, refused.status());
    assert!((400..=505).contains(&status));
    assert_eq!(all("retry-after").is_empty(), !matches!(status, 429 | 503));
    assert_eq!(all("allow").is_empty(), status != 405);
    assert_eq!(all("upgrade").is_empty(), status != 426);
    assert!(
        by_http || refused.close().is_none(),
        "{refused:?} must be told by a Close frame"
    );
    let said = str::from_utf8(body).expect("text");
    assert!(said.starts_with(refused.as_str()) && said.ends_with('\n'));
}

/// Returns the first rule for an upgrade (RFC 6455, section 4.2.1; RFC 9112) that a request
/// violates, by a parser that shares no code with ours.
fn illegal(request: &[u8]) -> Option<&'static str> {
    let mut headers = [httparse::EMPTY_HEADER; 256];
    let mut parsed = httparse::Request::new(&mut headers);
    let request = request.strip_prefix(b"\r\n").unwrap_or(request);
    let Ok(httparse::Status::Complete(end)) = parsed.parse(request) else {
        return Some("not a head");
    };
    // Frames may follow.
    let request = &request[..end];
    let all = |name: &str| -> Vec<&[u8]> {
        let named = parsed
            .headers
            .iter()
            .filter(|it| it.name.eq_ignore_ascii_case(name));
        named.map(|it| it.value).collect()
    };
    let lists = |name: &str, wanted: &str| {
        let lines = all(name);
        let mut words = lines
            .iter()
            .flat_map(|line| line.split(|&byte| byte == b','));
        words.any(|word| word.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes()))
    };
    let path = parsed.path.unwrap_or_default();
    let bare = |at: &[u8]| at[1] == b'\n' && at[0] != b'\r';
    let key = |value: &[u8]| {
        KEY.decode(value.trim_ascii())
            .is_ok_and(|key| key.len() == 16)
    };
    let rules = [
        (
            !request.windows(2).any(bare) && request[0] != b'\n',
            "a bare LF",
        ),
        (parsed.method == Some("GET"), "the method"),
        (parsed.version == Some(1), "the version of HTTP"),
        (path.starts_with("/ws") && path.len() <= 8_192, "the path"),
        (all("host").len() == 1, "one host"),
        (lists("upgrade", "websocket"), "upgrade"),
        (lists("connection", "upgrade"), "connection"),
        (all("sec-websocket-version") == [b"13"], "the version"),
        (
            matches!(all("sec-websocket-key")[..], [value] if key(value)),
            "the key",
        ),
        (all("transfer-encoding").is_empty(), "a body, encoded"),
        (matches!(all("content-length")[..], [] | [b"0"]), "a body"),
        (parsed.headers.len() <= 124, "headers"),
    ];
    rules
        .iter()
        .find(|(holds, _)| !holds)
        .map(|(_, rule)| *rule)
}
