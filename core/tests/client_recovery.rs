//! The client against a plain server that keeps history, under losses at any point: what the
//! application sees is exact, and nothing is published twice.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;
use serde_json::{Value, json};
use switchboard_core::Time;
use switchboard_core::client::{Input, Machine, MachineConfig, Output, Report};
use switchboard_core::protocol::Content;

/// The client's room.
const ROOM: &str = "a";

/// A message in the server's history.
#[derive(Clone, Debug)]
struct Entry {
    seq: u64,
    /// The request of the client, if it published the message.
    request: Option<u64>,
    /// Whether the client is to receive it.
    ours: bool,
}

/// A server with one room, as the protocol describes it. It shares no code with the client.
struct Server {
    /// Number of entries kept.
    keep: usize,
    epoch: u64,
    seq: u64,
    history: VecDeque<Entry>,
    /// The client's requests in the order in which they were published, over all epochs.
    published: Vec<u64>,
    /// All messages of the present epoch.
    all: BTreeMap<u64, Entry>,
    evicted: bool,
    member: bool,
    /// The next number, for a member that is behind.
    cursor: Option<u64>,
    down: VecDeque<String>,
    lobby: bool,
    /// How many of the latest messages whoever comes without a position gets.
    on_join: u64,
}

impl Server {
    fn first(&self) -> u64 {
        self.history.front().map_or(self.seq + 1, |entry| entry.seq)
    }

    fn send(&mut self, message: &Value) {
        self.down.push_back(message.to_string());
    }

    /// The newer connection of a session ends the older one, with all that it has not processed.
    fn connect(&mut self, since: Option<&str>) {
        self.member = false;
        self.cursor = None;
        self.down.clear();
        self.send(&json!({"type": "welcome"}));
        if self.lobby {
            let since = since.map(|text| {
                let (epoch, seq) = text.rsplit_once('.').unwrap();
                (epoch.to_owned(), seq.parse().unwrap())
            });
            self.join(since, &Value::Null);
        }
    }

    fn join(&mut self, since: Option<(String, u64)>, id: &Value) {
        self.member = true;
        let mut answer = json!({
            "type": "subscribed", "channel": ROOM, "seq": self.seq,
            "epoch": format!("e{}", self.epoch), "first": self.first(),
        });
        if !id.is_null() {
            answer["id"] = id.clone();
        }
        if let Some((epoch, seq)) = since {
            let same = epoch == format!("e{}", self.epoch);
            let recovered = same && seq <= self.seq && self.first() <= seq + 1;
            answer["recovered"] = json!(recovered);
            self.cursor = Some(seq + 1).filter(|&next| recovered && next <= self.seq);
        } else {
            let next = self.first().max(self.seq.saturating_sub(self.on_join) + 1);
            self.cursor = Some(next).filter(|&next| next <= self.seq);
        }
        self.send(&answer);
    }

    fn request(&mut self, text: &str) {
        let asked: Value = serde_json::from_str(text).unwrap();
        let id = asked["id"].clone();
        match asked["type"].as_str().unwrap() {
            "subscribe" if self.member => {
                self.send(&json!({"type": "error", "code": "already_subscribed", "id": id}));
            }
            "subscribe" => {
                let since = asked["since"].as_object().map(|since| {
                    let epoch = since["epoch"].as_str().unwrap().to_owned();
                    (epoch, since["seq"].as_u64().unwrap())
                });
                self.join(since, &id);
            }
            "message" => self.message(&asked, &id),
            other => panic!("a request of the type {other}"),
        }
    }

