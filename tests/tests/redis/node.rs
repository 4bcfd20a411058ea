//! A node without clients: the machine of a cluster behind a lock, and its adapter.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use switchboard_core::Time;
use switchboard_core::cluster::{
    Cluster, ClusterConfig, Command, Done, Output, PositionKind, RoomTerms, Ticket,
};
use switchboard_runtime::redis::adapter::{Config, Event, Link, Order, Problem, Target, run};

use crate::runtimes::Host;

/// The room of most tests.
pub(crate) const ROOM: &str = "lobby";

/// A node, until it is dropped.
pub(crate) struct Node<H> {
    shared: Arc<Shared>,
    host: H,
}

struct Shared {
    locked: Mutex<Locked>,
    changed: Condvar,
    start: Instant,
}

/// What happened at a node, and its machine.
pub(crate) struct Locked {
    machine: Cluster,
    orders: VecDeque<Order>,
    waker: Option<Waker>,
    attempt: u64,
    closed: bool,
    /// What the machine told, but for what is an order.
    pub(crate) told: Vec<Output>,
    pub(crate) connects: usize,
    /// Of the last connection.
    pub(crate) incarnation: String,
    pub(crate) problems: Vec<Problem>,
    /// Pushes that were dropped.
    pub(crate) dropped: u64,
    pub(crate) reads: BTreeMap<u64, Option<Done>>,
}

/// The URL of a server.
pub(crate) fn url(address: SocketAddr) -> String {
    format!("redis://{address}")
}

/// How a node of this name connects, by default.
pub(crate) fn config(url: &str, name: &str) -> Config {
    let target = Target::parse(url).unwrap_or_else(|bad| panic!("{url}: {bad}"));
    Config::new(target, name)
}

impl<H: Host> Node<H> {
    /// Starts a node that is in the room, and that waits for its server as long as any test.
    pub(crate) fn start(address: SocketAddr, name: &str) -> Self {
        Self::start_with(config(&url(address), name))
    }

    pub(crate) fn start_with(adapter: Config) -> Self {
        Self::start_and_hold(adapter, Duration::from_secs(60))
    }

    /// Starts a node whose room goes on alone soon after its server has gone.
    pub(crate) fn start_hasty(adapter: Config) -> Self {
        Self::start_and_hold(adapter, Duration::from_millis(300))
    }

    fn start_and_hold(adapter: Config, hold: Duration) -> Self {
        let node = Self::without_adapter(&adapter.name, hold);
        node.host.spawn(run::<H::Runtime>(adapter, node.link()));
        node
    }

    /// Runs the adapter on this thread until the node is dropped.
    pub(crate) fn run_here(adapter: Config, use_it: impl FnOnce(Self) + Send + 'static)
    where
        H: Send,
    {
        let node = Self::without_adapter(&adapter.name, Duration::from_secs(60));
        let link = node.link();
        let user = thread::spawn(move || use_it(node));
        H::block_on(run::<H::Runtime>(adapter, link));
        user.join().expect("it was used");
    }

    fn link(&self) -> Linked {
        Linked(self.shared.clone())
    }

    fn without_adapter(name: &str, hold: Duration) -> Self {
        let mut config = ClusterConfig::new(name);
        // Shorter than by default, as far as a busy machine allows.
        config.times.idle = Duration::from_millis(100);
        config.times.retry = Duration::from_millis(200);
        config.times.hold = hold;
        config.probe = Duration::from_secs(1);
        config.linger = Duration::ZERO;
        config.retention.messages = 100_000;
        let shared = Arc::new(Shared {
            locked: Mutex::new(Locked {
                machine: Cluster::new(config, Time::ZERO),
                orders: VecDeque::new(),
                waker: None,
                attempt: 0,
                closed: false,
                told: Vec::new(),
                connects: 0,
                incarnation: String::new(),
                problems: Vec::new(),
                dropped: 0,
                reads: BTreeMap::new(),
            }),
            changed: Condvar::new(),
            start: Instant::now(),
        });
        let ticking = shared.clone();
        thread::spawn(move || ticking.tick());
        let host = H::start();
        let node = Self { shared, host };
        node.enter(ROOM);
        node
    }

    pub(crate) fn enter(&self, room: &str) {
        self.shared
            .with(|it, now| it.machine.enter(now, &room.into(), RoomTerms::default()));
    }

    pub(crate) fn leave(&self, room: &str) {
        self.shared
            .with(|it, now| it.machine.leave(now, &room.into()));
    }

    pub(crate) fn publish(&self, text: &str) -> Ticket {
        self.shared.with(|it, now| {
            let body = text.as_bytes().into();
            let terms = RoomTerms::default();
            let published = it.machine.publish(now, &ROOM.into(), terms, body);
            published.expect("there is space")
        })
    }

    /// Does something with the machine.
    pub(crate) fn act<T>(&self, act: impl FnOnce(&mut Cluster, Time) -> T) -> T {
        self.shared.with(|it, now| act(&mut it.machine, now))
    }

    /// Sends a command through the second connection.
    pub(crate) fn read(&self, number: u64, command: Command) {
        self.shared
            .with(|it, _| it.orders.push_back(Order::Read(number, command)));
    }

    /// Waits until something holds.
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Locked) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut locked = self.shared.lock();
        while !holds(&locked) {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                panic!("never {what}: {}", locked.describe());
            };
            let waited = self.shared.changed.wait_timeout(locked, left);
            locked = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(crate) fn until_live(&self) {
        self.until("live", Locked::is_live);
    }

