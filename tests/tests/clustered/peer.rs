//! What a client has received.

use serde_json::Value;
use switchboard_kit::{Received, split};

/// A client of a node, and all JSON that it received.
#[derive(Debug, Default)]
pub(super) struct Peer {
    bytes: Vec<u8>,
    upgraded: bool,
    /// The events, if it is an event stream.
    pub(super) events: Option<String>,
    pub(super) received: Vec<Value>,
}

impl Peer {
    pub(super) fn takes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if !self.upgraded {
            let Some(end) = self.bytes.windows(4).position(|it| it == b"\r\n\r\n") else {
                return;
            };
            if self.bytes.starts_with(b"HTTP/1.1 200") {
                self.events = Some(String::new());
            }
            self.bytes.drain(..end + 4);
            self.upgraded = true;
        }
        if let Some(events) = &mut self.events {
            let some = std::mem::take(&mut self.bytes);
            events.push_str(&String::from_utf8(some).expect("text"));
            return;
        }
        while let Some(frame) = split(&self.bytes).expect("a frame") {
            let len = frame.len;
            let content: Received = frame.content().expect("a valid frame").into();
            if let Received::Text(text) = content {
                let message = serde_json::from_str(&text).expect("JSON");
                self.received.push(message);
            }
            self.bytes.drain(..len);
        }
    }
}
