//! Event streams: what their clients post, at both ends. One session reads a post and hands its messages
//! to the node; that of the stream takes them from there, one at a time, as a WebSocket's takes frames.

use serde_json::value::RawValue;

use super::call::Step;
use super::deferring::Deferring;
use super::input::{Body, Input};
use super::node::{Held, Node};
use super::state::Session;
use crate::http::address::set_client;
use crate::{BadRequest, Event, Posted, ReadMode, Request, Wire};

/// The content type of a post that is one binary message, where the JSON protocol is not spoken.
const BINARY: &str = "application/octet-stream";

impl Session {
    /// Begins to read the body of a post.
    pub(super) fn begin_body(&mut self, node: &mut impl Node, request: Request, length: u64) {
        let most = node.config().limits.message_bytes;
        self.input = Input::Nothing;
        let Some(length) = usize::try_from(length).ok().filter(|&it| it <= most) else {
            let bad = BadRequest::BodyTooLarge;
            return node.hold(|held| held.malformed(self.id, bad));
        };
        self.input = Input::Body(Box::new(Body {
            request,
            length,
            bytes: Vec::new(),
        }));
        if length == 0 {
            self.receive_body(node, &[]);
        }
    }

    /// Adds to the body, and hands the post in when it is complete. What follows it is ignored.
    pub(super) fn receive_body(&mut self, node: &mut impl Node, bytes: &[u8]) {
        let Input::Body(mut body) = std::mem::replace(&mut self.input, Input::Nothing) else {
            return;
        };
        let wanted = bytes.len().min(body.length - body.bytes.len());
        body.bytes.extend_from_slice(&bytes[..wanted]);
        if body.bytes.len() < body.length {
            let (in_message, bytes) = (true, body.bytes.capacity());
            self.input = Input::Body(body);
            return self.event(node, Event::Partial { in_message, bytes });
        }
        let Body {
            mut request, bytes, ..
        } = *body;
        set_client(&mut request, self.peer, &node.config().trusted_proxies);
        node.client_known(request.peer());
        let messages = messages(node.config().wire, &request, bytes);
        let id = self.id;
        let mode = node.hold(|held| {
            held.post(id, &request, messages);
            held.read_mode(id)
        });
        self.set_mode(node, mode);
    }

    /// Takes the next message that was posted, unless reading pauses.
    pub(super) fn take_posted(&mut self, node: &mut impl Node) -> Option<Posted> {
        let reads = matches!(self.input, Input::Posts)
            && self.mode == ReadMode::Frames
            && node.may_read_on();
        let id = self.id;
        reads.then(|| node.hold(|held| held.next_posted(id)))?
    }

    pub(super) fn process_posted(&mut self, node: &mut impl Node, posted: Posted) -> Option<Step> {
        let now = node.now();
        let mut node = Deferring::new(node, self.id);
        let step = match posted {
            Posted::Text(text) => {
                let charged = self.charge_message(&mut node, now, false, text.len());
                self.text_read(&mut node, &text, charged)
            }
            Posted::Binary(bytes) => {
                let charged = self.charge_message(&mut node, now, true, bytes.len());
                self.binary_read(&mut node, &bytes, charged)
            }
        };
        node.finish();
        step
    }
}

/// Returns the messages in a body: with the JSON protocol one message or an array of them, which are passed
/// on as they were written; without it one message.
fn messages(wire: Wire, request: &Request, body: Vec<u8>) -> Result<Vec<Posted>, BadRequest> {
    if wire == Wire::Raw && request.header("Content-Type") == Some(BINARY) {
        return Ok(vec![Posted::Binary(body)]);
    }
    let text = String::from_utf8(body);
    let text = text.map_err(|_| BadRequest::Syntax("the body must be UTF-8"))?;
    if wire == Wire::Raw {
        return Ok(vec![Posted::Text(text)]);
    }
    let texts: Vec<&RawValue> = if text.trim_ascii_start().starts_with('[') {
        serde_json::from_str(&text).map_err(|_| NOT_JSON)?
    } else {
        vec![serde_json::from_str(&text).map_err(|_| NOT_JSON)?]
    };
    let texts = texts.into_iter().map(|raw| raw.get().to_owned());
    Ok(texts.map(Posted::Text).collect())
}

const NOT_JSON: BadRequest =
    BadRequest::Syntax("the body must be a JSON message, or an array of them");
