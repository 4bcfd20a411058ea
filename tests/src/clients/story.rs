//! The scenes of a run and their assertions.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use switchboard_core::client::State;
use switchboard_core::protocol::Content;
use switchboard_core::{CloseReason, Exclude, Time};

use super::bound;
use super::guest::Guest;
use super::world::{Counts, SLOWEST, World};

/// The longest delay that a client chooses on its own.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// How long a client waits for a socket to open.
pub(super) const OPEN: Duration = Duration::from_secs(5);
/// A dial and its answer, `welcome`, `subscribe` and its answer.
pub(super) const GETTING_IN: Duration = SLOWEST.saturating_mul(6);

pub(super) const ROOM: usize = 20;
const OUTAGE: Duration = Duration::from_secs(3);
const PARTITION: Duration = Duration::from_secs(60);
const WINDOW: Duration = Duration::from_secs(30);

/// The outcome of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Number of clients.
    pub clients: usize,
    /// Number of clients that were closed for good.
    pub stopped: usize,
    /// The scenes in order.
    pub scenes: Vec<Scene>,
    /// Totals of the run.
    pub counts: Counts,
    /// A hash of all events; equal for equal seeds.
    pub trace: u64,
    /// Virtual duration of the run.
    pub time: Duration,
}

/// One scene of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// The name of the scene.
    pub name: &'static str,
    /// The figures of the scene.
    pub figures: Figures,
}

/// Counts of one scene.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Connection attempts in all.
    pub knocks: usize,
    /// Connection attempts in the worst second.
    pub worst: usize,
    /// The bound on attempts in that second.
    pub allowed: usize,
    /// When the last client was back, counted from when it became possible.
    pub back: Duration,
    /// The bound on that time.
    pub deadline: Duration,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts {
            arrivals,
            welcomes,
            messages,
            recovered,
            missed,
            resent,
            duplicates,
            ..
        } = self.counts;
        writeln!(
            f,
            "{} clients, {:?} of virtual time, {arrivals} arrivals, {welcomes} connections, \
             {messages} messages, {resent} sent again, {duplicates} of them known, {recovered} recoveries, \
             {missed} messages missed and told so; {} stay away as told; trace {:016x}",
            self.clients, self.time, self.stopped, self.trace
        )?;
        for Scene { name, figures } in &self.scenes {
            writeln!(
                f,
                "{name:<10} {:>6} attempts, at most {:>5} in a second (allowed {:>5}); all back after \
                 {:>6.2} s (allowed {:>5.2} s)",
                figures.knocks,
                figures.worst,
                figures.allowed,
                figures.back.as_secs_f64(),
                figures.deadline.as_secs_f64(),
            )?;
        }
        Ok(())
    }
}

/// Runs all scenes.
///
/// # Panics
///
/// Panics if an assertion fails.
pub fn run(seed: u64, clients: usize) -> Outcome {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x5eed);
    let users = clients - clients / 100;
    let guests = (0..clients).map(|index| {
        // The last hundredth are second logins of the first users.
        let user = format!("user-{}", index % users);
        Guest::new(rng.u32(..), user, format!("room-{}", index / ROOM))
    });
    let mut story = Story {
        world: World::new(seed, guests.collect()),
        users,
        scenes: Vec::new(),
    };
    story.arrive();
    story.told_to_stay_away();
    story.restart();
    story.blink();
    story.stall();
    story.forget();
    story.partition();
    story.drain();
    let world = story.world;
    Outcome {
        clients,
        stopped: world.guests.iter().filter(|guest| guest.stopped).count(),
        scenes: story.scenes,
        counts: world.counts,
        trace: world.trace,
        time: world.now.since(Time::ZERO),
    }
}

pub(super) struct Story {
    pub(super) world: World,
    /// Number of users; the clients after those are second logins.
    pub(super) users: usize,
    scenes: Vec<Scene>,
}

impl Story {
    pub(super) fn second(&self) -> usize {
        self.world.now.since(Time::ZERO).as_secs() as usize
    }

