//! The application's hooks in virtual time: their durations and results.

use std::time::Duration;

use switchboard_core::session::{Call, Reply, Step as Next};
use switchboard_core::{Admission, Denied, Identity, Token};

use super::counters::{Fault, Probe};
use super::link::Phase;
use super::plan::{MILLI, SECOND};
use super::schedule::Step;
use super::world::World;

/// How a hook ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Answer,
    Deny,
    Panic,
    Stall,
}

/// A hook that has not returned.
#[derive(Debug)]
pub(super) struct Hook {
    serial: u32,
    call: Call,
    fate: Fate,
    /// When it returns.
    due: u64,
    /// When its session's timer is due meanwhile.
    timer: Option<u64>,
}

impl World {
    /// Calls the application; returns its reply if the hook returns at once.
    pub(super) fn start_hook(&mut self, l: u32, call: Call) -> Option<Reply> {
        let [delays, panics, stalls, denies] = self.plan.hooks;
        let fate = if self.trouble(panics) {
            Fate::Panic
        } else if self.trouble(stalls) {
            Fate::Stall
        } else if self.trouble(denies) {
            Fate::Deny
        } else {
            Fate::Answer
        };
        let limit = self.plan.config.timeouts.hook.as_nanos() as u64;
        let time = if fate == Fate::Stall {
            self.fault(Fault::HookStall);
            limit + self.rng.u64(MILLI..2 * SECOND)
        } else if self.trouble(delays) {
            self.fault(Fault::HookDelay);
            self.rng.u64(..limit / 3)
        } else {
            0
        };
        self.count_call(l, &call);
        let link = &mut self.links[l as usize];
        link.hooks += 1;
        let serial = link.hooks;
        let due = self.now + time;
        link.hook = Some(Hook {
            serial,
            call,
            fate,
            due,
            timer: None,
        });
        self.note(|| format!("link {l} hook {serial} takes {time}, {fate:?}"));
        if time == 0 {
            return self.conclude(l);
        }
        self.await_hook(l);
        // The hook's time runs from here; the request may carry an earlier time.
        let now = self.core_now;
        let shadow = &mut self.links[l as usize].shadow;
        if matches!(shadow.phase, Phase::Authenticating | Phase::Page) {
            shadow.since = now;
        }
        self.schedule.push(due, Step::Hook(l, serial));
        None
    }

    /// A link's hook was polled and has not returned.
    pub(super) fn await_hook(&mut self, l: u32) {
        if self.links[l as usize].hook.is_none() {
            return;
        }
        let at = self.session(l, |session, node| session.pending(node));
        let at = at.flatten().map(switchboard_core::Time::as_nanos);
        let Some(hook) = &mut self.links[l as usize].hook else {
            return;
        };
        if std::mem::replace(&mut hook.timer, at) != at
            && let Some(at) = at
        {
            let step = Step::Hook(l, hook.serial);
            self.schedule.push(at, step);
        }
    }

    /// Checks that `on_connect` is called once, and `on_disconnect` once after it; between these
    /// `on_join`, and `on_leave` once after each.
    fn count_call(&mut self, l: u32, call: &Call) {
        let shadow = &mut self.links[l as usize].shadow;
        match call {
            Call::Connect => shadow.connected += 1,
            Call::Joined(room) => {
                let again = shadow.told_rooms.contains(&room.to_string());
                shadow.told_rooms.push(room.to_string());
                let early = shadow.connected == 0;
                self.check(30, !again && !early, || {
                    format!("link {l}: on_join of {room} out of place")
                });
            }
            Call::Left(room) => {
                let before = shadow.told_rooms.len();
                shadow.told_rooms.retain(|told| **told != **room);
                let once = shadow.told_rooms.len() + 1 == before && shadow.disconnected == 0;
                self.check(30, once, || {
                    format!("link {l}: on_leave of {room} out of place")
                });
            }
            Call::Disconnect(_) => {
                shadow.disconnected += 1;
                let (connected, times) = (shadow.connected, shadow.disconnected);
                let rooms = std::mem::take(&mut shadow.told_rooms);
                self.check(30, connected == 1 && times == 1 && rooms.is_empty(), || {
                    format!("link {l}: {connected} on_connect, {times} on_disconnect, in {rooms:?}")
                });
            }
            _ => {}
        }
    }

