//! The client's state machine, sans I/O: it decides whether and when to reconnect, what to send in
//! which order, and reports lost messages. Events are handed in with the time, and actions are
//! polled; there are no timers and no sockets here.
//!
//! ```text
//!          Start              GetToken answered          Opened            `welcome`
//!   Idle ─────────▶ Token ────────────────────▶ Dialing ───────▶ Opened ───────────▶ Ready
//!                   ▲   │ TokenFailed            │                │                   │
//!          the wait │   ▼                        │                │ Closed, or silent │
//!           is over └─ Waiting ◀─────────────────┴────────────────┴───────────────────┤
//!                       │ no attempts left          the close code says stop, or Stop │
//!                       ▼                                                             │
//!     Start ◀──────── Stopped ◀───────────────────────────────────────────────────────┘
//! ```
//!
//! `tests/vectors/` contains scripts of events with the expected actions, and its `README.md`
//! describes the decisions in prose; the TypeScript client passes the same scripts.
//! `switchboard-tokio` and `switchboard-smol` add sockets and timers (feature `client`).
//!
//! ```
//! use switchboard_core::Time;
//! use switchboard_core::client::{Output, MachineConfig, Input, Machine};
//!
//! let mut machine = Machine::new(MachineConfig::default());
//! machine.handle(Time::ZERO, Input::Start);
//! let actions: Vec<Output> = std::iter::from_fn(|| machine.poll_output()).collect();
//! assert!(matches!(actions[..], [Output::Notify(_), Output::Dial { .. }]));
//! machine.handle(Time::ZERO, Input::Closed { code: 1006, reason: "" });
//! let back = machine.next_deadline().unwrap(); // then call `handle` with `Input::Tick`
//! assert!(back <= Time::from_millis(500));
//! ```

mod attempts;
mod channels;
mod config;
mod delay;
mod event;
mod frame;
mod liveness;
mod messages;
mod place;
mod queue;
mod receive;
mod size;
mod verdict;

use std::collections::VecDeque;

use self::channels::Channels;
use self::delay::Delays;
use self::liveness::Ready;
use self::messages::Messages;
use crate::Time;

pub use self::config::MachineConfig;
pub use self::event::{
    Close, Failure, Gap, Input, Output, Report, Stage, State, StopReason, TokenReason, WaitReason,
    status_code, token_subprotocol,
};
pub use self::frame::ServerText;
pub use self::verdict::Verdict;

/// The state machine of one client. Drive it like the server's [`Switchboard`](crate::Switchboard):
/// pass events to [`handle`](Self::handle), carry out the actions of
/// [`poll_output`](Self::poll_output), and pass [`Input::Tick`] at
/// [`next_deadline`](Self::next_deadline).
#[derive(Debug)]
pub struct Machine {
    config: MachineConfig,
    delays: Delays,
    actions: VecDeque<Output>,
    /// The time of the event being handled.
    now: Time,
    phase: Phase,
    last_close: Option<Close>,
    last_bye: Option<ServerText>,
    online: bool,
    /// The number of attempts since a connection was stable.
    attempts: u32,
    /// The number of delays before attempts since a connection was stable.
    tries: u32,
    /// Why a token is needed before the next dial, if it is.
    wanted: Option<TokenReason>,
    /// Whether a new token was requested because of 4001, and no connection has been stable since.
    token_refused: bool,
    next_id: u64,
    channels: Channels,
    messages: Messages,
}

#[derive(Debug)]
enum Phase {
    Idle,
    Stopped,
    Waiting {
        /// `None` to wait until an event ends the wait.
        until: Option<Time>,
        why: WaitReason,
    },
    Token,
    Dialing {
        until: Time,
    },
    Opened {
        until: Time,
    },
    Ready(Ready),
}

impl Phase {
    /// Returns the stage of the socket, if there is one.
    fn stage(&self) -> Option<Stage> {
        match self {
            Self::Idle | Self::Stopped | Self::Waiting { .. } | Self::Token => None,
            Self::Dialing { .. } => Some(Stage::Dialing),
            Self::Opened { .. } => Some(Stage::Opened),
            Self::Ready(_) => Some(Stage::Welcomed),
        }
    }

    /// Returns when the phase times out.
    fn ends_at(&self) -> Option<Time> {
        match *self {
            Self::Waiting { until, .. } => until,
            Self::Dialing { until } | Self::Opened { until } => Some(until),
            Self::Idle | Self::Stopped | Self::Token | Self::Ready(_) => None,
        }
    }

    /// Returns whether the application wants no connection.
    fn is_off(&self) -> bool {
        matches!(self, Self::Idle | Self::Stopped)
    }

    /// Returns whether messages may be sent and received.
    fn is_open(&self) -> bool {
        matches!(self, Self::Opened { .. } | Self::Ready(_))
    }
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
            token_refused: false,
            next_id: 1,
            channels: Channels::default(),
        }
    }

    /// Handles an event. Events are legal in any order; a `now` before the latest one counts as
    /// that.
    pub fn handle(&mut self, now: Time, event: Input<'_>) {
        self.now = self.now.max(now);
        match event {
            Input::Start if self.phase.is_off() => self.start_over(),
            Input::Stop => self.stop(),
            Input::Reconnect => self.start_over(),
            Input::Token => self.token_came(),
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
            Input::Ping => self.ping(config::PONG),
            Input::Subscribe {
                channel,
                since,
                last,
            } => self.subscribe(channel, since, last),
            Input::Unsubscribe { channel } => self.unsubscribe(channel),
            Input::Publish { .. } | Input::Direct { .. } => self.post(event),
            Input::Cancel { id } => self.cancel(id),
            Input::Start | Input::Closed { .. } | Input::Message { .. } | Input::Hidden => {}
        }
    }

    /// Returns the next action to carry out.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.actions.pop_front()
    }

    /// Returns when an [`Input::Tick`] is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        let ready = match &self.phase {
            Phase::Ready(ready) => ready.next_deadline(),
            _ => None,
        };
        [self.phase.ends_at(), ready, self.messages.next_deadline()]
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

    fn take_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    fn act(&mut self, action: Output) {
        self.actions.push_back(action);
    }

    fn notify(&mut self, notice: Report) {
        self.act(Output::Notify(notice));
    }

    fn fail(&mut self, id: u64, failure: Failure) {
        self.act(Output::Failed { id, failure });
    }
}
