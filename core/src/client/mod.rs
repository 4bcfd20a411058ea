//! What a client decides: whether, when and how to come back, what to send and in which order, what
//! was lost. Events go in with the time, actions come out; there are no timers and no sockets here.
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
//! `tests/vectors/` has scripts of events with the actions that must follow, and its `README.md` the
//! decisions in prose; the TypeScript client passes the same ones. `switchboard-tokio` and
//! `switchboard-smol` have the sockets and timers for it (feature `client`).
//!
//! ```
//! use switchboard_core::Time;
//! use switchboard_core::client::{Action, Config, Event, Machine};
//!
//! let mut machine = Machine::new(Config::default());
//! machine.handle(Time::ZERO, Event::Start);
//! let actions: Vec<Action> = std::iter::from_fn(|| machine.poll_action()).collect();
//! assert!(matches!(actions[..], [Action::Notify(_), Action::Dial]));
//! machine.handle(Time::ZERO, Event::Closed { code: 1006, reason: "" });
//! let back = machine.next_deadline().unwrap(); // hand in `Event::Tick` then
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
mod receive;
mod verdict;

use std::collections::VecDeque;

use self::channels::Channels;
use self::delay::Delays;
use self::liveness::Ready;
use self::messages::Messages;
use crate::Time;

pub use self::config::Config;
pub use self::event::{
    Action, Close, Event, Failure, Gap, Notice, Stage, State, StopReason, TokenReason, WaitReason,
    status_code, token_subprotocol,
};
pub use self::frame::ServerText;
pub use self::verdict::Verdict;

/// One client. It is driven like the server's [`Switchboard`](crate::Switchboard): hand in what
/// happens, do what [`poll_action`](Self::poll_action) says, and hand in [`Event::Tick`] when
/// [`next_deadline`](Self::next_deadline) has come.
#[derive(Debug)]
pub struct Machine {
    config: Config,
    delays: Delays,
    actions: VecDeque<Action>,
    /// Of the event that is handled.
    now: Time,
    phase: Phase,
    last_close: Option<Close>,
    last_bye: Option<ServerText>,
    online: bool,
    /// Attempts since a connection was stable.
    attempts: u32,
    /// Delays before attempts since a connection was stable.
    tries: u32,
    /// The token to ask for before the next dial.
    wanted: Option<TokenReason>,
    /// A new token was asked for because of 4001 already, and no connection was stable since.
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
        /// `None`: until something wakes it.
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
    /// How far its socket has come, if it has one.
    fn stage(&self) -> Option<Stage> {
        match self {
            Self::Idle | Self::Stopped | Self::Waiting { .. } | Self::Token => None,
            Self::Dialing { .. } => Some(Stage::Dialing),
            Self::Opened { .. } => Some(Stage::Opened),
            Self::Ready(_) => Some(Stage::Welcomed),
        }
    }

    /// When it ends by itself.
    fn ends_at(&self) -> Option<Time> {
        match *self {
            Self::Waiting { until, .. } => until,
            Self::Dialing { until } | Self::Opened { until } => Some(until),
            Self::Idle | Self::Stopped | Self::Token | Self::Ready(_) => None,
        }
    }

    /// Whether nobody wants a connection.
    fn is_off(&self) -> bool {
        matches!(self, Self::Idle | Self::Stopped)
    }

    /// Whether messages may come and go.
    fn is_open(&self) -> bool {
        matches!(self, Self::Opened { .. } | Self::Ready(_))
    }
}

impl Machine {
    /// A client that does nothing yet.
    pub fn new(config: Config) -> Self {
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

    /// Takes an event that happens now. Any order of events is legal; time that goes back stands
    /// still.
    pub fn handle(&mut self, now: Time, event: Event<'_>) {
        self.now = self.now.max(now);
        match event {
            Event::Start if self.phase.is_off() => self.start_over(),
            Event::Stop => self.stop(),
            Event::Reconnect => self.start_over(),
            Event::Token => self.token_came(),
            Event::TokenFailed { last } => self.token_failed(last),
            Event::Opened => self.opened(),
            Event::Closed { code, reason } if self.phase.stage().is_some() => {
                self.ended(code, reason, false);
            }
            Event::Message { text } if self.phase.is_open() => self.receive(text),
            Event::Tick => self.tick(),
            Event::Online => {
                self.online = true;
                self.wake();
            }
            Event::Visible | Event::Resume => self.wake(),
            Event::Offline => self.offline(),
            Event::Suspend => self.suspend(),
            Event::Ping => self.ping(config::PONG),
            Event::Subscribe { channel } => self.subscribe(channel),
            Event::Unsubscribe { channel } => self.unsubscribe(channel),
            Event::Publish { .. } | Event::Direct { .. } => self.post(event),
            Event::Cancel { id } => self.cancel(id),
            Event::Start | Event::Closed { .. } | Event::Message { .. } | Event::Hidden => {}
        }
    }

    /// The next thing to do.
    #[must_use]
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When an [`Event::Tick`] is due.
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

    /// The id of the next `Publish` or `Direct` that is handed in.
    #[must_use]
    pub fn next_id(&self) -> u64 {
        self.next_id
    }

    /// How many messages wait, or were sent and have no answer yet.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.messages.unanswered()
    }

    /// Whether this channel is subscribed, and entered on this connection.
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

    fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    fn notify(&mut self, notice: Notice) {
        self.act(Action::Notify(notice));
    }

    fn fail(&mut self, id: u64, failure: Failure) {
        self.act(Action::Failed { id, failure });
    }
}
