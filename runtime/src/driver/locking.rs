//! Implements the session's view of the node on top of the lock.

use std::cell::Cell;
use std::net::IpAddr;

use switchboard_core::session::{LocalNode, Node, RoomChanges};
use switchboard_core::{Config, ConnectionId, Deflater, Inflater, Time};

use crate::node::{Link, Shared};
use crate::shield::trace;

thread_local! {
    /// The inflater shared by all connections of a thread, from the first compressed message on.
    static INFLATER: Cell<Option<Box<Inflater>>> = const { Cell::new(None) };
}

/// A [`Node`] whose switchboard is behind the lock. The effects of calls under a hold are carried out
/// after it.
pub(crate) struct Locking<'a> {
    shared: &'a Shared,
    link: &'a Link,
}

impl<'a> Locking<'a> {
    pub(crate) const fn new(shared: &'a Shared, link: &'a Link) -> Self {
        Self { shared, link }
    }
}

impl Node for Locking<'_> {
    type Held<'a> = LocalNode<'a>;

    fn hold<T>(&mut self, work: impl FnOnce(&mut Self::Held<'_>) -> T) -> T {
        self.shared.with(|locked, now| {
            work(&mut LocalNode {
                switchboard: &mut locked.switchboard,
                now,
            })
        })
    }

    fn config(&self) -> &Config {
        &self.shared.config
    }

    fn now(&self) -> Time {
        self.shared.now()
    }

    fn backlog_is_full(&self) -> bool {
        self.shared.backlog.is_full()
    }

    fn backlog_changed(&mut self, from: usize, to: usize) {
        self.shared.backlog.change(from, to);
    }

    fn may_read_on(&self) -> bool {
        !self.shared.is_congested() && !self.link.is_signalled()
    }

    fn take_inflater(&mut self) -> Box<Inflater> {
        INFLATER.take().unwrap_or_default()
    }

    fn keep_inflater(&mut self, inflater: Box<Inflater>) {
        INFLATER.set(Some(inflater));
    }

    fn take_deflater(&mut self) -> Option<Box<Deflater>> {
        self.shared.take_deflater()
    }

    fn keep_deflater(&mut self, deflater: Box<Deflater>) {
        self.shared.keep_deflater(deflater);
    }

    fn client_known(&mut self, client: IpAddr) {
        // Before the request is applied, because log lines about the answer name the client.
        self.link.set_peer(client);
    }

    fn take_room_changes(&mut self) -> RoomChanges {
        self.link.take_rooms()
    }

    fn message_read(&mut self, id: ConnectionId, binary: bool, bytes: usize) {
        let user = || self.shared.read(|switchboard| switchboard.user_of(id));
        trace!(
            conn = %id,
            peer = %self.link.peer(),
            user = user().as_deref().map(display),
            binary,
            bytes,
            "message"
        );
    }
}