    fn message(&mut self, asked: &Value, id: &Value) {
        let request = id.as_u64();
        if let Some(again) = asked["again"].as_u64() {
            assert!(again <= self.seq, "a position of the future");
            if self.first() > again + 1 {
                return self.send(&json!({"type": "error", "code": "unrecoverable", "id": id}));
            }
            let later = self.history.iter().filter(|entry| entry.seq > again);
            let mut found = later.filter(|entry| entry.request == request);
            if let Some(seq) = found.next().map(|entry| entry.seq) {
                let ack = json!({"type": "ack", "id": id, "seq": seq, "duplicate": true});
                return self.send(&ack);
            }
        }
        let seq = self.publish(request, asked["echo"] == json!(true));
        self.send(&json!({"type": "ack", "id": id, "seq": seq}));
    }

    /// Publishes a message, and gives it to the client if that is live.
    fn publish(&mut self, request: Option<u64>, ours: bool) -> u64 {
        self.seq += 1;
        let entry = Entry {
            seq: self.seq,
            request,
            ours,
        };
        self.published.extend(request);
        self.all.insert(self.seq, entry.clone());
        self.history.push_back(entry);
        self.evict(self.keep);
        if ours && self.member && self.cursor.is_none() {
            self.give(self.seq);
        }
        self.seq
    }

    fn give(&mut self, seq: u64) {
        self.send(&json!({"type": "message", "channel": ROOM, "content": seq, "seq": seq}));
    }

    fn evict(&mut self, keep: usize) {
        while self.history.len() > keep {
            self.history.pop_front();
            self.evicted = true;
        }
    }

    /// Gives one more entry to a member that is behind.
    fn page(&mut self) {
        let Some(next) = self.cursor else {
            return;
        };
        let first = self.first();
        let mut after = next + 1;
        if next > self.seq {
            self.cursor = None;
            return;
        } else if next < first {
            self.send(&json!({"type": "gap", "channel": ROOM, "from": next, "to": first - 1}));
            after = first;
        } else if self.all[&next].ours {
            self.give(next);
        } else {
            self.send(&json!({"type": "skip", "channel": ROOM, "from": next, "to": next}));
        }
        self.cursor = Some(after).filter(|&after| after <= self.seq);
    }

    /// The member does not take what is sent: it gets the rest from the history.
    fn fall_behind(&mut self) {
        if self.member && self.cursor.is_none() {
            self.cursor = Some(self.seq + 1);
        }
    }

    fn begin_anew(&mut self) {
        self.epoch += 1;
        self.seq = 0;
        self.history.clear();
        self.all.clear();
        self.member = false;
        self.cursor = None;
        self.down.clear();
    }
}

/// What the application has seen of the present epoch.
#[derive(Default)]
struct Seen {
    /// The last number when the room was entered first.
    from: Option<u64>,
    delivered: BTreeSet<u64>,
    missing: BTreeSet<u64>,
    acked: BTreeSet<u64>,
}

