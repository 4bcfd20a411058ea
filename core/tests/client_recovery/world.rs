//! The client, the server, what is on its way between them, and what the application has seen.

use std::collections::{BTreeSet, VecDeque};

use switchboard_core::Time;
use switchboard_core::client::{Input, Machine, MachineConfig, Output, Report};
use switchboard_core::protocol::Content;

use super::seam::{ROOM, Server};

/// What the application has seen of the present epoch.
#[derive(Default)]
struct Seen {
    /// The last number when the room was entered first.
    from: Option<u64>,
    delivered: BTreeSet<u64>,
    missing: BTreeSet<u64>,
    acked: BTreeSet<u64>,
}

pub(super) struct World<S> {
    machine: Machine,
    server: S,
    /// Requests on their way to the server.
    up: VecDeque<String>,
    connected: bool,
    seen: Seen,
    epoch: Option<String>,
    open: BTreeSet<u64>,
    failed: BTreeSet<u64>,
    gaps: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Somebody else publishes, for the client too or not.
    Other(bool),
    /// The client publishes, with or without `echo`.
    Publish(bool),
    Process,
    GoOn,
    Deliver,
    FallBehind,
    Lose,
    Evict,
    BeginAnew,
}

impl<S: Server> World<S> {
    pub(super) fn new(server: S) -> Self {
        let config = MachineConfig {
            queue: true,
            ..MachineConfig::default()
        };
        let mut world = Self {
            machine: Machine::new(config),
            server,
            up: VecDeque::new(),
            connected: false,
            seen: Seen::default(),
            epoch: None,
            open: BTreeSet::new(),
            failed: BTreeSet::new(),
            gaps: 0,
        };
        (0..3).for_each(|_| world.step(Step::Other(true)));
        let (since, last) = (None, None);
        let channel = ROOM;
        world.handle(Input::Subscribe {
            channel,
            since,
            last,
        });
        world.handle(Input::Start);
        world
    }

    fn handle(&mut self, event: Input<'_>) {
        self.machine.handle(Time::ZERO, event);
        let mut dial = None;
        while let Some(action) = self.machine.poll_output() {
            match action {
                Output::Dial { since, .. } => dial = Some(since),
                Output::Send(text) => self.up.push_back(text),
                Output::Done { id, value } => {
                    assert!(self.open.remove(&id), "one end for each message");
                    // The room may have begun anew while the ack was on its way.
                    if self.epoch == Some(self.server.epoch().0) {
                        let entry = &self.server.all()[&value];
                        assert_eq!(entry.request, Some(id));
                        // With `echo` the message itself is waited for, too.
                        self.seen.acked.extend(Some(value).filter(|_| !entry.ours));
                    }
                }
                Output::Result { .. } => unreachable!("nothing is called"),
                Output::Authenticate => unreachable!("no tokens are configured"),
                Output::Failed { id, failure } => {
                    assert!(self.open.remove(&id), "one end for each message");
                    assert_eq!(failure.code(), "unconfirmed");
                    self.failed.insert(id);
                }
                Output::Notify(notice) => self.notified(notice),
                Output::Close { .. } | Output::GetToken(_) => {}
            }
        }
        if let Some(since) = dial {
            let on_its_way = self.up.drain(..).collect();
            self.connected = true;
            self.server.connect(since.as_deref(), on_its_way);
            self.handle(Input::Opened);
        }
    }

