//! Questions that this node has asked the others, and what it has to tell them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::output::Question;
use crate::Time;
use crate::cluster::answer::Reached;
use crate::cluster::command::Channel;

/// What is asked of the nodes of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Matter {
    /// To give a message to the user's connections.
    Direct { user: Arc<str>, payload: Arc<[u8]> },
    /// To close them.
    Kick { user: Arc<str>, reason: Arc<str> },
}

/// A question whose answer is awaited.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) matter: Matter,
    /// Until when.
    pub(super) due: Option<Time>,
    /// The nodes that were asked, once the broker has named them.
    asked: Option<BTreeSet<Arc<str>>>,
    /// What they answered: in how many queues the message is.
    taken: BTreeMap<Arc<str>, u64>,
}

/// Questions and notices.
#[derive(Debug, Default)]
pub(super) struct Questions {
    pending: BTreeMap<Question, Pending>,
    /// Questions that no connection has been given.
    queue: VecDeque<Question>,
    last: u64,
    /// What is published as it is, at most once.
    notices: VecDeque<(Channel, Arc<[u8]>)>,
    bytes: usize,
}

impl Questions {
    /// Bytes that wait.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Messages that wait.
    pub(super) fn len(&self) -> usize {
        self.pending.len() + self.notices.len()
    }

    pub(super) fn ask(&mut self, matter: impl FnOnce(Question) -> Matter) -> Question {
        self.last += 1;
        let question = Question(self.last);
        let matter = matter(question);
        self.bytes += matter.bytes();
        let pending = Pending {
            matter,
            due: None,
            asked: None,
            taken: BTreeMap::new(),
        };
        self.pending.insert(question, pending);
        self.queue.push_back(question);
        question
    }

    pub(super) fn get_mut(&mut self, question: Question) -> Option<&mut Pending> {
        self.pending.get_mut(&question)
    }

    /// Takes the next one that no connection has been given.
    pub(super) fn next(&mut self) -> Option<(Question, &Matter)> {
        while let Some(question) = self.queue.pop_front() {
            if self.pending.contains_key(&question) {
                let pending = self.pending.get(&question)?;
                return Some((question, &pending.matter));
            }
        }
        None
    }

    /// A kick whose answer was lost is asked for again; a message is sent once.
    pub(super) fn lost(&mut self, question: Question) {
        let pending = self.pending.get(&question);
        if pending.is_some_and(|it| matches!(it.matter, Matter::Kick { .. })) {
            self.queue.push_back(question);
        }
    }

    pub(super) fn finish(&mut self, question: Question) -> Option<Pending> {
        let pending = self.pending.remove(&question)?;
        self.bytes -= pending.matter.bytes();
        Some(pending)
    }

    pub(super) fn notify(&mut self, channel: Channel, payload: Arc<[u8]>) {
        self.bytes += payload.len();
        self.notices.push_back((channel, payload));
    }

    pub(super) fn next_notice(&mut self) -> Option<(Channel, Arc<[u8]>)> {
        let notice = self.notices.pop_front()?;
        self.bytes -= notice.1.len();
        Some(notice)
    }

    /// What is sent at most once is not kept for another connection.
    pub(super) fn drop_notices(&mut self) {
        while self.next_notice().is_some() {}
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Question, &Pending)> {
        self.pending.iter()
    }
}

impl Matter {
    fn bytes(&self) -> usize {
        match self {
            Self::Direct { payload, .. } => payload.len(),
            Self::Kick { .. } => 0,
        }
    }
}

impl Pending {
    /// The broker has named the nodes. Returns whether all have answered.
    pub(super) fn was_asked(&mut self, reached: &[Reached]) -> bool {
        let there = reached.iter().filter(|it| it.receivers > 0);
        self.asked = Some(there.map(|it| Arc::clone(&it.node)).collect());
        self.is_complete()
    }

    /// A node has answered. Returns whether all have.
    pub(super) fn was_taken(&mut self, node: &str, queues: u64) -> bool {
        self.taken.insert(node.into(), queues);
        self.is_complete()
    }

    fn is_complete(&self) -> bool {
        let asked = self.asked.as_ref();
        asked.is_some_and(|asked| asked.iter().all(|node| self.taken.contains_key(node)))
    }

    /// How many nodes have answered, and how many queues took the message.
    pub(super) fn taken(&self) -> (u32, u64) {
        let queues = self
            .taken
            .values()
            .fold(0, |sum: u64, it| sum.saturating_add(*it));
        (self.taken.len() as u32, queues)
    }
}
