//! Timers and deadlines.

use std::collections::{BTreeMap, BTreeSet};

use switchboard_core::ConnectionId;

use super::ending::close_item;
use super::queue::{Is, Item, Kind, Queue};
use super::{Conn, Drain, Model, Nanos, Note, Phase, nanos};

/// The timers of a connection, in their order of precedence at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Handshake,
    Hook,
    Auth,
    Claim,
    Linger,
    Close,
    Message,
    Stall,
}

impl Model {
    /// Time advances to `now`.
    pub fn tick(&mut self, now: Nanos, promised: Option<Nanos>) {
        if now < self.now {
            return;
        }
        self.enter(now, promised);
        self.tick_drain();
        self.tick_expiries();
        self.evict_the_silent();
        while let Some((_, due, id)) = self.next_due().filter(|&(at, ..)| at <= self.live()) {
            self.fire(due, id);
        }
        // A client may have waited for its admission for longer than its login lasts.
        self.tick_expiries();
        self.tick_questions();
        self.tick_presence();
        self.tick_held();
        self.tick_histories();
        self.ticked = self.now;
    }

    fn tick_expiries(&mut self) {
        while let Some((_, id)) = self.next_expiry().filter(|&(at, _)| at <= self.now) {
            if let Some(conn) = self.conn(id) {
                conn.expires = None;
            }
            self.end(id, "token_expired", None);
        }
    }

    fn next_expiry(&self) -> Option<(Nanos, ConnectionId)> {
        let conns = self.conns.iter();
        conns
            .filter_map(|(&id, conn)| Some((conn.expires?, id)))
            .min()
    }

    /// Returns the latest time at which the system must wake up.
    pub fn latest_deadline(&self) -> Option<Nanos> {
        let live = self.next_due().map(|(at, ..)| at).into_iter();
        let live = live
            .chain(self.next_question())
            .min()
            .map(|at| at + self.stall);
        let drain = self.drain.as_ref().filter(|drain| !drain.done);
        let turn = drain.map(|drain| drain.turns.first().copied().unwrap_or(drain.deadline));
        let expiry = self.next_expiry().map(|(at, _)| at);
        let first = [
            live,
            turn,
            expiry,
            self.next_presence(),
            self.next_held(),
            self.next_history(),
        ]
        .into_iter()
        .flatten()
        .min();
        first.map(|at| at.max(self.ticked + 1))
    }

    fn next_due(&self) -> Option<(Nanos, Due, ConnectionId)> {
        let stall = nanos(self.config.timeouts.write_stall);
        self.conns
            .iter()
            .filter_map(|(&id, conn)| due(conn, stall).map(|(at, due)| (at, due, turn(conn), id)))
            .min()
            .map(|(at, due, _, id)| (at, due, id))
    }

    fn fire(&mut self, due: Due, id: ConnectionId) {
        let write_stall = nanos(self.config.timeouts.write_stall);
        match due {
            Due::Handshake => {
                self.closed("handshake_timeout");
                let len = switchboard_core::response::request_timeout().len();
                self.answer_http(id, 408, len, false);
            }
            Due::Hook => self.hook_failed(id),
            Due::Auth => self.end(id, "auth_timeout", None),
            Due::Claim => self.decide_claim(id),
            Due::Linger | Due::Close => self.remove(id, None),
            Due::Message => self.end(id, "policy", None),
            Due::Stall => {
                let live = self.live();
                let Some(conn) = self.conn(id) else { return };
                conn.stall_check = None;
                let Some(from) = conn.stalled_from.filter(|_| conn.is_open()) else {
                    return;
                };
                let over = from + write_stall;
                if over > live {
                    conn.stall_check = Some(over);
                } else {
                    self.end(id, "slow_consumer", None);
                }
            }
        }
    }

