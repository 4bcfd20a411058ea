//! One room and its list of members.

use std::sync::Arc;

use super::presence::Presence;
use crate::IpKey;
use crate::Time;

/// What makes a connection enter a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::switchboard) enum Via {
    /// The URL that the client connected to.
    Url,
    /// A request of the client.
    Request,
    /// The application.
    Application,
}

#[derive(Debug)]
pub(in crate::switchboard) struct Room {
    pub(in crate::switchboard) name: Arc<str>,
    /// The life in which its numbers count.
    pub(in crate::switchboard) epoch: u64,
    /// Where the nodes of a cluster share it, its epoch there, which counts in place of `epoch`.
    pub(in crate::switchboard) shared: Option<Arc<str>>,
    /// Where it went on when it came to that epoch from another one, and when: what was before is not in the
    /// log here.
    pub(in crate::switchboard) began: Option<Box<(u64, Time)>>,
    /// How often it has gone on in another epoch of the cluster.
    pub(in crate::switchboard) moved: u16,
    /// Distinguishes the successive times in which there are members in the rooms under one key.
    pub(in crate::switchboard) stay: u64,
    /// Whether it keeps a history, and so outlives its last member.
    pub(in crate::switchboard) keeps: bool,
    /// The address of the client that made it active; `None` if the application did, and without
    /// members.
    pub(in crate::switchboard) owner: Option<IpKey>,
    /// Its key in the log, which lists its members.
    pub(in crate::switchboard) log: u32,
    /// The number of its members.
    pub(in crate::switchboard) members: usize,
    /// Members that entered by their URL.
    pub(in crate::switchboard) lobby_members: usize,
    /// Whether there is presence while there are members.
    pub(in crate::switchboard) has_presence: bool,
    /// Whether something is told there of users beside their names.
    pub(in crate::switchboard) tells_infos: bool,
    pub(in crate::switchboard) presence: Option<Box<Presence>>,
}

impl Room {
    /// Returns whether it has members. A room without any is kept for its history, or about to be
    /// entered.
    pub(in crate::switchboard) fn is_active(&self) -> bool {
        self.members > 0
    }

    /// Notes that it goes on in another epoch of the cluster.
    pub(in crate::switchboard) fn note_new_epoch(&mut self) {
        self.moved = self.moved.saturating_add(1);
    }

    /// Returns whether it has gone on in another epoch since it had moved so many times, as far as that is
    /// known.
    pub(in crate::switchboard) fn has_moved_since(&self, moved: u16) -> bool {
        moved != self.moved || moved == u16::MAX
    }
}
