//! The scenes in which clients lose connections or time, and the node lives.

use std::time::Duration;

use super::node::{KEPT, Node, WAITING};
use super::story::{GETTING_IN, LONGEST_WAIT, ROOM, Story};
use super::world::SLOWEST;

impl Story {
    /// Everybody's connection breaks at once, while others publish; the node lives. Its clients come back
    /// by the thousand in a second, get what they missed, and send again what they have no answer to.
    pub(super) fn blink(&mut self) {
        self.world
            .run_until(self.world.now + Duration::from_secs(1));
        let from = self.second();
        let guests = self.world.guests.iter();
        let clients = guests.filter(|guest| guest.is_in()).count();
        let (before, numbers) = (self.world.counts, self.numbers());
        self.publish_until_it_breaks();
        let all = 0..self.world.guests.len();
        self.world.break_those(all);
        let rooms = self.rooms();
        self.broadcast(0..rooms, 3);
        let deadline = LONGEST_WAIT + GETTING_IN;
        let back = self.until_all_in(deadline);
        let mut figures = self.knocks(from, |_| clients);
        (figures.back, figures.deadline) = (back, deadline);
        self.tell("blink", figures);
        self.world.run_until(self.world.now + 4 * SLOWEST);
        self.check_nothing_missing(&before, clients);
        let counts = &self.world.counts;
        assert_eq!(
            counts.failed, before.failed,
            "each message has got an answer"
        );
        let taken = counts.taken - before.taken;
        let published = self.numbers() - numbers;
        assert_eq!(
            published,
            taken + 3 * rooms as u64,
            "none was published twice"
        );
        let duplicates = counts.duplicates - before.duplicates;
        let anew = counts.resent - before.resent - duplicates;
        assert!(duplicates > 0 && anew > 0, "{duplicates} known, {anew} not");
    }

    /// Clients publish, the last ones so shortly before the end that some messages or their answers are
    /// on their way then.
    fn publish_until_it_breaks(&mut self) {
        for _ in 0..20 {
            for _ in 0..self.users.div_ceil(100) {
                let index = self.world.rng.usize(..self.users);
                if self.world.guests[index].is_in() {
                    self.world.publish(index);
                }
            }
            self.world.run_until(self.world.now + SLOWEST / 10);
        }
    }

    /// Clients of some rooms stop reading, while more is published there than may wait for one, and then read
    /// on. They get all of it on the connections that they have, and the others do not wait for them.
    pub(super) fn stall(&mut self) {
        self.pass(Duration::from_secs(1));
        let from = self.second();
        let rooms = self.full_rooms(self.rooms().div_ceil(10));
        let (before, front) = (self.world.counts, self.world.front.expect("a node"));
        let members = rooms.start * ROOM..rooms.end * ROOM;
        let (slow, others): (Vec<_>, Vec<_>) = members.partition(|index| index.is_multiple_of(4));
        for &index in &slow {
            let socket = (index, self.world.guests[index].links);
            let node = self.world.nodes[front].as_mut().expect("a node");
            node.stall(socket);
        }
        for _ in 0..4 {
            self.broadcast(rooms.clone(), WAITING / 2);
            self.pass(Duration::from_millis(500));
        }
        self.world.run_until(self.world.now + 2 * SLOWEST);
        let node = self.world.nodes[front].as_ref().expect("a node");
        let lagging = node.board.stats(self.world.now).lagging;
        assert_eq!(lagging, slow.len(), "members over the limit");
        for index in others {
            assert_eq!(self.missing(index), 0, "client {index} waits for others");
        }
        for index in slow {
            assert!(self.missing(index) >= WAITING, "client {index} reads");
        }
        self.world.at_node(front, Node::resume);
        self.pass(Duration::from_secs(1));
        self.check_nothing_missing(&before, 0);
        let figures = self.knocks(from, |_| 0);
        self.tell("stall", figures);
    }

    /// The connections of some rooms break, and more is published there than a room keeps before anybody is
    /// back. Each client learns how many messages it has missed, and goes on from there.
    pub(super) fn forget(&mut self) {
        self.world
            .run_until(self.world.now + Duration::from_secs(1));
        let from = self.second();
        let rooms = self.full_rooms(self.rooms().div_ceil(100));
        let before = self.world.counts;
        let members = rooms.start * ROOM..rooms.end * ROOM;
        let clients = members.len();
        self.world.break_those(members);
        self.broadcast(rooms, KEPT + 1);
        let deadline = LONGEST_WAIT + GETTING_IN;
        let back = self.until_all_in(deadline);
        let missed = self.world.counts.missed - before.missed;
        assert_eq!(missed, (clients * (KEPT + 1)) as u64);
        let mut figures = self.knocks(from, |_| clients);
        (figures.back, figures.deadline) = (back, deadline);
        self.tell("forget", figures);
        let before = self.world.counts;
        self.pass(Duration::from_secs(10));
        self.check_nothing_missing(&before, 0);
    }
}
