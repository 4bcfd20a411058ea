//! A client.

use std::sync::Arc;

use super::frames::{CLOSE, Frame, TEXT, masked};
use super::pipe::Pipe;

/// The client's end. Whoever waits here for something that never comes is part of a deadlock.
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
        self.send(&masked(TEXT, text.as_bytes()));
    }

    /// In one piece, so that both are there at once; the frame behind the text has an opcode that
    /// there is not.
    pub(super) fn send_text_and_violation(&self, text: &str) {
        let mut bytes = masked(TEXT, text.as_bytes());
        bytes.extend(masked(3, &[]));
        self.send(&bytes);
    }

    /// In one piece, so that both are there at once.
    pub(super) fn send_text_and_close(&self, text: &str) {
        let mut bytes = masked(TEXT, text.as_bytes());
        bytes.extend(masked(CLOSE, &1000_u16.to_be_bytes()));
        self.send(&bytes);
    }

    pub(super) fn send_close(&self) {
        self.send(&masked(CLOSE, &1000_u16.to_be_bytes()));
    }

    fn send(&self, bytes: &[u8]) {
        let mut state = self.pipe.state.lock().expect("no panic");
        state.to_server.extend(bytes);
        let waker = state.reader.take();
        drop(state);
        waker.into_iter().for_each(std::task::Waker::wake);
    }

    /// Ends its side, and reads on.
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

    /// The status of the answer; none if there is no answer.
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

    /// The next frame, or the end.
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

    /// The next frame of this type; those before it are of no interest.
    pub(super) fn expect(&mut self, kind: &str) -> Frame {
        let found = std::iter::from_fn(|| self.frame()).find(|frame| frame.is(kind));
        found.unwrap_or_else(|| panic!("the end, in place of {kind}"))
    }

    /// The next message to this room; those before it are of no interest.
    pub(super) fn hear(&mut self, room: &str) -> Frame {
        let heard = std::iter::from_fn(|| self.frame()).find(|frame| frame.is_to(room));
        heard.expect("a message, not the end")
    }

    /// Everything up to the end.
    pub(super) fn rest(&mut self) -> Vec<Frame> {
        std::iter::from_fn(|| self.frame()).collect()
    }

    /// Whether the last frame was cut by the end.
    pub(super) fn is_cut(&self) -> bool {
        !self.received.is_empty()
    }

    /// Takes what is there, and leaves room for more.
    pub(super) fn read_on(&mut self) {
        let mut state = self.pipe.state.lock().expect("no panic");
        self.received.extend(state.to_client.drain(..));
        let waker = state.writer.take();
        drop(state);
        waker.into_iter().for_each(std::task::Waker::wake);
    }

    /// Waits for more; says whether there was any.
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