    /// Checks that connections that the system evicted as silent really were.
    fn evict_the_silent(&mut self) {
        let (live, timeout) = (self.live(), nanos(self.config.health.ping_timeout));
        for (id, _) in self.chosen_by("heartbeat_timeout") {
            // From when the ping left, for the time that its answer may take.
            let silent = |conn: &Conn| {
                let unanswered = conn.ping_left.filter(|&left| left >= conn.last_life);
                conn.is_open() && unanswered.is_some_and(|left| live - left >= timeout)
            };
            match self.conns.get(&id) {
                Some(conn) if silent(conn) && !conn.paused => {}
                found => {
                    let heard = found.map(|conn| conn.last_life);
                    self.fault(format!(
                        "{id} was evicted as silent at {live}, heard at {heard:?}"
                    ));
                }
            }
            self.evict(id, "heartbeat_timeout");
        }
    }

    fn chosen_by(&mut self, key: &str) -> Vec<(ConnectionId, String)> {
        let (mine, rest) = self.chosen.drain(..).partition(|(_, reason)| reason == key);
        self.chosen = rest;
        mine
    }

    /// Returns a connection that has been silent for so long that it must be gone, even if the host
    /// is late twice.
    pub fn overdue(&self) -> Option<ConnectionId> {
        let health = &self.config.health;
        let (interval, timeout) = (nanos(health.ping_interval), nanos(health.ping_timeout));
        let slack = 2 * nanos(health.stall_threshold);
        let silent = |conn: &&Conn| {
            // While its ping waits for the socket, the write stall applies instead.
            let waits = conn.paused || conn.blocked || conn.writing;
            let asked = conn.last_life.max(conn.opened) + interval;
            let left = conn.ping_left.unwrap_or_default();
            conn.is_open() && !waits && self.live() > asked.max(left) + timeout + slack
        };
        self.conns
            .iter()
            .find(|(_, conn)| silent(conn))
            .map(|(&id, _)| id)
    }

    /// Starts a drain.
    pub fn drain(&mut self, window: Nanos, deadline: Nanos) {
        if self.drain.is_some() {
            return;
        }
        let open = self.conns.iter().filter(|(_, conn)| conn.is_open());
        let there: Vec<ConnectionId> = open.map(|(&id, _)| id).collect();
        let share = window / there.len().max(1) as u64;
        let turns = (1..=there.len() as u64)
            .map(|turn| self.now + share * turn)
            .collect();
        let pending = |conn: &Conn| {
            matches!(
                conn.phase,
                Phase::Authenticating { .. } | Phase::AwaitingAuth { .. }
            )
        };
        let pending = self.conns.iter().filter(|(_, conn)| pending(conn));
        let pending: Vec<ConnectionId> = pending.map(|(&id, _)| id).collect();
        self.drain = Some(Drain {
            turns,
            there,
            pending: pending.clone(),
            deadline: self.now + deadline.max(window),
            evicted: 0,
            done: false,
        });
        for id in pending {
            self.refuse(id, "restart");
        }
        self.tick_drain();
    }

    fn tick_drain(&mut self) {
        let now = self.now;
        let Some(drain) = self.drain.as_mut().filter(|drain| !drain.done) else {
            return;
        };
        let due = drain.turns.iter().filter(|&&at| at <= now).count();
        drain.turns.drain(..due);
        let (over, last) = (drain.deadline <= now, drain.turns.is_empty());
        let there = drain.there.clone();
        let turn = self.chosen_by("draining");
        if turn.len() > due {
            self.fault(format!(
                "{} were closed in {due} turns of the drain",
                turn.len()
            ));
        }
        for (id, _) in turn {
            if !there.contains(&id) {
                self.fault(format!("{id} was drained but does not exist"));
            }
            let bye = Item::new(0, Is::Bye, Kind::Last);
            let bye = self.json().then_some(bye);
            let close = close_item(Some((1001, "draining".to_owned())));
            self.close(id, "draining", bye, Some(close));
        }
        if last && self.open() > 0 {
            self.fault("the drain left out a connection");
        }
        if over {
            let closing = self.conns.iter();
            let closing = closing.filter(|(_, conn)| matches!(conn.phase, Phase::Closing { .. }));
            let closing: Vec<ConnectionId> = closing.map(|(&id, _)| id).collect();
            if let Some(drain) = &mut self.drain {
                drain.evicted += closing.iter().filter(|id| there.contains(id)).count();
                drain.pending.clear();
            }
            for id in closing {
                let last = self.take_rest(id);
                self.remove(id, last);
            }
        }
        self.drain_progress();
    }

