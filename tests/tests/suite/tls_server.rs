//! Serving over TLS.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use switchboard_kit::split;

use super::app::Plain;
use super::frames::{BINARY, CLOSE, PING, TEXT, close, frame, long};
use super::peer::{PATIENCE, Peer, upgrade};
use super::server::{Server, raw};
use super::tls::tls;
use crate::rt::tls::rustls::server::{ClientHello, ResolvesServerCert};
use crate::rt::tls::rustls::sign::CertifiedKey;
use crate::rt::tls::rustls::{ClientConfig, ClientConnection, ServerConfig, StreamOwned};
use crate::rt::{self, Config, Frame, PageResponse};

/// A client over TLS with full control of its bytes.
struct Sealed {
    stream: StreamOwned<ClientConnection, TcpStream>,
    read: Vec<u8>,
}

impl Sealed {
    fn connect(address: SocketAddr, config: &Arc<ClientConfig>) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("an option");
        stream.set_write_timeout(Some(PATIENCE)).expect("an option");
        let name = "localhost".try_into().expect("a name");
        let connection = ClientConnection::new(config.clone(), name).expect("a client");
        Self {
            stream: StreamOwned::new(connection, stream),
            read: Vec::new(),
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("sent");
        self.stream.flush().expect("sent");
    }

    /// Reads until `found` takes something out of what was read.
    fn until<T>(&mut self, found: impl Fn(&[u8]) -> Option<(T, usize)>) -> T {
        loop {
            if let Some((found, used)) = found(&self.read) {
                self.read.drain(..used);
                return found;
            }
            let mut chunk = [0; 16 << 10];
            let bytes = self.stream.read(&mut chunk).expect("input");
            assert_ne!(bytes, 0, "the end after {} bytes", self.read.len());
            self.read.extend_from_slice(&chunk[..bytes]);
        }
    }

    fn head(&mut self) -> String {
        self.until(|read| {
            let end = read.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
            Some((String::from_utf8_lossy(&read[..end]).into_owned(), end))
        })
    }

    fn upgrade(mut self, path: &str) -> Self {
        self.send(&upgrade(path, &[]));
        let head = self.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        self
    }

    fn frame(&mut self) -> (u8, Vec<u8>) {
        self.until(|read| {
            let frame = split(read).expect("a frame of a server")?;
            Some(((frame.opcode, frame.payload.to_vec()), frame.len))
        })
    }

    /// Reads the end of the session, which TLS announces.
    fn ended(mut self) {
        assert_eq!(self.stream.read(&mut [0]).expect("an announced end"), 0);
    }
}

/// Opens a TLS port of this server.
fn serve(server: &Server, config: Arc<ServerConfig>) -> SocketAddr {
    let listener = server.runtime.run(rt::bind());
    let address = listener.local_addr().expect("an address");
    let serve =
        rt::serve_tls(listener, config, server.hub.clone()).with_pages(async |_| PageResponse {
            status: 200,
            content_type: "text/plain".into(),
            headers: Vec::new(),
            body: vec![b'p'; 1 << 20],
        });
    server.runtime.spawn(async move {
        serve.await.expect("a report");
    });
    address
}

