//! Observations: what clients received, and the statistics.

use serde_json::Value;
use switchboard_core::protocol::Content;
use switchboard_core::{ConnectionId, Exclude, Frame, Receipt, Stats};
use switchboard_kit::Received;

use crate::client::{Peer, json};
use crate::world::{Client, World};

/// What clients received.
impl World {
    pub(crate) fn id(&self, client: Client) -> ConnectionId {
        self.peer(client).id
    }

    pub(crate) fn peer(&self, client: Client) -> &Peer {
        &self.peers[client.0]
    }

    pub(crate) fn peer_mut(&mut self, client: Client) -> &mut Peer {
        &mut self.peers[client.0]
    }

    pub(crate) fn is_open(&self, client: Client) -> bool {
        self.board.user_of(self.id(client)).is_some()
    }

    /// Returns the frames since the last call.
    pub(crate) fn frames(&mut self, client: Client) -> Vec<Received> {
        self.flush();
        let peer = self.peer_mut(client);
        let new = peer.frames[peer.seen..].to_vec();
        peer.seen = peer.frames.len();
        new
    }

    /// Returns the JSON messages since the last call.
    pub(crate) fn messages(&mut self, client: Client) -> Vec<Value> {
        self.frames(client).iter().filter_map(json).collect()
    }

    /// Returns those of one type.
    pub(crate) fn messages_of(&mut self, client: Client, kind: &str) -> Vec<Value> {
        let mut all = self.messages(client);
        all.retain(|message| message["type"] == kind);
        all
    }

    /// Returns the last JSON message since the last call.
    pub(crate) fn last(&mut self, client: Client) -> Value {
        self.messages(client).pop().expect("a message")
    }

    /// Returns the code and reason of the Close frame, if there was one.
    pub(crate) fn close(&self, client: Client) -> Option<(u16, String)> {
        self.peer(client).close()
    }

    /// Returns the outcome of an attempt: the HTTP status, and the close code after an upgrade.
    pub(crate) fn told(&self, client: Client) -> (u16, Option<(u16, String)>) {
        (
            self.peer(client).status.expect("an answer"),
            self.close(client),
        )
    }

    pub(crate) fn is_gone(&self, client: Client) -> bool {
        self.peer(client).gone
    }

    /// Marks everything received so far as seen.
    pub(crate) fn forget(&mut self) {
        self.flush();
        for peer in &mut self.peers {
            peer.seen = peer.frames.len();
        }
        self.notices.clear();
    }

    pub(crate) fn stats(&self) -> Stats {
        self.board.stats(self.now)
    }

    pub(crate) fn broadcast(&mut self, room: &str, content: &str, exclude: Exclude<'_>) -> Receipt {
        let content = Content::parse(content).expect("JSON");
        let receipt = self.board.broadcast(self.now, room, content, None, exclude);
        self.flush();
        receipt.expect("a message that fits")
    }

    pub(crate) fn send(&mut self, client: Client, text: &str) {
        let id = self.id(client);
        let sent = self.board.send(self.now, id, Frame::text(text));
        assert!(sent.is_ok(), "{sent:?}");
        self.flush();
    }
}
