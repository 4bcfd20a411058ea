//! Calls, tokens and presence of the Rust client.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::app::Plain;
use super::frames;
use super::guest::{Guest, hasty, lock};
use super::hostile_servers::{plain, read_key, welcome};
use super::peer::PATIENCE;
use super::server::{Server, until};
use crate::rt::Config;
use crate::rt::client::{Event, Failure, RequestError, State, Token, TokenReason, TokenSource};

/// Admits clients one after the other, and answers each of their messages by `answer`.
fn serve(answer: fn(&str) -> Option<&'static str>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            stream.set_read_timeout(Some(PATIENCE)).expect("an option");
            let key = read_key(&mut stream);
            welcome(&mut stream, &key);
            while let Some(text) = read_text(&mut stream) {
                let Some(answer) = answer(&text) else {
                    break;
                };
                let _ = stream.write_all(&plain(frames::TEXT, answer.as_bytes()));
            }
        }
    });
    address
}

/// Reads a small text message; returns `None` at the end.
fn read_text(stream: &mut TcpStream) -> Option<String> {
    let mut head = [0; 6];
    stream.read_exact(&mut head).ok()?;
    let length = usize::from(head[1] & 0x7f);
    assert!(head[1] & 0x80 != 0 && length < 126, "a small masked frame");
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).ok()?;
    let mask = head[2..].iter().cycle();
    let payload: Vec<u8> = payload.iter().zip(mask).map(|(a, b)| a ^ b).collect();
    (head[0] & 0x0f == frames::TEXT).then(|| String::from_utf8(payload).expect("text"))
}

#[test]
fn a_call_ends_with_its_result_or_the_error_of_the_application() {
    let address = serve(|text| {
        if text.contains(r#""method":"sum","params":[1,2]"#) {
            Some(r#"{"type":"result","id":1,"content":{"sum":3}}"#)
        } else if text.contains(r#""method":"buy""#) {
            Some(r#"{"type":"error","id":2,"code":"sold_out","message":"none left"}"#)
        } else {
            None
        }
    });
    let ann = Guest::at(address, "/ws", hasty());
    let result = ann.run(|client| async move { client.call("sum", &[1, 2]).await });
    let result = result.expect("a result");
    assert_eq!(result.content_json(), Some(r#"{"sum":3}"#));
    let refused = ann.run(|client| async move { client.call("buy", "shoes").await });
    let refused = refused.expect_err("an error");
    assert_eq!(refused.code(), "sold_out");
    assert_eq!(refused.to_string(), "sold_out: none left");
    let lost = ann.run(|client| async move { client.call("vanish", &()).await });
    let unknown = RequestError::Failed(Failure::Unconfirmed);
    assert_eq!(lost, Err(unknown));
}

#[test]
fn a_client_knows_who_is_in_its_channels() {
    let server = Server::start(Config::default(), Plain::default());
    let ann = Guest::of(server.address, "ann");
    assert_eq!(ann.client.presence("blue"), None);
    ann.enter("blue");
    let bob = Guest::of(server.address, "bob");
    bob.enter("blue");
    for guest in [&ann, &bob] {
        let presence = || guest.client.presence("blue");
        let both = || presence().is_some_and(|it| it.users == ["ann", "bob"] && it.complete);
        until("both are there", both, presence);
        assert_eq!(presence().expect("presence").count, 2);
    }
    ann.client.unsubscribe("blue");
    assert_eq!(ann.client.presence("blue"), None);
}

#[test]
fn a_token_that_is_set_goes_out_on_the_open_connection() {
    let server = Server::start(Config::default(), Plain::default());
    let ann = Guest::of(server.address, "ann");
    ann.run(|client| async move { client.connected().await })
        .expect("a welcome");
    ann.client.set_token("s3cr3t-ann");
    let user = ann.find("the server's answer", |event| match event {
        Event::Other(frame) if frame.kind() == "authenticated" => frame.user().map(str::to_owned),
        _ => None,
    });
    assert_eq!(user, "ann");
    // The token of another user ends the connection, and there is no source of others.
    ann.client.set_token("s3cr3t-bob");
    ann.until_state("stopped", |state| matches!(state, State::Stopped { .. }));
}

#[test]
fn a_token_is_refreshed_before_it_expires() {
    let server = Server::start(Config::default(), Plain::default());
    let reasons = Arc::new(Mutex::new(Vec::new()));
    let asked = reasons.clone();
    let mut options = hasty();
    options.token = Some(TokenSource::expiring(move |reason| {
        lock(&asked).push(reason);
        async { Ok(Token::from("s3cr3t-ann,2000").expires_in(Duration::from_secs(2))) }
    }));
    let ann = Guest::at(server.address, "/ws", options);
    let refreshed = || {
        let events = ann.events();
        let answers = events.iter().filter(
            |event| matches!(event, Event::Other(frame) if frame.kind() == "authenticated"),
        );
        answers.count() >= 2
    };
    until("two new tokens", refreshed, || ann.events());
    let [first, later @ ..] = &lock(&reasons)[..] else {
        panic!("nobody was asked");
    };
    assert_eq!(*first, TokenReason::Connect);
    assert!(later.iter().all(|reason| *reason == TokenReason::Expiring));
    let waited = |event: &Event| matches!(event, Event::State(State::Waiting { .. }));
    assert!(!ann.events().iter().any(waited), "it has one connection");
}
