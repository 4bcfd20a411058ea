//! Calls of the application from outside and from its hooks, and their expected results.

use std::time::Duration;

use switchboard_core::{
    CloseReason, ConnectionId, DrainReport, Frame, JoinError, PingResult, SendError,
};

use super::counters::{Fault, Probe};
use super::link::Phase;
use super::schedule::Step;
use super::world::World;

impl World {
    pub(super) fn application_acts(&mut self) {
        if self.calm {
            return;
        }
        self.deed();
        let wait = self.rng.u64(..2 * self.plan.deeds);
        self.schedule.push(self.now + wait, Step::Application);
    }

    fn some_link(&mut self) -> Option<(u32, ConnectionId)> {
        let live = self.oracle.live.len();
        if live == 0 {
            return None;
        }
        let nth = self.rng.usize(..live);
        let l = self.oracle.live.iter().nth(nth).copied()?;
        Some((l, self.links[l as usize].id?))
    }

    /// Makes one random call of the application's API.
    pub(super) fn deed(&mut self) {
        if self.rng.u8(..12) == 0 {
            return self.stale_deed();
        }
        let r = self.rng.u32(..self.plan.rooms);
        match self.rng.u8(..100) {
            0..35 => {
                if !self.keeping_deed(r) {
                    self.broadcast(r);
                }
            }
            35..45 => self.broadcast_raw(r),
            45..50 => self.broadcast_all(),
            50..58 => self.send_somebody(),
            58..66 => self.join_somebody(r),
            66..74 => self.leave_somebody(r),
            74..84 => self.ping_somebody(),
            84..88 if !self.calm => self.kick_somebody(),
            88..92 if !self.calm => self.close_somebody(),
            _ => self.look(),
        }
    }

    /// In raw mode, the application answers messages.
    pub(super) fn raw_deed(&mut self, l: u32) {
        match self.rng.u8(..3) {
            0 => {
                if let Some(id) = self.links[l as usize].id {
                    let _ = self.call(|board, now| board.send(now, id, Frame::text("echo")));
                }
            }
            1 => {
                let r = self.rng.u32(..self.plan.rooms);
                self.broadcast_raw(r);
            }
            _ => {}
        }
    }

    fn send_somebody(&mut self) {
        let Some((l, id)) = self.some_link() else {
            return;
        };
        let frame = self.app_frame();
        let open = self.links[l as usize].shadow.phase == Phase::Open;
        if self.rng.bool() {
            let result = self.call(|board, now| board.send(now, id, frame));
            let refused = result == Err(SendError::NotOpen);
            self.check(29, refused != open, || format!("link {l}: sent {result:?}"));
            if let Ok(receipt) = result {
                self.check_receipt(&receipt, &[l], &[]);
            }
        } else if let Some(user) = self.shared_user(l) {
            let devices = self.oracle.users.get(&user).cloned().unwrap_or_default();
            let result = self.call(|board, now| board.send_to_user(now, &user, frame));
            if let Ok(receipt) = result {
                self.check_receipt(&receipt, &devices, &[]);
            }
        }
    }

    fn join_somebody(&mut self, r: u32) {
        let Some((l, id)) = self.some_link() else {
            return;
        };
        let limits = self.plan.config.limits;
        let shadow = &self.links[l as usize].shadow;
        let room = &self.oracle.rooms[r as usize];
        let seats = room.seats_for(shadow.user.as_deref());
        let expected = if shadow.phase != Phase::Open {
            Err(JoinError::NotOpen)
        } else if shadow.rooms.contains(&r) {
            Err(JoinError::AlreadyIn)
        } else if shadow.rooms.len() >= limits.rooms_per_connection {
            Err(JoinError::TooManyRooms)
        } else if room.members.len() >= seats {
            Err(JoinError::RoomFull)
        } else if room.members.is_empty() && self.oracle.active_rooms() >= limits.rooms {
            Err(JoinError::NoMoreRooms)
        } else {
            Ok(())
        };
        let name = Self::room_name(r);
        let result = self.call(|board, now| board.join(now, id, &name));
        self.check(9, result == expected, || {
            format!("link {l}: join of r{r}: {result:?}, expected {expected:?}")
        });
    }

    fn leave_somebody(&mut self, r: u32) {
        let Some((l, id)) = self.some_link() else {
            return;
        };
        let shadow = &mut self.links[l as usize].shadow;
        let inside = shadow.rooms.contains(&r);
        if inside {
            // Also of an earlier stay, of which messages are still queued.
            for stay in shadow.stays.get_mut(&r).into_iter().flatten() {
                stay.purged = true;
            }
        }
        if inside && self.links[l as usize].blocked {
            self.probe(Probe::LeavePurged);
        }
        let name = Self::room_name(r);
        let result = self.call(|board, now| board.leave(now, id, &name));
        self.check(6, result == Ok(inside), || {
            format!("link {l}: left r{r}: {result:?}")
        });
    }

