//! What waits to be written: one list per connection, all nodes in one pool, each frame once.
//!
//! ```text
//!   push ──▶ urgent ─┐
//!   push ──▶ data ───┴─ take ──▶ flight ── wrote ──▶ gone
//!                 ▲                │
//!                 └── put back ────┘   (but never the frame that was cut)
//! ```
//! A writer *takes* frames, which only marks them; what it could not write goes back to the front.
//! So a frame is in the list until its last byte is out, and slow-consumer policy sees all of it.

use slab::Slab;

use super::queue::{Class, List, NO_ROOM, NONE, Node, Queue};
use super::timers::KEPT;
use crate::Frame;

#[derive(Debug)]
struct Stored {
    frame: Frame,
    references: u32,
}

/// A frame in the pool, for the moment of its distribution.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoredFrame {
    key: u32,
    pub(super) len: usize,
}

/// The nodes and frames of all queues.
#[derive(Debug, Default)]
pub(super) struct Pool {
    nodes: Slab<Node>,
    frames: Slab<Stored>,
    /// Bytes in all queues, each copy counted.
    pub(super) bytes: usize,
}

/// What a writer got.
#[derive(Debug, PartialEq, Eq)]
pub enum Chunk {
    /// Nothing waits.
    Nothing,
    /// Bytes that were appended to the writer's buffer: how many.
    Copied(usize),
    /// One large frame, shared, from this byte on.
    Shared(Frame, usize),
}

/// What a write completed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) messages: u32,
    /// Less went out than was taken.
    pub(super) blocked: bool,
}

/// Pongs that wait for one turn of a writer.
const PONGS: u8 = 32;

/// Frames from this size on are not copied into the writer's buffer.
const SHARED_FROM: usize = 8 << 10;

impl Pool {
    /// Whether a frame may go out before all that waits: not into a cut frame, and not before an
    /// HTTP response.
    pub(super) fn may_be_overtaken(&self, queue: &Queue) -> bool {
        let first = if queue.flight.is_empty() {
            queue.urgent.head
        } else {
            queue.flight.head
        };
        let node = self.nodes.get(first as usize);
        queue.cut == 0 && node.is_none_or(|node| node.class != Class::HTTP)
    }

    /// Keeps a frame until [`Pool::release`]; each queue that it is pushed to holds it longer.
    pub(super) fn store(&mut self, frame: Frame) -> StoredFrame {
        let len = frame.as_bytes().len();
        let key = self.frames.insert(Stored {
            frame,
            references: 1,
        });
        StoredFrame {
            key: key as u32,
            len,
        }
    }

    pub(super) fn release(&mut self, stored: StoredFrame) {
        self.unreference(stored.key);
    }

    pub(super) fn push(&mut self, queue: &mut Queue, frame: StoredFrame, room: u32, class: Class) {
        let node = self.node(frame.key, room, class);
        let list = std::mem::replace(&mut queue.data, List::EMPTY);
        queue.data = self.append(list, node);
        self.count(queue, frame.len, class);
    }

    /// Before all data, but after what is urgent already.
    pub(super) fn push_urgent(&mut self, queue: &mut Queue, frame: StoredFrame, class: Class) {
        let node = self.node(frame.key, NO_ROOM, class);
        let list = std::mem::replace(&mut queue.urgent, List::EMPTY);
        queue.urgent = self.append(list, node);
        self.count(queue, frame.len, class);
    }

    /// Answers a ping. Each ping of a burst gets its answer; but while the socket takes nothing, or
    /// the burst is long, only the latest does.
    pub(super) fn push_pong(&mut self, queue: &mut Queue, frame: Frame, blocked: bool) {
        if !blocked && queue.pongs < PONGS {
            queue.pongs += 1;
            let stored = self.store(frame);
            self.push_urgent(queue, stored, Class::PONG);
            self.release(stored);
            return;
        }
        self.set_pong(queue, frame);
    }