    fn notified(&mut self, notice: Report) {
        match notice {
            Report::Deliver(frame) if frame.kind() == "message" => {
                let seq = frame.seq().unwrap();
                assert!(self.seen.delivered.last().is_none_or(|&last| last < seq));
                assert!(self.seen.missing.last().is_none_or(|&last| last < seq));
                let echoed = self.server.all().get(&seq).is_none_or(|entry| entry.ours);
                assert!(echoed, "{seq} was not meant for the client");
                self.seen.delivered.insert(seq);
            }
            Report::Deliver(frame)
                if frame.kind() == "subscribed" && self.epoch.as_deref() != frame.epoch() =>
            {
                self.epoch = frame.epoch().map(str::to_owned);
                self.seen = Seen {
                    from: frame.seq(),
                    ..Seen::default()
                };
            }
            Report::Gap(gap) => {
                for seq in gap.from..=gap.to {
                    // What was excluded while the client was there is told as a gap, too.
                    let entry = self.server.all().get(&seq);
                    self.gaps += u32::from(entry.is_none_or(|entry| entry.ours));
                    assert!(!self.seen.delivered.contains(&seq), "{seq} was delivered");
                    assert!(!self.seen.acked.contains(&seq), "{seq} is an own one");
                    assert!(self.seen.missing.insert(seq), "{seq} is missing twice");
                }
            }
            _ => {}
        }
    }

    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Other(ours) => self.server.publish(ours),
            Step::Publish(echo) => {
                let id = self.machine.next_id();
                self.open.insert(id);
                let content = id.to_string();
                let mut event = Input::publish(ROOM, Content::parse(&content).unwrap());
                if let Input::Publish { echo: asked, .. } = &mut event {
                    *asked = Some(echo);
                }
                self.handle(event);
            }
            Step::Process => {
                if let Some(text) = self.up.pop_front() {
                    self.server.request(&text);
                }
            }
            Step::GoOn => self.server.go_on(),
            Step::Deliver => {
                let text = self.server.pop().filter(|_| self.connected);
                match text.as_deref() {
                    Some("") => self.step(Step::Lose),
                    Some(text) => self.handle(Input::Message { text }),
                    None => {}
                }
            }
            Step::FallBehind => self.server.fall_behind(),
            // What is on its way to the server may still arrive until the next connection does.
            Step::Lose if self.connected => {
                self.connected = false;
                self.handle(Input::Closed {
                    code: 1006,
                    reason: "",
                });
            }
            Step::Lose => self.handle(Input::Reconnect),
            Step::Evict => self.server.evict(),
            Step::BeginAnew => {
                self.up.clear();
                self.server.begin_anew();
                if self.connected {
                    self.step(Step::Lose);
                }
            }
        }
    }

    /// Returns the number of messages for the client that were reported as gone.
    pub(super) fn gaps(&self) -> u32 {
        self.gaps
    }

    /// Lets everything that is on its way arrive.
    pub(super) fn settle(&mut self) {
        let busy = |world: &Self| !world.up.is_empty() || world.server.is_busy();
        while !self.connected || busy(self) {
            if !self.connected {
                self.step(Step::Lose);
            }
            self.step(Step::Process);
            self.step(Step::GoOn);
            self.step(Step::Deliver);
        }
        // A last message shows every gap before it.
        self.step(Step::Other(true));
        self.step(Step::Deliver);
    }

    /// The room and all connections end.
    pub(super) fn end(&mut self) {
        self.server.end();
    }

    pub(super) fn check(&self) {
        assert!(self.open.is_empty(), "every message has an end");
        let published = self.server.published();
        let once: BTreeSet<u64> = published.iter().copied().collect();
        assert_eq!(once.len(), published.len(), "published twice");
        let Some(from) = self.seen.from else {
            panic!("the client is in the room");
        };
        // Older messages may have followed.
        let seen = self.seen.delivered.first().or(self.seen.missing.first());
        let from = seen.map_or(from, |&first| from.min(first - 1));
        for (&seq, entry) in self.server.all().range(from + 1..) {
            let told = self.seen.delivered.contains(&seq) || self.seen.missing.contains(&seq);
            assert!(told || !entry.ours, "{seq} was lost silently");
        }
        if !self.server.has_evicted() {
            assert_eq!(self.gaps, 0, "the history has everything");
            if self.server.epoch().1 == 0 {
                assert!(self.failed.is_empty(), "the history can tell everything");
            }
        }
    }
}
