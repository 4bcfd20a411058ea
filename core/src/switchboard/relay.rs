//! What a node has to ask of its cluster, and what waits for the answers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::log::Origin;
use super::rooms::{Others, Via};
use crate::cluster::{Info, Question, RoomBody, RoomTerms};
use crate::protocol::{Json, RequestId};
use crate::{CloseReason, ConnectionId, Frame, JoinFrom, Position, Reach};

/// What a node asks of its cluster, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClusterRequest {
    /// Follow a room, and say where its members begin.
    Enter { room: Arc<str>, terms: RoomTerms },
    /// Say when the room is where the broker is from now on.
    CatchUp { room: Arc<str>, number: u64 },
    /// Read messages of a room above one number and below another, in its epoch.
    Recall {
        room: Arc<str>,
        number: u64,
        epoch: Arc<str>,
        after: u64,
        before: u64,
    },
    /// Nobody is in a room any more.
    Leave { room: Arc<str> },
    /// Publish a message.
    Publish {
        post: u64,
        room: Arc<str>,
        terms: RoomTerms,
        body: RoomBody,
    },
    /// Give a message without a number to the room's members on other nodes.
    Volatile { room: Arc<str>, body: Arc<[u8]> },
    /// A user is in a room, or something else is told there of one.
    Appeared {
        room: Arc<str>,
        user: Arc<str>,
        info: Info,
    },
    /// A user is not in a room any more.
    Disappeared { room: Arc<str>, user: Arc<str> },
    /// A connection of a user was admitted, or waits to be.
    LoggedIn { user: Arc<str>, id: ConnectionId },
    /// A connection of a user has ended.
    LoggedOut { user: Arc<str>, id: ConnectionId },
    /// Send a message to the user's connections on other nodes.
    Direct {
        ask: u64,
        user: Arc<str>,
        body: Arc<[u8]>,
    },
    /// Tell a node how many connections here took the message about which it asked.
    Taken {
        node: Arc<str>,
        question: Question,
        queues: u64,
    },
    /// Close the user's connections on other nodes.
    Kick {
        ask: u64,
        user: Arc<str>,
        reason: CloseReason,
    },
    /// Give a message to all connections on other nodes.
    Everyone { body: Arc<[u8]> },
    /// Take a seat in a room that has so many over all nodes.
    TakeSeat {
        seat: u64,
        room: Arc<str>,
        total: u32,
    },
    /// Give a seat back.
    GiveSeat { room: Arc<str> },
}

/// What is known of a room that the nodes share.
#[derive(Debug, Default)]
pub(super) struct SharedRoom {
    pub(super) stage: Stage,
    /// Where it is, once that is known.
    pub(super) position: Option<Position>,
    /// The epoch of the broker whose values the room has here, where it keeps the latest of each key.
    pub(super) values_of: Option<Arc<str>>,
    /// Whether that is in an epoch of this node, as the broker is away.
    pub(super) alone: bool,
    /// The connections that wait to enter, and how many of the first ones are still to be let in if they may.
    pub(super) waiting: VecDeque<Joining>,
    pub(super) looks: usize,
    /// Messages that are sent again and wait until it is known whether they were published.
    pub(super) resent: Vec<Resent>,
    /// Users on other nodes, while nobody is here.
    pub(super) elsewhere: Others,
    /// Members who came while this node was on its own, and where they had been.
    pub(super) returned: BTreeMap<ConnectionId, Position>,
    /// The number under which the cluster was asked to catch up with those of them who are ahead.
    pub(super) overtaken: u64,
}

/// Whether a room can be entered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// The cluster was not asked.
    #[default]
    Away,
    /// The cluster was asked where its members begin.
    Entering,
    /// It is known where they begin.
    Open,
}