    fn set_pong(&mut self, queue: &mut Queue, frame: Frame) {
        self.unset_pong(queue);
        let len = frame.as_bytes().len();
        queue.bytes += len;
        self.bytes += len;
        queue.pong = Some(frame);
    }

    fn unset_pong(&mut self, queue: &mut Queue) -> Option<Frame> {
        let frame = queue.pong.take()?;
        queue.bytes -= frame.as_bytes().len();
        self.bytes -= frame.as_bytes().len();
        Some(frame)
    }

    /// Stores, pushes and releases one frame.
    pub(super) fn push_frame(&mut self, queue: &mut Queue, frame: Frame, class: Class) {
        let stored = self.store(frame);
        self.push(queue, stored, NO_ROOM, class);
        self.release(stored);
    }

    /// Marks frames of about `budget` bytes as taken and copies them to the end of `out`.
    pub(super) fn take(&mut self, queue: &mut Queue, out: &mut Vec<u8>, budget: usize) -> Chunk {
        if queue.taken > 0 {
            return Chunk::Nothing;
        }
        let start = out.len();
        queue.pongs = 0;
        if let Some(pong) = self.unset_pong(queue) {
            let stored = self.store(pong);
            self.push_urgent(queue, stored, Class::PONG);
            self.release(stored);
        }
        if queue.flight.is_empty() {
            match self.advance(queue) {
                None => return Chunk::Nothing,
                Some(node) => {
                    queue.flight = List {
                        head: node,
                        tail: node,
                    }
                }
            }
        }
        let cut = queue.cut as usize;
        let first = &self.frames[self.nodes[queue.flight.head as usize].frame as usize].frame;
        if first.as_bytes().len() >= SHARED_FROM {
            queue.taken = (first.as_bytes().len() - cut) as u32;
            return Chunk::Shared(first.clone(), cut);
        }
        out.extend_from_slice(&first.as_bytes()[cut..]);
        while let Some(len) = self.peek(queue)
            && len < SHARED_FROM
            && out.len() - start + len <= budget
            && let Some(node) = self.advance(queue)
        {
            let frame = self.nodes[node as usize].frame;
            out.extend_from_slice(self.frames[frame as usize].frame.as_bytes());
            queue.flight = self.append(queue.flight, node);
        }
        let copied = out.len() - start;
        queue.taken = copied as u32;
        Chunk::Copied(copied)
    }

    /// `written` of the taken bytes are out; the rest goes back to the front.
    pub(super) fn wrote(&mut self, queue: &mut Queue, written: usize) -> Progress {
        let written = written.min(queue.taken as usize);
        let mut progress = Progress {
            messages: 0,
            blocked: written < queue.taken as usize,
        };
        let mut left = written;
        queue.taken = 0;
        while queue.flight.head != NONE {
            let node = &self.nodes[queue.flight.head as usize];
            let len = self.frames[node.frame as usize].frame.as_bytes().len();
            let rest = len - queue.cut as usize;
            if left < rest {
                break;
            }
            left -= rest;
            queue.bytes -= rest;
            self.bytes -= rest;
            queue.cut = 0;
            let class = node.class;
            queue.flight = self.remove_head(queue.flight);
            if class.is_message() {
                progress.messages += 1;
                queue.messages -= 1;
            }
        }
        queue.cut += left as u32;
        queue.bytes -= left;
        self.bytes -= left;
        self.put_back(queue);
        progress
    }

    /// Throws away what has not been taken and need not survive; returns the messages among it.
    ///
    /// What a writer has taken is thrown away by a second call, after [`Pool::wrote`].
    pub(super) fn discard(&mut self, queue: &mut Queue) -> u32 {
        self.unset_pong(queue);
        queue.pongs = 0;
        let urgent = std::mem::replace(&mut queue.urgent, List::EMPTY);
        let (urgent, first) = self.filter(queue, urgent, Class::survives);
        let data = std::mem::replace(&mut queue.data, List::EMPTY);
        let (data, second) = self.filter(queue, data, Class::survives);
        queue.urgent = urgent;
        queue.data = data;
        first + second
    }

