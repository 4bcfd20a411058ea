//! What goes wrong with links and with the broker, without a loss of data.

use switchboard_core::cluster::{Channel, Command, Failure};

use super::losses::{LOSING, OF_NODES};
use super::plan::{MILLI, Mode, ROOMS, SECOND};
use super::schedule::Step;
use super::wire::Received;
use super::world::World;

pub(super) type Fault = fn(&mut World) -> &'static str;

/// Faults by which no data are lost at the broker.
const HARMLESS: [Fault; 16] = [
    reset_before_it_is_applied,
    reset_before_it_is_answered,
    half_open,
    nothing_goes_out,
    nothing_comes_in,
    clog,
    slow,
    client_kill,
    lost_push,
    garbage,
    cut_off,
    refused,
    away,
    stands_still,
    scripts_gone,
    refuses_writes,
];

impl World {
    /// Something goes wrong, and again after a while.
    pub(super) fn make_trouble(&mut self) {
        if self.is_calm {
            return;
        }
        let at = self.now + self.rng.u64(self.plan.faults / 8..=self.plan.faults);
        self.schedule.push(at, Step::Trouble);
        self.broker_keeps();
        if self.rng.u8(..4) == 0 {
            self.heal();
        }
        let faults: Vec<Fault> = match self.plan.mode {
            Mode::Nothing => return,
            Mode::Harmless => HARMLESS.to_vec(),
            Mode::Nodes => OF_NODES.to_vec(),
            Mode::All => [&HARMLESS[..], &LOSING, &OF_NODES].concat(),
        };
        let fault = faults[self.rng.usize(..faults.len())];
        let what = fault(self);
        self.note(|| format!("FAULT {what}"));
        self.count(what, 1);
        self.spread();
    }

    /// Ends what lasts.
    pub(super) fn heal(&mut self) {
        self.broker.sim.refuse(None);
        self.broker.away_until = self.now;
        self.broker.frozen_until = self.now;
        for node in &mut self.nodes {
            node.cut_off_until = self.now;
            node.refused_until = self.now;
        }
        self.demote();
        for wire in &mut self.wires {
            wire.delay = 0;
        }
        self.unclog();
    }

    /// The master of before learns that it is one no more: its links end.
    fn demote(&mut self) {
        if self.broker.astray.is_none() {
            return;
        }
        self.count("old master demoted", 1);
        for w in self.broker.wires.clone() {
            if self.wires[w as usize].is_astray {
                self.wire_breaks(w);
                self.wires[w as usize].is_astray = false;
            }
        }
        self.broker.astray = None;
    }

    pub(super) fn some_node(&mut self) -> usize {
        self.rng.usize(..self.nodes.len())
    }

    /// A connection of some node to the broker.
    fn some_wire(&mut self) -> Option<u32> {
        let n = self.some_node();
        self.nodes[n].process.as_ref()?.wire
    }

    pub(super) fn some_time(&mut self, most: u64) -> u64 {
        self.now + self.rng.u64(50 * MILLI..most)
    }
}

fn reset_before_it_is_applied(world: &mut World) -> &'static str {
    if let Some(w) = world.some_wire() {
        world.wire_breaks(w);
    }
    "link reset before it was applied"
}

fn reset_before_it_is_answered(world: &mut World) -> &'static str {
    if let Some(w) = world.some_wire() {
        let sent = std::mem::take(&mut world.wires[w as usize].up);
        let applied = world.rng.usize(..=sent.len());
        for (_, sent) in sent.into_iter().take(applied) {
            world.broker_takes(w, sent);
        }
        world.wire_breaks(w);
    }
    "link reset before it was answered"
}

fn half_open(world: &mut World) -> &'static str {
    if let Some(w) = world.some_wire() {
        let wire = &mut world.wires[w as usize];
        (wire.swallows_up, wire.swallows_down) = (true, true);
    }
    "link half open"
}

fn nothing_goes_out(world: &mut World) -> &'static str {
    if let Some(w) = world.some_wire() {
        world.wires[w as usize].swallows_up = true;
    }
    "nothing goes out"
}

fn nothing_comes_in(world: &mut World) -> &'static str {
    if let Some(w) = world.some_wire() {
        world.wires[w as usize].swallows_down = true;
    }
    "nothing comes in"
}

/// Nothing moves for a while, and then all of it: unless the broker has cut the connection of a node that
/// does not read.
fn clog(world: &mut World) -> &'static str {
    let until = world.some_time(5 * SECOND);
    if let Some(w) = world.some_wire() {
        world.wires[w as usize].clogged_until = until;
    }
    "link clogged"
}

