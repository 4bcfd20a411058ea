//! The public type, and the steps of its calls.
//!
//! Each file holds the calls of one subject. They change the sub-machines of the parent module, which
//! do not depend on them, and settle what these have recorded (docs/architecture.md).
//!
//! Calls between the files point downwards, too:
//! ```text
//!   repeat                                          what was recorded
//!   tick, inbound, commands, admission, arrival     what drivers and clients do
//!   consider, publishing, subscribing, calling      requests of clients
//!   logins, publish                                 in a cluster, before that
//!   outbound, health, histories, opening, rooms, reject, event_streams     one subject each
//!   resending                                       messages that are sent again
//!   sharing, shared_values, relaying, moving, elsewhere            what goes to the cluster, and comes from it
//!   returning                                       who came while this node was on its own
//!   catching_up                                     who waits for that
//!   values, drain, everybody, to_user, presence, users, recovery
//!   delivery
//!   sending, refusal                                what may end connections
//!   ending                                          ends them
//!   queueing, membership, held_seats, markers, presence_info    never ends one
//!   draft                                           what is published, but for its number
//!   recording, causes                               what the recorder is told
//!   switchboard                                     the sub-machines, the clock
//! ```

mod admission;
mod arrival;
mod audit;
mod calling;
mod catching_up;
mod causes;
mod commands;
mod consider;
mod delivery;
mod denials;
mod draft;
mod drain;
mod elsewhere;
mod ending;
mod event_streams;
mod everybody;
mod health;
mod held_seats;
mod histories;
mod inbound;
mod logins;
mod markers;
mod membership;
mod moving;
mod older;
mod opening;
mod outbound;
mod presence;
mod presence_info;
mod publish;
mod publishing;
mod questions;
mod queueing;
mod recording;
mod recovery;
mod refusal;
mod reject;
mod relaying;
mod repeat;
mod resending;
mod returning;
mod rooms;
mod sending;
mod shared_values;
mod sharing;
mod stats;
mod subscribing;
mod switchboard;
mod tick;
mod to_user;
mod users;
mod values;

pub(crate) use self::elsewhere::word_of;
pub(crate) use self::relaying::Arrived;

pub use self::admission::Identity;
pub use self::arrival::RequestOutcome;
pub use self::audit::Audit;
pub use self::histories::{Excerpt, Stored};
pub use self::inbound::{Event, ReadMode};
pub use self::publish::Publishing;
pub use self::questions::Question;
pub use self::repeat::{Replay, Replayed, Unlike};
pub use self::stats::{
    ClusterReport, CompressedStats, ContextStats, HistoryStats, InflatedStats, Stats,
};
pub use self::switchboard::Switchboard;
