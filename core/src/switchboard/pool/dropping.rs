//! Dropping frames that are not written, except those that a writer has taken.

use super::Pool;
use super::runs::Run;
use crate::switchboard::queue::{List, NONE, Queue};

impl Pool {
    /// Discards what is not taken and need not survive; returns the number of messages discarded.
    ///
    /// Call it again after [`Pool::wrote`] for what a writer had taken.
    pub(in crate::switchboard) fn discard(&mut self, queue: &mut Queue) -> u32 {
        self.unset_pong(queue);
        queue.pongs = 0;
        let urgent = std::mem::replace(&mut queue.urgent, List::EMPTY);
        let (urgent, first) = self.filter(queue, urgent, |run| run.class.survives());
        let data = std::mem::replace(&mut queue.data, List::EMPTY);
        let (data, second) = self.filter(queue, data, |run| run.class.survives());
        queue.urgent = urgent;
        queue.data = data;
        first + second
    }

    /// Discards everything, taken or not; returns the number of messages discarded.
    pub(in crate::switchboard) fn clear(&mut self, queue: &mut Queue) -> u32 {
        let messages = queue.messages;
        for list in [queue.flight, queue.urgent, queue.data] {
            let mut at = list.head;
            while at != NONE {
                at = self.free(at).next;
            }
        }
        self.unset_pong(queue);
        *queue = Queue::new();
        messages
    }

    /// Drops the messages of `room` that are not taken; returns their number.
    pub(in crate::switchboard) fn purge(&mut self, queue: &mut Queue, room: u32) -> u32 {
        let data = std::mem::replace(&mut queue.data, List::EMPTY);
        let (data, dropped) = self.filter(queue, data, |run| run.room != room);
        queue.data = data;
        dropped
    }

    /// Drops droppable messages, oldest first, until the queue `fits` or none is left; returns
    /// their number.
    pub(in crate::switchboard) fn drop_oldest(
        &mut self,
        queue: &mut Queue,
        fits: impl Fn(&Queue) -> bool,
    ) -> u32 {
        let mut data = std::mem::replace(&mut queue.data, List::EMPTY);
        let (mut dropped, mut kept) = (0, List::EMPTY);
        while !data.is_empty() && !fits(queue) {
            let run = self.runs.at(data.head);
            if run.class.is_droppable() && run.count() > 1 {
                let len = self.shorten(data.head);
                queue.uncount(len, 1);
                dropped += 1;
                continue;
            }
            let droppable = run.class.is_droppable();
            let at = self.runs.detach(&mut data);
            if droppable {
                dropped += self.drop_run(queue, at);
            } else {
                self.runs.append(&mut kept, at);
            }
        }
        self.runs.prepend(&mut data, kept);
        queue.data = data;
        dropped
    }

    /// Leaves kept runs in place, because mostly all are kept, and nothing is written then.
    fn filter(
        &mut self,
        queue: &mut Queue,
        mut list: List,
        keep: impl Fn(&Run) -> bool,
    ) -> (List, u32) {
        let (mut before, mut dropped, mut at) = (NONE, 0, list.head);
        while at != NONE {
            let run = self.runs.at(at);
            let next = run.next;
            if keep(run) {
                before = at;
            } else {
                dropped += self.drop_run(queue, at);
                self.runs.link(&mut list, before, next);
            }
            at = next;
        }
        list.tail = before;
        (list, dropped)
    }

    /// Frees a run that is in no list; returns the number of messages in it.
    pub(super) fn drop_run(&mut self, queue: &mut Queue, at: u32) -> u32 {
        let run = self.free(at);
        let messages = run.messages();
        queue.uncount(run.bytes as usize, messages);
        messages
    }
}
