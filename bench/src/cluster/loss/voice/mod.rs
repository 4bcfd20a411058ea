//! What a client and the servers of each system say to each other.

mod plain;
mod socket_io;
mod switchboard;

use serde_json::Value;

use self::plain::Plain;
use self::socket_io::SocketIo;
use self::switchboard::Switchboard;
use super::judge::Fate;
use crate::cluster::system::System;

/// The room of all members.
const ROOM: &str = "r0";

/// What a client says, and how it understands what it hears.
pub(super) trait Voice: Send + Sync {
    /// Returns the target of the upgrade.
    fn target(&self) -> String;

    /// The upgrade is done.
    fn connected(&mut self) -> Heard {
        Heard::from(What::Nothing)
    }

    fn hear(&mut self, text: &str) -> Heard;

    /// Returns the text that publishes a message.
    fn say(&mut self, number: usize) -> String;

    /// Returns the text that publishes a message again whose fate is unknown, if that is how the system
    /// is used. The client is back.
    fn say_again(&mut self, number: usize) -> Option<String>;
}

/// The meaning of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// The client can know that something may be missing before this.
    pub(super) is_told: bool,
    pub(super) what: What,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    Nothing,
    /// The client is in the room.
    In,
    Message {
        publisher: usize,
        number: usize,
    },
    /// What became of an own message.
    Fate(usize, Fate),
    /// To be answered with this.
    Reply(String),
}

impl From<What> for Heard {
    fn from(what: What) -> Self {
        Self {
            is_told: false,
            what,
        }
    }
}

pub(super) fn of(system: System, member: usize) -> Box<dyn Voice> {
    match system {
        System::SwitchboardTokio | System::SwitchboardSmol => Box::new(Switchboard::new(member)),
        System::SocketIoRedis | System::SocketIoStreams => Box::new(SocketIo::new(member)),
        System::TokioHub => Box::new(Plain::new(member)),
    }
}

/// Returns the content of a message, which says whose it is.
fn content(publisher: usize, number: usize) -> String {
    format!("{publisher}-{number}")
}

/// Returns whose message it is, from an object with its content.
fn message(object: &Value) -> What {
    let read = || {
        let (publisher, number) = object["content"].as_str()?.split_once('-')?;
        Some(What::Message {
            publisher: publisher.parse().ok()?,
            number: number.parse().ok()?,
        })
    };
    read().unwrap_or(What::Nothing)
}

/// Returns the number of an own message from a field of an answer.
fn number(value: &Value) -> Option<usize> {
    value.as_u64()?.try_into().ok()
}
