//! A broker in virtual time: what Redis does with the scripts of a cluster, and what befalls it.
//!
//! It shares the commands and answers with the production code and nothing else: the rules are written
//! down a second time here, and `tests/tests/broker` holds them against the scripts in a real Redis.
//!
//! Answers come at once and pushes wait in their link; the network between a node and the broker, with
//! its delays and losses, is the caller's.

mod nodes;
mod rooms;
mod store;
mod users;
mod values;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use switchboard_core::cluster::{Answer, BrokerTime, Channel, Command, Done, Failure};

pub use self::store::Key;
use self::store::Store;

/// A connection to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link(u64);

/// A payload that a link received through a channel.
pub type Pushed = (Channel, Vec<u8>);

/// What a server that starts again still has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Everything.
    All,
    /// Nothing.
    Nothing,
    /// What it had at the last [`SimRedis::save`].
    Saved,
}

/// A Redis server with a replica. A clone of it is the other half of a split brain.
#[derive(Clone, Debug)]
pub struct SimRedis {
    now: BrokerTime,
    life: u64,
    store: Store,
    saved: Store,
    replica: Store,
    has_scripts: bool,
    refusing: Option<Failure>,
    log_node: usize,
    output_limit: usize,
    links: BTreeMap<Link, Outgoing>,
    next_link: u64,
    cuts: u64,
}

/// What a link is subscribed to, and what it has not taken yet.
#[derive(Clone, Debug, Default)]
struct Outgoing {
    subscribed: BTreeSet<Channel>,
    pushes: VecDeque<Pushed>,
    bytes: usize,
}

/// Whether a step takes memory. Out of memory, a server refuses only those.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Write {
    Grows,
    Frees,
}

impl SimRedis {
    /// Starts an empty server without scripts. Its logs are trimmed by whole nodes of `log_node`
    /// entries (`stream-node-max-entries`), and a link that has more than `output_limit` bytes of
    /// pushes waiting is cut.
    pub fn new(log_node: usize, output_limit: usize) -> Self {
        Self {
            now: BrokerTime(1_700_000_000_000_000),
            life: 1,
            store: Store::default(),
            saved: Store::default(),
            replica: Store::default(),
            has_scripts: false,
            refusing: None,
            log_node,
            output_limit,
            links: BTreeMap::new(),
            next_link: 0,
            cuts: 0,
        }
    }

    /// Carries out a command, through whichever link it came.
    ///
    /// # Errors
    ///
    /// The failure that a real server would answer; nothing has changed then.
    pub fn apply(&mut self, command: &Command) -> Done {
        let needs_scripts = !matches!(command, Command::Notify { .. } | Command::Ping);
        if self.refusing == Some(Failure::Loading) {
            return Err(Failure::Loading);
        }
        if needs_scripts && !self.has_scripts {
            return Err(Failure::NoScript);
        }
        self.store.expire(self.now);
        match command {
            Command::Append(append) => self.append(append),
            Command::Sync(sync) => self.sync(sync),
            Command::Presence(presence) => self.presence(presence),
            Command::Occupants(occupants) => Ok(self.occupants(occupants)),
            Command::Position(position) => self.position(position),
            Command::Range(range) => Ok(self.range(range)),
            Command::Values(values) => Ok(self.values(values)),
            Command::Seats(seats) => self.seats(seats),
            Command::Login(login) => self.login(login),
            Command::Logout(logout) => self.logout(logout),
            Command::Kick(kick) => self.kick(kick),
            Command::Lookup(lookup) => self.lookup(lookup),
            Command::Direct(direct) => Ok(self.direct(direct)),
            Command::Beat(beat) => self.beat(beat),
            Command::Retire(retire) => self.retire(retire),
            Command::Notify { channel, payload } => Ok(self.notify(channel, payload)),
            Command::Ping => Ok(Answer::Ping),
        }
    }

    /// The server's clock.
    pub fn now(&self) -> BrokerTime {
        self.now
    }

    /// Sets the server's clock, which may go back.
    pub fn set_now(&mut self, now: BrokerTime) {
        self.now = now;
    }

    /// Lets time pass.
    pub fn advance(&mut self, by: Duration) {
        self.now.0 += by.as_micros() as u64;
    }

    /// What identifies the life of the data (`master_replid`).
    pub fn incarnation(&self) -> String {
        format!("{:040x}", self.life)
    }

    /// Loads the scripts, as each connection does.
    pub fn load_scripts(&mut self) {
        self.has_scripts = true;
    }