    /// Throws away everything, taken or not; returns the messages among it.
    pub(super) fn clear(&mut self, queue: &mut Queue) -> u32 {
        let messages = queue.messages;
        for list in [queue.flight, queue.urgent, queue.data] {
            let mut list = list;
            while !list.is_empty() {
                list = self.remove_head(list);
            }
        }
        self.bytes -= queue.bytes;
        *queue = Queue::new();
        messages
    }

    /// Throws away the messages of `room` that have not been taken; returns how many.
    pub(super) fn purge(&mut self, queue: &mut Queue, room: u32) -> u32 {
        let data = std::mem::replace(&mut queue.data, List::EMPTY);
        let mut dropped = 0;
        let mut kept = List::EMPTY;
        let mut at = data.head;
        while at != NONE {
            let next = self.nodes[at as usize].next;
            if self.nodes[at as usize].room == room {
                dropped += self.drop_node(queue, at);
            } else {
                kept = self.append(kept, at);
            }
            at = next;
        }
        queue.data = kept;
        dropped
    }

    /// Drops droppable messages, oldest first, until `bytes` and one message are free under the
    /// limits or none is left; returns how many.
    pub(super) fn drop_oldest(&mut self, queue: &mut Queue, fits: impl Fn(&Queue) -> bool) -> u32 {
        let data = std::mem::replace(&mut queue.data, List::EMPTY);
        let mut dropped = 0;
        let mut kept = List::EMPTY;
        let mut at = data.head;
        while at != NONE && !fits(queue) {
            let next = self.nodes[at as usize].next;
            if self.nodes[at as usize].class.is_droppable() {
                dropped += self.drop_node(queue, at);
            } else {
                kept = self.append(kept, at);
            }
            at = next;
        }
        if at == NONE {
            queue.data = kept;
        } else if kept.is_empty() {
            queue.data = List {
                head: at,
                tail: data.tail,
            };
        } else {
            self.nodes[kept.tail as usize].next = at;
            queue.data = List {
                head: kept.head,
                tail: data.tail,
            };
        }
        dropped
    }

    /// Nodes and frames in use.
    pub(super) fn in_use(&self) -> (usize, usize) {
        (self.nodes.len(), self.frames.len())
    }

    /// Recounts a queue: its bytes and its messages.
    pub(super) fn recount(&self, queue: &Queue) -> (usize, u32, usize) {
        let pong = queue.pong.as_ref().map_or(0, |pong| pong.as_bytes().len());
        let (mut bytes, mut messages, mut nodes) = (pong, 0, 0);
        for list in [queue.flight, queue.urgent, queue.data] {
            let mut at = list.head;
            while at != NONE {
                let node = &self.nodes[at as usize];
                bytes += self.frames[node.frame as usize].frame.as_bytes().len();
                messages += u32::from(node.class.is_message());
                nodes += 1;
                at = node.next;
            }
        }
        (bytes - queue.cut as usize, messages, nodes)
    }

    fn count(&mut self, queue: &mut Queue, len: usize, class: Class) {
        queue.bytes += len;
        queue.messages += u32::from(class.is_message());
        self.bytes += len;
    }

    fn node(&mut self, frame: u32, room: u32, class: Class) -> u32 {
        self.frames[frame as usize].references += 1;
        self.nodes.insert(Node {
            frame,
            next: NONE,
            room,
            class,
        }) as u32
    }

    fn append(&mut self, list: List, node: u32) -> List {
        self.nodes[node as usize].next = NONE;
        if list.is_empty() {
            return List {
                head: node,
                tail: node,
            };
        }
        self.nodes[list.tail as usize].next = node;
        List {
            head: list.head,
            tail: node,
        }
    }

    fn peek(&self, queue: &Queue) -> Option<usize> {
        let head = if queue.urgent.is_empty() {
            queue.data.head
        } else {
            queue.urgent.head
        };
        let node = self.nodes.get(head as usize)?;
        Some(self.frames[node.frame as usize].frame.as_bytes().len())
    }

