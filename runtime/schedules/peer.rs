//! A test client.

use std::sync::Arc;

use switchboard_kit::{TEXT, close, frame};

use super::frames::Frame;
use super::pipe::Pipe;

/// The client's end of a pipe. Waiting for something that never comes shows as a deadlock.
pub(super) struct Peer {
    pub(super) pipe: Arc<Pipe>,
    received: Vec<u8>,
}

impl Peer {
    pub(super) fn new(pipe: Arc<Pipe>) -> Self {
        Self {
            pipe,
            received: Vec::new(),
        }
    }

    pub(super) fn request(&self, path: &str) {
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        self.send(head.as_bytes());
    }

    pub(super) fn send_text(&self, text: &str) {
        self.send(&frame(TEXT, text).bytes());
    }

    /// Sends a text frame and one with a reserved opcode at once.
    pub(super) fn send_text_and_violation(&self, text: &str) {
        let mut bytes = frame(TEXT, text).bytes();
        bytes.extend(frame(3, []).bytes());
        self.send(&bytes);
    }

    /// Sends a text frame and a Close frame at once.
    pub(super) fn send_text_and_close(&self, text: &str) {
        let mut bytes = frame(TEXT, text).bytes();
        bytes.extend(close(1000, []).bytes());
        self.send(&bytes);
    }

    pub(super) fn send_close(&self) {
        self.send(&close(1000, []).bytes());
    }

    fn send(&self, bytes: &[u8]) {
        let mut state = self.pipe.state.lock().expect("no panic");
        state.to_server.extend(bytes);
        let waker = state.reader.take();
        drop(state);
        waker.into_iter().for_each(std::task::Waker::wake);
    }

    /// Ends the sending side, and keeps reading.
    pub(super) fn end(&self) {
        let mut state = self.pipe.state.lock().expect("no panic");
        state.client_ended = true;
        let waker = state.reader.take();
        drop(state);
        waker.into_iter().for_each(std::task::Waker::wake);
    }

    pub(super) fn reset(&self) {
        let mut state = self.pipe.state.lock().expect("no panic");
        state.reset = true;
        state.to_client.clear();
        let wakers = state.wakers();
        drop(state);
        wakers.into_iter().for_each(std::task::Waker::wake);
    }

    /// Returns the status of the HTTP response, or `None` at the end of the stream.
    pub(super) fn status(&mut self) -> Option<u16> {
        loop {
            let end = self
                .received
                .windows(4)
                .position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                let rest = self.received.split_off(end + 4);
                let head = std::mem::replace(&mut self.received, rest);
                let head = String::from_utf8(head).expect("text");
                let status = head.split(' ').nth(1).expect("a status");
                return status.parse().ok();
            }
            if !self.receive() {
                return None;
            }
        }
    }

    /// Returns the next frame, or `None` at the end of the stream.
    pub(super) fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = Frame::take(&mut self.received) {
                return Some(frame);
            }
            if !self.receive() {
                return None;
            }
        }
    }

    /// Returns the next frame of this type, and skips those before it.
    pub(super) fn expect(&mut self, kind: &str) -> Frame {
        let found = std::iter::from_fn(|| self.frame()).find(|frame| frame.is(kind));
        found.unwrap_or_else(|| panic!("the end, in place of {kind}"))
    }

    /// Returns the next message to this room, and skips those before it.
    pub(super) fn hear(&mut self, room: &str) -> Frame {
        let heard = std::iter::from_fn(|| self.frame()).find(|frame| frame.is_to(room));
        heard.expect("a message, not the end")
    }

    /// Returns all frames up to the end of the stream.
    pub(super) fn rest(&mut self) -> Vec<Frame> {
        std::iter::from_fn(|| self.frame()).collect()
    }

    /// Whether the stream ended within a frame.
    pub(super) fn is_cut(&self) -> bool {
        !self.received.is_empty()
    }

    /// Takes the available bytes without waiting.
    pub(super) fn read_on(&mut self) {
        let mut state = self.pipe.state.lock().expect("no panic");
        self.received.extend(state.to_client.drain(..));
        let waker = state.writer.take();
        drop(state);
        waker.into_iter().for_each(std::task::Waker::wake);
    }

    /// Waits for more bytes. Returns whether there were any.
    fn receive(&mut self) -> bool {
        let mut state = self.pipe.state.lock().expect("no panic");
        while state.to_client.is_empty() {
            if state.server_ended || state.reset {
                return false;
            }
            state = self.pipe.changed.wait(state).expect("no panic");
        }
        self.received.extend(state.to_client.drain(..));
        let waker = state.writer.take();
        drop(state);
        waker.into_iter().for_each(std::task::Waker::wake);
        true
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let mut state = self.pipe.state.lock().expect("no panic");
        state.client_ended = true;
        state.client_gone = true;
        let wakers = state.wakers();
        drop(state);
        wakers.into_iter().for_each(std::task::Waker::wake);
    }
}