    /// The keys that are there, with the time that each has left.
    pub fn keys(&mut self) -> Vec<(Key, Option<Duration>)> {
        self.store.expire(self.now);
        self.store.keys(self.now)
    }
}

/// Links and their subscriptions.
impl SimRedis {
    /// Connects a link.
    pub fn connect(&mut self) -> Link {
        let link = Link(self.next_link);
        self.next_link += 1;
        self.links.insert(link, Outgoing::default());
        link
    }

    /// Ends a link; what it has not taken is lost.
    pub fn disconnect(&mut self, link: Link) {
        self.links.remove(&link);
    }

    /// Whether the server still has the link.
    pub fn is_connected(&self, link: Link) -> bool {
        self.links.contains_key(&link)
    }

    /// How many links were cut because they did not read.
    pub fn cuts(&self) -> u64 {
        self.cuts
    }

    /// Subscribes a link to a channel.
    pub fn subscribe(&mut self, link: Link, channel: Channel) {
        if let Some(outgoing) = self.links.get_mut(&link) {
            outgoing.subscribed.insert(channel);
        }
    }

    /// Ends a subscription.
    pub fn unsubscribe(&mut self, link: Link, channel: &Channel) {
        if let Some(outgoing) = self.links.get_mut(&link) {
            outgoing.subscribed.remove(channel);
        }
    }

    /// The channels that a link is subscribed to.
    pub fn subscriptions(&self, link: Link) -> impl Iterator<Item = &Channel> {
        self.links
            .get(&link)
            .into_iter()
            .flat_map(|outgoing| &outgoing.subscribed)
    }

    /// Takes the next push that a link received.
    pub fn take_push(&mut self, link: Link) -> Option<Pushed> {
        let outgoing = self.links.get_mut(&link)?;
        let push = outgoing.pushes.pop_front()?;
        outgoing.bytes -= push.1.len();
        Some(push)
    }

    /// Returns how many links received it. One over its limit receives it, and is cut.
    fn publish(&mut self, channel: &Channel, payload: &[u8]) -> u64 {
        let mut receivers = 0;
        let mut cut = Vec::new();
        for (link, outgoing) in &mut self.links {
            if !outgoing.subscribed.contains(channel) {
                continue;
            }
            receivers += 1;
            outgoing.bytes += payload.len();
            outgoing
                .pushes
                .push_back((channel.clone(), payload.to_vec()));
            if outgoing.bytes > self.output_limit {
                cut.push(*link);
            }
        }
        for link in cut {
            self.disconnect(link);
            self.cuts += 1;
        }
        receivers
    }
}

/// What befalls the server.
impl SimRedis {
    /// Notes the data for [`Kept::Saved`].
    pub fn save(&mut self) {
        self.saved = self.store.clone();
    }

    /// The replica has received everything up to here.
    pub fn replicate(&mut self) {
        self.replica = self.store.clone();
    }

    /// The process ends and starts again: links and scripts are gone.
    pub fn restart(&mut self, kept: Kept) {
        match kept {
            Kept::All => {}
            Kept::Nothing => self.store = Store::default(),
            Kept::Saved => self.store = self.saved.clone(),
        }
        self.begin_life();
    }

    /// The replica takes over, with what it had received at the last [`Self::replicate`].
    pub fn fail_over(&mut self) {
        self.store = self.replica.clone();
        self.begin_life();
    }

    fn begin_life(&mut self) {
        self.life += 1;
        self.has_scripts = false;
        self.refusing = None;
        self.links.clear();
    }

    /// SCRIPT FLUSH.
    pub fn flush_scripts(&mut self) {
        self.has_scripts = false;
    }

    /// FLUSHALL: the incarnation stays.
    pub fn flush(&mut self) {
        self.store = Store::default();
    }

    /// A key is evicted.
    pub fn evict(&mut self, key: &Key) {
        self.store.remove(key);
    }

    /// Somebody writes a value of another type to a key, for a day.
    pub fn occupy(&mut self, key: &Key) {
        self.store.occupy(key, self.now);
    }

    /// From now on the server refuses with this what writes: [`Failure::OutOfMemory`] what takes
    /// memory, [`Failure::Loading`] everything, other failures each write.
    pub fn refuse(&mut self, failure: Option<Failure>) {
        self.refusing = failure;
    }

    /// Stands before the first write of each command.
    fn may(&self, write: Write) -> Result<(), Failure> {
        match self.refusing {
            Some(Failure::OutOfMemory) if write == Write::Frees => Ok(()),
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }
}
