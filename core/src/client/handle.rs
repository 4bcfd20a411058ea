//! Passes each input to the part that handles it.

use super::config::PONG;
use super::input::Input;
use super::machine::Machine;
use crate::Time;

impl Machine {
    /// Handles an event. Events are legal in any order; a `now` before the latest one counts as
    /// that.
    pub fn handle(&mut self, now: Time, event: Input<'_>) {
        self.now = self.now.max(now);
        match event {
            Input::Start if self.phase.is_off() => self.start_over(),
            Input::Stop => self.stop(),
            Input::Reconnect => self.start_over(),
            Input::Token { expires_in } => self.token_came(expires_in),
            Input::TokenFailed { last } => self.token_failed(last),
            Input::Opened => self.opened(),
            Input::Closed { code, reason } if self.phase.stage().is_some() => {
                self.ended(code, reason, false);
            }
            Input::Message { text } if self.phase.is_open() => self.receive(text),
            Input::Tick => self.tick(),
            Input::Online => {
                self.online = true;
                self.wake();
            }
            Input::Visible | Input::Resume => self.wake(),
            Input::Offline => self.offline(),
            Input::Suspend => self.suspend(),
            Input::Ping => self.ping(PONG),
            Input::Subscribe {
                channel,
                since,
                last,
            } => self.subscribe(channel, since, last),
            Input::Unsubscribe { channel } => self.unsubscribe(channel),
            Input::Publish { .. } | Input::Direct { .. } | Input::Call { .. } => self.post(event),
            Input::Cancel { id } => self.cancel(id),
            Input::Start | Input::Closed { .. } | Input::Message { .. } | Input::Hidden => {}
        }
    }
}