#[test]
fn messages_and_pages_go_over_tls() {
    let server = Server::start(Config::default(), Plain::default());
    let (ours, theirs) = tls();
    let address = serve(&server, ours);
    let mut bob = server.user("bob", "blue");
    let mut ann = Sealed::connect(address, &theirs).upgrade("/ws/blue?token=s3cr3t-ann");
    ann.send(&frame(TEXT, br#"{"type":"message","content":"sealed"}"#));
    assert_eq!(bob.expect("message")["content"], "sealed");
    let mut page = Sealed::connect(address, &theirs);
    page.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let head = page.head();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let body = page.until(|read| (read.len() == 1 << 20).then(|| (read.to_vec(), read.len())));
    assert!(body.iter().all(|&byte| byte == b'p'));
    page.ended();
    let mut page = Sealed::connect(address, &theirs);
    page.send(b"GET / HTTP/3\r\n\r\n");
    assert!(page.head().starts_with("HTTP/1.1 505 "));
    ann.send(&close(1000, b""));
    bob.leave();
    server.until_empty();
}

#[test]
fn a_stream_that_was_accepted_elsewhere_may_be_secured() {
    let server = Server::start(raw(), Plain::default());
    let (ours, theirs) = tls();
    let listener = server.runtime.run(rt::bind());
    let address = listener.local_addr().expect("an address");
    let hub = server.hub.clone();
    server.runtime.spawn(async move {
        let (stream, _) = listener.accept().await.expect("a stream");
        rt::tls::accept(&hub, ours, stream).expect("taken");
    });
    let mut ann = Sealed::connect(address, &theirs).upgrade("/ws?token=s3cr3t-ann");
    ann.send(&frame(TEXT, b"hello"));
    assert_eq!(ann.frame(), (TEXT, b"hello".to_vec()));
}

#[test]
fn a_tls_handshake_holds_a_seat_and_has_the_time_of_a_request() {
    let mut config = Config::default();
    config.limits.handshakes = 3;
    config.timeouts.handshake = Duration::from_millis(300);
    let server = Server::start(config, Plain::default());
    let (ours, theirs) = tls();
    let address = serve(&server, ours);
    let silent = Peer::connect(address);
    let mut partial = Peer::connect(address);
    partial.send(&[22, 3, 1]);
    server.until("both hold a seat", |stats| stats.pending_handshakes == 2);
    for mut hanging in [silent, partial] {
        // TLS cannot tell them anything yet.
        assert_eq!(hanging.rest().0, b"");
    }
    server.until_closed("handshake_timeout", 2);
    server.until("no seat is held", |stats| stats.pending_handshakes == 0);
    let mut late = Sealed::connect(address, &theirs);
    late.send(b"GET /ws HTTP/1.1\r\n");
    let head = late.head();
    assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
    late.ended();
    server.until_empty();
}

#[test]
fn who_comes_when_all_seats_are_taken_is_told_so_over_tls() {
    let mut config = Config::default();
    config.limits.handshakes = 1;
    let server = Server::start(config, Plain::default());
    let (ours, theirs) = tls();
    let address = serve(&server, ours);
    let first = Peer::connect(address);
    server.until("it holds the seat", |stats| stats.pending_handshakes == 1);
    let mut second = Sealed::connect(address, &theirs);
    second.send(b"");
    let head = second.head();
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    drop(first);
    drop(second);
    server.until_empty();
}

#[test]
fn what_is_not_tls_gets_an_alert_and_gives_its_seat_back() {
    let server = Server::start(Config::default(), Plain::default());
    let (ours, theirs) = tls();
    let address = serve(&server, ours);
    let mut plain = Peer::connect(address);
    plain.send(&upgrade("/ws", &[]));
    let (alert, _) = plain.rest();
    assert_eq!(alert.first(), Some(&21), "{alert:?}");
    let mut gone = Peer::connect(address);
    gone.send(&[22, 3, 1]);
    drop(gone);
    server.until_empty();
    Sealed::connect(address, &theirs).upgrade("/ws");
}

#[test]
fn large_messages_pass_in_whole_however_slowly_they_are_read() {
    let mut config = raw();
    config.limits.message_bytes = 4 << 20;
    config.limits.queue_bytes = 16 << 20;
    let server = Server::start(config, Plain::default());
    let (ours, theirs) = tls();
    let address = serve(&server, ours);
    let mut ann = Sealed::connect(address, &theirs).upgrade("/ws?token=s3cr3t-ann");
    let message = |fill: u8| vec![fill; 3 << 20];
    ann.send(&long(0x80 | BINARY, 3 << 20, &message(1)));
    // More than the network holds, so that some of it waits in TLS.
    for fill in 2..=4 {
        let frame = Frame::binary(&message(fill));
        let sent = server.hub.send_to_user("ann", frame).expect("sent");
        assert_eq!(sent.accepted, 1);
    }
    let mut received: Vec<u8> = Vec::new();
    while received.len() < 4 {
        let (opcode, payload) = ann.frame();
        if opcode == PING {
            continue;
        }
        assert_eq!((opcode, payload.len()), (BINARY, 3 << 20));
        assert!(payload.iter().all(|&byte| byte == payload[0]));
        received.push(payload[0]);
    }
    received.sort_unstable();
    assert_eq!(received, [1, 2, 3, 4]);
    server.until("nothing waits", |stats| stats.queued_bytes == 0);
}

#[test]
fn many_small_messages_reach_a_reader_that_pauses() {
    let server = Server::with_threads(2, raw(), Plain::default());
    let (ours, theirs) = tls();
    let address = serve(&server, ours);
    let mut ann = Sealed::connect(address, &theirs).upgrade("/ws?token=s3cr3t-ann");
    server.until_connected(1);
    let mut sent = 0_u32;
    while server.hub.stats().queued_bytes < 64 << 10 {
        let text = format!("{sent:01000}");
        let receipt = server.hub.send_to_user("ann", Frame::text(&text));
        sent += receipt.expect("sent").accepted as u32;
    }
    for number in 0..sent {
        let (_, payload) = ann.frame();
        assert_eq!(payload, format!("{number:01000}").into_bytes());
    }
}

#[test]
fn a_close_is_followed_by_the_announced_end_of_the_session() {
    let server = Server::start(raw(), Plain::default());
    let (ours, theirs) = tls();
    let address = serve(&server, ours);
    let mut ann = Sealed::connect(address, &theirs).upgrade("/ws?token=s3cr3t-ann");
    server.until_connected(1);
    let hub = server.hub.clone();
    let report = server.runtime.run(async move {
        let draining = hub.drain(Duration::ZERO, Duration::from_secs(5));
        draining.await
    });
    let (opcode, payload) = ann.frame();
    assert_eq!(
        (opcode, &payload[..2]),
        (CLOSE, &1001_u16.to_be_bytes()[..])
    );
    ann.ended();
    assert_eq!(report.connections, 1);
}

/// A resolver with a bug.
#[derive(Debug)]
struct Broken;

impl ResolvesServerCert for Broken {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        panic!("no certificate for {:?}", hello.server_name());
    }
}

#[test]
fn a_panic_while_a_certificate_is_chosen_costs_one_connection() {
    let server = Server::start(raw(), Plain::default());
    let (ours, theirs) = tls();
    let mut broken = ServerConfig::clone(&ours);
    broken.cert_resolver = Arc::new(Broken);
    let address = serve(&server, Arc::new(broken));
    let other = server.client("/ws");
    let mut lost = Sealed::connect(address, &theirs);
    let error = lost
        .stream
        .write_all(b"x")
        .and_then(|()| lost.stream.read(&mut [0]));
    let kind = error.map_err(|error| error.kind());
    let ends = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset];
    assert!(kind.is_err_and(|kind| ends.contains(&kind)), "{kind:?}");
    other.leave();
    server.until_empty();
}

#[test]
fn a_configuration_that_offers_another_protocol_is_an_error() {
    let server = Server::start(raw(), Plain::default());
    let (ours, _) = tls();
    let mut both = ServerConfig::clone(&ours);
    both.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let listener = server.runtime.run(rt::bind());
    let serve = rt::serve_tls(listener, both, server.hub.clone());
    let error = server
        .runtime
        .run(async move { serve.await.expect_err("refused") });
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("alpn_protocols"), "{error}");
}