/// A connection that waits to be in a room.
#[derive(Debug)]
pub(super) struct Joining {
    pub(super) id: ConnectionId,
    pub(super) via: Via,
    pub(super) from: JoinFrom,
    pub(super) reach: Reach,
    pub(super) request: Option<RequestId<'static>>,
    pub(super) seat: ClusterSeat,
    pub(super) caught_up: CaughtUp,
    pub(super) older: Older,
}

/// Whether the node has caught up with the position from which a member resumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CaughtUp {
    Unknown,
    /// The cluster was asked under this number.
    Asked(u64),
    /// It has, or never will.
    Yes,
}

/// Messages from before what this node has, for somebody who comes back.
#[derive(Clone, Debug)]
pub(super) enum Older {
    Unknown,
    /// The cluster was asked under this number.
    Asked(u64),
    /// What it has of them. Nothing, if none were asked for.
    Read(Arc<[Missed]>),
}

/// A message that somebody has missed, as members get it.
#[derive(Clone, Debug)]
pub(super) struct Missed {
    pub(super) seq: u64,
    pub(super) frame: Frame,
    pub(super) origin: Origin,
}

/// The seat over all nodes that somebody needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClusterSeat {
    /// The room has no such seats.
    None,
    /// It is held for the user.
    Held,
    /// It was asked for.
    Asked(u64),
    Granted,
}

/// A message that a client sends again.
#[derive(Debug)]
pub(super) struct Resent {
    /// The number under which the cluster was asked.
    pub(super) number: u64,
    pub(super) id: ConnectionId,
    /// The epoch in which it was sent first.
    pub(super) epoch: Arc<str>,
    pub(super) content: Json,
    pub(super) echo: bool,
    pub(super) again: u64,
    pub(super) request: RequestId<'static>,
}

/// A message that was published, until its fate is known.
#[derive(Debug, Default)]
pub(super) struct Post {
    pub(super) room: Arc<str>,
    /// The client that sent it, and its request.
    pub(super) sender: Option<ConnectionId>,
    pub(super) request: Option<RequestId<'static>>,
    /// The hash of the request; 0 for none.
    pub(super) hash: u64,
    /// Connections here that do not get it.
    pub(super) exclude: Vec<ConnectionId>,
    /// Whether the application waits for its fate.
    pub(super) awaited: bool,
}

/// A question to other nodes.
#[derive(Debug)]
pub(super) enum Ask {
    /// A client's message to a user, of whom so many connections here took it.
    Direct {
        sender: ConnectionId,
        request: Option<RequestId<'static>>,
        here: u64,
    },
    /// The application waits for the answer.
    Application { here: u64 },
}

/// What a node and its cluster have to tell each other.
#[derive(Debug, Default)]
pub(super) struct Relay {
    pub(super) requests: VecDeque<ClusterRequest>,
    pub(super) rooms: BTreeMap<Arc<str>, SharedRoom>,
    /// The rooms in which some that wait are still to be let in.
    pub(super) entering: BTreeSet<Arc<str>>,
    pub(super) posts: BTreeMap<u64, Post>,
    pub(super) asks: BTreeMap<u64, Ask>,
    /// Rooms in which seats were asked for.
    pub(super) seats: BTreeMap<u64, Arc<str>>,
    pub(super) is_full: bool,
    numbers: u64,
}

impl Relay {
    /// Returns a number that nothing has had.
    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Returns whether a room can be entered at once.
    pub(super) fn is_open(&self, room: &str) -> bool {
        let room = self.rooms.get(room);
        room.is_some_and(|room| room.stage == Stage::Open)
    }

    /// Returns a room, from now on known.
    pub(super) fn room(&mut self, name: &Arc<str>) -> &mut SharedRoom {
        self.rooms.entry(name.clone()).or_default()
    }

    /// Returns the post that is the same request of the same session to a room.
    pub(super) fn find_request(&mut self, room: &str, hash: u64) -> Option<&mut Post> {
        let mut posts = self.posts.values_mut();
        posts.find(|post| hash != 0 && post.hash == hash && *post.room == *room)
    }
}
