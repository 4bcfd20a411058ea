//! The same commands and the same mishaps to [`SimRedis`] and to a real Redis: answers, failures, pushes
//! and keys must be the same.
//!
//! `SWITCHBOARD_BROKER_SEEDS=500` plays more seeds than the usual few.

use std::collections::BTreeMap;
use std::env;
use std::time::Duration;

use switchboard_core::cluster::{Answer, BrokerTime, Channel, Command, Done, Failure};
use switchboard_runtime::redis::{Names, Reply, Script, decode, encode};
use switchboard_tests::broker::{Kept, Key, Link, SimRedis};
use switchboard_tests::redis::{LOG_NODE, Server};

use crate::client::Client;
use crate::commands::Commands;

const STEPS: u32 = 1500;
const LINKS: usize = 2;

#[test]
fn the_model_of_the_broker_does_what_redis_does() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let seeds = env::var("SWITCHBOARD_BROKER_SEEDS")
        .map_or(8, |seeds| seeds.parse().expect("a number of seeds"));
    let mut seen = BTreeMap::new();
    for seed in 0..seeds {
        Pair::new(&mut server, seed).play(&mut seen);
    }
    println!("{seen:#?}");
    for wanted in WANTED {
        assert!(seen.contains_key(wanted), "{wanted} never happened");
    }
}

/// What the seeds must lead to: a comparison of what never happens proves nothing.
const WANTED: [&str; 31] = [
    "Append",
    "Sync",
    "Stale",
    "OutOfOrder",
    "Presence",
    "Occupants",
    "Position",
    "Range",
    "Values",
    "Seats",
    "StaleSession",
    "Login",
    "Logout",
    "Kick",
    "Lookup",
    "Direct",
    "Beat",
    "Fenced",
    "Retire",
    "Notify",
    "Ping",
    "NoScript",
    "OutOfMemory",
    "ReadOnly",
    "push",
    "evict",
    "occupy",
    "garble",
    "flush",
    "reconnect",
    "restart",
];

/// The two brokers, and a link to each at the same time.
struct Pair<'s> {
    server: &'s mut Server,
    sim: SimRedis,
    clients: Vec<Client>,
    links: Vec<Link>,
    names: Names,
    commands: Commands,
    seed: u64,
    history: Vec<String>,
}

impl<'s> Pair<'s> {
    fn new(server: &'s mut Server, seed: u64) -> Self {
        let mut pair = Self {
            sim: SimRedis::new(LOG_NODE, usize::MAX),
            clients: Vec::new(),
            links: Vec::new(),
            names: Names::new("sb1"),
            commands: Commands::new(seed),
            server,
            seed,
            history: Vec::new(),
        };
        pair.clients.push(Client::connect(pair.server.address));
        pair.links.push(pair.sim.connect());
        pair.control(&["FLUSHALL"]);
        pair.clients.clear();
        pair.links.clear();
        pair.connect();
        pair
    }

    fn play(&mut self, seen: &mut BTreeMap<String, u64>) {
        for step in 0..STEPS {
            let what = if self.commands.rng.u32(0..100) < 92 {
                self.command()
            } else {
                self.mishap().to_owned()
            };
            *seen.entry(what).or_default() += 1;
            if step % 8 == 0 {
                *seen.entry("push".to_owned()).or_default() += self.compare_pushes();
            }
            if step % 20 == 0 {
                self.compare_keys();
            }
        }
        self.recover();
        self.compare_pushes();
        self.compare_keys();
    }

    /// Gives both the same command; returns the name of the answer.
    fn command(&mut self) -> String {
        let command = self.commands.one();
        self.history.push(format!("{command:?}"));
        let client = self.commands.rng.usize(0..LINKS);
        let arguments = encode(&self.names, &command);
        let (time, reply) = self.clients[client].call_both(&["TIME"], &arguments);
        let real = decode(&command, reply.clone());
        self.sim.set_now(time_of(time));
        if let Ok(Answer::Seats { at, .. } | Answer::Login { at, .. }) = &real {
            self.sim.set_now(*at);
        }
        if let Ok(Answer::Beat { at, .. } | Answer::Fenced { at } | Answer::Kick { at, .. }) = &real
        {
            self.sim.set_now(*at);
        }
        let modelled = self.sim.apply(&command);
        if sorted(real.clone()) != sorted(modelled.clone()) {
            self.fail(&format!(
                "Redis:   {real:?}\n  from {reply:?}\nmodel:   {modelled:?}"
            ));
        }
        match real {
            Ok(answer) => {
                self.commands.hear(&command, &answer);
                name_of(&answer)
            }
            Err(failure) => {
                if failure == Failure::NoScript {
                    self.load_scripts();
                }
                format!("{failure:?}")
            }
        }
    }

