//! Carries out the steps of a session: calls the application, and polls the hook that is pending.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll};

use switchboard_core::session::{Call, Reply, Step};

use super::calls::{Begun, Hook, begin, hook_span, panic_message};
use super::locking::Locking;
use super::task::Task;
use super::writer::flush_now;
use crate::listen::Listen;
use crate::node::{Arrival, LogFields};
use crate::shield::error;

impl<R: Listen> Task<R> {
    /// Carries out a step and those that follow from it, until a hook is pending.
    pub(super) fn run(&mut self, context: &mut Context<'_>, mut step: Option<Step>) {
        loop {
            if let Some(now) = step.take() {
                step = self.carry_out(context, now);
            } else if self.cold.has_hook() {
                match self.poll_hook(context) {
                    Poll::Ready(next) => step = next,
                    Poll::Pending => return,
                }
            } else {
                let mut node = Locking::new(self.host.shared(), &self.link);
                let Some(next) = self.session.next(&mut node) else {
                    if self.cold.has_farewell() && self.session.is_idle() {
                        drop(self.cold.take_farewell());
                    }
                    return;
                };
                step = Some(next);
            }
            self.apply_signals();
        }
    }

    /// Hands in the request that the application has already answered, once.
    pub(super) fn begin_upgraded(&mut self) -> Option<Step> {
        let is_upgraded = |arrival: &Arrival| matches!(arrival, Arrival::Upgraded(_));
        let Arrival::Upgraded(upgraded) = self.cold.take_arrival(is_upgraded)? else {
            return None;
        };
        let mut node = Locking::new(self.host.shared(), &self.link);
        match upgraded.admission {
            Some(admission) => self
                .session
                .begin_as(&mut node, upgraded.request, admission),
            None => self.session.begin(&mut node, upgraded.request),
        }
    }

    /// Carries out one step. Returns the one that follows from it.
    fn carry_out(&mut self, context: &mut Context<'_>, step: Step) -> Option<Step> {
        let reply = self.begin(context, step)?;
        let mut node = Locking::new(self.host.shared(), &self.link);
        self.session.reply(&mut node, reply)
    }

    /// Begins a step. Returns the application's reply if that is ready at once.
    pub(super) fn begin(&mut self, context: &mut Context<'_>, step: Step) -> Option<Reply> {
        let call = match step {
            Step::Call(call) => call,
            Step::Flush => {
                flush_now(self.host.shared());
                return None;
            }
        };
        if let Call::Authenticate(login) = &call
            && login.request.is_event_stream()
        {
            // Its client does not answer pings, so the kernel has to detect whether the peer is gone.
            let config = &self.host.shared().config;
            let time = config.health.ping_timeout.max(config.timeouts.write_stall);
            self.link.socket.limit_unacknowledged(time);
        }
        let (pages, call) = match (self.cold.take_arrival(|_| true), call) {
            #[cfg(feature = "http")]
            (Some(Arrival::Stated(admission)), Call::Authenticate(login)) => {
                return Some(Reply::Identity(login, Ok(*admission)));
            }
            (Some(Arrival::Fresh(pages)), call) => (pages, call),
            (_, call) => (None, call),
        };
        let span = hook_span(&self.session, &self.link, &call);
        let begun = span.in_scope(|| begin(&self.host, &self.session, pages, context, call));
        match begun {
            Begun::Ready(reply) => return Some(reply),
            Begun::Pending(future) => self.cold.set_hook(Hook::new(future, span)),
            Begun::Panicked(panic) => {
                self.log_panic(&self.log_fields(), &*panic);
                let mut node = Locking::new(self.host.shared(), &self.link);
                self.session.failed(&mut node);
            }
        }
        None
    }

    /// Polls the running hook. Completes with the following step when the hook is over.
    fn poll_hook(&mut self, context: &mut Context<'_>) -> Poll<Option<Step>> {
        let Some(hook) = self.cold.hook() else {
            return Poll::Ready(None);
        };
        let (future, span) = (&mut hook.future, &hook.span);
        let poll = || span.in_scope(|| future.as_mut().poll(context));
        let polled = catch_unwind(AssertUnwindSafe(poll));
        let mut node = Locking::new(self.host.shared(), &self.link);
        match polled {
            Ok(Poll::Ready(reply)) => {
                drop(self.cold.take_hook());
                Poll::Ready(self.session.reply(&mut node, reply))
            }
            Ok(Poll::Pending) => {
                let Some(at) = self.session.pending(&mut node) else {
                    return Poll::Pending;
                };
                if hook
                    .poll_until(self.host.shared().instant(at), context)
                    .is_pending()
                {
                    return Poll::Pending;
                }
                // After the last hook, the session does not know the user any more.
                let who = LogFields::new(self.link.peer(), self.session.user().cloned());
                self.session.time_out(&mut node);
                if !self.session.is_calling() {
                    self.drop_hook(&who);
                    self.log_timeout(&who);
                }
                Poll::Ready(None)
            }
            Err(panic) => {
                drop(self.cold.take_hook());
                self.log_panic(&self.log_fields(), &*panic);
                let mut node = Locking::new(self.host.shared(), &self.link);
                self.session.failed(&mut node);
                Poll::Ready(None)
            }
        }
    }

    /// Drops a hook whose result is no longer needed.
    pub(super) fn drop_abandoned_hook(&mut self) {
        if self.cold.has_hook() && !self.session.is_calling() {
            self.drop_hook(&self.log_fields());
        }
    }

    /// Drops the hook. A panic of its destructor counts as the hook's, and must not be the task's.
    fn drop_hook(&mut self, who: &LogFields) {
        let hook = self.cold.take_hook();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(hook))) {
            self.log_panic(who, &*panic);
        }
    }

    pub(super) fn log_timeout(&self, who: &LogFields) {
        error!(conn = %self.id(), peer = %who.peer, user = who.user(), "a hook timed out");
    }

    fn log_panic(&self, who: &LogFields, panic: &(dyn Any + Send)) {
        error!(
            conn = %self.id(),
            peer = %who.peer,
            user = who.user(),
            panic = panic_message(panic),
            "a hook panicked"
        );
    }
}
