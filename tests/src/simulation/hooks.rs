//! The application's hooks in virtual time: one at a time per connection, in the order of arrival.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use switchboard_core::protocol::{self, RequestId};
use switchboard_core::{
    CloseFrame, CloseReason, ConnectionId, Denied, Event, Identity, ProtocolError, Question,
    Refused, Token,
};

use super::counters::{Fault, Probe};
use super::link::Phase;
use super::plan::{MILLI, SECOND};
use super::schedule::Step;
use super::world::World;

/// Frames that wait for a hook before reading pauses.
pub(super) const BACKLOG: usize = 32;

/// What came in and waits for its turn.
#[derive(Debug)]
pub(super) enum Item {
    Text(String),
    Binary,
    Close(Option<(u16, String)>),
    Violation(ProtocolError),
    Eof,
}

/// What the application is asked.
#[derive(Debug)]
pub(super) enum Call {
    Identify(Option<Token>, Option<RequestId<'static>>),
    Ask(Question),
    Page,
    Connect,
    Took,
    Disconnect,
}

/// How a hook ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Answer,
    Deny,
    Panic,
    Stall,
}

#[derive(Debug)]
pub(super) struct Hook {
    serial: u32,
    call: Call,
    fate: Fate,
}

/// The hooks of one connection.
#[derive(Debug, Default)]
pub(super) struct Hooks {
    pub(super) busy: Option<Hook>,
    serial: u32,
    pub(super) backlog: VecDeque<Item>,
    pub(super) paused: bool,
    pub(super) user: Option<Arc<str>>,
    /// The connection has ended, and nobody has been told.
    pub(super) ended: Option<&'static str>,
    /// `on_disconnect` is due after what runs.
    farewell: bool,
}

impl World {
    /// Something came in: now, or after what came before it.
    pub(super) fn take_item(&mut self, l: u32, item: Item) {
        let hooks = &mut self.links[l as usize].hooks;
        if hooks.busy.is_some() || !hooks.backlog.is_empty() {
            hooks.backlog.push_back(item);
        } else {
            self.process(l, item);
        }
    }

    pub(super) fn backlog_full(&mut self, l: u32) -> bool {
        let hooks = &mut self.links[l as usize].hooks;
        let full = hooks.backlog.len() >= BACKLOG;
        if full && !hooks.paused {
            hooks.paused = true;
            self.links[l as usize].shadow.paused_since = true;
            self.probe(Probe::ReadingPaused);
            self.event(l, Event::Paused);
        }
        full
    }

    /// The connection has ended: what waits is not done any more, except to say so.
    pub(super) fn end_hooks(&mut self, l: u32, reason: &'static str) {
        let hooks = &mut self.links[l as usize].hooks;
        hooks.backlog = VecDeque::new();
        if reason == "internal" {
            hooks.busy = None;
        }
        hooks.farewell = true;
    }

    pub(super) fn abandon_entrance(&mut self, l: u32) {
        let hooks = &mut self.links[l as usize].hooks;
        let entrance = |hook: &Hook| matches!(hook.call, Call::Identify(..) | Call::Page);
        if hooks.user.is_none() && hooks.busy.as_ref().is_some_and(entrance) {
            hooks.busy = None;
        }
    }

    /// Does what waits, as far as no hook is busy.
    pub(super) fn run_backlog(&mut self, l: u32) {
        loop {
            let hooks = &mut self.links[l as usize].hooks;
            if hooks.busy.is_some() || self.broken.is_some() {
                return;
            }
            if let Some(item) = hooks.backlog.pop_front() {
                self.process(l, item);
                let hooks = &mut self.links[l as usize].hooks;
                if hooks.paused && hooks.backlog.len() < BACKLOG {
                    hooks.paused = false;
                    self.event(l, Event::Resumed);
                    self.schedule.push(self.now, Step::Arrive(l));
                }
            } else if std::mem::take(&mut hooks.farewell) {
                if hooks.user.is_some() {
                    self.start_hook(l, Call::Disconnect);
                }
            } else {
                return;
            }
        }
    }

    fn process(&mut self, l: u32, item: Item) {
        match item {
            Item::Text(text) => self.process_text(l, &text),
            Item::Binary => self.hand_over(l),
            Item::Close(close) => {
                let frame = close.as_ref().map(|(code, reason)| CloseFrame {
                    code: *code,
                    reason,
                });
                self.event(l, Event::Close(frame));
            }
            Item::Violation(violation) => self.event(l, Event::Violation(violation)),
            Item::Eof => self.event(l, Event::Eof),
        }
    }

    pub(super) fn process_text(&mut self, l: u32, text: &str) {
        if !self.plan.json {
            return self.hand_over(l);
        }
        let Some(id) = self.links[l as usize].id else {
            return;
        };
        self.predict_command(l, text);
        let question = self.call(|board, now| board.command(now, id, protocol::parse(text)));
        self.predicted_command(l);
        if let Ok(Some(question)) = question {
            let call = match question {
                Question::Token { token, request } => Call::Identify(Some(token), request),
                other => Call::Ask(other),
            };
            self.start_hook(l, call);
        }
    }