    /// Waits until this message has arrived.
    pub(crate) fn until_message(&self, text: &str) {
        self.until(text, |it| it.messages(ROOM).iter().any(|it| it == text));
    }

    pub(crate) fn look<T>(&self, look: impl FnOnce(&Locked) -> T) -> T {
        look(&self.shared.lock())
    }

    /// The messages of the room, in the order of their delivery.
    pub(crate) fn messages(&self) -> Vec<String> {
        self.look(|it| it.messages(ROOM))
    }
}

impl<H> Drop for Node<H> {
    fn drop(&mut self) {
        self.shared.with(|it, _| it.closed = true);
    }
}

impl Locked {
    /// Whether the room goes on with the broker.
    pub(crate) fn is_live(&self) -> bool {
        let last = self.positions().last();
        last.is_some_and(|(_, kind)| kind != PositionKind::Local)
    }

    /// Epochs of the room and what they are.
    pub(crate) fn positions(&self) -> impl Iterator<Item = (&str, PositionKind)> {
        self.told.iter().filter_map(|told| match told {
            Output::Position {
                room, epoch, kind, ..
            } if **room == *ROOM => Some((&**epoch, *kind)),
            _ => None,
        })
    }

    pub(crate) fn messages(&self, name: &str) -> Vec<String> {
        let delivered = self.told.iter().filter_map(|told| match told {
            Output::Deliver { room, body, .. } if **room == *name => Some(body),
            _ => None,
        });
        delivered
            .map(|body| String::from_utf8_lossy(body).into_owned())
            .collect()
    }

    /// Numbers of the room that were lost.
    pub(crate) fn lost(&self) -> u64 {
        self.machine.stats(Time::ZERO).gaps
    }

    pub(crate) fn bad_pushes(&self) -> u64 {
        self.machine.stats(Time::ZERO).bad_pushes
    }

    /// Nodes that live, this one included.
    pub(crate) fn nodes(&self) -> u64 {
        self.machine.stats(Time::ZERO).nodes
    }

    /// Users of the room on other nodes.
    pub(crate) fn users_elsewhere(&self) -> Vec<&str> {
        let users = self.machine.users_elsewhere(ROOM);
        users.map(|(user, _)| &**user).collect()
    }

    /// How often it tried to connect.
    pub(crate) fn attempts(&self) -> u64 {
        self.attempt
    }

    fn describe(&self) -> String {
        format!(
            "{} connects, {:?}, {} outputs, the last {:?}",
            self.connects,
            self.problems,
            self.told.len(),
            self.told.last()
        )
    }

    fn carry_out(&mut self, now: Time) {
        while let Some(output) = self.machine.poll() {
            if let Output::Direct { node, question, .. } = &output {
                // The user has one connection here.
                self.machine.taken(now, node, *question, 1);
            }
            self.orders.push_back(match output {
                Output::Connect => {
                    self.attempt += 1;
                    Order::Connect(self.attempt)
                }
                Output::Hangup => Order::Hangup,
                Output::Subscribe(channels) => Order::Subscribe(channels),
                Output::Unsubscribe(channels) => Order::Unsubscribe(channels),
                Output::Send(commands) => Order::Send(commands),
                told => {
                    self.told.push(told);
                    continue;
                }
            });
        }
        if let Err(inconsistency) = self.machine.audit() {
            panic!("{inconsistency}");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Locked> {
        self.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Time {
        Time::from_nanos(self.start.elapsed().as_nanos() as u64)
    }

    fn with<T>(&self, change: impl FnOnce(&mut Locked, Time) -> T) -> T {
        let mut locked = self.lock();
        let now = self.now();
        let changed = change(&mut locked, now);
        locked.carry_out(now);
        let waker = locked.waker.take();
        drop(locked);
        self.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
        changed
    }

    /// Calls the machine at its deadlines.
    fn tick(&self) {
        let mut locked = self.lock();
        while !locked.closed {
            let now = self.now();
            let wait = locked.machine.next_deadline().since(now);
            if wait.is_zero() {
                drop(locked);
                self.with(|it, now| it.machine.tick(now));
                locked = self.lock();
            } else {
                let waited = self.changed.wait_timeout(locked, wait);
                locked = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }
}

struct Linked(Arc<Shared>);

impl Link for Linked {
    fn poll_order(&self, context: &mut Context<'_>) -> Poll<Option<Order>> {
        let mut locked = self.0.lock();
        if locked.closed {
            return Poll::Ready(None);
        }
        if let Some(order) = locked.orders.pop_front() {
            return Poll::Ready(Some(order));
        }
        locked.waker = Some(context.waker().clone());
        Poll::Pending
    }

    fn tell(&self, attempt: u64, event: Event) {
        self.0.with(|it, now| {
            if attempt != it.attempt {
                return;
            }
            match event {
                Event::Connected { incarnation } => {
                    it.connects += 1;
                    it.machine.connected(now, &incarnation);
                    it.incarnation = incarnation;
                }
                Event::Lost(problem) => {
                    it.problems.push(problem);
                    it.machine.lost(now);
                }
                Event::Answered(answers) => it.machine.answered(now, answers),
                Event::Pushed { pushes, dropped } => {
                    it.dropped += dropped;
                    for (channel, payload) in pushes {
                        it.machine.pushed(now, &channel, &payload, None);
                    }
                }
                Event::Read(number, done) => {
                    it.reads.insert(number, done);
                }
            }
        });
    }
}
