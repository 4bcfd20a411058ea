//! Whatever happens to a queue, what is written is what was pushed.

use std::collections::VecDeque;

use super::frames::SHARED_FROM;
use super::{Chunk, Latest, Pool, Progress, StoredFrame};
use crate::Frame;
use crate::switchboard::queue::{Class, NO_ROOM, Queue};

/// A pool with two rooms.
#[derive(Default)]
struct World {
    pool: Pool,
    latest: [Latest; 2],
    published: usize,
}

impl World {
    fn store(&mut self, room: usize, len: usize) -> (StoredFrame, Frame) {
        self.published += 1;
        let mut payload = format!("{room}:{}:", self.published).into_bytes();
        payload.resize(payload.len().max(len), b'.');
        let frame = Frame::binary(&payload);
        let stored = self.pool.store_after(&mut self.latest[room], frame.clone());
        (stored, frame)
    }

    /// Pushes a message of a room to some queues.
    fn publish(&mut self, room: usize, queues: &mut [&mut Queue]) -> Frame {
        let (stored, frame) = self.store(room, 0);
        for queue in queues {
            self.pool.push(queue, stored, room as u32, Class::DROPPABLE);
        }
        self.pool.release(stored);
        frame
    }

    fn runs(&self) -> usize {
        self.pool.in_use().0
    }

    /// Takes from a queue for one turn of a writer.
    fn take(&mut self, queue: &mut Queue, budget: usize) -> Vec<u8> {
        let mut out = Vec::new();
        match self.pool.take(queue, &mut out, budget) {
            Chunk::Nothing => assert!(out.is_empty()),
            Chunk::Copied(bytes) => assert_eq!(bytes, out.len()),
            Chunk::Shared(frame, from) => out.extend(&frame.as_bytes()[from..]),
        }
        out
    }

    /// Returns everything queued, written at once.
    fn drain(&mut self, queue: &mut Queue) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let out = self.take(queue, usize::MAX);
            if out.is_empty() {
                break;
            }
            self.pool.wrote(queue, out.len());
            all.extend(out);
        }
        assert!(queue.is_empty() && queue.messages() == 0);
        all
    }

    fn check(&self, queues: &[&Queue]) {
        let (mut runs, mut frames) = (0, 0);
        for queue in queues {
            let found = self.pool.recount(queue);
            assert_eq!(
                (queue.bytes(), queue.messages()),
                (found.bytes, found.messages)
            );
            assert_eq!(found.said, found.bytes);
            runs += found.runs;
            frames += found.frames;
        }
        let (in_use, _, references) = self.pool.in_use();
        assert_eq!((in_use, references), (runs, frames));
        let held = self.pool.recount_held(queues.iter().copied());
        assert_eq!(self.pool.held(), held);
    }
}

fn bytes(frames: &[&Frame]) -> Vec<u8> {
    frames
        .iter()
        .flat_map(|frame| frame.as_bytes().to_vec())
        .collect()
}

#[test]
fn what_a_room_publishes_in_a_row_is_one_run() {
    let (mut world, mut queue) = (World::default(), Queue::new());
    let frames: Vec<Frame> = (0..16)
        .map(|_| world.publish(0, &mut [&mut queue]))
        .collect();
    assert_eq!((world.runs(), queue.messages()), (1, 16));
    world.check(&[&queue]);
    assert_eq!(
        world.drain(&mut queue),
        bytes(&frames.iter().collect::<Vec<_>>())
    );
    assert_eq!(world.pool.in_use(), (0, 0, 0));
}

#[test]
fn a_message_of_another_room_ends_a_run() {
    let (mut world, mut queue) = (World::default(), Queue::new());
    let one = world.publish(0, &mut [&mut queue]);
    let other = world.publish(1, &mut [&mut queue]);
    let two = world.publish(0, &mut [&mut queue]);
    assert_eq!(world.runs(), 3);
    world.check(&[&queue]);
    assert_eq!(world.drain(&mut queue), bytes(&[&one, &other, &two]));
}

#[test]
fn what_a_member_did_not_get_is_not_in_its_run() {
    let (mut world, mut ann, mut ben) = (World::default(), Queue::new(), Queue::new());
    let one = world.publish(0, &mut [&mut ann, &mut ben]);
    let two = world.publish(0, &mut [&mut ben]);
    let three = world.publish(0, &mut [&mut ann, &mut ben]);
    let four = world.publish(0, &mut [&mut ann, &mut ben]);
    assert_eq!(world.runs(), 2 + 1);
    world.check(&[&ann, &ben]);
    assert_eq!(world.drain(&mut ann), bytes(&[&one, &three, &four]));
    assert_eq!(world.drain(&mut ben), bytes(&[&one, &two, &three, &four]));
}

#[test]
fn a_message_that_nobody_got_ends_every_run() {
    let (mut world, mut queue) = (World::default(), Queue::new());
    let one = world.publish(0, &mut [&mut queue]);
    world.publish(0, &mut []);
    // It gets the key of the frame that is gone.
    let three = world.publish(0, &mut [&mut queue]);
    assert_eq!(world.runs(), 2);
    world.check(&[&queue]);
    assert_eq!(world.drain(&mut queue), bytes(&[&one, &three]));
}