    /// Takes what a connection's socket may still get at its end; returns the code of the Close
    /// frame in it.
    fn take_rest(&mut self, id: ConnectionId) -> Option<u16> {
        let conn = self.conn(id)?;
        let long = conn.queue.own_bytes() > 64 << 10;
        if conn.writing || conn.blocked || conn.queue.is_empty() || long {
            return None;
        }
        let queue = std::mem::take(&mut conn.queue);
        self.counts.messages_out += queue.messages() as u64;
        queue.all().find_map(|item| match &item.is {
            Is::Close(close) => Some(close.as_ref().map_or(1005, |(code, _)| *code)),
            _ => None,
        })
    }

    pub(crate) fn drain_progress(&mut self) {
        let left = self.open() + self.closing();
        let conns = &self.conns;
        if let Some(drain) = &mut self.drain
            && left == 0
            && !drain.pending.iter().any(|id| conns.contains_key(id))
            && !drain.done
        {
            drain.done = true;
            drain.turns.clear();
            let note = Note::Drained(drain.there.len(), drain.evicted);
            self.notes.push(note);
        }
    }

    /// Returns the bytes held on the node, at least and at most, counting each frame once; `None`
    /// while a length is unknown.
    pub fn held(&self) -> Option<(usize, usize)> {
        let unknown = |item: &Item| item.is == Is::Bye && item.len == 0;
        let queues = || self.conns.values().map(|conn| &conn.queue);
        if queues().flat_map(Queue::all).any(unknown) {
            return None;
        }
        let rests: usize = queues().map(Queue::rest_bytes).sum();
        // A message of which some is written is held apart from its room, with what of it is to go out
        // before an end.
        let flushed = queues().flat_map(Queue::flushed);
        let flushed: BTreeSet<_> = flushed.map(Item::identity).collect();
        let mut begun = BTreeMap::new();
        for (item, len) in queues().filter_map(Queue::begun_by_many) {
            let most = begun.entry(item.identity()).or_insert(len);
            *most = len.max(*most);
        }
        begun.retain(|frame, _| !flushed.contains(frame));
        let whole = queues().flat_map(Queue::whole);
        let frames: BTreeMap<_, _> = whole.map(|item| (item.identity(), item.len)).collect();
        let least = frames.values().chain(begun.values()).sum::<usize>() + rests;
        // What waits of a room that was left is held beside the room's log, in which a message stays
        // until the last member has passed it.
        let more = queues().map(Queue::uncertain_bytes).sum::<usize>();
        Some((least, least + more))
    }
}

/// Returns the order of newcomers that wait for the same time: first come, first admitted.
fn turn(conn: &Conn) -> u64 {
    conn.claim.as_ref().map_or(0, |claim| claim.number)
}

fn due(conn: &Conn, write_stall: Nanos) -> Option<(Nanos, Due)> {
    let phase = match conn.phase {
        Phase::Arrived => Some((conn.deadline, Due::Handshake)),
        Phase::AwaitingAuth { .. } if conn.awaits_first_message() => {
            Some((conn.deadline, Due::Auth))
        }
        Phase::Refused { page: true, .. } if !conn.queue.is_empty() => {
            let stalled = conn.stalled_from.unwrap_or(Nanos::MAX - write_stall) + write_stall;
            Some((conn.deadline.min(stalled), Due::Linger))
        }
        Phase::Refused { .. } => Some((conn.deadline, Due::Linger)),
        Phase::Closing { .. } => Some((conn.deadline, Due::Close)),
        _ => None,
    };
    let hook = conn.hook.map(|at| (at, Due::Hook));
    let claim = conn.claim.as_ref();
    let claim = claim.map(|claim| (claim.deadline, Due::Claim));
    let message = conn.message_deadline.map(|at| (at, Due::Message));
    let stall = conn.stall_check.map(|at| (at, Due::Stall));
    let all = [phase, hook, claim, message, stall];
    all.into_iter().flatten().min()
}
