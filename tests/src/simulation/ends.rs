//! Checks the node's actions and notices, and why connections end (invariants 2 to 4, 27 to 30).

use switchboard_core::session::Ended;
use switchboard_core::{Action, ConnectionId, Notice, ReadMode};

use super::causes::bit;
use super::counters::Probe;
use super::link::Phase;
use super::oracle::{Verdict, room_number};
use super::world::World;

impl World {
    /// From now on, this connection may end for this reason.
    pub(super) fn allow(&mut self, l: u32, end: &str) {
        self.links[l as usize].shadow.causes |= bit(end);
    }

    pub(super) fn may_end(&self, l: u32, end: &str) -> bool {
        self.links[l as usize].shadow.causes & bit(end) != 0
    }

    pub(super) fn adopt(&mut self, l: u32, id: ConnectionId) {
        let key = (id.slot(), id.generation());
        let fresh = self.known_ids.insert(key);
        let newest = self
            .known_ids
            .range((key.0, 0)..=(key.0, u32::MAX))
            .next_back();
        let grows = newest == Some(&key);
        self.check(4, fresh && grows, || format!("{id} was issued twice"));
        if id.generation() > 0 {
            self.probe(Probe::SlotReused);
        }
        if self.slots.len() <= id.slot() {
            self.slots.resize(id.slot() + 1, None);
        }
        self.slots[id.slot()] = Some((id, l));
        self.links[l as usize].id = Some(id);
        self.move_to(l, Phase::Arrived);
    }

    /// Takes the actions of a call, in order.
    pub(super) fn collect(&mut self) {
        self.collecting = true;
        while let Some(action) = self.board.poll_action() {
            self.note(|| format!("{action:?}"));
            self.follow(action);
            if self.broken.is_some() {
                return;
            }
        }
        self.collecting = false;
        for l in std::mem::take(&mut self.oracle.left_now) {
            self.links[l as usize].shadow.left_now.clear();
        }
    }

    fn named(&mut self, id: ConnectionId) -> Option<u32> {
        if let Some(l) = self.link_of(id) {
            return Some(l);
        }
        if let Some(l) = self.oracle.arriving
            && self.links[l as usize].id.is_none()
        {
            self.adopt(l, id);
            return Some(l);
        }
        self.fail(3, format!("an action names {id}, which does not exist"));
        None
    }

    fn follow(&mut self, action: Action) {
        match action {
            Action::ReadMode(id) => {
                // A connection may have ended within the same call.
                let l = self.link_of(id).or(self.oracle.arriving);
                if let Some(l) = l {
                    self.hash(id.slot() as u64 ^ 0x11);
                    if self.links[l as usize].id.is_none() {
                        self.adopt(l, id);
                    }
                    self.silent_refusal(l, id);
                    self.signal(l);
                }
            }
            Action::ShutdownWrite(id) => {
                if let Some(l) = self.link_of(id) {
                    self.hash(id.slot() as u64 ^ 0x12);
                    let link = &mut self.links[l as usize];
                    link.node_shut = true;
                    let over = link.output.is_over();
                    self.check(28, over, || {
                        format!("link {l}: shut down without a Close frame or response")
                    });
                    self.wake_client(l);
                }
            }
            Action::Evict { id, last } => {
                if let Some(l) = self.named(id) {
                    self.hash(id.slot() as u64 ^ 0x13);
                    self.evicted(l, id, last.as_ref().map(switchboard_core::Frame::as_bytes));
                }
            }
            Action::Notify(notice) => self.noticed(notice),
            _ => {}
        }
    }

    pub(super) fn signal(&mut self, l: u32) {
        self.links[l as usize].signalled = true;
        self.signals.push_back(l);
    }

