//! What happens to a client, and what it does.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::frame::ServerText;
use crate::Time;
use crate::protocol::Content;

/// Something that happened. Once a socket was let go of ([`Action::Close`]) or has closed, nothing
/// more of it may be handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The application wants a connection.
    Start,
    /// The application wants none, until it starts again.
    Stop,
    /// The application wants to start over at once, whatever the state.
    Reconnect,
    /// The dial succeeded.
    Opened,
    /// The socket closed, or the dial failed: with the code of the Close frame, with 1006 where there
    /// was none, or with the code of the refusal that the HTTP status tells ([`status_code`]).
    Closed {
        /// The close code.
        code: u16,
        /// The server's word for it; may be empty.
        reason: &'a str,
    },
    /// A message came. One that cannot be read is a sign of life all the same.
    Message {
        /// Its text; empty for a binary one.
        text: &'a str,
    },
    /// The token that was asked for is there.
    Token,
    /// It is not.
    TokenFailed {
        /// There is none to be had: stop.
        last: bool,
    },
    /// The deadline has come, or a later time.
    Tick,
    /// The network is said to be up.
    Online,
    /// The network is said to be down.
    Offline,
    /// Somebody looks at the application again.
    Visible,
    /// Nobody looks at the application.
    Hidden,
    /// The host is about to be frozen.
    Suspend,
    /// It was, and is so no more.
    Resume,
    /// Measure the round trip now.
    Ping,
    /// Be in this channel, now and on every connection.
    Subscribe {
        /// Its name.
        channel: &'a str,
    },
    /// Be in it no more.
    Unsubscribe {
        /// Its name.
        channel: &'a str,
    },
    /// Send to a channel. Takes the [`next_id`](super::Machine::next_id).
    Publish {
        /// Its name.
        channel: &'a str,
        /// What to send.
        content: Content<'a>,
        /// The size of the message as it will be sent; a small excess does no harm.
        bytes: usize,
        /// Whether we want our own message too.
        echo: Option<bool>,
        /// Whether it waits for a connection; `None`: as configured.
        queue: Option<bool>,
    },
    /// Send to a user. Takes the [`next_id`](super::Machine::next_id).
    Direct {
        /// Whose connections.
        to: &'a str,
        /// What to send.
        content: Content<'a>,
        /// The size of the message as it will be sent; a small excess does no harm.
        bytes: usize,
        /// Whether it waits for a connection; `None`: as configured.
        queue: Option<bool>,
    },
    /// Nobody wants that message sent any more.
    Cancel {
        /// Of the message.
        id: u64,
    },
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open a socket, with the token, if there is one.
    Dial,
    /// Let go of the socket at once: send a Close frame with 1000 and this reason if that is
    /// possible, but wait for nothing.
    Close {
        /// The reason; may be empty.
        reason: &'static str,
    },
    /// Ask for a token. The next [`Notice::State`] says that the answer is of no use any more.
    GetToken(TokenReason),
    /// Send this text.
    Send(String),
    /// A message has arrived: the `seq` of a message, or the connections of a `direct` that it went to.
    Done {
        /// Of the message.
        id: u64,
        /// The number.
        value: u64,
    },
    /// A message was not sent, or not taken, or nobody knows.
    Failed {
        /// Of the message.
        id: u64,
        /// Why.
        failure: Failure,
    },
    /// Tell the application.
    Notify(Notice),
}

/// What the application is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Where the connection stands now.
    State(State),
    /// A message of the server that is not the client's own business.
    Deliver(ServerText),
    /// The server did not let us into a channel. It is asked again on the next connection.
    Refused {
        /// Which one.
        channel: Arc<str>,
        /// The server's `error`.
        frame: ServerText,
    },
    /// We were in this channel before our `subscribe`, by the URL perhaps: it is no `subscribed` that
    /// answers it.
    Entered {
        /// Which one.
        channel: Arc<str>,
    },
    /// The server has not answered our `subscribe` in time. It may do so yet.
    Unanswered {
        /// Of which channel.
        channel: Arc<str>,
    },
    /// Messages of a channel that were not delivered to us.
    Gap(Gap),
    /// A channel began anew between two connections, so nobody can say what was missed.
    Epoch {
        /// Which one.
        channel: Arc<str>,
        /// The life of it that is over.
        from: String,
        /// The life of it that we are in now.
        to: String,
    },
    /// How long a `ping` took.
    RoundTrip(Duration),
}

/// The numbers of messages that were not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Of which channel.
    pub channel: Arc<str>,
    /// The first number.
    pub from: u64,
    /// The last one.
    pub to: u64,
    /// They went by between two connections; unconfirmed ones of our own may be among them.
    pub away: bool,
}

