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

// Imports and calls between the files point downwards:
//
//   handle                                          what the driver does
//   receive, tick                                   what the server and the clock do
//   attempts, subscribing                           connections, channels
//   sending, liveness                               messages, pings
//   machine                                         the state, and what comes out
//   channels, messages, phase, ready                parts of the state
//   input, output, state, failure, frame, config    what they consist of

mod attempts;
mod channels;
mod config;
mod delay;
mod dial;
mod failure;
mod frame;
mod handle;
mod input;
mod liveness;
mod machine;
mod messages;
mod output;
mod phase;
mod place;
mod presence;
mod queue;
mod ready;
mod receive;
mod sending;
mod state;
mod subscribing;
mod tick;
mod verdict;

pub use self::config::MachineConfig;
pub use self::dial::{TokenReason, status_code, token_subprotocol};
pub use self::failure::Failure;
pub use self::frame::ServerText;
pub use self::input::Input;
pub use self::machine::Machine;
pub use self::output::{Gap, Output, Report};
pub use self::presence::Presence;
pub use self::state::{Close, Stage, State, StopReason, WaitReason};
pub use self::verdict::Verdict;
