//! Servers that violate the protocol: row F23 of the catalogue of hostile inputs. The Rust client
//! fails the connection, reports why, and reconnects no faster than after any other failure.

use std::future::{Future, poll_fn};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use super::frames;
use super::guest::{Guest, hasty, lock};
use super::peer::PATIENCE;
use crate::rt;
use crate::rt::client::{Event, Failure, Options, State, StopReason, WaitReason};

/// The attempts of a client in these tests.
const ATTEMPTS: u32 = 4;

/// What a server observed of its clients.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Option<u16>>>>);

/// Serves this many connections, each by `answer` once its request arrived, and records the code of
/// each client's Close frame.
fn serve(answer: fn(&mut TcpStream, &str)) -> (SocketAddr, Seen) {
    serve_on(TcpListener::bind("127.0.0.1:0").expect("a port"), answer)
}

fn serve_on(listener: TcpListener, answer: fn(&mut TcpStream, &str)) -> (SocketAddr, Seen) {
    let address = listener.local_addr().expect("an address");
    let seen = Seen::default();
    let noted = seen.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            stream.set_read_timeout(Some(PATIENCE)).expect("an option");
            let key = read_key(&mut stream);
            answer(&mut stream, &key);
            let code = read_close(&mut stream);
            lock(&noted.0).push(code);
        }
    });
    (address, seen)
}

/// Reads a request and returns its key.
pub(super) fn read_key(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a request");
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("text");
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("sec-websocket-key")
            .then(|| value.to_owned())
    });
    key.expect("a key")
}

/// Returns the code of the first Close frame; `None` if the stream ends without one.
fn read_close(stream: &mut TcpStream) -> Option<u16> {
    loop {
        let mut head = [0; 6];
        stream.read_exact(&mut head).ok()?;
        let length = usize::from(head[1] & 0x7f);
        assert!(head[1] & 0x80 != 0 && length < 126, "a small masked frame");
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).ok()?;
        let mask = head[2..].iter().cycle();
        let payload: Vec<u8> = payload.iter().zip(mask).map(|(a, b)| a ^ b).collect();
        if head[0] & 0x0f == frames::CLOSE {
            return Some(u16::from_be_bytes(payload[..2].try_into().ok()?));
        }
    }
}

fn upgrade(stream: &mut TcpStream, accept: &str) {
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: switchboard.v1.json\r\n\r\n"
    );
    let _ = stream.write_all(answer.as_bytes());
}

/// Returns an unmasked frame.
pub(super) fn plain(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80 | opcode];
    match u16::try_from(payload.len()) {
        Ok(length) if length < 126 => bytes.push(length as u8),
        Ok(length) => {
            bytes.push(126);
            bytes.extend(length.to_be_bytes());
        }
        Err(_) => {
            bytes.push(127);
            bytes.extend((payload.len() as u64).to_be_bytes());
        }
    }
    bytes.extend(payload);
    bytes
}

pub(super) fn welcome(stream: &mut TcpStream, key: &str) {
    upgrade(stream, &rt::derive_accept_key(key.as_bytes()));
    let welcome = br#"{"type":"welcome","connection":"c","user":"u"}"#;
    let _ = stream.write_all(&plain(frames::TEXT, welcome));
}

/// Checks that a client fails all its attempts at a server, with backoff.
fn fails(answer: fn(&mut TcpStream, &str), reason: &str, code: Option<u16>) {
    let (address, seen) = serve(answer);
    let options = Options {
        max_attempts: ATTEMPTS,
        max_message_bytes: 10_000,
        ..hasty()
    };
    let guest = Guest::at(address, "/ws", options);
    guest.find("it has given up", |event| match event {
        Event::State(State::Stopped { why, .. }) => (*why == StopReason::Attempts).then_some(()),
        _ => None,
    });
    let mut attempts = 0;
    for event in guest.events() {
        let Event::State(State::Waiting { last, .. } | State::Stopped { last, .. }) = &event else {
            continue;
        };
        attempts += 1;
        let last = last.as_ref().expect("a close");
        assert_eq!(last.code, 1006);
        assert!(last.reason.contains(reason), "{last:?}");
        if let Event::State(State::Waiting { why, .. }) = event {
            assert_eq!(why, WaitReason::Backoff);
        }
    }
    assert_eq!(attempts, ATTEMPTS);
    let expected = vec![code; ATTEMPTS as usize];
    super::server::until(
        "what the server saw",
        || *lock(&seen.0) == expected,
        || lock(&seen.0).clone(),
    );
}

