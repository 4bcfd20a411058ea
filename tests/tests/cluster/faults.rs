//! What goes wrong.

use std::sync::Arc;
use std::time::Duration;

use switchboard_core::cluster::{BrokerTime, Channel, Command, Failure};
use switchboard_tests::broker::{Kept, Key};

use crate::acts::USERS;
use crate::process::Received;
use crate::world::{ROOMS, World};

/// Lets something go wrong; returns what.
pub(crate) type Fault = fn(&mut World) -> &'static str;

/// Faults by which no data are lost at the broker.
pub(crate) const HARMLESS: [Fault; 14] = [
    reset_before_it_is_applied,
    reset_before_it_is_answered,
    half_open,
    nothing_goes_out,
    nothing_comes_in,
    clog,
    client_kill,
    script_flush,
    read_only,
    out_of_memory,
    away,
    garbage,
    stall,
    lost_push,
];

/// Faults by which the broker loses data.
pub(crate) const LOSING: [Fault; 9] = [
    restart_with_everything,
    restart_with_nothing,
    restart_with_older_data,
    fail_over,
    split_brain,
    clock_back,
    clock_forward,
    evict,
    flush,
];

/// Faults of nodes.
pub(crate) const OF_NODES: [Fault; 4] = [kill_one, pause, suspend, retire];

fn node(world: &mut World) -> usize {
    world.rng.usize(0..world.nodes.len())
}

pub(crate) fn reset_before_it_is_applied(world: &mut World) -> &'static str {
    let at = node(world);
    world.drop_link(at);
    world.nodes[at].received.push_back(Received::Lost);
    "reset before"
}

fn reset_before_it_is_answered(world: &mut World) -> &'static str {
    let at = node(world);
    reset_before_it_is_answered_on(world, at);
    "reset after"
}

pub(crate) fn reset_before_it_is_answered_on(world: &mut World, at: usize) {
    while world.nodes[at].can_send(world.now) {
        world.broker_reads(at);
    }
    world.drop_link(at);
    world.nodes[at].received.push_back(Received::Lost);
}

fn half_open(world: &mut World) -> &'static str {
    let at = node(world);
    world.nodes[at].swallows_sent = true;
    world.nodes[at].swallows_received = true;
    "half open"
}

fn nothing_goes_out(world: &mut World) -> &'static str {
    let at = node(world);
    world.nodes[at].swallows_sent = true;
    "nothing goes out"
}

fn nothing_comes_in(world: &mut World) -> &'static str {
    let at = node(world);
    world.nodes[at].swallows_received = true;
    "nothing comes in"
}

/// Nothing moves between a node and the broker for a while, and then all of it: unless the broker has
/// cut the connection of a node that does not read.
fn clog(world: &mut World) -> &'static str {
    let at = node(world);
    let clog = Duration::from_millis(world.rng.u64(10..4000));
    world.nodes[at].clogged_until = world.now + clog;
    "clog"
}

fn client_kill(world: &mut World) -> &'static str {
    let at = node(world);
    if let Some(link) = world.nodes[at].link {
        world.broker(at).disconnect(link);
    }
    world.spread();
    "client kill"
}

fn script_flush(world: &mut World) -> &'static str {
    world.sim.flush_scripts();
    "script flush"
}

fn read_only(world: &mut World) -> &'static str {
    world.sim.refuse(Some(Failure::ReadOnly));
    "read only"
}

fn out_of_memory(world: &mut World) -> &'static str {
    world.sim.refuse(Some(Failure::OutOfMemory));
    "out of memory"
}

/// Nobody can connect for a while, which may be longer than rooms wait.
fn away(world: &mut World) -> &'static str {
    let away = Duration::from_millis(world.rng.u64(100..6000));
    world.away_until = world.now + away;
    for at in 0..world.nodes.len() {
        if let Some(link) = world.nodes[at].link {
            world.broker(at).disconnect(link);
        }
    }
    world.spread();
    "away"
}

/// Somebody else publishes what no node would.
fn garbage(world: &mut World) -> &'static str {
    let room = world.some_room();
    let (at, life) = (node(world), world.position(room));
    let epoch = life.map_or_else(|| "e".into(), |it| it.epoch.to_string());
    let channel = match world.rng.u32(0..4) {
        0 => Channel::Everyone,
        1 => Channel::Inbox(Arc::clone(&world.nodes[at].name)),
        _ => Channel::Room(room.into()),
    };
    let most = u64::MAX;
    let payloads = [
        String::new(),
        "1\tM\t\t\n".to_owned(),
        "1\tZ\t1\n".to_owned(),
        "2\tM\t9\te\tn\t1\nx".to_owned(),
        format!("1\tM\t{most}\t{epoch}\tghost-0\t1\n7"),
        format!("1\tM\t0\t{epoch}\tghost-0\t1\n7"),
        "1\tM\t5\tother\tghost-0\t1\n7".to_owned(),
        format!("1\tP\t{most}\t{epoch}\tghost-0.1\n+ann"),
        format!("1\tB\tghost-0.1\t{most}\t9\tup\nrooms {most}0"),
        format!("1\tA\tghost-0\t{most}\t1\n"),
        "1\tX\tghost-0.1\tkicked\tann\n0-0".to_owned(),
    ];
    let payload = &payloads[world.rng.usize(0..payloads.len())];
    let command = Command::Notify {
        channel,
        payload: payload.as_bytes().into(),
    };
    let _ = world.sim.apply(&command);
    world.spread();
    "garbage"
}

/// Nothing moves for a while, which may be longer than an answer may take.
fn stall(world: &mut World) -> &'static str {
    let stall = Duration::from_millis(world.rng.u64(100..2500));
    world.pass(stall);
    "stall"
}

