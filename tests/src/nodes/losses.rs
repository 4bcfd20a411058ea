//! What goes wrong with the data of the broker, and with nodes.

use std::time::Duration;

use switchboard_core::cluster::BrokerTime;

use super::client::user_name;
use super::faults::Fault;
use super::plan::{PRICES, ROOMS, SECOND};
use super::schedule::Step;
use super::world::World;
use crate::broker::{Kept, Key};

/// Faults by which the broker loses data, or by which its clock is wrong.
pub(super) const LOSING: [Fault; 9] = [
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
pub(super) const OF_NODES: [Fault; 5] = [kill, vanish, pause, sleep, drain];

fn restart_with_everything(world: &mut World) -> &'static str {
    world.broker.sim.restart(Kept::All);
    "restart with all data"
}

fn restart_with_nothing(world: &mut World) -> &'static str {
    world.oracle.has_lost_data = true;
    world.broker.sim.restart(Kept::Nothing);
    "restart with nothing"
}

fn restart_with_older_data(world: &mut World) -> &'static str {
    world.oracle.has_lost_data = true;
    world.broker.sim.restart(Kept::Saved);
    "restart with older data"
}

fn fail_over(world: &mut World) -> &'static str {
    world.oracle.has_lost_data = true;
    world.broker.sim.fail_over();
    "failover"
}

/// The replica takes over, but some nodes still reach the master of before.
fn split_brain(world: &mut World) -> &'static str {
    if world.broker.astray.is_some() {
        return "no second split brain";
    }
    world.oracle.has_lost_data = true;
    world.oracle.was_split = true;
    let astray = world.broker.sim.clone();
    world.broker.sim.fail_over();
    world.broker.astray = Some(astray);
    for w in world.broker.wires.clone() {
        let is_astray = world.rng.bool();
        let wire = &mut world.wires[w as usize];
        wire.is_astray = is_astray;
        if let Some(link) = wire.link
            && !is_astray
            && let Some(astray) = &mut world.broker.astray
        {
            astray.disconnect(link);
        }
    }
    "split brain"
}

/// Somebody corrects the clock of the broker.
fn clock_back(world: &mut World) -> &'static str {
    world.oracle.has_lost_data = true;
    let back = world.rng.u64(..3_600_000_000);
    let sim = &mut world.broker.sim;
    sim.set_now(BrokerTime(sim.now().0 - back));
    "clock set back"
}

/// The same, and what expires at a time expires early.
fn clock_forward(world: &mut World) -> &'static str {
    world.oracle.has_lost_data = true;
    let forward = world.rng.u64(..1_200_000_000);
    world.broker.sim.advance(Duration::from_micros(forward));
    "clock set forward"
}

fn evict(world: &mut World) -> &'static str {
    world.oracle.has_lost_data = true;
    world.oracle.unseen_at = Some(world.now);
    let room = ROOMS[world.rng.usize(..world.plan.rooms())].to_owned();
    let user = world.rng.u32(..world.plan.users);
    let n = world.some_node();
    let registration = world.nodes[n].process.as_ref();
    let registration = registration.and_then(|it| it.registration.as_deref());
    let lease = registration.unwrap_or_default().to_owned();
    let keys = if world.plan.values { 15 } else { 10 };
    let key = match world.rng.u32(..keys) {
        0..3 => Key::Numbers(room),
        3..5 => Key::Log(room),
        5 => Key::Users(room),
        6 => {
            world.oracle.unclaimed.insert(user);
            Key::Claims(user_name(user))
        }
        7 => Key::Seats("hall".to_owned()),
        8 => Key::Lease(lease),
        10 | 11 => Key::Values(ROOMS[PRICES].to_owned()),
        12 => Key::Keys(ROOMS[PRICES].to_owned()),
        13 | 14 => Key::Log(ROOMS[PRICES].to_owned()),
        _ => Key::Nodes,
    };
    world.broker.sim.evict(&key);
    "key evicted"
}

fn flush(world: &mut World) -> &'static str {
    world.oracle.has_lost_data = true;
    world.oracle.unseen_at = Some(world.now);
    world.broker.sim.flush();
    "all data flushed"
}

/// A process is killed, and started again after a while: it comes back as another node.
fn kill(world: &mut World) -> &'static str {
    let n = world.some_node();
    world.ends(n, false);
    let at = world.some_time(6 * SECOND);
    world.schedule.push(at, Step::Start(n as u32));
    "node killed"
}

/// A machine is gone, and nobody is told.
fn vanish(world: &mut World) -> &'static str {
    let n = world.some_node();
    world.ends(n, true);
    let at = world.some_time(6 * SECOND);
    world.schedule.push(at, Step::Start(n as u32));
    "machine vanished"
}

/// A process stands still for a while, which may be longer than its lease.
fn pause(world: &mut World) -> &'static str {
    let n = world.some_node();
    if world.nodes[n].process.is_none() || world.is_paused(n) {
        return "no process to stop";
    }
    let until = world.some_time(9 * SECOND);
    world.nodes[n].paused_until = until;
    world.schedule.push(until, Step::Resume(n as u32));
    "node stood still"
}

/// A machine sleeps: its clock stands still too.
fn sleep(world: &mut World) -> &'static str {
    let n = world.some_node();
    if world.is_paused(n) {
        return "no machine to put to sleep";
    }
    let until = world.some_time(9 * SECOND);
    let now = world.now;
    let Some(process) = &mut world.nodes[n].process else {
        return "no machine to put to sleep";
    };
    process.zero += until - now;
    world.nodes[n].paused_until = until;
    world.schedule.push(until, Step::Resume(n as u32));
    "machine slept"
}

/// A process is about to end, and sends its clients away.
fn drain(world: &mut World) -> &'static str {
    let n = world.some_node();
    if world.is_paused(n) {
        return "no node to drain";
    }
    let Some(process) = &mut world.nodes[n].process else {
        return "no node to drain";
    };
    if std::mem::replace(&mut process.is_draining, true) {
        return "no node to drain";
    }
    let window = Duration::from_millis(world.rng.u64(0..3_000));
    world.call(n, |process, now| {
        process.with(now, |board, _| {
            board.drain(now, window, window + Duration::from_secs(2));
        });
    });
    world.settle(n);
    "node drained"
}