    /// Lets the same befall both.
    fn mishap(&mut self) -> &'static str {
        let link = self.commands.rng.usize(0..LINKS);
        let what = match self.commands.rng.u32(0..100) {
            0..40 => {
                let channel = self.commands.channel();
                self.subscribe(link, channel)
            }
            40..55 => {
                self.recover();
                let key = self.commands.key();
                self.control(&["DEL", &Self::name(&key)]);
                self.sim.evict(&key);
                "evict"
            }
            55..62 => {
                self.recover();
                let key = self.commands.key();
                self.control(&["SET", &Self::name(&key), "of another type", "EX", "86400"]);
                self.sim.occupy(&key);
                "occupy"
            }
            62..68 => self.garble(),
            68..73 => {
                self.control(&["SCRIPT", "FLUSH"]);
                self.sim.flush_scripts();
                "script flush"
            }
            73..80 => {
                self.recover();
                self.control(&["CONFIG", "SET", "maxmemory", "1"]);
                self.sim.refuse(Some(Failure::OutOfMemory));
                "out of memory"
            }
            80..85 => {
                self.recover();
                self.control(&["REPLICAOF", "127.0.0.1", "1"]);
                self.sim.refuse(Some(Failure::ReadOnly));
                "read only"
            }
            85..94 => {
                self.recover();
                "recover"
            }
            94..96 => {
                self.recover();
                self.control(&["FLUSHALL"]);
                self.sim.flush();
                "flush"
            }
            96..99 => {
                self.compare_pushes();
                self.clients.clear();
                for link in self.links.drain(..) {
                    self.sim.disconnect(link);
                }
                self.connect();
                "reconnect"
            }
            _ => {
                self.compare_pushes();
                self.server.restart();
                self.sim.restart(Kept::Nothing);
                self.clients.clear();
                self.links.clear();
                self.commands.new_incarnation();
                self.connect();
                "restart"
            }
        };
        self.history.push(what.to_owned());
        what
    }

    fn subscribe(&mut self, link: usize, channel: Channel) -> &'static str {
        let name = self.names.channel(&channel);
        if self.commands.rng.u32(0..4) == 0 {
            self.clients[link].subscription("UNSUBSCRIBE", &name);
            self.sim.unsubscribe(self.links[link], &channel);
            "unsubscribe"
        } else {
            self.clients[link].subscription("SUBSCRIBE", &name);
            self.sim.subscribe(self.links[link], channel);
            "subscribe"
        }
    }

    /// Numbers that are none: a command that writes to the room starts it anew.
    fn garble(&mut self) -> &'static str {
        self.recover();
        let command = loop {
            if let command @ Command::Sync(_) = self.commands.one() {
                break command;
            }
        };
        let Command::Sync(sync) = &command else {
            unreachable!("drawn above");
        };
        let numbers = Key::Numbers(sync.room.to_string());
        let name = Self::name(&numbers);
        if self.clients[0].call(&["TYPE", &name]) != Reply::Text(b"hash".to_vec()) {
            return "nothing to garble";
        }
        let garbage = ["-1", "1e3", "99999999999999999999", "", "0x10"];
        let garbage = garbage[self.commands.rng.usize(0..garbage.len())];
        self.control(&["HSET", &name, "s", garbage]);
        let arguments = encode(&self.names, &command);
        let real = decode(&command, self.clients[0].call(&arguments));
        self.sim.evict(&numbers);
        let modelled = self.sim.apply(&command);
        if real != modelled && real != Err(Failure::NoScript) {
            self.fail(&format!("Redis:   {real:?}\nmodel:   {modelled:?}"));
        }
        if real == Err(Failure::NoScript) {
            self.control(&["DEL", &name]);
            self.load_scripts();
        }
        "garble"
    }

    /// Ends what makes the servers refuse writes.
    fn recover(&mut self) {
        self.control(&["REPLICAOF", "NO", "ONE"]);
        self.control(&["CONFIG", "SET", "maxmemory", "0"]);
        self.sim.refuse(None);
    }

    fn connect(&mut self) {
        for _ in 0..LINKS {
            self.clients.push(Client::connect(self.server.address));
            self.links.push(self.sim.connect());
        }
        self.load_scripts();
    }

    fn load_scripts(&mut self) {
        for script in Script::ALL {
            let reply = self.clients[0].call(&["SCRIPT", "LOAD", script.source()]);
            assert_eq!(reply, Reply::Text(script.digest().into()), "{script:?}");
        }
        self.sim.load_scripts();
    }

    fn control(&mut self, arguments: &[&str]) {
        let reply = self.clients[0].call(arguments);
        assert!(
            !matches!(reply, Reply::Error(_)),
            "{arguments:?}: {reply:?}"
        );
    }

    /// What Redis answers behind a push has been sent behind it.
    fn compare_pushes(&mut self) -> u64 {
        let mut count = 0;
        for link in 0..LINKS {
            self.clients[link].call(&["PING"]);
            loop {
                let real = self.clients[link].pushes.pop_front();
                let real = real.map(|(name, payload)| {
                    let channel = self.names.to_channel(&name);
                    (channel.expect("a channel of the cluster"), payload)
                });
                let modelled = self.sim.take_push(self.links[link]);
                if real != modelled {
                    self.fail(&format!(
                        "link {link}\nRedis pushed {real:?}\nmodel pushed {modelled:?}"
                    ));
                }
                if real.is_none() {
                    break;
                }
                count += 1;
            }
        }
        count
    }

    /// The same keys, each with a time to live, and about the same.
    fn compare_keys(&mut self) {
        let time = self.clients[0].call(&["TIME"]);
        self.sim.set_now(time_of(time));
        let keys = self.sim.keys();
        let mut real = match self.clients[0].call(&["KEYS", "*"]) {
            Reply::List(keys) => keys,
            other => panic!("{other:?}"),
        };
        real.sort_by_key(|key| format!("{key:?}"));
        let mut modelled: Vec<Reply> = keys
            .iter()
            .map(|(key, _)| Reply::Text(Self::name(key).into_bytes()))
            .collect();
        modelled.sort_by_key(|key| format!("{key:?}"));
        if real != modelled {
            self.fail(&format!("Redis has {real:?}\nmodel has {modelled:?}"));
        }
        for (key, left) in keys {
            let name = Self::name(&key);
            let real = match self.clients[0].call(&["PTTL", &name]) {
                Reply::Integer(millis @ 0..) => Duration::from_millis(millis as u64),
                other => panic!("{name} has no time to live: {other:?}"),
            };
            let left = left.expect("the model gives each key a time to live");
            if real.abs_diff(left) > Duration::from_secs(600) {
                self.fail(&format!("{name} has {real:?} left, in the model {left:?}"));
            }
        }
    }

    /// Names of keys, written down a second time.
    fn name(key: &Key) -> String {
        match key {
            Key::Numbers(room) => format!("sb1:{{{room}}}:m"),
            Key::Log(room) => format!("sb1:{{{room}}}:s"),
            Key::Users(room) => format!("sb1:{{{room}}}:p"),
            Key::Values(room) => format!("sb1:{{{room}}}:k"),
            Key::Keys(room) => format!("sb1:{{{room}}}:q"),
            Key::Seats(room) => format!("sb1:{{{room}}}:n"),
            Key::Claims(user) => format!("sb1:{{u:{user}}}"),
            Key::Lease(registration) => format!("sb1:{{n}}:{registration}"),
            Key::Nodes => "sb1:{n}".to_owned(),
        }
    }

    fn fail(&self, what: &str) -> ! {
        let from = self.history.len().saturating_sub(30);
        panic!(
            "seed {}, step {}:\n{what}\nafter\n{}",
            self.seed,
            self.history.len(),
            self.history[from..].join("\n")
        );
    }
}

fn time_of(reply: Reply) -> BrokerTime {
    let Reply::List(parts) = reply else {
        panic!("{reply:?} is no time");
    };
    let part = |part: &Reply| match part {
        Reply::Text(digits) => String::from_utf8_lossy(digits).parse::<u64>().unwrap(),
        other => panic!("{other:?} is no number"),
    };
    BrokerTime(part(&parts[0]) * 1_000_000 + part(&parts[1]))
}

/// Orders what Redis keeps in no order.
fn sorted(done: Done) -> Done {
    done.map(|answer| match answer {
        Answer::Occupants(Some(mut list)) => {
            list.users.sort();
            Answer::Occupants(Some(list))
        }
        Answer::Beat {
            at,
            peers: Some(mut peers),
        } => {
            peers.sort();
            let peers = Some(peers);
            Answer::Beat { at, peers }
        }
        other => other,
    })
}

fn name_of(answer: &Answer) -> String {
    let text = format!("{answer:?}");
    let end = text.find(['(', ' ']).unwrap_or(text.len());
    text[..end].to_owned()
}
