//! The state of one client, and what comes out of it.

use std::collections::VecDeque;

use super::channels::Channels;
use super::config::MachineConfig;
use super::delay::Delays;
use super::dial::TokenReason;
use super::failure::Failure;
use super::frame::ServerText;
use super::messages::Messages;
use super::output::{Output, Report};
use super::phase::Phase;
use super::presence::Presence;
use super::state::Close;
use crate::Time;

/// The state machine of one client. Drive it like the server's [`Switchboard`](crate::Switchboard):
/// pass events to [`handle`](Self::handle), carry out the actions of
/// [`poll_output`](Self::poll_output), and pass [`Input::Tick`](super::Input::Tick) at
/// [`next_deadline`](Self::next_deadline).
#[derive(Debug)]
pub struct Machine {
    pub(super) config: MachineConfig,
    pub(super) delays: Delays,
    pub(super) actions: VecDeque<Output>,
    /// The time of the event being handled.
    pub(super) now: Time,
    pub(super) phase: Phase,
    pub(super) last_close: Option<Close>,
    pub(super) last_bye: Option<ServerText>,
    pub(super) online: bool,
    /// The number of attempts since a connection was stable.
    pub(super) attempts: u32,
    /// The number of delays before attempts since a connection was stable.
    pub(super) tries: u32,
    /// Why a token is needed before the next dial, if it is.
    pub(super) wanted: Option<TokenReason>,
    /// When to refresh the token.
    pub(super) refresh_at: Option<Time>,
    /// Whether a new token was requested because of 4001, and no connection has been stable since.
    pub(super) token_refused: bool,
    pub(super) next_id: u64,
    pub(super) channels: Channels,
    pub(super) messages: Messages,
}

impl Machine {
    /// Creates an idle client.
    pub fn new(config: MachineConfig) -> Self {
        Self {
            delays: Delays::new(config.seed, config.factor),
            messages: Messages::new(&config),
            config,
            actions: VecDeque::new(),
            now: Time::ZERO,
            phase: Phase::Idle,
            last_close: None,
            last_bye: None,
            online: true,
            attempts: 0,
            tries: 0,
            wanted: Some(TokenReason::Connect),
            refresh_at: None,
            token_refused: false,
            next_id: 1,
            channels: Channels::default(),
        }
    }

    /// Returns the next action to carry out.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.actions.pop_front()
    }

    /// Returns when an [`Input::Tick`](super::Input::Tick) is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        let (ready, refresh) = match &self.phase {
            Phase::Ready(ready) => (ready.next_deadline(), self.refresh_at),
            _ => (None, None),
        };
        let messages = self.messages.next_deadline();
        [self.phase.ends_at(), ready, refresh, messages]
            .into_iter()
            .flatten()
            .min()
    }

    /// Returns the id that the next `Publish` or `Direct` will get.
    #[must_use]
    pub fn next_id(&self) -> u64 {
        self.next_id
    }

    /// Returns the number of messages that are queued or await an answer.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.messages.unanswered()
    }

    /// Returns whether this channel is subscribed and was joined on this connection.
    #[must_use]
    pub fn is_active(&self, channel: &str) -> bool {
        self.channels
            .get(channel)
            .is_some_and(|channel| channel.active)
    }

    /// Returns the users in a channel, if the client is in it and the server has reported them.
    #[must_use]
    pub fn presence(&self, channel: &str) -> Option<&Presence> {
        self.channels.presence(channel)
    }

    pub(super) fn take_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    pub(super) fn act(&mut self, action: Output) {
        self.actions.push_back(action);
    }

    pub(super) fn notify(&mut self, notice: Report) {
        self.act(Output::Notify(notice));
    }

    pub(super) fn fail(&mut self, id: u64, failure: Failure) {
        self.act(Output::Failed { id, failure });
    }
}
