//! Scenarios for the rules of `docs/behaviour.md` and `docs/protocol.md` in virtual time: a
//! switchboard, a clock that is a variable, and clients that are byte vectors.

mod admission;
mod catching_up;
mod client;
mod clock;
mod consider;
mod delivery;
mod drain;
mod ending;
mod ending_by_peer;
mod errors;
mod health;
mod history;
mod limits;
mod login;
mod node_bound;
mod operations;
mod presence;
mod probes;
mod protocol;
mod recovery;
mod refusals;
mod reject;
mod resending;
mod room_shares;
mod rooms;
mod seen;
mod sessions;
mod shares;
mod slow;
mod slow_values;
mod stats;
mod users;
mod values;
mod world;
mod write_stall;
