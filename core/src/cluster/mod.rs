//! Several nodes: commands to a broker, its answers, and messages between nodes.
//!
//! This module is independent of the broker. An adapter turns each [`Command`] into one atomic step of
//! its broker, and each reply into a [`Done`]; docs/cluster.md describes the one for Redis.

mod answer;
mod body;
mod command;
mod machine;
mod payload;
mod push;
mod room_body;

pub use self::answer::{
    Answer, Appended, Claim, Done, Entry, Failure, Occupant, OccupantList, Peer, Reached,
    RoomPosition,
};
pub use self::body::{BadBody, Body, Form};
pub use self::command::{
    Append, Beat, BrokerTime, Channel, Command, Direct, Info, Keep, Kick, Login, Logout, Lookup,
    Occupants, Position, Presence, Range, Retention, Retire, Seats, Sync, Values, Writer,
};
pub use self::machine::{
    BadClusterConfig, Cluster, ClusterConfig, ClusterNotice, ClusterStats, Fate, LeaseTimes,
    LinkTimes, LoginTerms, NodeLoad, Order, Output, PositionKind, PublishError, Question,
    RecallTicket, RoomTerms, SeatTicket, Ticket, WhenDown,
};
pub use self::push::{BadPush, NodeState, Push};
pub use self::room_body::RoomBody;