/// Where the connection stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody has started it yet.
    Idle,
    /// It asks for a token, dials, or awaits `welcome`.
    Connecting {
        /// How the last connection or attempt ended.
        last: Option<Close>,
    },
    /// It is in.
    Connected {
        /// The server's `welcome`.
        welcome: ServerText,
        /// How the last connection or attempt ended.
        last: Option<Close>,
    },
    /// It will try again.
    Waiting {
        /// When; `None`: when something wakes it.
        until: Option<Time>,
        /// Why not now.
        why: WaitReason,
        /// How the last connection or attempt ended.
        last: Option<Close>,
    },
    /// It stays away until it is started again.
    Stopped {
        /// Why.
        why: StopReason,
        /// How the last connection or attempt ended.
        last: Option<Close>,
    },
}

/// How a connection, or an attempt at one, ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The close code; 1006 where there was none.
    pub code: u16,
    /// The server's word for it; may be empty.
    pub reason: String,
    /// How far it had come.
    pub stage: Stage,
    /// The client gave up on a server that did not answer.
    pub silent: bool,
}

/// How far a connection had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// There was no socket yet.
    Dialing,
    /// There was no `welcome` yet.
    Opened,
    /// It was in.
    Welcomed,
}

/// Why a client waits. `Told` and `Full` are the server's word: no event shortens them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitReason {
    /// A random delay, longer with each failure.
    Backoff,
    /// The server was full.
    Full,
    /// A random delay of at most a second.
    Jitter,
    /// The server told when to come back.
    Told,
    /// The network is said to be down.
    Offline,
    /// The host is frozen.
    Suspended,
    /// The application asked to start over.
    Asked,
}

/// Why a client stays away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The application asked for it.
    Asked,
    /// The close code says so.
    Code,
    /// Its attempts are used up.
    Attempts,
    /// There is no token to be had.
    Token,
}

/// Why a token is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenReason {
    /// There is none yet.
    Connect,
    /// The server did not take the last one (4001).
    Unauthorized,
    /// The last one has expired (4202).
    Expired,
}

/// Why a message did not arrive, as far as one knows.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is no connection, and it was not to wait for one.
    NotConnected,
    /// It was sent, but the connection ended before the answer: nobody knows.
    Unconfirmed,
    /// It was sent, and the server has not answered in time: nobody knows.
    TimedOut,
    /// Too many messages wait, or too large ones.
    QueueFull,
    /// It has waited for too long.
    Expired,
    /// The server takes no message as large as this.
    TooLarge,
    /// The channel that it waited for was left.
    Unsubscribed,
    /// The client has stopped.
    Stopped,
    /// It was cancelled while it waited.
    Aborted,
    /// The server said no.
    Refused {
        /// The server's error code.
        code: Cow<'static, str>,
        /// Its `error`, where that answers this very message.
        frame: Option<ServerText>,
    },
}

impl Failure {
    /// The word for it: the server's error code, or one of ours.
    pub fn code(&self) -> &str {
        match self {
            Self::NotConnected => "not_connected",
            Self::Unconfirmed => "unconfirmed",
            Self::TimedOut => "timeout",
            Self::QueueFull => "queue_full",
            Self::Expired => "expired",
            Self::TooLarge => "too_large",
            Self::Unsubscribed => "unsubscribed",
            Self::Stopped => "stopped",
            Self::Aborted => "aborted",
            Self::Refused { code, .. } => code,
        }
    }

    pub(super) fn refused(frame: &ServerText) -> Self {
        Self::Refused {
            code: frame.code().unwrap_or_default().to_owned().into(),
            frame: Some(frame.clone()),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self::Refused {
            frame: Some(frame), ..
        } = self
        else {
            return f.write_str(self.code());
        };
        write!(
            f,
            "{}: {}",
            self.code(),
            frame.message().unwrap_or_default()
        )
    }
}

impl std::error::Error for Failure {}

/// The close code, and the reason, of a refusal that was told by HTTP (spec, section 2).
pub fn status_code(status: u16) -> (u16, &'static str) {
    match status {
        401 => (4001, "unauthorized"),
        403 => (4003, "forbidden"),
        409 => (4005, "already_connected"),
        429 => (4100, "ip_limit"),
        500 => (1011, "internal"),
        503 => (4002, "server_full"),
        _ => (1006, ""),
    }
}

/// The subprotocol that carries a token, offered beside the one that is spoken.
pub fn token_subprotocol(token: &str) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let token = URL_SAFE_NO_PAD.encode(token);
    format!("{}{token}", crate::handshake::BEARER_PROTOCOL)
}
