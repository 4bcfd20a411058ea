//! Random operations, in any order.

use super::world::{Events, World};
use crate::Time;

impl World {
    fn step(&mut self) {
        self.now += self.rng.u64(..3);
        self.log.advance_clock(Time::from_millis(self.now));
        let sends = !self.quiet || self.rng.u8(..8) == 0;
        match self.rng.u8(..112) {
            100 => self.flush(),
            101 => self.discard(),
            102 => self.expire(),
            0..8 => self.open(),
            8..10 => {
                if let Some(id) = self.any_client() {
                    self.drop_connection(id);
                }
            }
            10..22 => self.join(),
            22..28 => self.leave(),
            28 if self.rng.u8(..4) == 0 => self.replace_room(),
            28..52 if sends => self.publish(),
            106..112 if sends => {
                for _ in 0..self.rng.usize(1..5) {
                    self.publish_key();
                }
            }
            52..58 if sends => self.send(),
            58..61 if sends => self.urgent(),
            61..80 => self.take(),
            80..94 => self.report(),
            103..105 if sends => self.pong(),
            105 if sends => self.send_shared(),
            _ => self.writable(),
        }
        self.close_condemned();
        self.keep_bound();
        self.note_uninformed();
        self.note_drained();
        self.log.check(&self.turns);
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "more runs, and the seed of one that has failed"
)]
fn setting(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().expect("a number"))
}

#[test]
fn every_member_gets_what_it_is_due_in_order_or_a_counted_loss() {
    let runs = setting("SWITCHBOARD_RUNS").unwrap_or(150);
    let first = setting("SWITCHBOARD_SEED").unwrap_or(0);
    let mut total = Events::default();
    for seed in first..first + runs {
        let outcome = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            for _ in 0..400 {
                world.step();
            }
            world.finish()
        });
        let events =
            outcome.unwrap_or_else(|_| panic!("SWITCHBOARD_SEED={seed} SWITCHBOARD_RUNS=1"));
        total.losses += events.losses;
        total.closed += events.closed;
        total.own += events.own;
        total.halves += events.halves;
        total.busy += events.busy;
        total.cut += events.cut;
        total.recovered += events.recovered;
        total.marks += events.marks;
        total.missed += events.missed;
        total.filled += events.filled;
        total.drained += events.drained;
        total.uninformed += events.uninformed;
        total.pongs += events.pongs;
        total.over_bound += events.over_bound;
        total.evicted += events.evicted;
        total.overwritten += events.overwritten;
        total.refused += events.refused;
        total.saved += events.saved;
        total.passed += events.passed;
        total.late += events.late;
    }
    let Events {
        losses,
        closed,
        own,
        halves,
        busy,
        cut,
        recovered,
        marks,
        missed,
        filled,
        drained,
        uninformed,
        pongs,
        over_bound,
        evicted,
        overwritten,
        refused,
        saved,
        passed,
        late,
    } = total;
    let messages = [losses, closed, own, halves, busy, cut, recovered, marks];
    let more = [missed, filled, drained, uninformed, pongs, late];
    let bounds = [over_bound, evicted, overwritten, refused, saved, passed];
    let mut all = messages.iter().chain(&more).chain(&bounds);
    assert!(runs < 100 || all.all(|&count| count > 10), "{total:?}");
}
