//! Methods of [`Hub`] about what rooms keep.

use std::ops::RangeBounds;

use switchboard_core::{Excerpt, Position};

use super::handle::Hub;

/// # History
impl Hub {
    /// Returns the position of a room: the epoch, and the last number used. `None` if the room does not
    /// exist.
    ///
    /// To give a client a state which the room's messages then change, read the position first, then the
    /// state, and let the client subscribe from that position: it misses nothing between. Where there is
    /// no position, the client subscribes first and fetches the state then.
    ///
    /// ```
    /// # use switchboard_core::{Config, History};
    /// # use switchboard_runtime::{Application, Hub};
    /// # struct Chat;
    /// # impl Application for Chat {}
    /// let history = History { messages: 100, ..History::default() };
    /// let hub = Hub::new(Config { history, ..Config::default() }, Chat)?;
    ///
    /// // Stored, although nobody is there.
    /// hub.broadcast("news", r#"{"headline":"It works"}"#)?;
    /// let position = hub.position("news").ok_or("no such room")?;
    /// assert_eq!(position.seq, 1);
    ///
    /// let excerpt = hub.history("news", 1..).ok_or("no such room")?;
    /// let json = excerpt.messages[0].as_json();
    /// assert_eq!(json, r#"{"type":"message","channel":"news","content":{"headline":"It works"},"seq":1}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn position(&self, room: &str) -> Option<Position> {
        self.shared().read(|switchboard| switchboard.position(room))
    }

    /// Returns the messages that a room keeps with numbers in `range`, at most the first 1 000 of these: where
    /// it keeps the latest value of each key, these values, and the removals that it keeps. `None` if the
    /// room does not exist.
    pub fn history(&self, room: &str, range: impl RangeBounds<u64>) -> Option<Excerpt> {
        self.shared()
            .with(|locked, now| locked.switchboard.history(now, room, range))
    }

    /// Returns the last messages that a room keeps, at most so many and at most 1 000: where it keeps the latest
    /// value of each key, the last of these values, and of the removals that it keeps. `None` if the room does
    /// not exist.
    pub fn latest(&self, room: &str, most: usize) -> Option<Excerpt> {
        self.shared()
            .with(|locked, now| locked.switchboard.latest(now, room, most))
    }
}
