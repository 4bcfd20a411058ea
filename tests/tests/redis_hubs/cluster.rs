//! Three nodes, each behind a proxy, a Redis, and members on all of them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use switchboard_tests::proxy::Proxy;
use switchboard_tests::redis::Server;

use crate::log::{self, Tally};
use crate::member::{Member, Seen};
use crate::process::Process;

const NODES: usize = 3;
const MEMBERS: usize = 6;
/// Members that each test has.
pub(crate) const ALL: u64 = MEMBERS as u64;
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) struct Cluster {
    runtime: &'static str,
    pub(crate) server: Server,
    /// The links of the nodes, in their order.
    pub(crate) links: Vec<Proxy>,
    pub(crate) nodes: Vec<Process>,
    members: Vec<Member>,
    /// Of the nodes.
    pub(crate) addresses: Arc<Mutex<Vec<SocketAddr>>>,
}

/// What befalls the cluster lasts for a while, in which its members publish.
pub(crate) fn lasts(time: Duration) {
    thread::sleep(time);
}

impl Cluster {
    /// Starts everything, and waits until each member hears each other one.
    pub(crate) fn start(runtime: &'static str) -> Option<Self> {
        let server = Server::start()?;
        let links: Vec<_> = (0..NODES).map(|_| Proxy::to(server.address)).collect();
        let nodes = links.iter().enumerate().map(|(at, link)| {
            let url = format!("redis://{}", link.address);
            Process::start(runtime, &url, &format!("n{at}"))
        });
        let nodes: Vec<_> = nodes.collect();
        let addresses = nodes.iter().map(|node| node.address).collect();
        let addresses = Arc::new(Mutex::new(addresses));
        let members = (0..MEMBERS).map(|at| Member::start(&format!("m{at}"), &addresses, at));
        let cluster = Self {
            runtime,
            server,
            links,
            members: members.collect(),
            nodes,
            addresses,
        };
        for member in &cluster.members {
            member.publishes(true);
        }
        cluster.flows();
        Some(cluster)
    }

    /// A process is there in place of one that has gone.
    pub(crate) fn start_node(&mut self, at: usize) {
        let url = format!("redis://{}", self.links[at].address);
        self.nodes[at] = Process::start(self.runtime, &url, &format!("n{at}"));
        let mut addresses = self.addresses.lock().expect("no member has panicked");
        addresses[at] = self.nodes[at].address;
    }

    /// Waits until each member has received what each other one sends from now on.
    pub(crate) fn flows(&self) {
        let sent: Vec<_> = self.members.iter().map(|it| it.look().sent).collect();
        let has_all = |seen: &Seen| {
            let mut others = self.members.iter().zip(&sent);
            others.all(|(it, sent)| seen.last.get(&it.name).is_some_and(|last| last > sent))
        };
        self.until("everybody hears everybody", has_all);
    }

    /// Waits until this holds of each member.
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Seen) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        for member in &self.members {
            while !holds(&member.look()) {
                let seen = member.look();
                let end = seen.log.len().saturating_sub(10);
                assert!(
                    Instant::now() < deadline,
                    "{}: never {what}: {:?} {:?} {:#?}",
                    member.name,
                    seen.last,
                    seen.present,
                    &seen.log[end..]
                );
                drop(seen);
                thread::sleep(Duration::from_millis(5));
            }
        }
    }

    /// Waits until all is quiet, and checks what the members were told.
    pub(crate) fn check(self) -> Tally {
        self.flows();
        for member in &self.members {
            member.publishes(false);
        }
        self.until("all messages have an outcome", |seen| seen.open == 0);
        let names: BTreeSet<_> = self.members.iter().map(|it| it.name.clone()).collect();
        self.until("all are seen to be there", |seen| seen.present == names);
        let logs: Vec<_> = self.members.into_iter().map(Member::stop).collect();
        let tally = log::check(&logs);
        println!("{tally:?}");
        tally
    }
}
