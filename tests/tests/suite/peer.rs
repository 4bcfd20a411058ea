//! A client with full control of its bytes, over a blocking socket.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use socket2::{Domain, SockRef, Socket, Type};
use switchboard_kit::{split, split_deflated};

use super::frames::{self, CLOSE, PING, PONG, TEXT};

/// How long a test waits for input.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A raw client.
pub(crate) struct Peer {
    stream: TcpStream,
    buffer: Vec<u8>,
    at: usize,
    /// Delay before each read.
    pause: Duration,
}

/// A frame of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) first: u8,
    pub(crate) payload: Vec<u8>,
}

/// The way a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Eof,
    Reset,
}

/// The head of the server's response.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.text.lines().find_map(|line| {
            let (given, value) = line.split_once(':')?;
            given.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Returns a valid upgrade request.
pub(crate) fn upgrade(path: &str, headers: &[&str]) -> Vec<u8> {
    let mut request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    );
    for header in headers {
        request.push_str(header);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    request.into_bytes()
}

impl Peer {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::of(TcpStream::connect(address).expect("a connection"))
    }

    /// Connects from another address. On Linux all of 127.0.0.0/8 is the loopback.
    pub(crate) fn connect_from(source: Ipv4Addr, address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let source = SocketAddr::from((source, 0));
        socket.bind(&source.into()).expect("an address");
        socket.connect(&address.into()).expect("a connection");
        Self::of(socket.into())
    }

    /// Connects with small socket buffers.
    pub(crate) fn connect_narrow(address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_recv_buffer_size(4 << 10).expect("a size");
        socket.connect(&address.into()).expect("a connection");
        Self::of(socket.into())
    }

    fn of(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("an option");
        stream.set_read_timeout(Some(PATIENCE)).expect("an option");
        stream.set_write_timeout(Some(PATIENCE)).expect("an option");
        Self {
            stream,
            buffer: Vec::new(),
            at: 0,
            pause: Duration::ZERO,
        }
    }

    /// Returns another handle, to write from another thread.
    pub(crate) fn clone_for_writing(&self) -> Self {
        Self::of(self.stream.try_clone().expect("a second handle"))
    }

    /// Waits until bytes have arrived, without reading them.
    pub(crate) fn wait_for_bytes(&self) {
        let there = self.stream.peek(&mut [0]).expect("something comes");
        assert_eq!(there, 1, "the stream has ended");
    }

    /// From now on waits before each read, of at most 16 KiB.
    pub(crate) fn reads_slowly(&mut self, pause: Duration) {
        self.pause = pause;
    }

    /// Sends raw bytes.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("sent");
    }

    /// Sends raw bytes; returns false if the peer has closed the stream.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Sends each byte in its own packet. The server is let read each of the first thousand by itself; a turn of
    /// the other threads after each later one would take minutes on a busy machine.
    pub(crate) fn send_bytewise(&mut self, bytes: &[u8]) {
        for (at, byte) in bytes.iter().enumerate() {
            if self.stream.write_all(&[*byte]).is_err() {
                return;
            }
            if at < 1_000 {
                thread::yield_now();
            }
        }
    }

    /// Sends a text message.
    pub(crate) fn say(&mut self, text: &str) {
        self.send(&frames::frame(TEXT, text.as_bytes()));
    }

    /// Sends an upgrade request and reads the 101.
    pub(crate) fn upgrade(mut self, path: &str, headers: &[&str]) -> Self {
        self.send(&upgrade(path, headers));
        let head = self.head();
        assert_eq!(head.status, 101, "{}", head.text);
        self
    }

    /// Reads at least `wanted` bytes, unless the stream ends.
    fn fill(&mut self, wanted: usize) -> Result<(), End> {
        let deadline = Instant::now() + PATIENCE + self.pause * 1_000;
        while self.buffer.len() - self.at < wanted {
            let mut chunk = [0; 16 << 10];
            thread::sleep(self.pause);
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(End::Eof),
                Ok(bytes) => self.buffer.extend(&chunk[..bytes]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    return Err(End::Reset);
                }
                Err(error) => panic!("no input: {error}"),
            }
            assert!(Instant::now() < deadline, "the stream did not end in time");
        }
        Ok(())
    }

    fn take(&mut self, bytes: usize) -> Vec<u8> {
        let taken = self.buffer[self.at..self.at + bytes].to_vec();
        self.at += bytes;
        if self.at > 1 << 16 {
            self.buffer.drain(..self.at);
            self.at = 0;
        }
        taken
    }

    /// Returns the head of an HTTP response, or the end.
    pub(crate) fn try_head(&mut self) -> Result<Head, End> {
        let text = self.try_until("\r\n\r\n")?;
        let status = text[9..12].parse().expect("a status");
        Ok(Head { status, text })
    }

    /// Returns the text up to this one, and with it; or the end.
    pub(crate) fn try_until(&mut self, end: &str) -> Result<String, End> {
        let (end, mut seen) = (end.as_bytes(), 0);
        loop {
            let bytes = &self.buffer[self.at..];
            let found = bytes[seen..].windows(end.len()).position(|it| it == end);
            if let Some(found) = found {
                let text = self.take(seen + found + end.len());
                return Ok(String::from_utf8(text).expect("text"));
            }
            seen = (bytes.len() + 1).saturating_sub(end.len());
            self.fill(bytes.len() + 1)?;
        }
    }

    pub(crate) fn head(&mut self) -> Head {
        self.try_head().expect("an answer")
    }

    /// Returns this many bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        self.fill(count).expect("enough bytes");
        self.take(count)
    }

    /// Returns all bytes up to the end, and the kind of the end.
    pub(crate) fn rest(&mut self) -> (Vec<u8>, End) {
        loop {
            if let Err(end) = self.fill(self.buffer.len() - self.at + 1) {
                return (self.take(self.buffer.len() - self.at), end);
            }
        }
    }

    /// Returns the next frame, or the end.
    pub(crate) fn try_frame(&mut self) -> Result<Received, End> {
        loop {
            let bytes = &self.buffer[self.at..];
            if let Some(frame) = split(bytes).expect("a frame of a server") {
                let (first, payload, len) =
                    (0x80 | frame.opcode, frame.payload.to_vec(), frame.len);
                self.take(len);
                return Ok(Received { first, payload });
            }
            self.fill(bytes.len() + 1)?;
        }
    }

    /// Returns the bytes of the next frame, compressed or not.
    pub(crate) fn whole_frame(&mut self) -> Vec<u8> {
        loop {
            let bytes = &self.buffer[self.at..];
            if let Some(frame) = split_deflated(bytes).expect("a frame of a server") {
                let len = frame.len;
                return self.take(len);
            }
            self.fill(bytes.len() + 1).expect("a frame");
        }
    }

    /// Returns the next frame other than a ping; pings are answered.
    pub(crate) fn frame(&mut self) -> Received {
        loop {
            let frame = self.try_frame().expect("a frame");
            if frame.first == 0x80 | PING {
                self.try_send(&frames::frame(PONG, &frame.payload));
            } else {
                return frame;
            }
        }
    }

    pub(crate) fn text(&mut self) -> String {
        let frame = self.frame();
        assert_eq!(frame.first, 0x80 | TEXT, "{frame:?}");
        String::from_utf8(frame.payload).expect("UTF-8")
    }

    pub(crate) fn json(&mut self) -> Value {
        serde_json::from_str(&self.text()).expect("JSON")
    }

    /// Returns the next message of this type, after any presence messages.
    pub(crate) fn expect(&mut self, kind: &str) -> Value {
        loop {
            let message = self.json();
            if message["type"] == kind {
                return message;
            }
            assert_eq!(message["type"], "presence", "instead of {kind}: {message}");
        }
    }

    /// Returns the next message of this type, and skips others.
    pub(crate) fn find(&mut self, kind: &str) -> Value {
        loop {
            let message = self.json();
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// Returns the code and reason of the Close frame, and skips other frames.
    pub(crate) fn close(&mut self) -> (u16, String) {
        self.try_close()
            .unwrap_or_else(|end| panic!("no Close frame, but {end:?}"))
    }

    pub(crate) fn try_close(&mut self) -> Result<(u16, String), End> {
        loop {
            let frame = self.try_frame()?;
            if frame.first == 0x80 | CLOSE {
                let Some((code, reason)) = frame.payload.split_first_chunk() else {
                    return Ok((1005, String::new()));
                };
                let reason = String::from_utf8(reason.to_vec()).expect("UTF-8");
                return Ok((u16::from_be_bytes(*code), reason));
            }
        }
    }

    /// Asserts that a Close frame with this code comes next, then the end of the stream.
    pub(crate) fn closed(mut self, code: u16) -> String {
        let (given, reason) = self.close();
        assert_eq!(given, code, "{reason}");
        self.try_send(&frames::close(code, b""));
        assert_eq!(self.rest(), (Vec::new(), End::Eof));
        reason
    }

    /// Asserts that the stream ends without a Close frame.
    pub(crate) fn gone(mut self) {
        while let Ok(frame) = self.try_frame() {
            assert_ne!(frame.first, 0x80 | CLOSE, "{frame:?}");
        }
    }

    /// Ends the client's side, and continues reading.
    pub(crate) fn finish(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Resets the connection.
    pub(crate) fn reset(self) {
        let linger = Some(Duration::ZERO);
        SockRef::from(&self.stream)
            .set_linger(linger)
            .expect("an option");
    }

    /// Sends a Close and waits for the answer.
    pub(crate) fn leave(mut self) {
        self.send(&frames::close(1000, b""));
        assert_eq!(self.close().0, 1000);
        assert_eq!(self.rest(), (Vec::new(), End::Eof));
    }

    /// Waits for the answer to a `ping`, and thereby for everything sent before.
    pub(crate) fn roundtrip(&mut self) {
        self.say(r#"{"type":"ping"}"#);
        self.find("pong");
    }
}
