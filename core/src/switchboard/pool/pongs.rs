//! Pongs; if several are delayed, only the latest is sent (RFC 6455, section 5.5.3).

use super::Pool;
use crate::Frame;
use crate::switchboard::queue::{Class, List, NONE, Queue};

/// The number of pongs that are queued for one turn of a writer.
const PONGS: u8 = 32;

impl Pool {
    /// Queues a pong. Each ping of a burst is answered, but while the socket takes no bytes, or if
    /// the burst is long, only the latest is.
    pub(in crate::switchboard) fn push_pong(
        &mut self,
        queue: &mut Queue,
        frame: Frame,
        blocked: bool,
    ) {
        if !blocked && queue.pongs < PONGS {
            queue.pongs += 1;
            self.push_urgent_pong(queue, frame);
            return;
        }
        self.set_pong(queue, frame);
    }

    /// Queues the latest pong for a writer.
    pub(super) fn offer_pong(&mut self, queue: &mut Queue) {
        queue.pongs = 0;
        if let Some(pong) = self.unset_pong(queue) {
            self.push_urgent_pong(queue, pong);
        }
    }

    fn push_urgent_pong(&mut self, queue: &mut Queue, frame: Frame) {
        let stored = self.store(frame);
        self.push_urgent(queue, stored, Class::PONG);
        self.release(stored);
    }

    fn set_pong(&mut self, queue: &mut Queue, frame: Frame) {
        self.unset_pong(queue);
        queue.bytes += frame.len();
        self.pongs += frame.len();
        queue.pong = Some(frame);
    }

    pub(super) fn unset_pong(&mut self, queue: &mut Queue) -> Option<Frame> {
        let frame = queue.pong.take()?;
        queue.bytes -= frame.len();
        self.pongs -= frame.len();
        Some(frame)
    }

    /// Keeps the latest of the pongs in `list`, unless there is a later one, and drops the others.
    pub(super) fn put_back_pong(&mut self, queue: &mut Queue, list: List) -> List {
        let later = queue.pong.is_some() || queue.pongs > 0;
        let (mut kept, mut at) = (List::EMPTY, list.head);
        while at != NONE {
            let run = self.runs.at(at);
            let next = run.next;
            if run.class == Class::PONG {
                let pong = self.frames.frame(run.first).clone();
                self.drop_run(queue, at);
                if !later {
                    self.set_pong(queue, pong);
                }
            } else {
                self.runs.append(&mut kept, at);
            }
            at = next;
        }
        kept
    }
}
