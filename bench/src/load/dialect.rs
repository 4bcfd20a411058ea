//! The protocols that servers speak.

use super::connection::Plan;
use crate::socket_io;
use crate::wire::{self, DIRECT, MESSAGE, To};

/// What the generator and a server say to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// JSON, as Switchboard speaks it.
    Json,
    /// Socket.IO 4.
    SocketIo,
}

/// The meaning of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Delivery,
    /// It asks for this answer.
    Question(&'static [u8]),
    Notice,
}

impl Dialect {
    /// Returns the target of the request that enters a room, with further parameters.
    pub(super) fn target(self, plan: &Plan, since: &str) -> String {
        let Plan { room, user, .. } = plan;
        match self {
            Self::Json => format!("/ws/r{room}?token=u{user}{since}"),
            Self::SocketIo => format!("{}&room=r{room}", socket_io::TARGET),
        }
    }

    /// Appends the text of a published message.
    pub(super) fn put_message(
        self,
        out: &mut Vec<u8>,
        to: &To,
        publisher: usize,
        number: u32,
        content: usize,
    ) {
        match self {
            Self::Json => wire::put_message(out, to, publisher, number, content),
            Self::SocketIo => {
                out.extend(socket_io::EVENT);
                wire::put_message(out, to, publisher, number, content);
                out.push(b']');
            }
        }
    }

    pub(super) fn hear(self, text: &[u8]) -> Heard {
        match self {
            Self::Json if text.starts_with(MESSAGE) || text.starts_with(DIRECT) => Heard::Delivery,
            Self::SocketIo if text.starts_with(socket_io::EVENT) => Heard::Delivery,
            Self::SocketIo => socket_io::answer_to(text).map_or(Heard::Notice, Heard::Question),
            Self::Json => Heard::Notice,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_heard_as_a_delivery_in_each_dialect() {
        for dialect in [Dialect::Json, Dialect::SocketIo] {
            let mut text = Vec::new();
            dialect.put_message(&mut text, &To::Room(7), 0xab, 0x1234, 36);
            assert_eq!(dialect.hear(&text), Heard::Delivery);
            assert_eq!(wire::Reader::new().read(&text, 36), Some((0xab, 0x1234)));
        }
        assert_eq!(Dialect::Json.hear(b"2"), Heard::Notice);
        assert_eq!(Dialect::SocketIo.hear(b"2"), Heard::Question(b"3"));
    }
}
