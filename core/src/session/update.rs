//! Changes in the node that concern a session: its read mode and its end.

use super::call::Ended;
use super::input::Input;
use super::node::Node;
use super::state::Session;
use crate::{CloseReason, ReadMode};

impl Session {
    /// Takes what has changed in the node, after an
    /// [`Action::ReadMode`](crate::Action::ReadMode) and once the connection has ended: how to read
    /// the stream, or `None` if the connection is gone, and its end, if it was admitted and this was
    /// not told before.
    ///
    /// Read both at the same time, so that a session that finds its input discarded also knows of
    /// the end. Waiting input is dropped then; the application is told by
    /// [`Call::Disconnect`](super::Call::Disconnect).
    pub fn update(&mut self, node: &mut impl Node, mode: Option<ReadMode>, ended: Option<Ended>) {
        self.learn_rooms(node);
        if let Some(ended) = ended {
            self.end(node, ended);
        }
        self.set_mode(node, mode);
    }

    /// Takes the rooms that the connection has entered and left from [`Node::take_room_changes`].
    pub fn rooms_changed(&mut self, node: &mut impl Node) {
        self.learn_rooms(node);
    }

    fn end(&mut self, node: &mut impl Node, ended: Ended) {
        self.forget_input(node);
        let in_time = self.waiting.hook_due().is_none_or(|at| node.now() < at);
        if in_time {
            // From here on the session times it, and not the node.
            self.waiting.set_hook_due(None);
        } else if ended.reason == CloseReason::Internal {
            // The hook timed out.
            self.call_over();
        }
        self.waiting.set_ended(ended);
    }

    pub(super) fn set_mode(&mut self, node: &mut impl Node, mode: Option<ReadMode>) {
        let Some(mode) = mode else {
            self.gone = true;
            self.abandon_admission();
            return;
        };
        self.mode = mode;
        match mode {
            ReadMode::Frames => self.input.expect_frames(),
            ReadMode::Discard => {
                self.input = Input::Nothing;
                self.abandon_admission();
                self.forget_input(node);
            }
            ReadMode::Head | ReadMode::Wait => {}
        }
    }
}