    /// A connection in admission ends without a notice: by a timeout, or by its own action before
    /// it logs in.
    fn silent_refusal(&mut self, l: u32, id: ConnectionId) {
        let phase = self.links[l as usize].shadow.phase;
        if self.board.read_mode(id) != Ok(ReadMode::Discard) {
            return;
        }
        match phase {
            Phase::Arrived => {
                let asked = self.plan.config.timeouts.handshake.as_nanos() as u64;
                let age = self.core_now - self.links[l as usize].shadow.since;
                self.check(29, age >= asked, || {
                    format!("link {l}: timed out early, after {age} ns")
                });
                self.probe(Probe::HandshakeTimeout);
                self.links[l as usize].shadow.http = Some(408);
                self.move_to(l, Phase::Refused);
            }
            Phase::AwaitingAuth => self.move_to(l, Phase::Refused),
            _ => {}
        }
    }

    fn evicted(&mut self, l: u32, id: ConnectionId, last: Option<&[u8]>) {
        let shadow = &self.links[l as usize].shadow;
        let phase = shadow.phase;
        self.check(2, phase != Phase::Open, || {
            format!("link {l}: dropped without an end")
        });
        self.check_last_word(l);
        if self.links[l as usize].held {
            self.probe(Probe::EvictedWhileWriting);
            self.check(15, last.is_none(), || {
                format!("link {l}: two writers at once")
            });
        }
        if let Some(last) = last
            && !self.links[l as usize].output.is_cut()
        {
            let _ = self.socket_write(l, last);
        }
        if self.ticking
            && self.drain_due.is_some_and(|(_, due)| due <= self.core_now)
            && !self.oracle.drained
            && phase == Phase::Closing
            && self.links[l as usize].shadow.at_drain
        {
            self.oracle.drain_evicted += 1;
        }
        self.give_back_address(l);
        self.move_to(l, Phase::Gone);
        self.slots[id.slot()] = None;
        self.old_ids.push(id);
        let link = &mut self.links[l as usize];
        link.node_gone = true;
        self.signal(l);
        self.wake_client(l);
    }

    /// When a socket is dropped, its client has been told why if it could be told.
    fn check_last_word(&mut self, l: u32) {
        let link = &self.links[l as usize];
        let shadow = &link.shadow;
        let hindered = link.blocked
            || link.held
            || link.output.is_cut()
            || link.fin_at.is_some()
            || link.reset_at.is_some()
            || link.client_gone
            || link.end_told;
        let age = self.core_now.saturating_sub(shadow.since);
        let timed = age > 0;
        // The core forgives no stall of the host that is shorter than its threshold.
        let stood_still = self.frozen - shadow.frozen_then;
        let timeouts = &self.plan.config.timeouts;
        let timeout = match shadow.phase {
            Phase::Closing => timeouts.close,
            _ => timeouts.refusal,
        };
        let hurried =
            stood_still > 0 && u128::from(age.saturating_sub(stood_still)) < timeout.as_nanos();
        let pressed = self.plan.tiny_pool
            || self.plan.config.limits.closing < 1_000
            || self.drain_due.is_some_and(|(_, due)| due <= self.core_now);
        let silent = matches!(shadow.closed, Some("heartbeat_timeout" | "eof" | "reset"));
        let told = link.output.is_over();
        let phase = shadow.phase;
        if phase == Phase::Closing || phase.is_refused() {
            if told && timed && !hindered {
                self.probe(if phase == Phase::Closing {
                    Probe::CloseTimedOut
                } else {
                    Probe::RefusalLingered
                });
            }
            if phase == Phase::Closing
                && !told
                && !silent
                && self.plan.config.limits.closing < 1_000
            {
                self.probe(Probe::ClosingCrowded);
            }
        }
        let decided = phase == Phase::Closing || phase.is_refused();
        let excused = told || silent || hindered || pressed || hurried;
        self.check(29, !decided || excused, || {
            format!("link {l}: dropped in {phase:?} without a Close frame or response")
        });
    }

