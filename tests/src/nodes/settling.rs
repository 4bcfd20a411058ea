//! What the driver of a node does after calls: it tells sessions, obeys the machine, writes what waits, and
//! sets its timer.

use switchboard_core::WriteTurn;

use super::link::Down;
use super::schedule::Step;
use super::world::World;

/// Connections that are written in a turn.
const TURN: usize = 32;

impl World {
    /// Carries out what calls of a process have left to do, until nothing is left.
    pub(super) fn settle(&mut self, n: usize) {
        loop {
            let Some(process) = &mut self.nodes[n].process else {
                return;
            };
            if let Some(told) = process.effects.told.pop_front() {
                self.application_told(n, told);
            } else if let Some((l, last)) = process.effects.evicted.pop_front() {
                if let Some(last) = last {
                    let _ = self.socket_write(l, last.as_bytes());
                }
                self.hangs_up(l);
            } else if let Some(l) = process.effects.shut.pop_front() {
                self.send_down(l, Down::Fin);
            } else if let Some(l) = process.effects.changed.pop_first() {
                self.update(l);
                self.read(l);
            } else if let Some(order) = process.effects.orders.pop_front() {
                self.obey(n, order);
            } else if process.board.wants_write() {
                self.flush(n);
            } else {
                break;
            }
        }
        self.set_alarm(n);
    }

    /// The node drops the socket of a connection.
    fn hangs_up(&mut self, l: u32) {
        self.update(l);
        let link = &mut self.links[l as usize];
        link.node_gone = true;
        let unread = !link.rx.is_empty();
        self.send_down(l, if unread { Down::Reset } else { Down::Fin });
    }

    /// Writes what waits for some connections.
    pub(super) fn flush(&mut self, n: usize) {
        let mut turn = WriteTurn::default();
        self.call(n, |process, now| {
            process.with(now, |board, _| board.take_turn(&mut turn, TURN));
        });
        for at in 0..turn.len() {
            let Some((id, bytes)) = turn.job(at) else {
                break;
            };
            let link = self.nodes[n].process.as_ref().and_then(|it| it.link_of(id));
            let Some(l) = link else {
                turn.failed(at);
                continue;
            };
            let bytes = bytes.to_vec();
            match self.socket_write(l, &bytes) {
                Ok(written) => turn.wrote(at, written),
                Err(()) => turn.failed(at),
            }
        }
        self.call(n, |process, now| {
            process.with(now, |board, _| board.report(now, &mut turn));
        });
    }

    fn set_alarm(&mut self, n: usize) {
        let jitter = self.moment();
        let Some(process) = &mut self.nodes[n].process else {
            return;
        };
        let due = process.next_deadline().as_nanos();
        let at = due.saturating_add(process.zero).max(self.now);
        if at < process.alarm {
            // A timer fires late, but not early.
            process.alarm = at;
            let step = Step::Tick(n as u32, process.number);
            self.schedule.push(at.saturating_add(jitter), step);
        }
    }

    /// The timer of a process fires.
    pub(super) fn tick(&mut self, n: usize, number: u32) {
        let now = self.now;
        let Some(process) = &mut self.nodes[n].process else {
            return;
        };
        if process.number != number || process.alarm > now {
            return;
        }
        process.alarm = u64::MAX;
        if process.next_deadline().as_nanos() + process.zero <= now {
            self.call(n, |process, now| {
                process.with(now, |board, clustered| {
                    board.tick(now);
                    clustered.tick(now, board);
                });
            });
        }
        self.settle(n);
    }
}
