//! The node's writer: takes turns, one writer per connection; some report late.

use switchboard_core::{Chunk, Event};

use super::counters::{Fault, Probe};
use super::plan::{MICRO, MILLI};
use super::schedule::Step;
use super::world::World;

/// Connections that are written to before everything else gets its turn.
const TURN: usize = 32;
/// Bytes that are taken for one connection at a time.
const CHUNK: usize = 64 << 10;

impl World {
    pub(super) fn flush(&mut self) {
        self.flushing = false;
        for _ in 0..TURN {
            let Some(id) = self.board.poll_send() else {
                return;
            };
            self.hash(id.slot() as u64 ^ 0xf1);
            let Some(l) = self.link_of(id) else {
                self.fail(3, format!("something to write for {id}, which has gone"));
                return;
            };
            let mut buffer = Vec::new();
            match self.board.transmit(id, &mut buffer, CHUNK) {
                Chunk::Copied(_) | Chunk::Nothing => {}
                Chunk::Shared(frame, from) => {
                    self.probe(Probe::SharedChunk);
                    buffer.extend_from_slice(&frame.as_bytes()[from..]);
                    if from > 0 {
                        self.probe(Probe::LargeFrameCut);
                    }
                }
            }
            if self.trouble(self.plan.late_writers) {
                self.fault(Fault::WriteDelayed);
                let stuck = self.moment();
                let link = &mut self.links[l as usize];
                link.held = Some(buffer);
                link.shadow.stuck.get_or_insert(stuck);
                let late = self.rng.u64(10 * MICRO..20 * MILLI);
                self.schedule.push(self.now + late, Step::Report(l));
            } else {
                self.write(l, &buffer);
            }
            if self.broken.is_some() {
                return;
            }
        }
    }

    /// A writer that took its time writes now, unless the socket has been dropped meanwhile.
    pub(super) fn report(&mut self, l: u32) {
        if let Some(bytes) = self.links[l as usize].held.take() {
            if self.links[l as usize].node_gone {
                // It holds the socket until it lets go; the core has forgotten the id.
                self.event(l, Event::Wrote(bytes.len()));
                return;
            }
            self.write(l, &bytes);
        }
    }

    fn write(&mut self, l: u32, bytes: &[u8]) {
        let (mut written, mut outcome) = (0, Ok(()));
        // As long as the socket takes anything, as the real one does.
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
                    outcome = Err(());
                    break;
                }
            }
        }
        if self.broken.is_some() {
            return;
        }
        if outcome.is_err() {
            self.allow(l, "reset");
            self.event(l, Event::Reset);
        } else {
            let stuck = self.moment();
            let shadow = &mut self.links[l as usize].shadow;
            if written > 0 {
                shadow.stuck = None;
            }
            if written < bytes.len() {
                shadow.stuck.get_or_insert(stuck);
                self.wait_writable(l);
            }
            self.event(l, Event::Wrote(written));
        }
    }
}