    /// A hook returns, or its session's timer is due.
    pub(super) fn hook_over(&mut self, l: u32, serial: u32) {
        let Some(hook) = &self.links[l as usize].hook else {
            return;
        };
        if hook.serial != serial {
            return;
        }
        let next = if hook.due <= self.now {
            self.conclude(l).and_then(|reply| self.pass_on(l, reply))
        } else {
            self.session(l, |session, node| session.time_out(node));
            None
        };
        self.carry_on(l, next);
    }

    /// A hook returns. Returns its reply, unless it panics.
    fn conclude(&mut self, l: u32) -> Option<Reply> {
        if self.trouble(2) {
            self.fault(Fault::HookCallback);
            self.deed();
        }
        let hook = self.links[l as usize].hook.take()?;
        let phase = self.links[l as usize].shadow.phase;
        if matches!(phase, Phase::Gone | Phase::Closing) {
            self.probe(Probe::HookAnswerTooLate);
        }
        if hook.fate == Fate::Panic {
            self.fault(Fault::HookPanic);
            self.predict_hook_failure(l);
            self.session(l, |session, node| session.failed(node));
            return None;
        }
        let denied = hook.fate == Fate::Deny;
        if denied {
            self.fault(Fault::HookDenied);
        }
        let mut call = hook.call;
        if !denied {
            self.limit_reach(l, &mut call);
        }
        Some(self.reply(l, call, denied))
    }

    /// Passes a reply to the session.
    pub(super) fn pass_on(&mut self, l: u32, reply: Reply) -> Option<Next> {
        let delivered = matches!(reply, Reply::Delivered(Ok(())));
        let next = self.session(l, |session, node| session.reply(node, reply))?;
        if delivered {
            self.raw_deed(l);
        }
        next
    }

    fn reply(&mut self, l: u32, call: Call, denied: bool) -> Reply {
        let verdict = if denied {
            Err(Denied::Forbidden)
        } else {
            Ok(())
        };
        match call {
            Call::Page(_) => {
                self.probe(Probe::PageServed);
                let page = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
                Reply::Page(page.to_vec())
            }
            Call::Authenticate(login) => {
                let identity = Self::identity(login.request.token(), denied);
                let mut admission = identity.map(Admission::from);
                if l % 4 == 3 {
                    admission = admission.map(Admission::without_compression);
                    self.links[l as usize].output.declined = true;
                }
                Reply::Identity(login, admission)
            }
            Call::Lobby(lobby) => Reply::Lobby(lobby, verdict),
            Call::Connect => Reply::Connected,
            Call::Joined(_) | Call::Left(_) => Reply::Noted,
            Call::Ask(question) => Reply::Verdict(question, verdict),
            Call::Text(_) | Call::Binary(_) => Reply::Delivered(verdict),
            Call::Disconnect(_) => Reply::Disconnected,
        }
    }

    /// Decodes a token: `u7` is that user, `u7:500` expires after half a second.
    fn identity(token: Option<&Token>, denied: bool) -> Result<Identity, Denied> {
        if denied {
            return Err(Denied::Forbidden);
        }
        let Some(token) = token.map(Token::reveal) else {
            return Ok(Identity::FirstMessage);
        };
        if token == "anon" {
            return Ok(Identity::Anonymous);
        }
        let (name, millis) = token.split_once(':').unwrap_or((token, ""));
        if !name.starts_with('u') {
            return Err(Denied::Unauthorized);
        }
        Ok(Identity::User {
            name: name.to_owned(),
            expires_in: millis.parse().ok().map(Duration::from_millis),
        })
    }
}
