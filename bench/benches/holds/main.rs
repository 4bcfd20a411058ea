//! Measures the longest call of each kind, which is how long a lock is held around it: `cargo bench
//! -p switchboard-bench --bench holds [-- CONNECTIONS [SUBJECT]...]`.
//!
//! All connections are in one room. At first they live, then they end: by a drain, because they do not
//! read, because they are lost, with the driver; those of one user, those that are in many rooms, the
//! histories of as many rooms, and rooms that keep many messages and many keys. Prints the longest and the median CPU time of a call, so that other load
//! on the machine does not count, and the number of calls above a millisecond.
//!
//! Each subject is measured by several processes, which make the same calls. What counts is the shortest
//! time of each call, because an interrupt, or a pause of a virtual machine, is counted as CPU time, too.
#![allow(missing_docs)]

mod bench;
#[path = "../world/mod.rs"]
mod world;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

use switchboard_core::protocol::Content;
use switchboard_core::{
    CloseReason, Config, Exclude, Keep, RoomHistory, RoomRule, SlowPolicy, UserPolicy,
};

use self::bench::{Bench, LAG};
use self::world::{CONTENT, config};

const MILLISECOND: u64 = 1_000_000;
/// Processes that measure each subject.
const PROCESSES: usize = 3;
/// The argument of such a process.
const MEASURE: &str = "--measure";

/// Rooms of one connection where each is in many.
const ROOMS: usize = 100;
/// Connections of one user.
const DEVICES: usize = 300_000;
/// Messages of a room that keeps some.
const MESSAGES: usize = 20;
/// Messages and keys of rooms that keep many.
const KEPT: usize = 100_000;

/// Its name, and what measures it.
type Subject = (&'static str, fn(usize));

/// How connections end.
type End = fn(&mut Bench);

const SUBJECTS: [Subject; 8] = [
    ("live", live),
    ("slow", slow),
    ("lost", lost),
    ("stop", stop),
    ("user", one_user),
    ("rooms", many_rooms),
    ("histories", histories),
    ("large", large),
];

fn main() {
    let arguments = || std::env::args().skip(1);
    let wanted = arguments().find_map(|it| it.parse().ok());
    let connections = wanted.unwrap_or(1_000_000);
    let is_named = |name: &str| arguments().any(|it| it == name);
    let any_named = SUBJECTS.iter().any(|(name, _)| is_named(name));
    for (name, measure) in SUBJECTS {
        if any_named && !is_named(name) {
            continue;
        }
        if is_named(MEASURE) {
            measure(connections);
        } else {
            print(&measured(name, connections));
        }
    }
}

/// The times of the calls of each kind, by part of the subject.
type Holds = BTreeMap<(usize, String), BTreeMap<String, Vec<u64>>>;

/// Has a subject measured by several processes. Returns the shortest time of each call.
fn measured(subject: &str, connections: usize) -> Holds {
    let mut shortest = Holds::new();
    for round in 0..PROCESSES {
        let program = std::env::current_exe().expect("this program");
        let output = Command::new(program)
            .args([MEASURE, subject, &connections.to_string()])
            .stderr(Stdio::inherit())
            .output()
            .expect("it starts");
        assert!(output.status.success(), "{}", output.status);
        let text = String::from_utf8(output.stdout).expect("text");
        let mut holds = Holds::new();
        let mut part = (0, String::new());
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let name = words.next().unwrap_or_default().to_owned();
            let nanos: Vec<u64> = words.filter_map(|it| it.parse().ok()).collect();
            if nanos.is_empty() {
                part = (part.0 + 1, line.to_owned());
            } else {
                holds.entry(part.clone()).or_default().insert(name, nanos);
            }
        }
        if round == 0 {
            shortest = holds;
            continue;
        }
        for (part, kinds) in holds {
            for (kind, nanos) in kinds {
                let known = shortest.get_mut(&part).and_then(|it| it.get_mut(&kind));
                let known = known.expect("the same kinds of calls");
                assert_eq!(known.len(), nanos.len(), "{kind}: the same calls");
                for (known, nanos) in known.iter_mut().zip(nanos) {
                    *known = nanos.min(*known);
                }
            }
        }
    }
    shortest
}

fn print(holds: &Holds) {
    for ((_, part), kinds) in holds {
        println!(
            "{part:16}{:>12}{:>12}{:>12}{:>10}",
            "calls", "median us", "longest us", "> 1 ms"
        );
        for (name, nanos) in kinds {
            let mut nanos = nanos.clone();
            nanos.sort_unstable();
            let long = nanos.iter().filter(|&&it| it > MILLISECOND).count();
            println!(
                "  {name:14}{:>12}{:>12.1}{:>12.1}{long:>10}",
                nanos.len(),
                nanos[nanos.len() / 2] as f64 / 1e3,
                nanos[nanos.len() - 1] as f64 / 1e3,
            );
        }
    }
}

/// Returns a bench with members of one room who have settled.
fn settled(connections: usize, change: impl FnOnce(&mut Config)) -> Bench {
    let mut config = config();
    change(&mut config);
    let mut bench = Bench::new(config);
    bench.connect(connections);
    bench.settle();
    bench
}

fn live(connections: usize) {
    let mut bench = settled(connections, |_| {});
    bench.send();
    bench.heartbeats(30);
    bench.churn(10_000);
    bench.report("steady");
    bench.drain();
    bench.report("drain");
}