    fn ping_somebody(&mut self) {
        let Some((l, _)) = self.some_link() else {
            return;
        };
        let user = self.shared_user(l);
        let user = user.as_deref().unwrap_or("nobody");
        let devices = self.oracle.users.get(user).map_or(0, Vec::len);
        let timeout = Duration::from_millis(self.rng.u64(500..3_000));
        let user = user.to_owned();
        // The result may come within the call.
        self.tickets.insert(u64::MAX, devices);
        let ticket = self.call(|board, now| board.ping_user(now, &user, timeout));
        if self.tickets.remove(&u64::MAX).is_some() {
            self.tickets.insert(ticket, devices);
        }
    }

    pub(super) fn pinged(&mut self, ticket: u64, results: &[PingResult]) {
        let expected = match self.tickets.remove(&ticket) {
            Some(devices) => Some(devices),
            None => self.tickets.remove(&u64::MAX),
        };
        self.check(11, expected == Some(results.len()), || {
            format!("ping {ticket}: {results:?} for {expected:?} devices")
        });
        for result in results {
            self.probe(if result.rtt.is_some() {
                Probe::PingUserAnswered
            } else {
                Probe::PingUserTimedOut
            });
        }
    }

    fn kick_somebody(&mut self) {
        let Some((l, _)) = self.some_link() else {
            return;
        };
        let Some(user) = self.shared_user(l) else {
            return;
        };
        let devices = self.oracle.users.get(&user).cloned().unwrap_or_default();
        for &device in &devices {
            self.allow(device, "kicked");
        }
        let reason = CloseReason::Kicked;
        let ended = self.call(|board, now| board.disconnect_user(now, &user, reason));
        self.release_held_seats(&user);
        let connected = self.board.is_connected(&user);
        self.check(32, ended == devices.len() && !connected, || {
            format!("{user}: {ended} of {} devices kicked", devices.len())
        });
    }

    fn close_somebody(&mut self) {
        let Some((l, id)) = self.some_link() else {
            return;
        };
        let code = self.rng.u16(4_400..4_999);
        self.allow(l, "application");
        let Ok(reason) = CloseReason::application(code) else {
            return self.fail(39, format!("the code {code} was refused"));
        };
        let phase = self.links[l as usize].shadow.phase;
        if phase < Phase::Open && !phase.is_refused() {
            // A connection in admission is not yet the application's.
            return;
        }
        let _ = self.call(|board, now| board.close(now, id, reason));
        let open = self.links[l as usize].shadow.phase == Phase::Open;
        self.check(32, !open, || format!("link {l}: open after its close"));
    }

    /// Uses the id of a connection that is gone: a typed error and no effect.
    fn stale_deed(&mut self) {
        if self.old_ids.is_empty() {
            return;
        }
        self.fault(Fault::StaleId);
        let at = self.rng.usize(..self.old_ids.len());
        let id = self.old_ids[at];
        let stale = self.call(|board, now| {
            board.close(now, id, CloseReason::Kicked).is_err()
                && board.leave(now, id, "r0").is_err()
                && board.join(now, id, "r0").is_err()
                && board.send(now, id, Frame::text("x")).is_err()
                && board.handle(now, id, switchboard_core::Event::Eof).is_err()
                && board.read_mode(id).is_err()
                && board.user_of(id).is_none()
                && board.rooms_of(id).is_err()
        });
        self.check(3, stale, || format!("{id} is gone but has an effect"));
    }

    /// Queries change nothing and agree with the oracle.
    fn look(&mut self) {
        let Some((l, _)) = self.some_link() else {
            return;
        };
        let Some(user) = self.shared_user(l) else {
            return;
        };
        let devices = self.oracle.users.get(&user).map_or(0, Vec::len);
        let theirs = self.board.connections_of(&user).len();
        self.check(7, theirs == devices, || {
            format!("{user} has {theirs} connections, expected {devices}")
        });
        let heard = self
            .board
            .last_heard(switchboard_core::Time::from_nanos(self.now), &user);
        self.check(7, heard.is_some() == (devices > 0), || {
            format!("{user} last heard {heard:?}")
        });
    }

    pub(super) fn was_drained(&mut self, report: DrainReport) {
        let again = std::mem::replace(&mut self.oracle.drained, true);
        let left = self.oracle.open + self.oracle.count(Phase::Closing);
        let began = self.oracle.drain_open;
        let evicted = self.oracle.drain_evicted;
        // With a low limit on closing connections, some were evicted earlier.
        let crowded = self.plan.config.limits.closing < 1_000 && report.evicted <= evicted;
        let counted = report.evicted == evicted || crowded;
        let right = !again && left == 0 && report.connections == began && counted;
        self.check(27, right, || {
            format!("{report:?}: {left} left of {began}, {evicted} evicted, again: {again}")
        });
    }
}
