//! Tokens of the chat example, which verifies them: section 2.7 of the catalogue of hostile inputs.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use switchboard_examples::chat::{Chat, Options};

use super::catalogue::{Entry, covers, test_path};
use super::peer::upgrade;
use super::server::Server;
use crate::rt::Refusal;

covers! {
    a_token_ends_its_connection_when_it_ends:
        "A2", "`exp` is reached while connected" => "4202 after the leeway";
}

const KEY: &[u8] = b"s3cr3t-key";

fn server() -> Server {
    let flags = ["chat", "--secret", "s3cr3t-key", "--rate", "0"];
    let options = Options::parse_from(flags);
    let mut config = options.config();
    config.refusal = Refusal::Http;
    Server::start(config, Chat::new(&options))
}

fn now() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("a time").as_secs_f64()
}

fn signed(algorithm: Algorithm, key: &[u8], claims: &Value) -> String {
    encode(
        &Header::new(algorithm),
        claims,
        &EncodingKey::from_secret(key),
    )
    .expect("a token")
}

/// The row, a description, the token, and the expected status.
fn tokens() -> Vec<(&'static str, &'static str, String, u16)> {
    let claims = |exp: Value| json!({ "sub": "ann", "exp": exp });
    let hs256 = |claims: &Value| signed(Algorithm::HS256, KEY, claims);
    let good = hs256(&claims((now() + 60.0).into()));
    let (head, signature) = good.rsplit_once('.').expect("a signature");
    let payload = head.split_once('.').expect("claims").1;
    let other = signed(
        Algorithm::HS256,
        b"s3cr3t-other",
        &claims((now() + 60.0).into()),
    );
    let swapped = signed(Algorithm::HS512, KEY, &claims((now() + 60.0).into()));
    // {"alg":"none","typ":"JWT"} and {"alg":"RS256","typ":"JWT"}
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let rs256 = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9";
    vec![
        ("A6", "a good token", good.clone(), 101),
        (
            "A6",
            "`alg` none without a signature",
            format!("{none}.{payload}."),
            401,
        ),
        (
            "A6",
            "`alg` none with a signature",
            format!("{none}.{payload}.{signature}"),
            401,
        ),
        (
            "A6",
            "`alg` RS256 over the secret",
            format!("{rs256}.{payload}.{signature}"),
            401,
        ),
        ("A6", "`alg` HS512 with the same key", swapped, 401),
        ("A6", "another key", other, 401),
        (
            "A6",
            "a signature cut short",
            good[..good.len() - 5].to_owned(),
            401,
        ),
        ("A6", "no signature", head.to_owned(), 401),
        ("A6", "not a token at all", "x".to_owned(), 401),
        ("A6", "7 KB of dots", ".".repeat(7_000), 401),
        ("A6", "1 MB", "a".repeat(1_000_000), 414),
        ("A6", "not UTF-8", "%ff%fe".to_owned(), 400),
        (
            "A2",
            "expired a minute ago",
            hs256(&claims((now() - 60.0).into())),
            401,
        ),
        (
            "A2",
            "expired within the leeway",
            hs256(&claims((now() - 2.0).into())),
            101,
        ),
        ("A2", "`exp` of 1e300", hs256(&claims(1e300.into())), 401),
        (
            "A2",
            "`exp` of 2^64 - 1",
            hs256(&claims(u64::MAX.into())),
            101,
        ),
        ("A2", "`exp` of -1", hs256(&claims((-1).into())), 401),
        (
            "A2",
            "`exp` is a string",
            hs256(&claims("tomorrow".into())),
            401,
        ),
        ("A2", "no `exp`", hs256(&json!({ "sub": "ann" })), 401),
        (
            "A2",
            "no `sub`",
            hs256(&json!({ "exp": now() + 60.0 })),
            401,
        ),
    ]
}

/// The catalogue entries of the data rows, in addition to [`covers`].
pub(super) fn covers_rows() -> Vec<Entry> {
    let test = test_path!(tokens_are_what_they_should_be_or_nothing);
    let entry =
        |(row, what, _, status): (_, &str, _, u16)| Entry::new(row, what, status.to_string(), test);
    tokens().into_iter().map(entry).collect()
}

#[test]
fn tokens_are_what_they_should_be_or_nothing() {
    let server = server();
    for (row, what, token, status) in tokens() {
        let mut peer = server.tcp();
        peer.try_send(&upgrade(&format!("/ws?token={token}"), &[]));
        assert_eq!(peer.head().status, status, "{row} {what}");
        if status == 101 {
            assert_eq!(peer.expect("welcome")["user"], "ann", "{row} {what}");
            peer.leave();
        }
    }
    server.until_empty();
}

#[test]
fn a_token_ends_its_connection_when_it_ends() {
    let server = server();
    // Admitted within the leeway of 5 s, and closed at its end.
    let claims = json!({ "sub": "ann", "exp": now() - 3.0 });
    let token = signed(Algorithm::HS256, KEY, &claims);
    let peer = server.client(&format!("/ws?token={token}"));
    assert_eq!(peer.closed(4202), "token_expired");
    server.until_empty();
}
