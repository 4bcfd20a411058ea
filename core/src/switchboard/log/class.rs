//! What a frame of a connection is, as far as delivery has to know.

/// The properties of a frame, as a bit set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::switchboard) struct Class(u8);

impl Class {
    /// A ping, a pong or a Close frame.
    pub(in crate::switchboard) const CONTROL: Self = Self(0);
    /// A message, which is counted.
    pub(in crate::switchboard) const MESSAGE: Self = Self(1);
    /// A frame of the end, which survives a discard.
    pub(in crate::switchboard) const LAST: Self = Self(4);
    /// An HTTP response, which is never discarded or overtaken.
    pub(in crate::switchboard) const HTTP: Self = Self(8);
    /// A pong; of several that wait, the latest suffices.
    pub(in crate::switchboard) const PONG: Self = Self(16);
    /// The ping of an interval, whose timeout starts when it is written.
    pub(in crate::switchboard) const PING: Self = Self(32);
    /// Like `PING`, for a `health_ping` message.
    pub(in crate::switchboard) const MESSAGE_PING: Self = Self(32 | 1);

    pub(super) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) const fn is_message(self) -> bool {
        self.has(Self::MESSAGE)
    }

    pub(super) const fn survives(self) -> bool {
        self.0 & (Self::LAST.0 | Self::HTTP.0) != 0
    }
}