    fn noticed(&mut self, notice: Notice) {
        match notice {
            Notice::Opened { id, user } => {
                if let Some(l) = self.named(id) {
                    self.hash(id.slot() as u64 ^ 0x21);
                    self.opened(l, id, &user);
                }
            }
            Notice::Refused { id, refused } => {
                if let Some(l) = self.named(id) {
                    self.hash(id.slot() as u64 ^ 0x22);
                    self.was_refused(l, refused.as_str());
                }
            }
            Notice::Closed {
                id,
                user,
                rooms,
                reason,
            } => {
                if let Some(l) = self.named(id) {
                    self.hash(id.slot() as u64 ^ 0x23);
                    let ended = Ended {
                        rooms: rooms.clone(),
                        reason,
                    };
                    self.links[l as usize].ended = Some(ended);
                    let rooms: Vec<u32> =
                        rooms.iter().filter_map(|room| room_number(room)).collect();
                    let own = self.shared_user(l);
                    self.check(31, own.as_deref() == Some(&*user), || {
                        format!("link {l}: closed as {user}, expected {own:?}")
                    });
                    self.closed(l, rooms, reason.as_str(), reason.code());
                }
            }
            Notice::Joined { id, room } => {
                if let (Some(l), Some(r)) = (self.named(id), room_number(&room)) {
                    self.joined(l, r);
                    self.links[l as usize].room_changes.joined(room);
                    self.signal(l);
                }
            }
            Notice::Left { id, room } => {
                if let (Some(l), Some(r)) = (self.named(id), room_number(&room)) {
                    self.left(l, r);
                    let link = &mut self.links[l as usize];
                    link.shadow.emptied |= link.blocked;
                    link.room_changes.left(room);
                    self.signal(l);
                }
            }
            Notice::Presence {
                room,
                count,
                joined,
                left,
            } => {
                self.presence_told(&room, count, &joined, &left);
            }
            Notice::HostStalled { by } => self.host_stalled(by),
            Notice::Pinged { ticket, results } => self.pinged(ticket, &results),
            Notice::Drained(report) => self.was_drained(report),
            _ => {}
        }
    }

    fn host_stalled(&mut self, by: std::time::Duration) {
        self.probe(Probe::StallMovedDeadline);
        self.stall = (self.core_now, by);
        if self.drain_due.is_some() {
            self.probe(Probe::DrainInStall);
        }
        let most = u128::from(self.frozen) + 1_500_000_000;
        self.check(22, by.as_nanos() <= most, || {
            format!("a host stall of {by:?} that did not happen")
        });
    }

    fn opened(&mut self, l: u32, id: ConnectionId, user: &std::sync::Arc<str>) {
        let predicted = self.oracle.predicted.take();
        let predicted = predicted.or_else(|| self.claimed(l).map(|verdict| (l, verdict)));
        let Some((of, Verdict::Open { replaced, expires })) = predicted else {
            return self.fail(29, format!("link {l}: admitted, expected {predicted:?}"));
        };
        let anonymous = **user == *format!("anon-{id}");
        let fits = of == l && (anonymous || user.starts_with('u'));
        self.check(9, fits, || {
            format!("link {l}: admitted as {user} over a limit")
        });
        self.check(27, self.drain_due.is_none(), || {
            format!("link {l}: admitted while draining")
        });
        self.tally.admitted += 1;
        self.move_to(l, Phase::Open);
        let most = self.plan.config.limits.connections + usize::from(replaced.is_some());
        let open = self.oracle.open;
        self.check(9, open <= most, || {
            format!("{open} connections, at most {most}")
        });
        self.oracle.users.entry(user.clone()).or_default().push(l);
        let frozen = self.frozen;
        let shadow = &mut self.links[l as usize].shadow;
        shadow.user = Some(user.clone());
        shadow.expires = expires;
        shadow.last_heard = shadow.since;
        shadow.last_message = shadow.since;
        shadow.frozen_at_heard = frozen;
    }
}