#[test]
fn an_urgent_frame_goes_between_two_parts_of_a_run_that_was_cut() {
    let (mut world, mut queue) = (World::default(), Queue::new());
    let frames: Vec<Frame> = (0..3)
        .map(|_| world.publish(0, &mut [&mut queue]))
        .collect();
    let taken = world.take(&mut queue, usize::MAX);
    let written = frames[0].len() + 3;
    let progress = world.pool.wrote(&mut queue, written);
    assert_eq!(
        progress,
        Progress {
            messages: 1,
            blocked: true,
            ping: false
        }
    );
    world.check(&[&queue]);
    let ping = Frame::ping(b"now");
    let stored = world.pool.store(ping.clone());
    world.pool.push_urgent(&mut queue, stored, Class::CONTROL);
    world.pool.release(stored);
    world.check(&[&queue]);
    let mut all = taken[..written].to_vec();
    all.extend(world.drain(&mut queue));
    assert_eq!(all, bytes(&[&frames[0], &frames[1], &ping, &frames[2]]));
}

#[test]
fn an_urgent_frame_goes_before_a_run_and_does_not_end_it() {
    let (mut world, mut queue) = (World::default(), Queue::new());
    let one = world.publish(0, &mut [&mut queue]);
    let ping = Frame::ping(b"now");
    let stored = world.pool.store(ping.clone());
    world.pool.push_urgent(&mut queue, stored, Class::CONTROL);
    world.pool.release(stored);
    let two = world.publish(0, &mut [&mut queue]);
    assert_eq!(world.runs(), 2);
    world.check(&[&queue]);
    assert_eq!(world.drain(&mut queue), bytes(&[&ping, &one, &two]));
}

#[test]
fn the_oldest_of_a_run_are_dropped_one_by_one() {
    let (mut world, mut queue) = (World::default(), Queue::new());
    let frames: Vec<Frame> = (0..5)
        .map(|_| world.publish(0, &mut [&mut queue]))
        .collect();
    let dropped = world
        .pool
        .drop_oldest(&mut queue, |queue| queue.messages() < 4);
    assert_eq!((dropped, world.runs()), (2, 1));
    world.check(&[&queue]);
    let six = world.publish(0, &mut [&mut queue]);
    assert_eq!(world.runs(), 1);
    let left = bytes(&[&frames[2], &frames[3], &frames[4], &six]);
    assert_eq!(world.drain(&mut queue), left);
}

#[test]
fn the_oldest_that_wait_are_dropped_from_the_middle_of_a_run_that_was_cut() {
    let (mut world, mut queue) = (World::default(), Queue::new());
    let frames: Vec<Frame> = (0..4)
        .map(|_| world.publish(0, &mut [&mut queue]))
        .collect();
    let taken = world.take(&mut queue, usize::MAX);
    world.pool.wrote(&mut queue, 1);
    let dropped = world
        .pool
        .drop_oldest(&mut queue, |queue| queue.messages() < 3);
    assert_eq!(dropped, 2);
    world.check(&[&queue]);
    let mut all = taken[..1].to_vec();
    all.extend(world.drain(&mut queue));
    assert_eq!(all, bytes(&[&frames[0], &frames[3]]));
}

#[test]
fn a_purge_of_one_room_leaves_the_runs_of_the_others() {
    let (mut world, mut queue) = (World::default(), Queue::new());
    let frames: Vec<Frame> = [0, 0, 1, 0, 1, 1]
        .map(|room| world.publish(room, &mut [&mut queue]))
        .into();
    assert_eq!(world.runs(), 4);
    assert_eq!(world.pool.purge(&mut queue, 0), 3);
    world.check(&[&queue]);
    let last = world.publish(1, &mut [&mut queue]);
    assert_eq!(world.runs(), 2);
    let left = bytes(&[&frames[2], &frames[4], &frames[5], &last]);
    assert_eq!(world.drain(&mut queue), left);
}

#[test]
fn what_others_have_just_taken_is_lent_to_the_next() {
    let mut world = World::default();
    let mut queues: Vec<Queue> = (0..4).map(|_| Queue::new()).collect();
    let mut all = Vec::new();
    for _ in 0..8 {
        let (stored, frame) = world.store(0, 100);
        for queue in &mut queues {
            world.pool.push(queue, stored, 0, Class::MESSAGE);
        }
        world.pool.release(stored);
        all.extend(frame.as_bytes());
    }
    // The last one has one more.
    let more = world.publish(0, &mut [&mut queues[3]]);
    let mut lent = 0;
    for (number, queue) in queues.iter_mut().enumerate() {
        let mut out = Vec::new();
        match world.pool.take(queue, &mut out, usize::MAX) {
            Chunk::Shared(frame, 0) => {
                lent += 1;
                out = frame.as_bytes().to_vec();
            }
            chunk => assert!(matches!(chunk, Chunk::Copied(_))),
        }
        let expected = [all.as_slice(), more.as_bytes()].concat();
        let expected = if number == 3 { &expected } else { &all };
        assert_eq!(&out, expected, "queue {number}");
        assert!(!world.pool.wrote(queue, out.len()).blocked);
    }
    assert_eq!(lent, 2);
    assert_eq!(world.pool.in_use(), (0, 0, 0));
}