#[test]
fn a_wrong_accept_is_no_connection() {
    let answer = |stream: &mut TcpStream, _: &str| upgrade(stream, "dGhlIHNhbXBsZSBub25jZQ==");
    fails(answer, "Sec-WebSocket-Accept", None);
}

#[test]
fn an_answer_that_is_no_http_is_no_connection() {
    let answer = |stream: &mut TcpStream, _: &str| {
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n");
        let _ = stream.shutdown(std::net::Shutdown::Write);
    };
    fails(answer, "", None);
}

#[test]
fn a_masked_frame_is_a_protocol_error() {
    let answer = |stream: &mut TcpStream, key: &str| {
        welcome(stream, key);
        let _ = stream.write_all(&frames::frame(frames::TEXT, b"{}"));
    };
    fails(answer, "protocol_error", Some(1002));
}

#[test]
fn a_reserved_bit_is_a_protocol_error() {
    let answer = |stream: &mut TcpStream, key: &str| {
        welcome(stream, key);
        let _ = stream.write_all(&[0xc1, 0]);
    };
    fails(answer, "protocol_error", Some(1002));
}

#[test]
fn a_message_over_the_limit_is_not_taken_in() {
    let answer = |stream: &mut TcpStream, key: &str| {
        welcome(stream, key);
        // The announced length alone is too large; the rest never arrives.
        let _ = stream.write_all(&[0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0, b'{']);
    };
    fails(answer, "too_big", Some(1009));
}

#[test]
fn fragments_add_up_to_the_limit() {
    let answer = |stream: &mut TcpStream, key: &str| {
        welcome(stream, key);
        let mut part = plain(frames::TEXT, &[b' '; 6_000]);
        part[0] = frames::TEXT;
        let _ = stream.write_all(&part);
        part[0] = frames::CONTINUATION;
        let _ = stream.write_all(&part);
    };
    fails(answer, "too_big", Some(1009));
}

#[test]
fn text_that_is_no_utf_8_ends_the_connection() {
    let answer = |stream: &mut TcpStream, key: &str| {
        welcome(stream, key);
        let _ = stream.write_all(&plain(frames::TEXT, &[0xff]));
    };
    fails(answer, "invalid_utf8", Some(1007));
}

#[test]
fn messages_that_make_no_sense_do_no_harm() {
    let answer = |stream: &mut TcpStream, key: &str| {
        welcome(stream, key);
        for text in [
            "[[[[",
            "7",
            r#"{"type":"subscribed"}"#,
            r#"{"type":"ack","id":"x","seq":-1}"#,
            r#"{"type":"error"}"#,
            r#"{"type":"bye","reconnect_in_ms":1e99}"#,
            r#"{"type":"message","channel":"a","seq":18446744073709551615}"#,
        ] {
            let _ = stream.write_all(&plain(frames::TEXT, text.as_bytes()));
        }
        let _ = stream.write_all(&plain(frames::BINARY, &[0; 10]));
        let _ = stream.write_all(&plain(frames::CLOSE, &4500_u16.to_be_bytes()));
    };
    let (address, seen) = serve(answer);
    let guest = Guest::at(address, "/ws", hasty());
    guest.until_state("its code says stop", |state| {
        matches!(
            state,
            State::Stopped {
                why: StopReason::Code,
                ..
            }
        )
    });
    super::server::until(
        "it answered the Close frame",
        || *lock(&seen.0) == [Some(4500)],
        || lock(&seen.0).clone(),
    );
}

