//! What happens to everybody, and what must be true of it.

use std::fmt;
use std::time::Duration;

use switchboard_core::client::State;
use switchboard_core::{CloseReason, Time};

use super::bound;
use super::guest::Guest;
use super::world::{Counts, SLOWEST, World};

/// The longest delay that a client chooses by itself.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// How long it waits for a socket to open.
pub(super) const OPEN: Duration = Duration::from_secs(5);
/// A dial, its answer, `welcome`, `subscribe` and its answer.
const GETTING_IN: Duration = SLOWEST.saturating_mul(6);

const ROOM: usize = 20;
const OUTAGE: Duration = Duration::from_secs(3);
const PARTITION: Duration = Duration::from_secs(60);
const WINDOW: Duration = Duration::from_secs(30);

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How many clients there were.
    pub clients: usize,
    /// How many of them were told to stay away.
    pub stopped: usize,
    /// What happened, one after the other.
    pub scenes: Vec<Scene>,
    /// What happened in all.
    pub counts: Counts,
    /// A hash of everything that happened: the same for the same seed.
    pub trace: u64,
    /// How long it all took, in virtual time.
    pub time: Duration,
}

/// One of the things that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// What it was.
    pub name: &'static str,
    /// What was counted.
    pub figures: Figures,
}

/// What is counted of a scene.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Attempts to connect, in all.
    pub knocks: usize,
    /// In the worst second.
    pub worst: usize,
    /// How many were allowed in that second.
    pub allowed: usize,
    /// When the last was back, since it began to be possible.
    pub back: Duration,
    /// When it had to be.
    pub deadline: Duration,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts {
            arrivals,
            welcomes,
            messages,
            missed,
            ..
        } = self.counts;
        writeln!(
            f,
            "{} clients, {:?} of virtual time, {arrivals} arrivals, {welcomes} connections, \
             {messages} messages, {missed} missed and told so; {} stay away as told; trace {:016x}",
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

/// Runs all of it; panics where a promise is broken.
pub fn run(seed: u64, clients: usize) -> Outcome {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x5eed);
    let users = clients - clients / 100;
    let guests = (0..clients).map(|index| {
        // The last hundredth are second logins of the first.
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

struct Story {
    world: World,
    /// How many users there are; the clients after those are second logins.
    users: usize,
    scenes: Vec<Scene>,
}

impl Story {
    fn second(&self) -> usize {
        self.world.now.since(Time::ZERO).as_secs() as usize
    }

    /// Lets time pass, with some conversation.
    fn pass(&mut self, time: Duration) {
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

    /// Waits until everybody is in, at the latest after `deadline`; says when it was.
    fn until_all_in(&mut self, deadline: Duration) -> Duration {
        let begun = self.world.now;
        while !self.all_in() {
            let waited = self.world.now.since(begun);
            assert!(waited < deadline, "not everybody is back after {waited:?}");
            self.world
                .run_until(self.world.now + Duration::from_millis(10));
        }
        self.check();
        self.world.now.since(begun)
    }

    /// The node counts those whom the clients count.
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

    /// Attempts in the seconds since `from`, against how many are allowed in each.
    fn knocks(&self, from: usize, allowed: impl Fn(usize) -> usize) -> Figures {
        let mut figures = Figures::default();
        let seconds = self.world.knocks.get(from..).unwrap_or_default();
        for (second, &knocks) in seconds.iter().enumerate() {
            let allowed = allowed(second);
            assert!(
                knocks <= allowed,
                "{knocks} in second {second}, not {allowed}"
            );
            figures.knocks += knocks;
            if knocks > figures.worst {
                (figures.worst, figures.allowed) = (knocks, allowed);
            }
        }
        figures
    }

    fn tell(&mut self, name: &'static str, figures: Figures) {
        self.scenes.push(Scene { name, figures });
    }

    /// Everybody comes within ten seconds, one after the other.
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

    /// A hundredth is kicked, and a hundredth logs in a second time: the older ones stay away.
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
        assert_eq!(stopped, expected, "who was told so, and nobody else");
        self.until_all_in(GETTING_IN);
    }

    /// The node crashes, and is back after some seconds. Everybody notices at once.
    fn restart(&mut self) {
        self.pass(Duration::from_secs(1));
        let from = self.second();
        let clients = self.world.guests.iter().filter(|guest| guest.is_in());
        let clients = clients.count();
        let front = self.world.front.expect("a node");
        self.world.crash(front);
        self.pass(OUTAGE);
        self.world.start_node();
        // Whoever waits has waited for the longest delay at most.
        let deadline = LONGEST_WAIT + GETTING_IN;
        let back = self.until_all_in(deadline);
        let mut figures = self.knocks(from, |second| {
            // The seconds do not begin with the crash.
            let starts = [second.saturating_sub(1), second];
            let bounds =
                starts.map(|start| bound::after_a_crash(clients, start as u64, 2 * SLOWEST));
            bounds.into_iter().max().unwrap_or_default()
        });
        (figures.back, figures.deadline) = (back, deadline);
        self.tell("restart", figures);
        self.pass(Duration::from_secs(60));
    }

    /// Every second client is cut off, without a word to anybody; a minute later the network is back.
    fn partition(&mut self) {
        self.pass(Duration::from_secs(1));
        let from = self.second();
        let far = |index: usize| index % 2 == 1;
        let links = |story: &Self| -> Vec<u32> {
            let guests = story.world.guests.iter();
            guests.step_by(2).map(|guest| guest.links).collect()
        };
        let near = links(self);
        self.world.cut(far, true);
        self.pass(PARTITION);
        self.world.cut(far, false);
        // Whoever dialled just before has to find out first.
        let deadline = OPEN + LONGEST_WAIT + GETTING_IN;
        let back = self.until_all_in(deadline);
        let guests = self.world.guests.iter().skip(1).step_by(2);
        let cut = guests.filter(|guest| !guest.stopped).count();
        // Each attempt of those takes until nobody has answered: not two in a second.
        let mut figures = self.knocks(from, |_| cut);
        (figures.back, figures.deadline) = (back, deadline);
        self.tell("partition", figures);
        assert_eq!(links(self), near, "the others notice nothing");
        self.pass(Duration::from_secs(60));
    }

    /// The node drains, while another takes over.
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
        assert!(self.world.drained, "everybody was sent away in time");
        // The last is told to wait for as long as the window, and half a second.
        let deadline = WINDOW + Duration::from_millis(500) + GETTING_IN;
        let back = self.until_all_in(deadline);
        let mut figures = self.knocks(from, |_| bound::in_a_drain(clients, WINDOW));
        (figures.back, figures.deadline) = (back, deadline);
        self.tell("drain", figures);
        self.pass(Duration::from_secs(10));
        self.check();
    }
}