#[test]
fn a_run_is_never_longer_than_a_turn_of_a_writer_and_large_frames_stand_alone() {
    let (mut world, mut queue) = (World::default(), Queue::new());
    for (len, count, runs) in [(1_000, 100, 2), (8 << 10, 3, 3)] {
        for _ in 0..count {
            let (stored, _) = world.store(0, len);
            world.pool.push(&mut queue, stored, 0, Class::MESSAGE);
            world.pool.release(stored);
        }
        assert_eq!(world.runs(), runs);
        world.drain(&mut queue);
    }
}

/// A simple model of one queue; taken frames come first.
#[derive(Default)]
struct Model {
    flight: VecDeque<(usize, Frame)>,
    waiting: VecDeque<(usize, Frame)>,
    cut: usize,
}

impl Model {
    fn take(&mut self, bytes: &[u8]) {
        let mut held: usize = self.flight.iter().map(|(_, frame)| frame.len()).sum();
        while held < self.cut + bytes.len() {
            let next = self.waiting.pop_front().expect("something waits");
            held += next.1.len();
            self.flight.push_back(next);
        }
        let all: Vec<u8> = self
            .flight
            .iter()
            .flat_map(|(_, frame)| frame.as_bytes().to_vec())
            .collect();
        assert_eq!(&all[self.cut..], bytes);
    }

    fn wrote(&mut self, written: usize) {
        let mut left = self.cut + written;
        while let Some((_, first)) = self.flight.front()
            && left >= first.len()
        {
            left -= first.len();
            self.flight.pop_front();
        }
        self.cut = left;
        let keep = usize::from(left > 0);
        while self.flight.len() > keep {
            let back = self.flight.pop_back().expect("there is one");
            self.waiting.push_front(back);
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes under miri")]
fn whatever_happens_to_queues_what_goes_out_is_what_was_pushed() {
    let mut draw = fastrand::Rng::with_seed(7);
    let mut world = World::default();
    let mut queues: Vec<(Queue, Model)> =
        (0..4).map(|_| (Queue::new(), Model::default())).collect();
    let mut lent = 0;
    for _ in 0..40_000 {
        let (queue, model) = &mut queues[draw.usize(..4)];
        match draw.usize(..12) {
            0..6 => {
                let room = usize::from(draw.u8(..4) == 0);
                let len = if draw.u8(..40) == 0 {
                    9_000
                } else {
                    draw.usize(..300)
                };
                let (stored, frame) = world.store(room, len);
                for (queue, model) in &mut queues {
                    if draw.u8(..10) > 0 && queue.messages() < 40 {
                        world
                            .pool
                            .push(queue, stored, room as u32, Class::DROPPABLE);
                        model.waiting.push_back((room, frame.clone()));
                    }
                }
                world.pool.release(stored);
            }
            6..9 => {
                let budget = if draw.bool() {
                    usize::MAX
                } else {
                    draw.usize(..3_000)
                };
                let mut out = Vec::new();
                if let Chunk::Shared(frame, from) = world.pool.take(queue, &mut out, budget) {
                    lent += usize::from(frame.len() < SHARED_FROM);
                    out.extend(&frame.as_bytes()[from..]);
                }
                model.take(&out);
                let all = draw.u8(..3) > 0;
                let written = if all {
                    out.len()
                } else {
                    draw.usize(..=out.len())
                };
                world.pool.wrote(queue, written);
                model.wrote(written);
            }
            9 => {
                let most = draw.u32(..20);
                let dropped = world
                    .pool
                    .drop_oldest(queue, |queue| queue.messages() <= most);
                model.waiting.drain(..dropped as usize);
            }
            10 => {
                let room = draw.usize(..2);
                world.pool.purge(queue, room as u32);
                model.waiting.retain(|(of, _)| *of != room);
            }
            _ if draw.u8(..10) == 0 => {
                world.pool.discard(queue);
                model.waiting.clear();
            }
            _ => {}
        }
        for (queue, model) in &queues {
            let expected = model.waiting.len() + model.flight.len();
            assert_eq!(queue.messages() as usize, expected);
        }
        world.check(&queues.iter().map(|(queue, _)| queue).collect::<Vec<_>>());
    }
    assert!(lent > 0);
    for (queue, _) in &mut queues {
        world.pool.clear(queue);
    }
    assert_eq!((world.pool.in_use(), world.pool.held()), ((0, 0, 0), 0));
}

#[test]
fn pongs_and_messages_without_a_room_are_runs_of_one() {
    let (mut world, mut queue) = (World::default(), Queue::new());
    for _ in 0..3 {
        let stored = world.pool.store(Frame::text("x"));
        world.pool.push(&mut queue, stored, NO_ROOM, Class::MESSAGE);
        world.pool.release(stored);
        world.pool.push_pong(&mut queue, Frame::pong(b"x"), false);
    }
    assert_eq!(world.runs(), 6);
    world.check(&[&queue]);
}