#[test]
fn a_server_that_reads_nothing_makes_publishers_wait() {
    let answer = |stream: &mut TcpStream, key: &str| {
        welcome(stream, key);
        loop {
            thread::park();
        }
    };
    let (address, _) = serve(answer);
    let guest = Guest::at(address, "/ws", hasty());
    let ends = guest.run(|client| async move {
        client.connected().await.expect("a welcome");
        let text = "x".repeat(60_000);
        let mut all: Vec<_> = (0..1_000)
            .map(|_| Box::pin(client.publish("a", &text)))
            .collect();
        for one in &mut all {
            let pending = poll_fn(|context| Poll::Ready(one.as_mut().poll(context).is_pending()));
            assert!(pending.await, "nothing is answered");
        }
        drop(client.close());
        let mut ends = Vec::new();
        for one in all {
            ends.push(one.await.expect_err("no answer").code().to_owned());
        }
        ends
    });
    let sent = ends.iter().filter(|code| *code == "unconfirmed").count();
    assert!((1..50).contains(&sent), "{sent} of 1000 were taken");
    assert_eq!(
        ends.iter().filter(|code| *code == "stopped").count(),
        1_000 - sent
    );
}

/// Admits the client, then reads without answering.
fn answers_nothing(stream: &mut TcpStream, key: &str) {
    welcome(stream, key);
    let _ = std::io::copy(stream, &mut std::io::sink());
}

#[test]
fn a_request_that_is_never_answered_fails_while_the_connection_lives() {
    let (address, _) = serve(answers_nothing);
    let options = Options {
        request_timeout: Duration::from_millis(50),
        ..hasty()
    };
    let guest = Guest::at(address, "/ws", options);
    guest.run(|client| async move {
        client.connected().await.expect("a welcome");
        let published = client.publish("b", "first").await.expect_err("no answer");
        assert_eq!(published.code(), "timeout");
        let sent = client.direct("bob", "x").await.expect_err("no answer");
        assert_eq!(sent.code(), "timeout");
        let subscribed = client.subscribe("a").await;
        assert_eq!(subscribed, Err(Failure::TimedOut));
    });
    let state = guest.client.state();
    assert!(matches!(state, State::Connected { .. }), "{state:?}");
}

#[test]
fn publishers_do_not_wait_for_ever_until_they_may_send() {
    let parked = |stream: &mut TcpStream, key: &str| {
        welcome(stream, key);
        loop {
            thread::park();
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    // The kernel must not buffer all of it.
    let buffer = socket2::SockRef::from(&listener).set_recv_buffer_size(4_096);
    buffer.expect("an option");
    let (address, _) = serve_on(listener, parked);
    let options = Options {
        request_timeout: Duration::from_millis(50),
        ..hasty()
    };
    let guest = Guest::at(address, "/ws", options);
    guest.run(|client| async move {
        client.connected().await.expect("a welcome");
        // The socket takes the first messages; the last ones are not even sent, and nothing else
        // will wake them.
        let text = "x".repeat(1 << 20);
        for _ in 0..10 {
            let end = client.publish("a", &text).await;
            assert_eq!(end.expect_err("no answer").code(), "timeout");
        }
    });
    let state = guest.client.state();
    assert!(matches!(state, State::Connected { .. }), "{state:?}");
}

#[test]
fn a_close_frame_counts_even_where_nothing_can_be_written_any_more() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (go, going) = mpsc::channel();
    let (gone, left) = mpsc::channel();
    let (asked, heard) = mpsc::channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let key = read_key(&mut stream);
        welcome(&mut stream, &key);
        // Unread input turns the end into a reset.
        stream.peek(&mut [0]).expect("a subscribe");
        asked.send(()).expect("a listener");
        going.recv().expect("a word");
        let _ = stream.write_all(&plain(frames::CLOSE, &4004_u16.to_be_bytes()));
        drop(stream);
        gone.send(()).expect("a listener");
    });
    let guest = Guest::at(address, "/ws", hasty());
    drop(guest.client.subscribe("a"));
    heard.recv().expect("a subscribe");
    guest.run(|client| async move {
        // The driver runs on this thread only, so it sees all of these at the same time.
        go.send(()).expect("a server");
        left.recv().expect("a server");
        let _ = client.publish("b", "second").await;
    });
    guest.until_state(
        "its code says stop",
        |state| matches!(state, State::Stopped { last: Some(last), .. } if last.code == 4004),
    );
}
