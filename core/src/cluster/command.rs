//! What a node asks of the broker.

use std::sync::Arc;
use std::time::Duration;

/// The presence info of a user in a room: JSON in one line, which most users do not have.
pub type Info = Option<Arc<str>>;

/// One question of a node to the broker, answered by one [`Answer`](super::Answer).
///
/// Each is one atomic step: it is applied as a whole or not at all, and no other command runs in
/// between. Each may be repeated when its answer was lost; its documentation says what that does.
///
/// Exhaustive on purpose: an adapter that does not know a command must not compile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Number messages, keep them, and publish them to the room.
    Append(Append),
    /// Record a new session of the node, and read the messages of a room that it missed.
    Sync(Sync),
    /// Change the list of users in a room, and publish what changed.
    Presence(Presence),
    /// Read the list of users in a room.
    Occupants(Occupants),
    /// Read how far a room has come, and keep it from expiring.
    Position(Position),
    /// Read messages of a room.
    Range(Range),
    /// Read the latest value of each key of a room.
    Values(Values),
    /// Set how many seats of a room the node uses.
    Seats(Seats),
    /// Claim a user for a connection, and remove claims over the limit.
    Login(Login),
    /// Give up a claim.
    Logout(Logout),
    /// Put out all claims of a user.
    Kick(Kick),
    /// Read the claims of a user, and keep them from expiring.
    Lookup(Lookup),
    /// Publish to the inboxes of the other nodes that hold claims of a user.
    Direct(Direct),
    /// Register the node or renew its lease, and publish its heartbeat.
    Beat(Beat),
    /// End the registration of the node, and publish its last heartbeat.
    Retire(Retire),
    /// Publish to a channel, at most once.
    Notify {
        /// Where to.
        channel: Channel,
        /// What subscribers receive, see [`Push`](super::Push).
        payload: Arc<[u8]>,
    },
    /// Ask whether the broker answers.
    Ping,
}

/// A channel to which nodes subscribe.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// What happens in a room.
    Room(Arc<str>),
    /// What concerns all nodes.
    Everyone,
    /// What concerns one node.
    Inbox(Arc<str>),
}

/// The writing node, its connection, and the incarnation of the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    /// The node: its configured name and a random part, the same for the life of the process.
    pub node: Arc<str>,
    /// Counts the node's connections to the broker. What an earlier connection left behind and the
    /// broker reads late is refused by this number.
    pub session: u64,
    /// Identifies the life of the broker's data that the connection found. Data of another incarnation
    /// may lack acknowledged writes, so it is not continued.
    pub incarnation: Arc<str>,
}

/// The broker's clock, in microseconds since the Unix epoch. It may go back when another server
/// takes over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BrokerTime(pub u64);

/// How long a room's data outlive its last write, and how much of its log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// At least so many of the last messages are kept.
    pub messages: u32,
    /// How long messages outlive the last one.
    pub log: Duration,
    /// How long numbers and epoch outlive the last use. Longer than `log`, because numbers that
    /// restarted next to old messages would be mistaken for theirs.
    pub numbers: Duration,
}

/// Numbers messages of one node in a room, keeps them, and publishes each as
/// [`Push::Message`](super::Push::Message).
///
/// The node counts its messages to the room; `first` is the number of the first one here. What was
/// applied before is skipped, and nothing is applied where one before `first` is missing, so a
/// repeat changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// The room.
    pub room: Arc<str>,
    /// The writing node.
    pub writer: Writer,
    /// The epoch to start where the room has none.
    pub fresh: Arc<str>,
    /// The node's own number of the first body, from 1.
    pub first: u64,
    /// The messages, at least one.
    pub bodies: Vec<Arc<[u8]>>,
    /// How many keys may have a value, where the room keeps the latest one of each; 0 elsewhere. The
    /// header of a [`Body`](super::Body) names its key.
    pub keys: u32,
    /// What is kept.
    pub retention: Retention,
}

