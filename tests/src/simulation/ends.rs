//! What the node says, and why connections end (invariants 2 to 4, 27 to 30).

use switchboard_core::{Action, ConnectionId, HealthPing, Intake, Notice};

use super::counters::Probe;
use super::link::{Phase, Stay};
use super::oracle::{Verdict, room_number};
use super::schedule::Step;
use super::world::World;

/// Every end, and the code that its Close frame carries (spec, section 10).
const ENDS: &[(&str, Option<u16>)] = &[
    ("replaced", Some(1000)),
    ("draining", Some(1001)),
    ("protocol_error", Some(1002)),
    ("unsupported_data", Some(1003)),
    ("invalid_utf8", Some(1007)),
    ("policy", Some(1008)),
    ("too_big", Some(1009)),
    ("internal", Some(1011)),
    ("restart", Some(1012)),
    ("unauthorized", Some(4001)),
    ("server_full", Some(4002)),
    ("lobby_full", Some(4002)),
    ("forbidden", Some(4003)),
    ("kicked", Some(4004)),
    ("already_connected", Some(4005)),
    ("ip_limit", Some(4100)),
    ("slow_consumer", Some(4101)),
    ("rate_limited", Some(4102)),
    ("auth_timeout", Some(4103)),
    ("heartbeat_timeout", Some(4201)),
    ("token_expired", Some(4202)),
    ("application", Some(4400)),
    ("client_closed", None),
    ("eof", None),
    ("reset", None),
];

/// The ends after which what is queued is still sent (spec, section 5).
const FLUSH: &[&str] = &["draining", "replaced", "token_expired", "application"];
/// The ends of those whose user may be back in a moment (spec, section 8).
const BY_ITSELF: &[&str] = &["client_closed", "eof", "reset"];

pub(super) fn bit(end: &str) -> u64 {
    ENDS.iter()
        .position(|(name, _)| *name == end)
        .map_or(0, |index| 1 << index)
}

pub(super) fn flushes(end: &str) -> bool {
    FLUSH.contains(&end)
}

impl World {
    /// From now on this connection may end for this reason.
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
        self.check(4, fresh && grows, || format!("{id} is given out again"));
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

