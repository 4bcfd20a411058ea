//! The node's writer: one writer per connection, in turns; some report late.

use switchboard_core::{Chunk, Event};

use super::counters::{Fault, Probe};
use super::plan::{MICRO, MILLI};
use super::schedule::Step;
use super::world::World;

/// Connections written before other work gets a turn.
const TURN: usize = 32;
/// Bytes taken per connection and turn.
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
                self.fail(3, format!("bytes for {id}, which is gone"));
                return;
            };
            self.links[l as usize].shadow.unblocked = false;
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

    /// A late writer writes now, unless the socket was dropped meanwhile.
    pub(super) fn report(&mut self, l: u32) {
        if let Some(bytes) = self.links[l as usize].held.take() {
            if self.links[l as usize].node_gone {
                // The writer holds the socket until it reports; the core has forgotten the id.
                self.event(l, Event::Wrote(bytes.len()));
                return;
            }
            self.write(l, &bytes);
        }
    }

    fn write(&mut self, l: u32, bytes: &[u8]) {
        let (mut written, mut outcome) = (0, Ok(()));
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