/// Notes a new session of the node in a room, and reads the messages after `since`.
///
/// A repeat changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sync {
    /// The room.
    pub room: Arc<str>,
    /// The requesting node.
    pub writer: Writer,
    /// The epoch to start where the room has none.
    pub fresh: Arc<str>,
    /// The epoch and the last number that the node knows, if any.
    pub since: Option<(Arc<str>, u64)>,
    /// The node's own number up to which it sends nothing again: the broker counts on from there
    /// where it knows less, because it lost data or an earlier connection started the epoch.
    pub done: u64,
    /// At most so many messages are read.
    pub most: u32,
    /// What is kept.
    pub retention: Retention,
}

/// Changes the list of users in a room, and publishes what changed as
/// [`Push::Presence`](super::Push::Presence).
///
/// Adding a user who is already listed with the same info, or removing one who is not listed, is no
/// change. A command without changes publishes nothing, so that a repeat has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// The room.
    pub room: Arc<str>,
    /// The writing node.
    pub writer: Writer,
    /// The epoch to start where the room has none.
    pub fresh: Arc<str>,
    /// Whose users: the node's own registration, or that of a dead node.
    pub registration: Arc<str>,
    /// Users who are in the room now, each with the presence info.
    pub joined: Vec<(Arc<str>, Info)>,
    /// Users who are no longer in the room.
    pub left: Vec<Arc<str>>,
    /// How long numbers and epoch outlive the last use.
    pub numbers: Duration,
    /// How long the list outlives the last node that touches it.
    pub list: Duration,
}

/// Reads the list of users in a room. Changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occupants {
    /// The room.
    pub room: Arc<str>,
    /// The incarnation that the connection found.
    pub incarnation: Arc<str>,
}

/// Reads how far a room has come, and keeps it from expiring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The room.
    pub room: Arc<str>,
    /// The incarnation that the connection found.
    pub incarnation: Arc<str>,
    /// How long numbers and epoch outlive the last use.
    pub numbers: Duration,
    /// How long the list of users outlives the last node that touches it.
    pub list: Duration,
    /// Nodes that have been dead for so long that they will send nothing again: the numbers of
    /// their messages are forgotten.
    pub forget: Vec<Arc<str>>,
}

/// Reads messages of a room. Changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The room.
    pub room: Arc<str>,
    /// The incarnation that the connection found.
    pub incarnation: Arc<str>,
    /// The epoch in which `after` counts.
    pub epoch: Arc<str>,
    /// The messages behind this number are read.
    pub after: u64,
    /// At most so many.
    pub most: u32,
}

/// Reads the latest values of keys of a room, in the order of their numbers. Changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values {
    /// The room.
    pub room: Arc<str>,
    /// The incarnation that the connection found.
    pub incarnation: Arc<str>,
    /// The epoch in which `after` counts.
    pub epoch: Arc<str>,
    /// The values behind this number are read.
    pub after: u64,
    /// At most so many.
    pub most: u32,
}

/// Sets how many seats of a room the node uses, within what the other nodes leave.
///
/// The number is absolute, so that a repeat has no effect. Seats that are `held` are always granted, so
/// that no member is removed after a loss of data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seats {
    /// The room.
    pub room: Arc<str>,
    /// Whose seats.
    pub registration: Arc<str>,
    /// See [`Writer::session`].
    pub session: u64,
    /// Seats in use.
    pub held: u32,
    /// Those and the seats asked for; at least `held`.
    pub wanted: u32,
    /// Seats of the room over all nodes.
    pub total: u32,
    /// Seats that their node has not confirmed for so long are free.
    pub stale: Duration,
    /// How long the table outlives its last use.
    pub table: Duration,
    /// Registrations that are known to be dead: their seats are free.
    pub dead: Vec<Arc<str>>,
}

