//! Asks the application for tokens.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll};
use std::time::Duration;

use switchboard_core::client::TokenReason;

use super::options::{NoToken, Options, Token, TokenSource};
use crate::runtime::{BoxFuture, Timer};
use crate::shield::debug;

/// Longer than any wait, and short enough for every clock.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3_600);

/// The source of tokens, and a pending request to it.
pub(super) struct Tokens<T> {
    source: Option<TokenSource>,
    timeout: Duration,
    asking: Option<Asking<T>>,
}

struct Asking<T> {
    states: u64,
    answer: BoxFuture<Result<Token, NoToken>>,
    /// Fires when the request has timed out.
    timer: T,
}

impl<T: Timer> Tokens<T> {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            source: options.token.clone(),
            timeout: options.token_timeout,
            asking: None,
        }
    }

    /// Requests a token, in this state of the connection. An earlier request is dropped.
    pub(super) fn ask(&mut self, reason: TokenReason, states: u64) {
        if let Some(source) = &self.source {
            let asked = catch_unwind(AssertUnwindSafe(|| source.ask(reason)));
            let answer = asked.unwrap_or_else(|_| Box::pin(async { Err(NoToken::Failed) }));
            let until = T::now().checked_add(self.timeout);
            let until = until.unwrap_or_else(|| T::now() + FOREVER);
            self.asking = Some(Asking {
                states,
                answer,
                timer: T::new(until),
            });
        }
    }

    /// Drops a pending request.
    pub(super) fn forget(&mut self) {
        self.asking = None;
    }

    /// Returns the answer to a request, and the state of the connection in which it was made.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Option<(u64, Result<Token, NoToken>)> {
        let asking = self.asking.as_mut()?;
        // A panic of the application fails this token request only.
        let polled = catch_unwind(AssertUnwindSafe(|| asking.answer.as_mut().poll(context)));
        let answer = match polled.unwrap_or(Poll::Ready(Err(NoToken::Failed))) {
            Poll::Ready(answer) => answer,
            Poll::Pending if asking.timer.poll(context).is_ready() => {
                debug!("token request timed out");
                Err(NoToken::Failed)
            }
            Poll::Pending => return None,
        };
        let states = asking.states;
        self.asking = None;
        Some((states, answer))
    }
}
