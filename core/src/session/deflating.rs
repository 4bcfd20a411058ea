//! Messages to rooms are compressed without the lock, once they are granted.

use super::node::Node;
use super::state::Session;
use crate::{Denied, Question, RoomMessage};

impl Session {
    /// Compresses the message that is granted, where the configuration says so and a connection of the
    /// node can inflate it.
    pub(super) fn deflate(
        &self,
        node: &mut impl Node,
        question: &mut Question,
        answer: &Result<(), Denied>,
    ) {
        let Question::Message {
            room,
            content,
            key,
            handled: false,
            volatile: false,
            twin,
            ..
        } = question
        else {
            return;
        };
        let bytes = content.as_json().len();
        if answer.is_err() || !node.config().compresses(room, bytes) {
            return;
        }
        let Some(mut deflater) = node.take_deflater() else {
            return;
        };
        let mut message = RoomMessage::new(room, content.as_content())
            .from_user(self.user.as_deref())
            .with_key(key.as_deref());
        message.deflate(&mut deflater);
        *twin = message.into_twin().map(Box::new);
        node.keep_deflater(deflater);
    }
}