    /// Lets time pass, with some messages.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.world.now + time;
        while self.world.now < end {
            for _ in 0..10 {
                let index = self.world.rng.usize(..self.users);
                self.world.publish(index);
            }
            let next = self.world.now + Duration::from_secs(1);
            self.world.run_until(next.min(end));
        }
    }

    fn all_in(&self) -> bool {
        let mut guests = self.world.guests.iter();
        guests.all(|guest| guest.stopped || guest.state == State::Idle || guest.is_in())
    }

    /// Waits until all clients are connected, at most `deadline`; returns the time it took.
    pub(super) fn until_all_in(&mut self, deadline: Duration) -> Duration {
        let begun = self.world.now;
        while !self.all_in() {
            let waited = self.world.now.since(begun);
            assert!(
                waited < deadline,
                "not all clients are back after {waited:?}"
            );
            self.world
                .run_until(self.world.now + Duration::from_millis(10));
        }
        self.check();
        self.world.now.since(begun)
    }

    /// Checks that the node's counts equal the clients'.
    fn check(&self) {
        let front = self.world.front.expect("a node");
        let node = self.world.nodes[front].as_ref().expect("a node");
        assert_eq!(node.board.audit(), Ok(()));
        let inside = self.world.guests.iter().filter(|guest| guest.is_in());
        for room in (0..self.world.guests.len()).step_by(ROOM) {
            let name = format!("room-{}", room / ROOM);
            let end = (room + ROOM).min(self.world.guests.len());
            let there = self.world.guests[room..end]
                .iter()
                .filter(|guest| guest.is_in());
            assert_eq!(node.board.members(&name).len(), there.count(), "{name}");
        }
        let connected = node.board.stats(self.world.now).total_connections;
        assert_eq!(connected, inside.count());
    }

    /// Checks the attempts in each second since `from` against `allowed`.
    pub(super) fn knocks(&self, from: usize, allowed: impl Fn(usize) -> usize) -> Figures {
        let mut figures = Figures::default();
        let seconds = self.world.knocks.get(from..).unwrap_or_default();
        for (second, &knocks) in seconds.iter().enumerate() {
            let allowed = allowed(second);
            assert!(
                knocks <= allowed,
                "{knocks} attempts in second {second}, allowed {allowed}"
            );
            figures.knocks += knocks;
            if knocks > figures.worst {
                (figures.worst, figures.allowed) = (knocks, allowed);
            }
        }
        figures
    }

    pub(super) fn tell(&mut self, name: &'static str, figures: Figures) {
        self.scenes.push(Scene { name, figures });
    }

    /// All clients connect, spread over ten seconds.
    fn arrive(&mut self) {
        self.world.start_node();
        for index in 0..self.users {
            let at = Duration::from_millis(self.world.rng.u64(..10_000));
            self.world.start_guest(index, Time::ZERO + at);
        }
        self.pass(Duration::from_secs(10));
        let back = self.until_all_in(GETTING_IN);
        let users = self.users;
        let mut figures = self.knocks(0, |_| users);
        (figures.back, figures.deadline) = (back, GETTING_IN);
        self.tell("arrivals", figures);
        self.pass(Duration::from_secs(20));
    }

    /// A hundredth is kicked, and a hundredth logs in a second time, which closes the older
    /// connections for good.
    fn told_to_stay_away(&mut self) {
        let hundredth = self.world.guests.len() - self.users;
        let front = self.world.front.expect("a node");
        self.world.at_node(front, |node, now| {
            for index in hundredth..2 * hundredth {
                let user = format!("user-{index}");
                let ended = node.board.disconnect_user(now, &user, CloseReason::Kicked);
                assert_eq!(ended, 1);
            }
        });
        for index in self.users..self.world.guests.len() {
            self.world.start_guest(index, self.world.now);
        }
        self.pass(Duration::from_secs(10));
        let stopped: Vec<usize> = (0..self.world.guests.len())
            .filter(|&index| self.world.guests[index].stopped)
            .collect();
        let expected: Vec<usize> = (0..2 * hundredth).collect();
        assert_eq!(stopped, expected, "only kicked and replaced clients stop");
        self.until_all_in(GETTING_IN);
    }

    /// The node crashes and is back after some seconds. All clients notice at once.
    fn restart(&mut self) {
        self.pass(Duration::from_secs(1));
        let from = self.second();
        let clients = self.world.guests.iter().filter(|guest| guest.is_in());
        let clients = clients.count();
        let front = self.world.front.expect("a node");
        self.world.crash(front);
        self.pass(OUTAGE);
        self.world.start_node();
        // Every waiting client has waited at most the longest delay.
        let deadline = LONGEST_WAIT + GETTING_IN;
        let back = self.until_all_in(deadline);
        let mut figures = self.knocks(from, |second| {
            // The clock's seconds are not aligned with the crash.
            let starts = [second.saturating_sub(1), second];
            let bounds =
                starts.map(|start| bound::after_a_crash(clients, start as u64, 2 * SLOWEST));
            bounds.into_iter().max().unwrap_or_default()
        });
        (figures.back, figures.deadline) = (back, deadline);
        self.tell("restart", figures);
        self.pass(Duration::from_secs(60));
    }

    pub(super) fn rooms(&self) -> usize {
        self.world.guests.len().div_ceil(ROOM)
    }

    /// Returns so many rooms of which all clients are in: those after the rooms of the clients that stay away.
    pub(super) fn full_rooms(&self, rooms: usize) -> Range<usize> {
        let away = self.world.guests.iter().filter(|guest| guest.stopped);
        let first = away.count().div_ceil(ROOM);
        let members = &self.world.guests[first * ROOM..(first + rooms) * ROOM];
        assert!(members.iter().all(Guest::is_in), "all are in");
        first..first + rooms
    }

    /// The application sends so many messages to each of these rooms, whether or not anybody is there.
    pub(super) fn broadcast(&mut self, rooms: Range<usize>, messages: usize) {
        let front = self.world.front.expect("a node");
        self.world.at_node(front, |node, now| {
            let content = Content::parse("\"to all\"").expect("JSON");
            for room in rooms {
                let room = format!("room-{room}");
                for _ in 0..messages {
                    let nobody = Exclude::NOBODY;
                    let sent = node.board.broadcast(now, &room, content, None, nobody);
                    assert!(sent.is_ok_and(|sent| sent.seq.is_some()), "{room} is kept");
                }
            }
        });
    }

    /// Returns the sum of the last numbers used in all rooms.
    pub(super) fn numbers(&self) -> u64 {
        let rooms = (0..self.rooms()).map(|room| self.last_number(&format!("room-{room}")));
        rooms.sum()
    }

    fn last_number(&self, room: &str) -> u64 {
        let front = self.world.front.expect("a node");
        let node = self.world.nodes[front].as_ref().expect("a node");
        node.board.position(room).map_or(0, |position| position.seq)
    }

    /// Returns the number of messages that a client has neither got nor published, and was not told of.
    pub(super) fn missing(&self, index: usize) -> usize {
        let guest = &self.world.guests[index];
        guest.missing(self.last_number(&guest.room))
    }

    /// Checks that all clients that came back since then have recovered, and that nobody misses a
    /// message, or got one twice.
    pub(super) fn check_nothing_missing(&mut self, before: &Counts, back: usize) {
        self.world.run_until(self.world.now + 2 * SLOWEST);
        let counts = &self.world.counts;
        let recovered = (counts.recovered - before.recovered) as usize;
        assert_eq!(recovered, back, "everybody recovers");
        assert_eq!(counts.missed, before.missed, "nobody has missed a message");
        let front = self.world.front.expect("a node");
        let node = self.world.nodes[front].as_ref().expect("a node");
        for guest in self.world.guests.iter().filter(|guest| guest.is_in()) {
            let position = node.board.position(&guest.room).expect("its room");
            assert_eq!(*position.epoch, *guest.epoch, "{}", guest.user);
            let missing = guest.missing(position.seq);
            assert_eq!(missing, 0, "{} of {position:?}", guest.user);
        }
    }

    /// Every second client is cut off without a FIN or RST; a minute later the network is back.
    fn partition(&mut self) {
        self.pass(Duration::from_secs(1));
        let from = self.second();
        let far = |index: usize| index % 2 == 1;
        let links = |story: &Self| -> Vec<u32> {
            let guests = story.world.guests.iter();
            guests.step_by(2).map(|guest| guest.links).collect()
        };
        let near = links(self);
        let before = self.world.counts;
        self.world.cut(far, true);
        self.pass(PARTITION);
        self.world.cut(far, false);
        // A client that dialled just before must first time out.
        let deadline = OPEN + LONGEST_WAIT + GETTING_IN;
        let back = self.until_all_in(deadline);
        let guests = self.world.guests.iter().skip(1).step_by(2);
        let cut = guests.filter(|guest| !guest.stopped).count();
        // An attempt of these lasts until its timeout, so there are no two per second.
        let mut figures = self.knocks(from, |_| cut);
        (figures.back, figures.deadline) = (back, deadline);
        self.tell("partition", figures);
        assert_eq!(links(self), near, "the other clients are unaffected");
        self.pass(Duration::from_secs(60));
        self.check_nothing_missing(&before, cut);
    }

    /// The node drains while another takes over.
    fn drain(&mut self) {
        self.pass(Duration::from_secs(1));
        let from = self.second();
        let clients = self.world.guests.iter().filter(|guest| guest.is_in());
        let clients = clients.count();
        let old = self.world.front.expect("a node");
        self.world.start_node();
        self.world
            .at_node(old, |node, now| node.board.drain(now, WINDOW, 2 * WINDOW));
        self.pass(WINDOW);
        self.pass(2 * SLOWEST);
        assert!(self.world.drained, "the drain ends in time");
        // The last client is told to wait for the length of the window plus half a second.
        let deadline = WINDOW + Duration::from_millis(500) + GETTING_IN;
        let back = self.until_all_in(deadline);
        let mut figures = self.knocks(from, |_| bound::in_a_drain(clients, WINDOW));
        (figures.back, figures.deadline) = (back, deadline);
        self.tell("drain", figures);
        self.pass(Duration::from_secs(10));
        self.check();
    }
}
