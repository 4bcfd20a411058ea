//! What the test needs of a server.

use std::collections::BTreeMap;

/// The client's room.
pub(super) const ROOM: &str = "a";

/// A message that the room has numbered.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The request of the client, if it published the message.
    pub(super) request: Option<u64>,
    /// Whether the client is to receive it.
    pub(super) ours: bool,
}

/// A server with one room and one client.
pub(super) trait Server {
    /// The client has a new connection, and the server has not noticed that the older one is lost.
    /// What is on its way there may still arrive.
    fn connect(&mut self, since: Option<&str>, on_its_way: Vec<String>);

    /// A message of the client arrives.
    fn request(&mut self, text: &str);

    /// Somebody else publishes, for the client too or not.
    fn publish(&mut self, ours: bool);

    /// The server does a little of what it has to do.
    fn go_on(&mut self);

    /// Returns whether it has something to do.
    fn is_busy(&self) -> bool;

    /// The client's socket takes no more bytes for now.
    fn fall_behind(&mut self);

    /// Most of the history goes.
    fn evict(&mut self);

    /// The room has another life. The client's connection is lost.
    fn begin_anew(&mut self);

    /// Takes the next message for the client; an empty one is the end of its connection.
    fn pop(&mut self) -> Option<String>;

    /// Returns the life of the room as clients see it, and how many there were before.
    fn epoch(&self) -> (String, usize);

    /// Returns all messages of the present life.
    fn all(&self) -> &BTreeMap<u64, Entry>;

    /// Returns the client's requests in the order in which they were published, over all lives.
    fn published(&self) -> &[u64];

    /// Returns whether anything has left the history.
    fn has_evicted(&self) -> bool;

    /// All leave, and the room ends.
    fn end(&mut self);
}
