//! The compared systems.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::process::Command;

use clap::ValueEnum;

use crate::load::Dialect;
use crate::server::{Builtin, Place, chat};

/// Messages that Switchboard keeps per room: more than a client misses in the two seconds that it
/// is away. Socket.IO's streams keep 10 000 in all.
const HISTORY: &str = "2000";
/// Seconds that a client may take to answer a ping: the load generator does not answer while it
/// starts other systems.
const PING_TIMEOUT: &str = "120";

/// A system of several nodes over a Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum System {
    /// The example `chat`
    SwitchboardTokio,
    /// The example `chat-smol`
    SwitchboardSmol,
    /// Socket.IO 4 with @socket.io/redis-adapter
    SocketIoRedis,
    /// Socket.IO 4 with @socket.io/redis-streams-adapter
    SocketIoStreams,
    /// A hand-written server on tokio-tungstenite and Redis' pub/sub
    TokioHub,
}

impl System {
    pub(super) fn is_ours(self) -> bool {
        matches!(self, Self::SwitchboardTokio | Self::SwitchboardSmol)
    }

    pub(super) const fn dialect(self) -> Dialect {
        match self {
            Self::SocketIoRedis | Self::SocketIoStreams => Dialect::SocketIo,
            _ => Dialect::Json,
        }
    }

    /// Builds or installs it.
    pub(super) fn provide(self, place: &Place) -> io::Result<()> {
        match self {
            Self::SwitchboardTokio => place.build("switchboard-tokio", "chat"),
            Self::SwitchboardSmol => place.build("switchboard-smol", "chat-smol"),
            Self::SocketIoRedis | Self::SocketIoStreams => place.install(),
            Self::TokioHub => Ok(()),
        }
    }

    /// Returns the command of one of its nodes.
    pub(super) fn command(self, place: &Place, redis: SocketAddr, node: &str) -> Command {
        let mut command = match self {
            Self::SwitchboardTokio => chat(&place.example("chat"), false),
            Self::SwitchboardSmol => chat(&place.example("chat-smol"), false),
            Self::SocketIoRedis | Self::SocketIoStreams => place.script("socket-io.mjs"),
            Self::TokioHub => place.builtin(Builtin::Tungstenite),
        };
        command.arg("--redis").arg(format!("redis://{redis}"));
        match self {
            Self::SwitchboardTokio | Self::SwitchboardSmol => {
                command.args(["--node", node, "--history", HISTORY]);
            }
            Self::SocketIoRedis => {
                command.args(["--adapter", "redis"]);
            }
            Self::SocketIoStreams => {
                command.args(["--adapter", "streams"]);
            }
            // It never gives up.
            Self::TokioHub => return command,
        }
        command.args(["--ping-timeout", PING_TIMEOUT]);
        command
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.pad(value.as_ref().map_or("", |value| value.get_name()))
    }
}
