//! What the driver's writers take and report.

use super::markers::Marking;
use super::switchboard::Switchboard;
use crate::recorder::Input;
use crate::switchboard::log::{Outcome, Turn};
use crate::switchboard::timers::Kind;
use crate::{CloseReason, ConnectionId, StaleId, Time};

impl Switchboard {
    /// Returns whether [`take_turn`](Self::take_turn) may take something.
    pub fn wants_write(&self) -> bool {
        self.log.wants_write()
    }

    /// Returns whether the writers are so far behind that more input should wait. Data that the
    /// writers have not tried to write yet must not make a connection look slow; and where more
    /// than half of the node's bound is held, what can be written goes first. Data behind blocked
    /// sockets does not count.
    pub fn is_congested(&self) -> bool {
        self.log.is_congested() || self.relay.as_ref().is_some_and(|it| it.is_full)
    }

    /// Sets whether so much waits for the broker of the cluster that publishers have to wait, too.
    pub(crate) fn set_outbox_full(&mut self, is_full: bool) {
        if let Some(relay) = &mut self.relay {
            relay.is_full = is_full;
        }
    }

    /// Takes what waits for some connections, at most `most`: single frames first, then the rooms,
    /// each in turn. The caller is the only writer of these connections until it
    /// [reports](Self::report).
    ///
    /// Costs what is taken: at most about 256 KiB of small frames, while large ones are shared.
    pub fn take_turn(&mut self, turn: &mut Turn, most: usize) {
        let number = self.log.next_turn();
        self.record(self.clock.now(), |_| Input::Take { turn: number, most });
        let marking = &mut Marking {
            connections: &self.connections,
            rooms: &self.rooms,
            encoder: &mut self.encoder,
            wire: self.config.wire,
        };
        self.log.take(turn, most, marking);
        self.tell_missed_moves();
        self.inform_members();
    }

    /// Reports what was written of a turn, or that writing failed.
    pub fn report(&mut self, now: Time, turn: &mut Turn) {
        self.record_report(now, turn);
        self.advance_clock(now);
        for outcome in self.log.report(turn) {
            self.wrote(outcome);
        }
        let dropped = self.log.take_late_drops() as u64;
        self.counters.dropped("drop_oldest", dropped);
        let (messages, bytes) = turn.plain();
        self.counters.messages_out += messages;
        self.counters.bytes_out += bytes;
        self.settle();
        self.tell_missed_moves();
        self.inform_members();
    }

    fn wrote(&mut self, outcome: &Outcome) {
        let (id, now) = (outcome.id, self.liveness());
        if outcome.failed {
            return self.peer_reset(id);
        }
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        let page = connection.reads_page();
        if outcome.written > 0 || connection.stalled_from == Time::MAX {
            connection.stalled_from = now;
        }
        if !outcome.blocked && !page {
            connection.stalled_from = Time::MAX;
        }
        let page_is_out = page && self.log.own_bytes(id) == 0;
        if page_is_out {
            connection.page_is_sent();
        }
        let ending = connection.ending().map(|ending| ending.reason);
        self.counters.messages_out += u64::from(outcome.messages);
        self.counters.bytes_out += outcome.written as u64;
        if outcome.discarded > 0 {
            let reason = ending.flatten().map_or("left", CloseReason::as_str);
            self.counters.dropped(reason, outcome.discarded);
        }
        self.counters.dropped("volatile", u64::from(outcome.missed));
        if outcome.ping {
            self.ping_left(id);
        }
        if outcome.blocked {
            self.arm(id, Kind::WriteStall);
        }
        self.note_queue(id);
        if page_is_out {
            self.page_is_out(id);
        }
        if ending.is_some() {
            self.finish(id);
        }
    }

    pub(super) fn writable(&mut self, id: ConnectionId) -> Result<(), StaleId> {
        self.check(id)?;
        self.log.writable(id);
        Ok(())
    }
}
