//! A process of a node, and what is on its way to it and from it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use switchboard_core::Time;
use switchboard_core::cluster::{Channel, Cluster, Command, Done, Info};
use switchboard_tests::broker::Link;

/// What a node has sent and the broker has not read yet.
pub(crate) enum Sent {
    Hello,
    Subscribe(Vec<Channel>),
    Unsubscribe(Vec<Channel>),
    /// A command, and whether it is the last of its pipeline.
    Command(Command, bool),
}

/// What the broker has sent and a node has not read yet.
pub(crate) enum Received {
    Connected(String),
    Push(Channel, Vec<u8>),
    Answers(Vec<Done>),
    Lost,
}

pub(crate) struct Node {
    pub(crate) machine: Cluster,
    pub(crate) name: Arc<str>,
    pub(crate) link: Option<Link>,
    /// The link is to the master that is one no more, but does not know it.
    pub(crate) is_astray: bool,
    pub(crate) sent: VecDeque<Sent>,
    pub(crate) received: VecDeque<Received>,
    pub(crate) answers: Vec<Done>,
    /// What it sends does not arrive, and nobody is told.
    pub(crate) swallows_sent: bool,
    /// What it is sent does not arrive, and nobody is told.
    pub(crate) swallows_received: bool,
    /// Until when nothing moves between it and the broker; then all of it arrives.
    pub(crate) clogged_until: Time,
    /// Until when the process stands still.
    pub(crate) paused_until: Time,
    /// For how long its clock has stood still.
    pub(crate) asleep: Duration,
    /// It speaks a later version of the protocol.
    pub(crate) is_later: bool,
    /// Rooms that somebody here is in, and the users whom others see there.
    pub(crate) entered: BTreeMap<&'static str, BTreeMap<&'static str, Info>>,
}

impl Node {
    pub(crate) fn new(name: &Arc<str>, machine: Cluster, is_later: bool) -> Self {
        Self {
            machine,
            name: Arc::clone(name),
            link: None,
            is_astray: false,
            sent: VecDeque::new(),
            received: VecDeque::new(),
            answers: Vec::new(),
            swallows_sent: false,
            swallows_received: false,
            clogged_until: Time::ZERO,
            paused_until: Time::ZERO,
            asleep: Duration::ZERO,
            is_later,
            entered: BTreeMap::new(),
        }
    }

    /// What its own clock says.
    pub(crate) fn clock(&self, now: Time) -> Time {
        now.before(self.asleep)
    }

    /// Whether something that it has sent can be read by the broker.
    pub(crate) fn can_send(&self, now: Time) -> bool {
        !self.sent.is_empty() && !self.swallows_sent && now >= self.clogged_until
    }

    /// Whether something that it was sent can arrive.
    pub(crate) fn can_receive(&self, now: Time) -> bool {
        !self.received.is_empty() && !self.swallows_received && now >= self.clogged_until
    }

    /// A command as this node's version sends it.
    pub(crate) fn as_sent(&self, mut command: Command) -> Command {
        if self.is_later {
            match &mut command {
                Command::Beat(beat) => beat.payload = of_later_version(&beat.payload),
                Command::Retire(retire) => retire.payload = of_later_version(&retire.payload),
                Command::Notify { payload, .. } => *payload = of_later_version(payload),
                _ => {}
            }
        }
        command
    }
}

/// What a later version publishes: with one more field, and with its number in a heartbeat.
fn of_later_version(payload: &[u8]) -> Arc<[u8]> {
    let end = payload.iter().position(|&byte| byte == b'\n');
    let (header, body) = payload.split_at(end.expect("a header"));
    let header = str::from_utf8(header).expect("text");
    let mut fields: Vec<_> = header.split('\t').collect();
    if fields[1] == "B" {
        fields[4] = "2";
    }
    fields.push("later");
    [fields.join("\t").as_bytes(), body].concat().into()
}
