//! Messages that arrive from the broker are compressed before the lock is taken.

use std::borrow::Cow;

use crate::cluster::{Body, Channel, Push};
use crate::{Config, RoomMessage};

/// Returns the message to a room that arrived through a channel, if it is to be compressed for
/// connections on this node. The result of the compression is passed to
/// [`Clustered::pushed`](super::Clustered::pushed) together with the payload.
///
/// `node` is this node's [name](super::Clustered::node): its own messages to rooms with local order are
/// skipped, because its members have already received them. With compression enabled, this takes time
/// linear in the payload.
pub fn arriving<'a>(
    config: &Config,
    node: &str,
    channel: &'a Channel,
    payload: &'a [u8],
) -> Option<RoomMessage<'a>> {
    let Channel::Room(room) = channel else {
        return None;
    };
    // Short payloads are not worth parsing.
    if !config.compresses_to_members(room, payload.len()) {
        return None;
    }
    let body = match Push::parse(payload).ok()? {
        Push::Message { body, .. } => body,
        Push::Local {
            node: from,
            own,
            body,
            ..
        } if own > 0 && from != node => body,
        _ => return None,
    };
    let body = Body::parse(body).ok()?;
    if body.uncompressed || !config.compresses_to_members(room, body.content.len()) {
        return None;
    }
    let sender = match body.sender {
        Some(Cow::Borrowed(sender)) => Some(sender),
        // Which has control characters, as hardly any has.
        Some(Cow::Owned(_)) => return None,
        None => None,
    };
    Some(RoomMessage::new(room, body.json()?).from_user(sender))
}