/// What a node was sent is lost without any sign, as between the servers of Redis Cluster.
fn lost_push(world: &mut World) -> &'static str {
    let at = node(world);
    let received = &mut world.nodes[at].received;
    let is_push = |it: &Received| matches!(it, Received::Push(..));
    let Some(last) = received.iter().rposition(is_push) else {
        return "no push to lose";
    };
    received.remove(last);
    "lost push"
}

fn kill_one(world: &mut World) -> &'static str {
    let at = node(world);
    kill(world, at);
    "kill"
}

/// A process is killed, and started again at once: it comes back as another node.
pub(crate) fn kill(world: &mut World, at: usize) {
    world.drop_link(at);
    world.witness.killed(at);
    world.connections_end(at);
    world.seats_end(at);
    world.questions_end(at);
    world.nodes[at] = world.process(at);
}

/// A process says goodbye, and is started again.
fn retire(world: &mut World) -> &'static str {
    let at = node(world);
    if world.is_paused(at) {
        return "no time to retire";
    }
    for user in USERS {
        for id in world.connections(at, user) {
            world.log_out(at, id);
        }
    }
    world.nodes[at].machine.drain();
    let draining = Duration::from_millis(world.rng.u64(0..2000));
    world.run(draining);
    if world.is_paused(at) {
        return "no time to retire";
    }
    let now = world.clock(at);
    world.nodes[at].machine.retire(now);
    world.run(Duration::from_millis(1100));
    let stats = world.nodes[at].machine.stats(world.now);
    kill(world, at);
    assert!(!stats.up, "a node goes on that has said goodbye");
    "retire"
}

/// A process stands still for a while, which may be longer than its lease.
fn pause(world: &mut World) -> &'static str {
    let at = node(world);
    if world.is_paused(at) {
        return "no process to stop";
    }
    let pause = Duration::from_millis(world.rng.u64(100..8000));
    world.nodes[at].paused_until = world.now + pause;
    "pause"
}

/// A machine is suspended: its clock stands still too.
fn suspend(world: &mut World) -> &'static str {
    let at = node(world);
    if world.is_paused(at) {
        return "no clock to stop";
    }
    let pause = Duration::from_millis(world.rng.u64(100..8000));
    world.nodes[at].paused_until = world.now + pause;
    world.nodes[at].asleep += pause;
    "suspend"
}

fn restart_with_everything(world: &mut World) -> &'static str {
    world.sim.restart(Kept::All);
    world.spread();
    "restart with all"
}

fn restart_with_nothing(world: &mut World) -> &'static str {
    world.sim.restart(Kept::Nothing);
    world.spread();
    "restart with nothing"
}

fn restart_with_older_data(world: &mut World) -> &'static str {
    world.sim.restart(Kept::Saved);
    world.spread();
    "restart with older data"
}

fn fail_over(world: &mut World) -> &'static str {
    world.sim.fail_over();
    world.spread();
    "failover"
}

/// The replica takes over, but some nodes still reach the master of before, until that learns of it.
fn split_brain(world: &mut World) -> &'static str {
    if world.astray.is_some() {
        return "no second split brain";
    }
    let mut astray = world.sim.clone();
    world.sim.fail_over();
    for node in &mut world.nodes {
        node.is_astray = world.rng.bool();
        if let Some(link) = node.link
            && !node.is_astray
        {
            astray.disconnect(link);
        }
    }
    world.astray = Some(astray);
    world.spread();
    "split brain"
}

/// The master of before learns that it is one no more.
pub(crate) fn demote(world: &mut World) {
    if let Some(astray) = &mut world.astray {
        astray.refuse(Some(Failure::ReadOnly));
        world.witness.count("demoted");
    }
}

/// The master of before is gone.
fn end_split_brain(world: &mut World) {
    for at in 0..world.nodes.len() {
        if let Some(link) = world.nodes[at].link
            && world.nodes[at].is_astray
        {
            world.broker(at).disconnect(link);
        }
    }
    world.spread();
    world.astray = None;
    for node in &mut world.nodes {
        node.is_astray = false;
    }
}

/// Somebody corrects the clock of the broker. Claims of before look newer than a kick.
fn clock_back(world: &mut World) -> &'static str {
    let back = world.rng.u64(0..3_600_000_000);
    world.sim.set_now(BrokerTime(world.sim.now().0 - back));
    "clock back"
}

/// The same, and what expires at a time expires early.
fn clock_forward(world: &mut World) -> &'static str {
    let forward = world.rng.u64(0..1_200_000_000);
    world.sim.set_now(BrokerTime(world.sim.now().0 + forward));
    "clock forward"
}

fn evict(world: &mut World) -> &'static str {
    let room = ROOMS[world.rng.usize(0..ROOMS.len())].to_owned();
    let at = node(world);
    let node = world.nodes[at].name.to_string();
    let key = match world.rng.u32(0..10) {
        0..3 => Key::Numbers(room),
        3..5 => Key::Log(room),
        5 => Key::Users(room),
        6 => Key::Claims(world.some_user().to_owned()),
        7 => Key::Seats("hall".to_owned()),
        8 => Key::Lease(format!("{node}.1")),
        _ => Key::Nodes,
    };
    world.sim.evict(&key);
    "evict"
}

fn flush(world: &mut World) -> &'static str {
    world.sim.flush();
    "flush"
}

/// Ends what lasts.
pub(crate) fn end_all(world: &mut World) {
    world.sim.refuse(None);
    world.away_until = world.now;
    end_split_brain(world);
}

/// What old connections left behind is read.
pub(crate) fn read_leftovers(world: &mut World) -> u64 {
    let mut count = 0;
    for command in std::mem::take(&mut world.leftovers) {
        let _ = world.sim.apply(&command);
        world.spread();
        count += 1;
    }
    count
}
