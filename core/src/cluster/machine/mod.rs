//! The state machine of a node in a cluster: it keeps the node's rooms in the order of the broker's
//! logs.
//!
//! Sans-IO: the caller reports events with their time, then carries out the outputs of
//! [`poll`](Cluster::poll), and calls [`tick`](Cluster::tick) at
//! [`next_deadline`](Cluster::next_deadline). Calls are legal in any order.
//!
//! The outputs for the members of a room come in this order: an [`Output::Position`], then for each
//! number above it, ascending, either [`Output::Deliver`] or [`Output::Skip`], until the next position.
//! No message of a node is delivered twice, whatever was sent again.

// Imports and calls between the files point downwards:
//
//   tick, stats, audit              what the clock does; what is looked at
//   session, members, pushed        what the broker, the node and other nodes do
//   answers                         what the broker's answers change
//   pipeline                        what is asked
//   asking, logins, recalling, presence, seating, registration, probes, alone   one subject each
//   rooms                           finds rooms and changes them
//   cluster                         the state
//   room                            a part of the state
//   context                         what a part may look at
//   lease, peers, broker_clock, claims, questions, recalls   parts of the state
//   config, link, asked, timers     parts of the state
//   output, figures, load           what comes out

mod alone;
mod answers;
mod asked;
mod asking;
mod audit;
mod broker_clock;
mod claims;
mod cluster;
mod config;
mod context;
mod figures;
mod lease;
mod link;
mod load;
mod logins;
mod members;
mod output;
mod peers;
mod pipeline;
mod presence;
mod probes;
mod pushed;
mod questions;
mod recalling;
mod recalls;
mod registration;
mod registrations;
mod room;
mod rooms;
mod seating;
mod session;
mod stats;
mod tick;
mod timers;

pub use self::cluster::Cluster;
pub use self::config::{BadClusterConfig, ClusterConfig, LoginTerms, Order, RoomTerms, WhenDown};
pub use self::lease::LeaseTimes;
pub use self::link::LinkTimes;
pub use self::load::NodeLoad;
pub use self::output::{
    ClusterNotice, Fate, Output, PositionKind, PublishError, Question, RecallTicket, SeatTicket,
    Ticket,
};
pub use self::stats::ClusterStats;
