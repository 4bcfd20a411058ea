//! One room and its list of members.

use std::sync::Arc;

use super::presence::Presence;
use crate::IpKey;

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

/// A connection in a room.
#[derive(Clone, Copy, Debug)]
pub(in crate::switchboard) struct Member {
    pub(in crate::switchboard) slot: u32,
    /// The index in the connection's list of rooms.
    pub(in crate::switchboard) membership: u32,
}

#[derive(Debug)]
pub(in crate::switchboard) struct Room {
    pub(in crate::switchboard) name: Arc<str>,
    /// Distinguishes the successive rooms under one key.
    pub(in crate::switchboard) epoch: u64,
    /// The address of the client that created it; `None` if the application did.
    pub(in crate::switchboard) owner: Option<IpKey>,
    /// Its key in the log.
    pub(in crate::switchboard) log: u32,
    pub(in crate::switchboard) members: Vec<Member>,
    /// Members that entered by their URL.
    pub(in crate::switchboard) lobby_members: usize,
    pub(in crate::switchboard) presence: Option<Box<Presence>>,
}
