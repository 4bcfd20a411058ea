//! The application's replies, and hooks that are pending or have failed.

use super::backlog::Item;
use super::call::{Reply, Step};
use super::deferring::{Deferred, Deferring};
use super::node::{Held, Node};
use super::state::{Hook, Reported, Session};
use crate::protocol::RequestId;
use crate::{Denied, Event, Reach, Time};

impl Session {
    /// Takes the reply to the call. What waits behind a request is processed under the same hold of
    /// the lock as the answer to it, if it is a request too.
    pub fn reply(&mut self, node: &mut impl Node, reply: Reply) -> Option<Step> {
        let announced = self.call_over();
        match reply {
            Reply::Page(page) => node.hold(|held| held.answer_page(self.id, page)),
            Reply::Identity(login, Ok(admission)) => {
                return self.identified(node, login, admission);
            }
            Reply::Identity(login, Err(denied)) => {
                return self.denied(node, &denied, login.answers.as_ref());
            }
            Reply::Lobby(lobby, granted) => {
                if let Err(denied) = granted {
                    return self.denied(node, &denied, lobby.answers.as_ref());
                }
                if lobby.reach != Reach::All {
                    node.hold(|held| held.limit_lobby(self.id, lobby.reach));
                }
                return self.authenticated(node, Ok(lobby.admission), lobby.answers.as_ref());
            }
            Reply::Verdict(question, answer) if question.may_wait() => {
                // The application is notified of a room before anything else is processed. In a cluster
                // the client may have to wait.
                let (id, in_cluster) = (self.id, node.config().cluster.is_some());
                self.undecided = node.hold(|held| {
                    held.answer(id, question, answer);
                    in_cluster && held.is_undecided(id)
                });
                self.learn_rooms(node);
                return self.next(node);
            }
            Reply::Verdict(mut question, answer) => {
                self.deflate(node, &mut question, &answer);
                let mut node = Deferring::new(node, self.id);
                node.defer(Deferred::Answer(question, answer));
                let step = self.next(&mut node);
                node.finish();
                return step;
            }
            Reply::Delivered(Err(denied)) => self.close_denied(node, &denied),
            Reply::Connected | Reply::Noted | Reply::Delivered(Ok(())) => {
                if announced {
                    self.event(node, Event::HookDone);
                }
            }
            Reply::Disconnected => {}
        }
        None
    }

    /// Refuses a login: that of a client that is not admitted yet, or a later one.
    fn denied(
        &mut self,
        node: &mut impl Node,
        denied: &Denied,
        request: Option<&RequestId<'_>>,
    ) -> Option<Step> {
        if let Some((_, text)) = denied.closing() {
            if self.user.is_some() {
                self.close_denied(node, denied);
                return None;
            }
            node.hold(|held| held.explain_refusal(self.id, text));
        }
        self.authenticated(node, Err(denied.refused()), request)
    }

    fn close_denied(&self, node: &mut impl Node, denied: &Denied) {
        node.hold(|held| match denied.closing() {
            Some((code, text)) => held.close_with(self.id, code, text),
            None => held.close(self.id, denied.close_reason()),
        });
    }

    /// Notes that the call is still pending. Returns when to call [`time_out`](Self::time_out).
    pub fn pending(&mut self, node: &mut impl Node) -> Option<Time> {
        if self.waiting.hook_due().is_none() && self.hook != Hook::Admission {
            let at = node.now() + node.config().timeouts.hook;
            self.waiting.set_hook_due(Some(at));
        }
        if !self.reported.set(Reported::HOOK, true) {
            self.event(node, Event::HookStarted);
        }
        let hook_due = self.waiting.hook_due().filter(|_| !self.is_watched());
        let deadlines = [hook_due, self.waiting.close_by()];
        deadlines.into_iter().flatten().min()
    }

    /// Returns whether the node times the call out, as it does for the connections that it has.
    fn is_watched(&self) -> bool {
        match self.hook {
            Hook::Running => !self.waiting.has_ended(),
            Hook::Farewell => false,
            Hook::Admission | Hook::Idle => true,
        }
    }

    /// Handles due deadlines while a call is pending: abandons the call if the connection has ended,
    /// and processes a waiting Close or violation of the client.
    pub fn time_out(&mut self, node: &mut impl Node) {
        let now = node.now();
        if !self.is_watched() && self.waiting.hook_due().is_some_and(|at| at <= now) {
            self.call_over();
        }
        if self.waiting.close_by().is_some_and(|at| at <= now) {
            for item in self.take_items(node) {
                match item {
                    Item::Close(_) => {
                        self.process(node, item);
                    }
                    Item::Violation(violation) => {
                        self.event(node, Event::Violation(violation));
                    }
                    _ => {}
                }
            }
        }
    }

    /// Notes that the call has panicked, which ends this connection only.
    pub fn failed(&mut self, node: &mut impl Node) {
        self.call_over();
        self.event(node, Event::HookFailed);
        // The node has ended the connection, so nothing that waits is passed on.
        self.forget_input(node);
    }
}
