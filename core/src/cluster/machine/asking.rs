//! Messages to the nodes of one user, and to all nodes.

use std::sync::Arc;

use super::asked::Asked;
use super::cluster::Cluster;
use super::output::{Output, PublishError, Question};
use super::pipeline::Pipeline;
use super::questions::{Matter, Pending};
use super::timers::Timer;
use crate::Time;
use crate::cluster::answer::Reached;
use crate::cluster::command::{Channel, Command, Direct, Kick};
use crate::cluster::push::Push;

impl Cluster {
    /// Sends a message to a user's connections on other nodes, at most once. [`Output::Taken`] says
    /// within [`ClusterConfig::wait`](super::ClusterConfig::wait) how many took it.
    ///
    /// # Errors
    ///
    /// Too much is waiting for the broker.
    pub fn direct(
        &mut self,
        now: Time,
        user: &Arc<str>,
        body: &[u8],
    ) -> Result<Question, PublishError> {
        if self.has_no_space_for(body.len()) {
            return Err(PublishError::OutboxFull);
        }
        let node = Arc::clone(&self.config.node);
        let question = self.questions.ask(|question| Matter::Direct {
            user: Arc::clone(user),
            payload: Push::Direct {
                node: &node,
                question: question.0,
                user,
                body,
            }
            .to_payload(),
        });
        self.await_answer(now, question);
        Ok(question)
    }

    /// The node's own connections of a user took the message of an [`Output::Direct`], so many of them.
    pub fn taken(&mut self, now: Time, node: &Arc<str>, question: Question, queues: u64) {
        let payload = Push::Taken {
            node: &self.config.node,
            question: question.0,
            queues,
        }
        .to_payload();
        self.notify(now, Channel::Inbox(Arc::clone(node)), payload);
    }

    /// Closes a user's connections on all nodes. [`Output::Kicked`] says within
    /// [`ClusterConfig::wait`](super::ClusterConfig::wait) what came of it.
    ///
    /// # Errors
    ///
    /// Too much is waiting for the broker.
    pub fn kick(
        &mut self,
        now: Time,
        user: &Arc<str>,
        reason: &Arc<str>,
    ) -> Result<Question, PublishError> {
        if self.has_no_space_for(0) {
            return Err(PublishError::OutboxFull);
        }
        let (user, reason) = (Arc::clone(user), Arc::clone(reason));
        let question = self.questions.ask(|_| Matter::Kick { user, reason });
        self.await_answer(now, question);
        Ok(question)
    }

    /// Sends a message for every connection on other nodes, at most once. Returns whether it was sent:
    /// not while the broker is away, or too much waits for it.
    pub fn tell_everyone(&mut self, now: Time, body: &[u8]) -> bool {
        let node = &self.config.node;
        let payload = Push::Everyone { node, body }.to_payload();
        self.notify(now, Channel::Everyone, payload)
    }

    /// Publishes a payload as it is, at most once.
    pub(super) fn notify(&mut self, now: Time, channel: Channel, payload: Arc<[u8]>) -> bool {
        if !self.link.is_up() || self.has_no_space_for(payload.len()) {
            return false;
        }
        self.questions.notify(channel, payload);
        self.send(now);
        true
    }

    fn has_no_space_for(&self, bytes: usize) -> bool {
        self.questions.len() >= self.config.outbox_messages
            || self.questions.bytes() + bytes > self.config.outbox_bytes
    }

    fn await_answer(&mut self, now: Time, question: Question) {
        if self.alone {
            self.finish(question, false);
            return;
        }
        if let Some(pending) = self.questions.get_mut(question) {
            let at = Some(now + self.config.wait);
            let timer = Timer::Question(question);
            self.timers.set(&mut pending.due, at, timer);
        }
        self.send(now);
    }

    pub(super) fn ask_questions(&mut self, pipeline: &mut Pipeline) {
        while !pipeline.is_full()
            && let Some((channel, payload)) = self.questions.next_notice()
        {
            pipeline.add_bytes(payload.len());
            pipeline.push(Command::Notify { channel, payload }, Asked::Notify);
        }
        while !pipeline.is_full()
            && let Some((question, matter)) = self.questions.next()
        {
            let incarnation = Arc::clone(&self.incarnation);
            let command = match matter.clone() {
                Matter::Direct { user, payload } => {
                    pipeline.add_bytes(payload.len());
                    Command::Direct(Direct {
                        user,
                        incarnation,
                        node: Arc::clone(&self.config.node),
                        payload,
                        dead: self.peers.dead(),
                    })
                }
                Matter::Kick { user, reason } => Command::Kick(Kick {
                    user,
                    incarnation,
                    reason,
                    expiry: self.config.memory,
                }),
            };
            pipeline.push(command, Asked::Question(question));
        }
    }

    /// The broker has published a message to the nodes of a user, and returned them.
    pub(super) fn direct_answered(&mut self, question: Question, reached: &[Reached]) {
        let pending = self.questions.get_mut(question);
        if pending.is_some_and(|pending| pending.was_asked(reached)) {
            self.finish(question, true);
        }
    }

    /// A node has answered.
    pub(super) fn taken_arrived(&mut self, node: &str, question: Question, queues: u64) {
        let pending = self.questions.get_mut(question);
        if pending.is_some_and(|pending| pending.was_taken(node, queues)) {
            self.finish(question, true);
        }
    }

    pub(super) fn kick_answered(&mut self, question: Question, reached: &[Reached]) {
        let there = reached.iter().filter(|it| it.receivers > 0);
        let connections = there.clone().map(|it| u64::from(it.claims)).sum();
        if self.forget_question(question).is_some() {
            self.outputs.push_back(Output::Kicked {
                question,
                nodes: there.count() as u32,
                connections,
                complete: true,
            });
        }
    }

    /// A question has waited for long enough.
    pub(super) fn question_is_due(&mut self, question: Question) {
        if let Some(pending) = self.questions.get_mut(question) {
            pending.due = None;
        }
        self.finish(question, false);
    }

    fn finish(&mut self, question: Question, complete: bool) {
        let Some(pending) = self.forget_question(question) else {
            return;
        };
        let (nodes, queues) = pending.taken();
        self.outputs.push_back(match pending.matter {
            Matter::Direct { .. } => Output::Taken {
                question,
                nodes,
                queues,
                complete,
            },
            Matter::Kick { .. } => Output::Kicked {
                question,
                nodes: 0,
                connections: 0,
                complete,
            },
        });
    }

    fn forget_question(&mut self, question: Question) -> Option<Pending> {
        let pending = self.questions.finish(question)?;
        self.timers.clear(pending.due, Timer::Question(question));
        Some(pending)
    }
}
