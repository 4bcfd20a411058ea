//! What was read, in its order: processed at once, or kept while a hook is busy.

use std::collections::VecDeque;

use super::backlog::Item;
use super::call::{Call, Ended, Step};
use super::node::{Held, Node};
use super::room_changes::RoomChange;
use super::state::{Hook, Reported, Session};
use crate::{CloseFrame, Event, Question, Wire, protocol};

impl Session {
    /// Returns the next step, or `None` while a call runs and when nothing waits.
    pub fn next(&mut self, node: &mut impl Node) -> Option<Step> {
        while !self.is_calling() {
            let step = if self.undecided {
                let user = self.decision(node);
                if self.undecided {
                    return None;
                }
                self.admitted(user)
            } else if let Some(step) = self.tell_room() {
                Some(step)
            } else if let Some(item) = self.pop(node) {
                let step = self.process(node, item);
                if self.is_paused() {
                    self.is_full(node);
                }
                step
            } else if let Some(posted) = self.take_posted(node) {
                self.process_posted(node, posted)
            } else {
                let ended = self.waiting.take_ended()?;
                self.disconnect(ended)
            };
            if step.is_some() {
                return step;
            }
        }
        None
    }

    /// Returns whether reading has to pause because too much waits for hooks, of this session or of
    /// all. Tells the node when that changes.
    pub fn is_full(&mut self, node: &mut impl Node) -> bool {
        let full = self.backlog_is_full() || self.must_queue() && node.backlog_is_full();
        if self.reported.set(Reported::PAUSED, full) != full {
            let event = if full { Event::Paused } else { Event::Resumed };
            self.event(node, event);
        }
        full
    }

    /// Processes an item now, or queues it behind earlier ones.
    pub(super) fn take(&mut self, node: &mut impl Node, item: Item) -> Option<Step> {
        if !self.must_queue() {
            return self.process(node, item);
        }
        let is_last = item.is_last();
        let leaves = is_last || matches!(item, Item::Eof);
        self.push(node, item);
        if leaves {
            self.event(node, Event::Leaving);
        }
        if is_last {
            let at = node.now() + node.config().timeouts.close;
            self.waiting.set_close_by(at);
        }
        None
    }

    fn push(&mut self, node: &mut impl Node, item: Item) {
        let bytes = self.waiting.bytes();
        self.waiting.push(item);
        node.backlog_changed(bytes, self.waiting.bytes());
    }

    fn pop(&mut self, node: &mut impl Node) -> Option<Item> {
        let bytes = self.waiting.bytes();
        let item = self.waiting.pop()?;
        node.backlog_changed(bytes, self.waiting.bytes());
        Some(item)
    }

    pub(super) fn take_items(&mut self, node: &mut impl Node) -> VecDeque<Item> {
        let bytes = self.waiting.bytes();
        let items = self.waiting.take_items();
        node.backlog_changed(bytes, 0);
        items
    }

    pub(super) fn forget_input(&mut self, node: &mut impl Node) {
        let items = self.take_items(node);
        // The node needs the end of input to drop the socket, and is notified of it only once.
        if items.iter().any(|item| matches!(item, Item::Eof)) {
            self.event(node, Event::Eof);
        }
    }

    pub(super) fn process(&mut self, node: &mut impl Node, item: Item) -> Option<Step> {
        match item {
            Item::Text(text) => return self.process_text(node, text),
            Item::Binary(bytes) => return self.hand_over(Call::Binary(bytes)),
            Item::Violation(violation) => {
                let bytes = self.waiting.bytes();
                self.waiting.push_front(Item::FlushedViolation(violation));
                node.backlog_changed(bytes, self.waiting.bytes());
                return Some(Step::Flush);
            }
            Item::FlushedViolation(violation) => self.event(node, Event::Violation(violation)),
            Item::Close(close) => {
                let frame = close.as_ref().map(|(code, reason)| CloseFrame {
                    code: *code,
                    reason,
                });
                self.event(node, Event::Close(frame));
            }
            Item::Eof => self.event(node, Event::Eof),
        }
        None
    }

    fn process_text(&mut self, node: &mut impl Node, text: String) -> Option<Step> {
        if node.config().wire == Wire::Raw {
            return self.hand_over(Call::Text(text));
        }
        let command = protocol::parse(&text);
        let (id, in_cluster) = (self.id, node.config().cluster.is_some());
        let (question, waits) = node.hold(|held| {
            let question = held.command(id, &text, command);
            (question, in_cluster && held.is_undecided(id))
        });
        self.undecided |= waits;
        self.go_on(node, question)
    }

    /// Returns the next step of a request: the question about it, or the notification about a room that
    /// it entered or left.
    pub(super) fn go_on(
        &mut self,
        node: &mut impl Node,
        question: Option<Question>,
    ) -> Option<Step> {
        if let Some(question) = question {
            return self.ask(question);
        }
        self.learn_rooms(node);
        self.tell_room()
    }

    /// Tells the application of the next room that was entered or left, once it knows of the connection.
    fn tell_room(&mut self) -> Option<Step> {
        self.user.as_ref()?;
        let call = match self.waiting.pop_room_change()? {
            RoomChange::Joined(room) => Call::Joined(room),
            RoomChange::Left(room) => Call::Left(room),
        };
        Some(self.call(Hook::Running, call))
    }

    pub(super) fn ask(&mut self, question: Question) -> Option<Step> {
        match question {
            Question::Token { token, request } => Some(self.ask_token(token, request)),
            question => {
                self.user.as_ref()?;
                Some(self.call(Hook::Running, Call::Ask(question)))
            }
        }
    }

    fn hand_over(&mut self, call: Call) -> Option<Step> {
        self.user.as_ref()?;
        Some(self.call(Hook::Running, call))
    }

    pub(super) fn disconnect(&mut self, ended: Ended) -> Option<Step> {
        self.user.as_ref()?;
        Some(self.call(Hook::Farewell, Call::Disconnect(ended)))
    }
}