fn slow(connections: usize) {
    let mut bench = settled(connections, |config| config.limits.queue_messages = LAG);
    bench.holds.clear();
    bench.stop_reading();
    bench.report("slow");
}

fn lost(connections: usize) {
    let mut bench = settled(connections, |_| {});
    bench.holds.clear();
    bench.lose();
    bench.report("lost");
}

fn stop(connections: usize) {
    let mut bench = settled(connections, |config| config.presence.enabled = false);
    bench.holds.clear();
    bench.shut_down();
    bench.report("shut down");
}

/// Connections that are in many rooms each end: because they do not answer pings, by a drain, with the
/// driver. There are as many memberships as otherwise connections.
fn many_rooms(memberships: usize) {
    let ends: [(&str, End); 3] = [
        ("silent", Bench::fall_silent),
        ("rooms drain", Bench::drain),
        ("rooms stop", Bench::shut_down),
    ];
    for (title, end) in ends {
        let mut bench = Bench::new(config());
        let connections = memberships / ROOMS;
        for number in 0..connections {
            let name = format!("user-{number}");
            let id = bench.connect_as(name, None);
            bench.ids.push(id);
            for room in 0..ROOMS {
                let room = format!("r{}", (number + 7_919 * room) % connections);
                let joined = bench.call("join", |board, now| board.join(now, id, &room));
                joined.expect("there is room");
            }
            if number.is_multiple_of(10) {
                bench.pass(Duration::from_millis(20));
                bench.write();
            }
        }
        bench.settle();
        bench.report("joining");
        end(&mut bench);
        bench.report(title);
        assert_eq!(bench.switchboard.stats(bench.now).total_connections, 0);
    }
}

/// Calls about a user with many connections, all of which are closed at last.
fn one_user(connections: usize) {
    let connections = connections.min(DEVICES);
    let mut config = config();
    config.users = UserPolicy::Allow(connections);
    config.presence.enabled = false;
    let mut bench = Bench::new(config);
    for _ in 0..connections {
        let id = bench.connect_as("ann".to_owned(), None);
        bench.ids.push(id);
        if bench.ids.len().is_multiple_of(1_000) {
            bench.write();
        }
    }
    bench.settle();
    bench.holds.clear();
    bench.call_user("ann");
    bench.report("one user");
    let closed = bench.call("disconnect", |board, now| {
        board.disconnect_user(now, "ann", CloseReason::Kicked)
    });
    assert_eq!(closed, connections);
    bench.pass(Duration::from_millis(1));
    bench.write();
    bench.report("one user ends");
}

/// The messages of many rooms become too old, and the rooms end.
fn histories(rooms: usize) {
    let mut config = config();
    config.history.messages = MESSAGES;
    config.history.rooms = rooms;
    config.history.bytes = 2 << 30;
    let mut bench = Bench::new(config);
    for number in 0..rooms {
        let room = format!("r{number}");
        for _ in 0..MESSAGES {
            let content = Content::parse(CONTENT).expect("valid JSON");
            let sent = bench.call("broadcast", |board, now| {
                board.broadcast(now, &room, content, Some("ann"), Exclude::NOBODY)
            });
            sent.expect("it fits");
        }
    }
    bench.forget_actions();
    assert_eq!(bench.switchboard.stats(bench.now).history.rooms, rooms);
    bench.pass(Duration::from_secs(5 * 60));
    assert_eq!(bench.switchboard.stats(bench.now).history.messages, 0);
    bench.pass(Duration::from_secs(5 * 60));
    assert_eq!(bench.switchboard.stats(bench.now).history.rooms, 0);
    bench.report("histories");
}

/// A room that keeps many messages and one that keeps the values of many keys end.
fn large(kept: usize) {
    let kept = kept.min(KEPT);
    let mut config = config();
    config.history.bytes = 1 << 30;
    config.room_rules = vec![
        RoomRule {
            prefix: "messages".into(),
            slow: Some(SlowPolicy::CatchUp),
            history: RoomHistory {
                messages: Some(kept),
                room_bytes: Some(1 << 30),
                // Otherwise they would go before the room does.
                age: Some(config.history.linger),
                ..RoomHistory::default()
            },
            ..RoomRule::default()
        },
        RoomRule {
            prefix: "keys".into(),
            keep: Keep::Latest { keys: kept },
            ..RoomRule::default()
        },
    ];
    let mut bench = Bench::new(config);
    for number in 0..kept {
        let content = || Content::parse(CONTENT).expect("valid JSON");
        let sent = bench.call("broadcast", |board, now| {
            board.broadcast(now, "messages", content(), Some("ann"), Exclude::NOBODY)
        });
        sent.expect("it fits");
        let key = format!("key-{number}");
        let sent = bench.call("publish_key", |board, now| {
            board.publish_key(now, "keys", &key, content(), Some("ann"), Exclude::NOBODY)
        });
        sent.expect("it fits");
    }
    bench.forget_actions();
    let history = bench.switchboard.stats(bench.now).history;
    assert_eq!((history.rooms, history.messages), (2, 2 * kept));
    bench.pass(Duration::from_secs(10 * 60));
    let history = bench.switchboard.stats(bench.now).history;
    assert_eq!((history.rooms, history.messages), (0, 0));
    bench.report("large rooms");
}