    fn hand_over(&mut self, l: u32) {
        if self.links[l as usize].hooks.user.is_some() {
            self.start_hook(l, Call::Took);
        }
    }

    pub(super) fn start_hook(&mut self, l: u32, call: Call) {
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
        let hooks = &mut self.links[l as usize].hooks;
        hooks.serial += 1;
        let serial = hooks.serial;
        let hook = Hook { serial, call, fate };
        let farewell = matches!(hook.call, Call::Disconnect);
        hooks.busy = Some(hook);
        self.note(|| format!("link {l} hook {serial} takes {time}, {fate:?}"));
        if time == 0 {
            return self.conclude(l);
        }
        if !farewell {
            self.event(l, Event::HookStarted);
            // Its time runs from here; the request may have been told with an earlier one.
            let now = self.core_now;
            let shadow = &mut self.links[l as usize].shadow;
            if matches!(shadow.phase, Phase::Authenticating | Phase::Page) {
                shadow.since = now;
            }
        }
        self.schedule.push(self.now + time, Step::Hook(l, serial));
    }

    pub(super) fn hook_over(&mut self, l: u32, serial: u32) {
        let busy = self.links[l as usize].hooks.busy.as_ref();
        if busy.is_some_and(|hook| hook.serial == serial) {
            self.conclude(l);
            self.run_backlog(l);
        }
    }

    fn conclude(&mut self, l: u32) {
        if self.trouble(2) {
            self.fault(Fault::HookCallback);
            self.deed();
        }
        let Some(hook) = self.links[l as usize].hooks.busy.take() else {
            return;
        };
        let Some(id) = self.links[l as usize].id else {
            return;
        };
        let phase = self.links[l as usize].shadow.phase;
        if matches!(phase, Phase::Gone | Phase::Closing) {
            self.probe(Probe::HookAnswerTooLate);
        }
        if hook.fate == Fate::Panic && !matches!(hook.call, Call::Disconnect) {
            self.fault(Fault::HookPanic);
            self.predict_hook_failure(l);
            return self.event(l, Event::HookFailed);
        }
        let denied = hook.fate == Fate::Deny;
        if denied {
            self.fault(Fault::HookDenied);
        }
        match hook.call {
            Call::Identify(token, request) => {
                self.identified(l, token.as_ref(), request.as_ref(), denied);
            }
            Call::Ask(question) => self.answer(l, id, question, denied),
            Call::Page => {
                self.probe(Probe::PageServed);
                let page = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
                self.predict_page(l);
                let _ = self.call(|board, now| board.answer_page(now, id, page.to_vec()));
            }
            Call::Connect => self.event(l, Event::HookDone),
            Call::Took => {
                if denied {
                    self.allow(l, "forbidden");
                    let reason = CloseReason::Forbidden;
                    let _ = self.call(|board, now| board.close(now, id, reason));
                } else {
                    self.event(l, Event::HookDone);
                    self.raw_deed(l);
                }
            }
            Call::Disconnect => {
                let shadow = &mut self.links[l as usize].shadow;
                shadow.disconnected += 1;
                let (connected, times) = (shadow.connected, shadow.disconnected);
                self.links[l as usize].hooks.user = None;
                self.check(30, connected == 1 && times == 1, || {
                    format!("link {l}: {connected} on_connect, {times} on_disconnect")
                });
            }
        }
    }

    fn answer(&mut self, l: u32, id: ConnectionId, question: Question, denied: bool) {
        let answer = if denied {
            Err(Denied::Forbidden)
        } else {
            Ok(())
        };
        self.predict_answer(l, &question, answer);
        let _ = self.call(|board, now| board.answer(now, id, question, answer));
        self.predicted_command(l);
    }

    /// What a token says: `u7` is that user, `u7:500` for half a second.
    fn identity(token: Option<&Token>, denied: bool) -> Result<Identity, Refused> {
        if denied {
            return Err(Refused::Forbidden);
        }
        let Some(token) = token.map(Token::reveal) else {
            return Ok(Identity::FirstMessage);
        };
        if token == "anon" {
            return Ok(Identity::Anonymous);
        }
        let (name, millis) = token.split_once(':').unwrap_or((token, ""));
        if !name.starts_with('u') {
            return Err(Refused::Unauthorized);
        }
        Ok(Identity::User {
            name: name.to_owned(),
            expires_in: millis.parse().ok().map(Duration::from_millis),
        })
    }

    fn identified(
        &mut self,
        l: u32,
        token: Option<&Token>,
        request: Option<&RequestId<'static>>,
        denied: bool,
    ) {
        let Some(id) = self.links[l as usize].id else {
            return;
        };
        let verdict = Self::identity(token, denied);
        self.predict_admission(l, &verdict, request);
        let _ = self.call(|board, now| board.authenticated(now, id, verdict, request));
        self.predicted_admission(l);
        if self.links[l as usize].hooks.user.is_none()
            && let Some(user) = self.board.user_of(id)
        {
            let link = &mut self.links[l as usize];
            link.hooks.user = Some(user);
            link.shadow.connected += 1;
            self.start_hook(l, Call::Connect);
        }
    }
}