struct World {
    machine: Machine,
    server: Server,
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
enum Step {
    /// Somebody else publishes.
    Other,
    /// The client publishes, with or without `echo`.
    Publish(bool),
    Process,
    Page,
    Deliver,
    FallBehind,
    Lose,
    Evict,
    BeginAnew,
}

impl World {
    fn new(keep: usize, lobby: bool, on_join: u64) -> Self {
        let server = Server {
            keep,
            epoch: 1,
            seq: 0,
            history: VecDeque::new(),
            published: Vec::new(),
            all: BTreeMap::new(),
            evicted: false,
            member: false,
            cursor: None,
            down: VecDeque::new(),
            lobby,
            on_join,
        };
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
        (0..3).for_each(|_| world.step(Step::Other));
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
                    let entry = self.server.all.get(&value);
                    // The room may have begun anew while the ack was on its way.
                    if self.epoch == Some(format!("e{}", self.server.epoch)) {
                        let entry = entry.unwrap();
                        assert_eq!(entry.request, Some(id));
                        // With `echo` the message itself is waited for, too.
                        self.seen.acked.extend(Some(value).filter(|_| !entry.ours));
                    }
                }
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
            self.up.clear();
            self.connected = true;
            self.server.connect(since.as_deref());
            self.handle(Input::Opened);
        }
    }

    fn notified(&mut self, notice: Report) {
        match notice {
            Report::Deliver(frame) if frame.kind() == "message" => {
                let seq = frame.seq().unwrap();
                assert!(self.seen.delivered.last().is_none_or(|&last| last < seq));
                assert!(self.seen.missing.last().is_none_or(|&last| last < seq));
                let echoed = self.server.all.get(&seq).is_none_or(|entry| entry.ours);
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
                self.gaps += 1;
                for seq in gap.from..=gap.to {
                    assert!(!self.seen.delivered.contains(&seq), "{seq} was delivered");
                    assert!(!self.seen.acked.contains(&seq), "{seq} is an own one");
                    assert!(self.seen.missing.insert(seq), "{seq} is missing twice");
                }
            }
            _ => {}
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Other => {
                self.server.publish(None, true);
            }
            Step::Publish(echo) => {
                let id = self.machine.next_id();
                self.open.insert(id);
                let mut event = Input::publish(ROOM, Content::parse("1").unwrap());
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
            Step::Page => self.server.page(),
            Step::Deliver => {
                if let Some(text) = self.server.down.pop_front().filter(|_| self.connected) {
                    self.handle(Input::Message { text: &text });
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
            Step::Evict => self.server.evict(1),
            Step::BeginAnew => {
                self.up.clear();
                self.server.begin_anew();
                if self.connected {
                    self.step(Step::Lose);
                }
            }
        }
    }

    /// Lets everything that is on its way arrive.
    fn settle(&mut self) {
        if !self.connected {
            self.step(Step::Lose);
        }
        let busy = |world: &Self| {
            let server = &world.server;
            !world.up.is_empty() || !server.down.is_empty() || server.cursor.is_some()
        };
        while busy(self) {
            self.step(Step::Process);
            self.step(Step::Page);
            self.step(Step::Deliver);
        }
        // A last message shows every gap before it.
        self.step(Step::Other);
        self.step(Step::Deliver);
    }

    fn check(&self) {
        assert!(self.open.is_empty(), "every message has an end");
        let published = &self.server.published;
        let once: BTreeSet<u64> = published.iter().copied().collect();
        assert_eq!(once.len(), published.len(), "published twice");
        let Some(from) = self.seen.from else {
            panic!("the client is in the room");
        };
        // Older messages may have followed.
        let seen = self.seen.delivered.first().or(self.seen.missing.first());
        let from = seen.map_or(from, |&first| from.min(first - 1));
        for (&seq, entry) in self.server.all.range(from + 1..) {
            let told = self.seen.delivered.contains(&seq) || self.seen.missing.contains(&seq);
            assert!(told || !entry.ours, "{seq} was lost silently");
        }
        if !self.server.evicted {
            assert_eq!(self.gaps, 0, "the history has everything");
            if self.server.epoch == 1 {
                assert!(self.failed.is_empty(), "the history can tell everything");
            }
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => Just(Step::Other),
        5 => any::<bool>().prop_map(Step::Publish),
        10 => Just(Step::Process),
        8 => Just(Step::Page),
        14 => Just(Step::Deliver),
        4 => Just(Step::FallBehind),
        4 => Just(Step::Lose),
        1 => Just(Step::Evict),
        1 => Just(Step::BeginAnew),
    ];
    prop::collection::vec(step, 1..150)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn each_number_is_seen_once_in_order_or_reported_and_nothing_is_published_twice(
        steps in steps(),
        keep in prop::sample::select(vec![1_usize, 3, 1_000]),
        lobby in any::<bool>(),
        on_join in 0..4_u64,
    ) {
        let mut world = World::new(keep, lobby, on_join);
        for step in steps {
            // With a history for everything, nothing may be missing at all.
            if keep < 1_000 || !matches!(step, Step::Evict) {
                world.step(step);
            }
        }
        world.settle();
        world.check();
    }
}