    /// Takes what follows from a call, in its order.
    pub(super) fn collect(&mut self) {
        self.collecting = true;
        while let Some(action) = self.board.poll_notice() {
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
        self.fail(3, format!("an action names {id}, which is not there"));
        None
    }

    fn follow(&mut self, action: Action) {
        match action {
            Action::Intake(id) => {
                // A connection may have gone again within the same call.
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
                        format!("link {l}: shut down without its last word")
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

    /// Who is not in yet is refused without a word to the application: by time, or by its own
    /// doing before it logs in.
    fn silent_refusal(&mut self, l: u32, id: ConnectionId) {
        let phase = self.links[l as usize].shadow.phase;
        if self.board.intake(id) != Ok(Intake::Discard) {
            return;
        }
        match phase {
            Phase::Arrived => {
                let asked = self.plan.config.timeouts.handshake.as_nanos() as u64;
                let age = self.core_now - self.links[l as usize].shadow.since;
                self.check(29, age >= asked, || {
                    format!("link {l}: timed out after {age} ns")
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
            format!("link {l}: gone without an end")
        });
        self.check_last_word(l);
        if self.links[l as usize].held.is_some() {
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

    /// Whoever could be told why has been told, when the socket is dropped.
    fn check_last_word(&mut self, l: u32) {
        let link = &self.links[l as usize];
        let shadow = &link.shadow;
        let hindered = link.blocked
            || link.held.is_some()
            || link.output.is_cut()
            || link.fin_at.is_some()
            || link.reset_at.is_some()
            || link.client_gone
            || link.end_told;
        let timed = self.core_now.saturating_sub(shadow.since) > 0;
        let pressed = self.plan.tiny_pool
            || self.plan.config.limits.closing < 1_000
            || self.drain_due.is_some_and(|(_, due)| due <= self.core_now);
        let silent = matches!(shadow.closed, Some("heartbeat_timeout" | "eof" | "reset"));
        let told = link.output.is_over();
        let phase = shadow.phase;
        if phase == Phase::Closing || phase == Phase::Refused {
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
        let decided = matches!(phase, Phase::Closing | Phase::Refused);
        let excused = told || silent || hindered || pressed;
        self.check(29, !decided || excused, || {
            format!("link {l}: gone in {phase:?} without a word")
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
                    let rooms: Vec<u32> =
                        rooms.iter().filter_map(|room| room_number(room)).collect();
                    let own = self.shared_user(l);
                    self.check(31, own.as_deref() == Some(&*user), || {
                        format!("link {l}: closed as {user}, not {own:?}")
                    });
                    self.closed(l, rooms, reason.as_str(), reason.code());
                }
            }
            Notice::Joined { id, room } => {
                if let (Some(l), Some(room)) = (self.named(id), room_number(&room)) {
                    self.joined(l, room);
                }
            }
            Notice::Left { id, room } => {
                if let (Some(l), Some(room)) = (self.named(id), room_number(&room)) {
                    self.left(l, room);
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
            Notice::HostStalled { by } => {
                self.probe(Probe::StallMovedDeadline);
                if self.drain_due.is_some() {
                    self.probe(Probe::DrainInStall);
                }
                let most = u128::from(self.frozen) + 1_500_000_000;
                self.check(22, by.as_nanos() <= most, || {
                    format!("the host stood still for {by:?}?")
                });
            }
            Notice::Pinged { ticket, results } => self.pinged(ticket, &results),
            Notice::Drained(report) => self.was_drained(report),
            _ => {}
        }
    }

    fn opened(&mut self, l: u32, id: ConnectionId, user: &std::sync::Arc<str>) {
        let predicted = self.oracle.predicted.take();
        let Some((of, Verdict::Open { replaced, expires })) = predicted else {
            return self.fail(29, format!("link {l}: let in, not {predicted:?}"));
        };
        let anonymous = **user == *format!("anon-{id}");
        let fits = of == l && (anonymous || user.starts_with('u'));
        self.check(9, fits, || format!("link {l}: let in as {user}"));
        self.check(27, self.drain_due.is_none(), || {
            format!("link {l}: let in while draining")
        });
        self.tally.admitted += 1;
        self.move_to(l, Phase::Open);
        let most = self.plan.config.limits.connections + usize::from(replaced.is_some());
        let open = self.oracle.open;
        self.check(9, open <= most, || format!("{open} connections of {most}"));
        self.oracle.users.entry(user.clone()).or_default().push(l);
        let frozen = self.frozen;
        let shadow = &mut self.links[l as usize].shadow;
        shadow.user = Some(user.clone());
        shadow.expires = expires;
        shadow.last_heard = shadow.since;
        shadow.last_message = shadow.since;
        shadow.frozen_at_heard = frozen;
    }

    fn closed(&mut self, l: u32, mut rooms: Vec<u32>, reason: &'static str, theirs: Option<u16>) {
        let phase = self.links[l as usize].shadow.phase;
        self.check(2, phase == Phase::Open, || {
            format!("link {l}: closed in {phase:?}")
        });
        if let Some((of, Verdict::Closed(expected))) = &self.oracle.predicted
            && *of == l
        {
            let expected = *expected;
            // What it is told may already be too much for it.
            let slow = reason == "slow_consumer" && self.plan.tiny_queue;
            self.check(29, reason == expected || slow, || {
                format!("link {l}: closed {reason}, not {expected}")
            });
            self.oracle.predicted = None;
        }
        let allowed = self.may_end(l, reason) || self.may_end_now(l, reason);
        self.check(29, allowed, || {
            format!("link {l}: closed {reason} without a cause")
        });
        // It may have left another room before, in the same call.
        let left = &self.links[l as usize].shadow.left_now;
        let mut left = left[left.len().saturating_sub(rooms.len())..].to_vec();
        rooms.sort_unstable();
        left.sort_unstable();
        let inside = self.links[l as usize].shadow.rooms.clone();
        self.check(30, rooms == left && inside.is_empty(), || {
            format!("link {l}: closed with rooms {rooms:?}, left {left:?}, in {inside:?}")
        });
        self.note_graces(l, &rooms, reason);
        let ours = ENDS.iter().find(|(name, _)| *name == reason);
        let code = ours.and_then(|(_, code)| *code);
        let same = ours.is_some() && (code == theirs || reason == "application");
        self.check(29, same, || {
            format!("link {l}: {reason} is {theirs:?}, not {code:?}")
        });
        if let Some(user) = self.shared_user(l)
            && let Some(devices) = self.oracle.users.get_mut(&user)
        {
            devices.retain(|&other| other != l);
            if devices.is_empty() {
                self.oracle.users.remove(&user);
            }
        }
        self.give_back_address(l);
        let link = &mut self.links[l as usize];
        link.shadow.closed = Some(reason);
        if reason != "client_closed" {
            link.shadow.close_code = Some(theirs);
        }
        link.shadow.grace_bytes = link.held.is_some() || link.output.is_cut();
        link.shadow.expires = None;
        link.hooks.ended = Some(reason);
        if link.held.is_some() {
            self.tally.probe(Probe::ClosedWhileWriting);
        }
        self.probe_end(l, reason);
        self.move_to(l, Phase::Closing);
        self.signal(l);
        self.schedule.push(self.now, Step::Arrive(l));
    }

    fn probe_end(&mut self, l: u32, reason: &str) {
        let probe = match reason {
            "policy" if self.links[l as usize].partial && self.plan.tiny_unfinished => {
                Probe::UnfinishedBound
            }
            "policy" if self.links[l as usize].partial => Probe::MessageTimeout,
            "heartbeat_timeout" => Probe::Heartbeat,
            "token_expired" => Probe::Expired,
            "rate_limited" => Probe::Strikes,
            "draining" if self.drain_due.is_some_and(|(_, due)| due <= self.core_now) => {
                Probe::DrainEvicted
            }
            _ => return,
        };
        self.probe(probe);
    }

    /// Ends that no single deed announces: time, queues, and what others do.
    fn may_end_now(&mut self, l: u32, reason: &str) -> bool {
        let link = &self.links[l as usize];
        let shadow = &link.shadow;
        let now = self.core_now;
        match reason {
            "draining" => self.drain_due.is_some(),
            "internal" => {
                let busy = link.hooks.busy.is_some();
                if busy {
                    self.probe(Probe::HookTimedOut);
                }
                busy
            }
            "token_expired" => shadow.expires.is_some_and(|at| at <= now),
            "heartbeat_timeout" => {
                let messages =
                    self.plan.json && self.plan.config.health.health_ping == HealthPing::All;
                let last = if messages {
                    shadow.last_message
                } else {
                    shadow.last_heard
                };
                let silence = u128::from(now.saturating_sub(last));
                silence >= self.plan.config.health.ping_timeout.as_nanos()
            }
            "policy" => link.partial,
            "slow_consumer" => {
                let stalled = link.blocked || link.held.is_some() || shadow.ever_blocked;
                self.probe(if self.plan.tiny_pool {
                    Probe::PoolBoundClosed
                } else if self.plan.tiny_queue {
                    Probe::QueueBoundClosed
                } else {
                    Probe::WriteStallClosed
                });
                stalled || self.plan.tiny_queue
            }
            _ => false,
        }
    }

    fn joined(&mut self, l: u32, r: u32) {
        self.hash(u64::from(l) << 8 ^ u64::from(r) ^ 0x24);
        let limits = self.plan.config.limits;
        let shadow = &self.links[l as usize].shadow;
        let lobby = shadow.lobby == Some(r) && shadow.stays.is_empty();
        let fits = shadow.phase == Phase::Open
            && !shadow.rooms.contains(&r)
            && shadow.rooms.len() < limits.rooms_per_connection;
        self.check(9, fits, || {
            format!("link {l}: joined r{r} beyond its limits")
        });
        let user = self.shared_user(l);
        let now = self.core_now;
        let room = &mut self.oracle.rooms[r as usize];
        if room.members.is_empty() {
            room.lives.push(Vec::new());
            room.epochs.push(None);
            room.graces.clear();
        }
        room.members.push(l);
        room.lobby_members += usize::from(lobby);
        let (members, seq, life) = (room.members.len(), room.seq(), room.lives.len() as u32 - 1);
        if let Some(user) = user
            && let Some(until) = room.graces.remove(&user)
            && room.presence
        {
            self.tally.probe(if until > now {
                Probe::GraceRejoin
            } else {
                Probe::GraceOver
            });
        }
        // A newcomer that replaces a member sits beside it for the moment.
        self.check(
            9,
            members <= limits.room_members + usize::from(lobby),
            || format!("{members} members in r{r}"),
        );
        let shadow = &mut self.links[l as usize].shadow;
        if lobby {
            shadow.lobby_in = Some(r);
        }
        shadow.rooms.push(r);
        shadow.stays.entry(r).or_default().push_back(Stay {
            life,
            from: seq,
            until: None,
            told: false,
            seen: seq,
            purged: false,
            presence: None,
        });
    }

    fn left(&mut self, l: u32, r: u32) {
        self.hash(u64::from(l) << 8 ^ u64::from(r) ^ 0x25);
        let inside = self.links[l as usize].shadow.rooms.contains(&r);
        self.check(30, inside, || {
            format!("link {l}: left r{r}, where it was not")
        });
        let room = &mut self.oracle.rooms[r as usize];
        room.members.retain(|&other| other != l);
        let seq = room.seq();
        let shadow = &mut self.links[l as usize].shadow;
        if shadow.lobby_in == Some(r) {
            shadow.lobby_in = None;
            room.lobby_members -= 1;
        }
        shadow.rooms.retain(|&other| other != r);
        shadow.left_now.push(r);
        if let Some(stay) = shadow.stays.get_mut(&r).and_then(|stays| stays.back_mut()) {
            stay.until = Some(seq);
        }
        self.oracle.left_now.push(l);
    }

    fn note_graces(&mut self, l: u32, rooms: &[u32], reason: &str) {
        let Some(user) = self.shared_user(l) else {
            return;
        };
        if !BY_ITSELF.contains(&reason) {
            return;
        }
        let until = self.core_now + self.plan.config.presence.leave_grace.as_nanos() as u64;
        for &r in rooms {
            let others = self.oracle.rooms[r as usize]
                .members
                .iter()
                .any(|&other| self.links[other as usize].shadow.user.as_ref() == Some(&user));
            let room = &mut self.oracle.rooms[r as usize];
            if !others && !room.members.is_empty() && room.presence {
                room.graces.insert(user.clone(), until);
            }
        }
    }
}