/// Which claims stay where a user has more than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// A newcomer puts out the oldest.
    Newest,
    /// The connections that are there stay, and a newcomer is refused.
    Oldest,
}

/// Claims a user for a connection, and removes the claims that are then over the limit. Each node that
/// loses claims is notified by [`Push::Close`](super::Push::Close) in its inbox.
///
/// An existing claim keeps its stamp, so that a repeat has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The user.
    pub user: Arc<str>,
    /// The claiming node.
    pub writer: Writer,
    /// The node's present registration.
    pub registration: Arc<str>,
    /// The connection, unique within the node.
    pub connection: Arc<str>,
    /// When the claim was made; `None` is now. A claim of now is newer than all others, so a command
    /// that is repeated because its answer was lost must have the time of the first attempt; otherwise
    /// it would remove claims made in between.
    pub at: Option<BrokerTime>,
    /// When the connection logged in, where that was before `at`: a kick since then puts it out.
    pub since: Option<BrokerTime>,
    /// At most so many claims stay; 0 is no limit.
    pub most: u32,
    /// Which of them.
    pub keep: Keep,
    /// How long claims outlive their last use.
    pub expiry: Duration,
    /// The reason for removing the others, as a word.
    pub reason: Arc<str>,
    /// Registrations that are known to be dead: their claims are dropped.
    pub dead: Vec<Arc<str>>,
}

/// Gives up a claim. A repeat changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logout {
    /// The user.
    pub user: Arc<str>,
    /// The node that gives up the claim.
    pub writer: Writer,
    /// The registration that claimed.
    pub registration: Arc<str>,
    /// The connection.
    pub connection: Arc<str>,
    /// How long the table outlives its last claim, to refuse what an earlier connection left
    /// behind.
    pub rest: Duration,
}

/// Removes all claims of a user, and notifies each node by [`Push::Close`](super::Push::Close). Claims
/// from before the kick that are made again later are removed, too, even if there are none now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kick {
    /// The user.
    pub user: Arc<str>,
    /// The incarnation that the connection found.
    pub incarnation: Arc<str>,
    /// Why, as a word.
    pub reason: Arc<str>,
    /// How long the kick is remembered.
    pub expiry: Duration,
}

/// Reads the claims of a user, and keeps them from expiring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The user.
    pub user: Arc<str>,
    /// The incarnation that the connection found.
    pub incarnation: Arc<str>,
    /// How long claims outlive their last use.
    pub expiry: Duration,
}

/// Publishes to the inbox of each other node that holds a claim of a user, at most once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Direct {
    /// The user.
    pub user: Arc<str>,
    /// The incarnation that the connection found.
    pub incarnation: Arc<str>,
    /// The node that asks: it has served its own connections.
    pub node: Arc<str>,
    /// What the inboxes receive, see [`Push`](super::Push).
    pub payload: Arc<[u8]>,
    /// Registrations that are known to be dead: they are left out.
    pub dead: Vec<Arc<str>>,
}

/// Registers the node or renews its lease, and publishes its heartbeat to
/// [`Channel::Everyone`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// The node and the count of its registrations, joined by a dot.
    pub registration: Arc<str>,
    /// Whether it must be registered still: where its lease has run out, nothing is done.
    pub renew: bool,
    /// How long the registration lives without another beat.
    pub lease: Duration,
    /// What the list of nodes says about it.
    pub info: Arc<str>,
    /// How long the list outlives the last beat of any node.
    pub list: Duration,
    /// What subscribers receive, see [`Push`](super::Push).
    pub payload: Arc<[u8]>,
    /// Dead registrations to take off the list.
    pub forget: Vec<Arc<str>>,
}

/// Ends the registration of the node, and publishes its last heartbeat to [`Channel::Everyone`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retire {
    /// The registration.
    pub registration: Arc<str>,
    /// What subscribers receive, see [`Push`](super::Push).
    pub payload: Arc<[u8]>,
}