    /// Takes the next node off the lists that wait: urgent before data.
    fn advance(&mut self, queue: &mut Queue) -> Option<u32> {
        let list = if queue.urgent.is_empty() {
            &mut queue.data
        } else {
            &mut queue.urgent
        };
        let node = list.head;
        if node == NONE {
            return None;
        }
        list.head = self.nodes[node as usize].next;
        if list.head == NONE {
            list.tail = NONE;
        }
        self.nodes[node as usize].next = NONE;
        Some(node)
    }

    /// What was taken goes back to the front of the data, but for what must go out first: a frame
    /// that is cut, an HTTP response.
    fn put_back(&mut self, queue: &mut Queue) {
        let mut rest = queue.flight;
        if rest.is_empty() {
            return;
        }
        if self.may_be_overtaken(queue) {
            queue.flight = List::EMPTY;
        } else {
            let next = self.nodes[rest.head as usize].next;
            self.nodes[rest.head as usize].next = NONE;
            queue.flight = List {
                head: rest.head,
                tail: rest.head,
            };
            rest = List {
                head: next,
                tail: if next == NONE { NONE } else { rest.tail },
            };
        }
        let rest = self.put_back_pong(queue, rest);
        if rest.is_empty() {
            return;
        }
        self.nodes[rest.tail as usize].next = queue.data.head;
        if queue.data.is_empty() {
            queue.data.tail = rest.tail;
        }
        queue.data.head = rest.head;
    }

    /// The latest of the pongs is kept if none has been set since; the others are forgotten.
    fn put_back_pong(&mut self, queue: &mut Queue, list: List) -> List {
        let later = queue.pong.is_some() || queue.pongs > 0;
        let (mut kept, mut at) = (List::EMPTY, list.head);
        while at != NONE {
            let node = &self.nodes[at as usize];
            let next = node.next;
            if node.class == Class::PONG {
                let pong = self.frames[node.frame as usize].frame.clone();
                self.drop_node(queue, at);
                if !later {
                    self.set_pong(queue, pong);
                }
            } else {
                kept = self.append(kept, at);
            }
            at = next;
        }
        kept
    }

    fn filter(
        &mut self,
        queue: &mut Queue,
        list: List,
        keep: impl Fn(Class) -> bool,
    ) -> (List, u32) {
        let (mut kept, mut dropped, mut at) = (List::EMPTY, 0, list.head);
        while at != NONE {
            let next = self.nodes[at as usize].next;
            if keep(self.nodes[at as usize].class) {
                kept = self.append(kept, at);
            } else {
                dropped += self.drop_node(queue, at);
            }
            at = next;
        }
        (kept, dropped)
    }

    /// Frees a node that is in no list; returns 1 if it was a message.
    fn drop_node(&mut self, queue: &mut Queue, at: u32) -> u32 {
        let node = self.nodes.remove(at as usize);
        let len = self.frames[node.frame as usize].frame.as_bytes().len();
        self.unreference(node.frame);
        queue.bytes -= len;
        self.bytes -= len;
        let message = u32::from(node.class.is_message());
        queue.messages -= message;
        message
    }

    fn remove_head(&mut self, list: List) -> List {
        let node = self.nodes.remove(list.head as usize);
        self.unreference(node.frame);
        if node.next == NONE {
            List::EMPTY
        } else {
            List {
                head: node.next,
                tail: list.tail,
            }
        }
    }

    fn unreference(&mut self, key: u32) {
        let stored = &mut self.frames[key as usize];
        stored.references -= 1;
        if stored.references == 0 {
            self.frames.remove(key as usize);
            if self.frames.is_empty() {
                self.give_back();
            }
        }
    }

    /// Nothing waits: what a burst needed is not kept for the next.
    fn give_back(&mut self) {
        if self.frames.capacity() > KEPT {
            self.frames = Slab::with_capacity(KEPT);
        }
        if self.nodes.is_empty() && self.nodes.capacity() > KEPT {
            self.nodes = Slab::with_capacity(KEPT);
        }
    }
}
