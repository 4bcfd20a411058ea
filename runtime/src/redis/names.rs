//! The names of keys and channels.

use switchboard_core::cluster::Channel;

/// Makes the names of the keys and channels of one cluster.
///
/// The part in braces is the hash tag: all keys of one script have the same, so they stay together in
/// Redis Cluster. (A name that begins with `}` has an empty tag, and its keys may part there.)
///
/// ```text
/// sb1:{room}:m  :s  :p  :n    numbers, log, users, seats of a room       sb1:{room}:c   its channel
/// sb1:{room}:k  :q            values of keys, the keys by number
/// sb1:{u:user}                claims of a user                           sb1:i:node     inbox of a node
/// sb1:{n}  sb1:{n}:node.k     list of nodes, lease of a registration     sb1:b          all nodes
/// sb1:probe                   tries what access rules allow               sb1:probe
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    prefix: String,
}

impl Names {
    /// Creates the names of a cluster. Clusters that share a Redis need different prefixes; `sb1` is
    /// usual. The prefix must not contain braces.
    pub fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
        }
    }

    /// The numbers of a room: epoch, last number used, each node's last message.
    pub fn numbers(&self, room: &str) -> String {
        self.of_room(room, 'm')
    }

    /// The log of a room.
    pub fn log(&self, room: &str) -> String {
        self.of_room(room, 's')
    }

    /// The users in a room.
    pub fn users(&self, room: &str) -> String {
        self.of_room(room, 'p')
    }

    /// The latest value of each key of a room.
    pub fn values(&self, room: &str) -> String {
        self.of_room(room, 'k')
    }

    /// The keys of a room by the number of their values.
    pub fn keys(&self, room: &str) -> String {
        self.of_room(room, 'q')
    }

    /// The seats of a room.
    pub fn seats(&self, room: &str) -> String {
        self.of_room(room, 'n')
    }

    /// The claims of a user.
    pub fn claims(&self, user: &str) -> String {
        format!("{}:{{u:{user}}}", self.prefix)
    }

    /// The list of nodes.
    pub fn nodes(&self) -> String {
        format!("{}:{{n}}", self.prefix)
    }

    /// The lease of a registration.
    pub fn lease(&self, registration: &str) -> String {
        format!("{}:{{n}}:{registration}", self.prefix)
    }

    /// The key and the channel with which a connection tests its permissions.
    pub fn probe(&self) -> String {
        format!("{}:probe", self.prefix)
    }

    /// A channel.
    pub fn channel(&self, channel: &Channel) -> String {
        match channel {
            Channel::Room(room) => self.of_room(room, 'c'),
            Channel::Everyone => format!("{}:b", self.prefix),
            Channel::Inbox(node) => format!("{}{node}", self.inboxes()),
        }
    }

    /// What the names of inboxes begin with.
    pub fn inboxes(&self) -> String {
        format!("{}:i:", self.prefix)
    }

    /// Returns the channel of this name, if it is one of this cluster.
    pub fn to_channel(&self, name: &[u8]) -> Option<Channel> {
        let name = str::from_utf8(name).ok()?;
        let rest = name.strip_prefix(&self.prefix)?.strip_prefix(':')?;
        if rest == "b" {
            return Some(Channel::Everyone);
        }
        if let Some(node) = rest.strip_prefix("i:") {
            return Some(Channel::Inbox(node.into()));
        }
        let room = rest.strip_prefix('{')?.strip_suffix("}:c")?;
        Some(Channel::Room(room.into()))
    }

    fn of_room(&self, room: &str, part: char) -> String {
        format!("{}:{{{room}}}:{part}", self.prefix)
    }
}