fn slow(world: &mut World) -> &'static str {
    let delay = world.rng.u64(MILLI..1_500 * MILLI);
    if let Some(w) = world.some_wire() {
        world.wires[w as usize].delay = delay;
    }
    "link slow"
}

fn client_kill(world: &mut World) -> &'static str {
    for w in world.broker.wires.clone() {
        let wire = &world.wires[w as usize];
        if let (Some(link), is_astray) = (wire.link, wire.is_astray) {
            world.broker.of(is_astray).disconnect(link);
        }
    }
    "links killed by the broker"
}

/// What a node was sent is lost without any sign, as between the servers of Redis Cluster.
fn lost_push(world: &mut World) -> &'static str {
    world.oracle.unseen_at = Some(world.now);
    for w in world.broker.wires.clone() {
        let down = &mut world.wires[w as usize].down;
        let is_push = |(_, it): &(u64, Received)| matches!(it, Received::Push(..));
        if let Some(last) = down.iter().rposition(is_push) {
            down.remove(last);
            return "push lost without a sign";
        }
    }
    "no push to lose"
}

/// Somebody else publishes what no node would.
fn garbage(world: &mut World) -> &'static str {
    let positions = world.positions();
    let room = world.rng.usize(..world.plan.rooms());
    let epoch = positions.get(&room).map_or("e", |(epoch, _)| epoch);
    let most = u64::MAX;
    let payloads = [
        String::new(),
        "1\tM\t\t\n".to_owned(),
        "1\tZ\t1\n".to_owned(),
        "2\tM\t9\te\tn\t1\nx".to_owned(),
        format!("1\tM\t{most}\t{epoch}\tghost-0\t1\n\n7"),
        format!("1\tM\t0\t{epoch}\tghost-0\t1\n\n7"),
        "1\tM\t5\tother\tghost-0\t1\n\n7".to_owned(),
        format!("1\tP\t{most}\t{epoch}\tghost-0.1\n+ghost"),
        format!("1\tB\tghost-0.1\t{most}\t9\tup\nrooms {most}0"),
        format!("1\tA\tghost-0\t{most}\t1\n"),
        "1\tX\tghost-0.1\tkicked\tu0\n0-0".to_owned(),
    ];
    let payload = &payloads[world.rng.usize(..payloads.len())];
    let node = world.some_node();
    let name = world.nodes[node].process.as_ref().map(|it| {
        let stats = it.clustered.stats(switchboard_core::Time::MAX);
        stats.node
    });
    let channel = match (world.rng.u32(..4), name) {
        (0, _) => Channel::Everyone,
        (1, Some(name)) => Channel::Inbox(name),
        _ => Channel::Room(ROOMS[room].into()),
    };
    let command = Command::Notify {
        channel,
        payload: payload.as_bytes().into(),
    };
    let _ = world.broker.sim.apply(&command);
    "garbage on a channel"
}

/// The present connection of a node ends, and new ones lead nowhere.
fn cut_off(world: &mut World) -> &'static str {
    let (n, until) = (world.some_node(), world.some_time(8 * SECOND));
    world.nodes[n].cut_off_until = until;
    if let Some(w) = world.nodes[n].process.as_ref().and_then(|it| it.wire) {
        let wire = &mut world.wires[w as usize];
        (wire.swallows_up, wire.swallows_down) = (true, true);
    }
    "node cut off"
}

fn refused(world: &mut World) -> &'static str {
    let (n, until) = (world.some_node(), world.some_time(8 * SECOND));
    world.nodes[n].refused_until = until;
    if let Some(w) = world.nodes[n].process.as_ref().and_then(|it| it.wire) {
        world.wire_breaks(w);
    }
    "node refused"
}

fn away(world: &mut World) -> &'static str {
    world.broker.away_until = world.some_time(8 * SECOND);
    client_kill(world);
    "broker away"
}

fn stands_still(world: &mut World) -> &'static str {
    world.broker.frozen_until = world.some_time(6 * SECOND);
    "broker stands still"
}

fn scripts_gone(world: &mut World) -> &'static str {
    world.broker.sim.flush_scripts();
    "scripts gone"
}

fn refuses_writes(world: &mut World) -> &'static str {
    if world.rng.bool() {
        world.broker.sim.refuse(Some(Failure::ReadOnly));
        "broker read-only"
    } else {
        world.broker.sim.refuse(Some(Failure::OutOfMemory));
        "broker out of memory"
    }
}
