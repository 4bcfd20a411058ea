//! The node's writers: each takes turns for some connections, and some report late.

use switchboard_core::WriteTurn;

use super::counters::{Fault, Probe};
use super::plan::{MICRO, MILLI};
use super::schedule::Step;
use super::world::World;

/// Connections written in a turn.
const TURN: usize = 32;
/// Frames of as many bytes are lent to the writer.
const LARGE: usize = 8 << 10;

impl World {
    pub(super) fn flush(&mut self) {
        self.flushing = false;
        let late = self.trouble(self.plan.late_writers);
        let most = if late { self.rng.usize(1..5) } else { TURN };
        let mut turn = WriteTurn::default();
        self.is_writing = true;
        self.call_timeless(|board| board.take_turn(&mut turn, most));
        self.is_writing = false;
        for at in 0..turn.len() {
            let Some((id, bytes)) = turn.job(at) else {
                return;
            };
            self.hash(id.slot() as u64 ^ 0xf1);
            if bytes.len() >= LARGE {
                self.probe(Probe::SharedChunk);
            }
            let Some(l) = self.link_of(id) else {
                self.fail(3, format!("bytes for {id}, which is gone"));
                return;
            };
            let link = &mut self.links[l as usize];
            link.shadow.unblocked = false;
            // A blocked socket may be tried again, where nothing waited for it any more.
            let blocked = link.blocked && !link.shadow.emptied;
            if std::mem::replace(&mut link.held, true) || blocked {
                self.fail(
                    15,
                    format!("link {l}: a second writer, or a blocked socket"),
                );
                return;
            }
        }
        if late && !turn.is_empty() {
            self.fault(Fault::WriteDelayed);
            let stuck = self.moment();
            for at in 0..turn.len() {
                if let Some(l) = turn.job(at).and_then(|(id, _)| self.link_of(id)) {
                    self.links[l as usize].shadow.stuck.get_or_insert(stuck);
                }
            }
            let late = self.rng.u64(10 * MICRO..20 * MILLI);
            let number = self.turns.keys().next_back().map_or(0, |last| last + 1);
            self.turns.insert(number, turn);
            self.schedule.push(self.now + late, Step::Report(number));
        } else {
            self.write(turn);
        }
    }

    /// A late writer writes now.
    pub(super) fn report(&mut self, number: u32) {
        if let Some(turn) = self.turns.remove(&number) {
            self.write(turn);
        }
    }

    /// Writes a turn and reports it.
    fn write(&mut self, mut turn: WriteTurn) {
        self.is_writing = true;
        for at in 0..turn.len() {
            let Some((id, bytes)) = turn.job(at) else {
                return;
            };
            // The socket may have been dropped meanwhile; the core has forgotten the id.
            let Some(l) = self.link_of(id) else { continue };
            let bytes = bytes.to_vec();
            self.links[l as usize].held = false;
            match self.write_to(l, &bytes) {
                Ok(written) => turn.wrote(at, written),
                Err(()) => turn.failed(at),
            }
            if self.broken.is_some() {
                return;
            }
        }
        self.call(|board, now| board.report(now, &mut turn));
        self.is_writing = false;
    }

    fn write_to(&mut self, l: u32, bytes: &[u8]) -> Result<usize, ()> {
        let mut written = 0;
        // Writes as long as the socket takes bytes, like the real writer.
        while written < bytes.len() {
            match self.socket_write(l, &bytes[written..]) {
                Ok(0) => break,
                Ok(more) => {
                    written += more;
                    if more < bytes.len() && !self.calm {
                        break;
                    }
                }
                Err(()) => {
                    self.allow(l, "reset");
                    return Err(());
                }
            }
        }
        let stuck = self.moment();
        let shadow = &mut self.links[l as usize].shadow;
        if written > 0 {
            shadow.stuck = None;
        }
        if written < bytes.len() {
            if written > 0 && bytes.len() >= LARGE {
                self.probe(Probe::LargeFrameCut);
            }
            let shadow = &mut self.links[l as usize].shadow;
            shadow.stuck.get_or_insert(stuck);
            self.wait_writable(l);
        }
        Ok(written)
    }
}
